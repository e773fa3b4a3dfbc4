/**
 * `deno task chaos [--minutes N] [--seed N]`: the whole program under load while its providers, Discord and PostgreSQL
 * are killed, stalled and restored at random. The same seed breaks the same things in the same order. The exit code is 1
 * when anything was lost, doubled, miscounted or left open.
 */
import { parseArgs } from "node:util";
import { postgresMissing } from "../support/postgres.ts";
import { judgeChaos, renderChaos } from "./report.ts";
import { type ChaosOptions, runChaos } from "./run.ts";

const MINUTES = 10;
const MOST_MINUTES = 24 * 60;
const SEEDS = 2 ** 32;

/** @throws TypeError with what is wrong */
export function readArguments(args: readonly string[]): Pick<ChaosOptions, "seconds" | "seed"> {
  const options = { minutes: { type: "string" }, seed: { type: "string" } } as const;
  const { minutes = String(MINUTES), seed = String(Math.floor(Math.random() * SEEDS)) } =
    parseArgs({ args: [...args], options }).values;
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
    console.error("Usage: deno task chaos [--minutes N] [--seed N]");
    return 64;
  }
  if (postgresMissing !== undefined) return 69; // it has been told
  console.error(`seed ${options.seed}, ${options.seconds / 60} minutes; what begins to break:`);
  const startedAt = performance.now();
  const tell = (what: string) => {
    console.error(`${((performance.now() - startedAt) / 1000).toFixed(1).padStart(7)} s  ${what}`);
  };
  const chaos = await runChaos({ ...options, tell });
  console.log(renderChaos(chaos));
  return judgeChaos(chaos).length === 0 ? 0 : 1;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
