/**
 * `deno task chaos`: the whole program under load while its providers, Discord and PostgreSQL are killed, stalled and
 * restored at random. For the same seed each of the three meets the same faults in the same order; how they coincide is
 * up to the clock.
 */
import { usageError } from "../../src/cli/usage_error.ts";
import { AgentError, EXIT } from "../../src/core/errors.ts";
import { postgresMissing } from "../support/postgres.ts";
import { parseOptions, runTask, wholeNumber } from "../support/task.ts";
import { judgeChaos, renderChaos } from "./report.ts";
import { type ChaosOptions, runChaos } from "./run.ts";

const MINUTES = 10;
const MOST_MINUTES = 24 * 60;
const SEEDS = 2 ** 32;
const HELP = `Usage: deno task chaos [--minutes N] [--seed N]

The whole program, with its bot, its API and a shared database, under load while providers, Discord and PostgreSQL are
killed, stalled and restored at random. Afterwards everything is counted. Needs PostgreSQL, and Linux.

  --minutes N  how long it is under load (default ${MINUTES}); some two minutes come on top. Memory is judged from five on
  --seed N     breaks the same things in the same order as the run that printed it

Exit codes: 0 all is well, 1 something was lost, doubled, miscounted or left open, 64 wrong usage, 69 no PostgreSQL.`;

/** @throws AgentError (exit 64) with what is wrong */
export function readArguments(args: readonly string[]): Pick<ChaosOptions, "seconds" | "seed"> {
  const { minutes = String(MINUTES), seed = String(Math.floor(Math.random() * SEEDS)) } = parseOptions(args, {
    minutes: { type: "string" },
    seed: { type: "string" },
  });
  const seconds = Number(minutes) * 60;
  if (minutes.trim() === "" || !(seconds > 0 && seconds <= MOST_MINUTES * 60)) {
    throw usageError(`--minutes takes a number over 0 and up to ${MOST_MINUTES}, not "${minutes}"`);
  }
  return { seconds, seed: wholeNumber("--seed", seed, SEEDS - 1) };
}

async function run(args: readonly string[], signal: AbortSignal): Promise<number> {
  const options = readArguments(args);
  if (postgresMissing !== undefined) {
    throw new AgentError("chaos needs PostgreSQL and openssl", {
      exitCode: EXIT.unavailable,
      remedy: "Debian has both as packages: apt-get install postgresql openssl",
    });
  }
  console.error(`seed ${options.seed}, ${options.seconds / 60} minutes; what begins to break:`);
  const startedAt = performance.now();
  const tell = (what: string) => {
    console.error(`${((performance.now() - startedAt) / 1000).toFixed(1).padStart(7)} s  ${what}`);
  };
  const chaos = await runChaos({ ...options, tell, signal });
  console.log(renderChaos(chaos));
  return judgeChaos(chaos).length === 0 ? EXIT.ok : EXIT.internal;
}

if (import.meta.main) Deno.exit(await runTask({ name: "chaos", help: HELP, run }, Deno.args));
