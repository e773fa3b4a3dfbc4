/**
 * `deno task chaos`: the whole program under load while its providers, Discord and PostgreSQL are killed, stalled and
 * restored at random. For the same seed each of the three meets the same faults in the same order; how they coincide is
 * up to the clock.
 */
import { parseArgs } from "node:util";
import { postgresMissing } from "../support/postgres.ts";
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

/** @returns undefined when the help is wanted. @throws TypeError with what is wrong */
export function readArguments(args: readonly string[]): Pick<ChaosOptions, "seconds" | "seed"> | undefined {
  const options = { minutes: { type: "string" }, seed: { type: "string" }, help: { type: "boolean" } } as const;
  const { help, minutes = String(MINUTES), seed = String(Math.floor(Math.random() * SEEDS)) } =
    parseArgs({ args: [...args], options }).values;
  if (help) return undefined;
  const seconds = Number(minutes) * 60;
  if (minutes.trim() === "" || !(seconds > 0 && seconds <= MOST_MINUTES * 60)) {
    throw new TypeError(`--minutes takes a number over 0 and up to ${MOST_MINUTES}, not "${minutes}"`);
  }
  if (!/^\d{1,10}$/.test(seed) || Number(seed) >= SEEDS) {
    throw new TypeError(`--seed takes a whole number below ${SEEDS}, not "${seed}"`);
  }
  return { seconds, seed: Number(seed) };
}

async function main(args: readonly string[]): Promise<number> {
  let options: ReturnType<typeof readArguments>;
  try {
    options = readArguments(args);
  } catch (error) {
    console.error(`Cannot begin the chaos: ${error instanceof Error ? error.message : error}`);
    console.error("See: deno task chaos --help");
    return 64;
  }
  if (!options) {
    console.log(HELP);
    return 0;
  }
  if (postgresMissing !== undefined) {
    console.error("chaos needs PostgreSQL and openssl (Debian: apt-get install postgresql openssl)");
    return 69;
  }
  console.error(`seed ${options.seed}, ${options.seconds / 60} minutes; what begins to break:`);
  const startedAt = performance.now();
  const onFault = (name: string) => {
    console.error(`${((performance.now() - startedAt) / 1000).toFixed(1).padStart(7)} s  ${name}`);
  };
  const ending = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(signal, () => ending.abort());
  try {
    const chaos = await runChaos({ ...options, onFault, signal: ending.signal });
    console.log(renderChaos(chaos));
    return judgeChaos(chaos).length === 0 ? 0 : 1;
  } catch (error) {
    if (ending.signal.aborted) return 130;
    throw error;
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));
