/** One run of the chaos: load from all sides while everything breaks, then peace, then the count. */
import { createRandom } from "../bench/library.ts";
import { type Sample, sampleVitals, type Vitals } from "../support/vitals.ts";
import { awaitShared, type Books, readBooks, since } from "./books.ts";
import { type Fates, runClients } from "./clients.ts";
import { pause, runDemon } from "./demon.ts";
import { type Replies, runTalk } from "./talk.ts";
import {
  type ChaosWorld,
  discordAdversities,
  postgresAdversities,
  providerAdversities,
  startChaosWorld,
} from "./world.ts";

export interface ChaosOptions {
  readonly seconds: number;
  readonly seed: number;
  /** Is told what begins to break. */
  readonly tell?: (what: string) => void;
}

/** What happened. */
export interface Chaos extends Omit<ChaosOptions, "tell"> {
  /** How often each adversity began. */
  readonly adversities: Readonly<Record<string, number>>;
  readonly fates: Fates;
  readonly replies: Replies;
  readonly books: Books;
  /** MB of resident memory, at seconds since the start. Empty where the system does not tell. */
  readonly memory: readonly Sample[];
  /** Before the load and a while after it; undefined where the system does not tell. */
  readonly before: Vitals | undefined;
  readonly atRest: Vitals | undefined;
  /** How the program ended when it was asked to, and what it had told of faults of its own. */
  readonly exitCode: number;
  readonly faults: readonly string[];
}

const CLIENTS = 6;
const SAMPLE_EVERY_MS = 1000;
/** How long PostgreSQL may take to have everything, once nothing is broken any more. */
const RECOVERY_MS = 120_000;
/** How long the program may take to let go of what it does not need any more. */
const REST_MS = 30_000;
/** Longer than the program keeps the idle connections of its clients. */
const QUIET_MS = 7000;
const WARM_UP_MS = 5000;
/** Descriptors and sockets that may be more: PostgreSQL's connections, and databases with their logs. */
export const MOST_KEPT = 6;
const CALM_MS = [500, 4000] as const;
const BROKEN_MS = [500, 8000] as const;

export async function runChaos({ seconds, seed, tell = () => {} }: ChaosOptions): Promise<Chaos> {
  await using world = await startChaosWorld();
  const { served: { origin, program }, discord } = world;
  await warmUp(world, seed);
  const before = await settle(world);
  await awaitShared(world, RECOVERY_MS);
  const begun = await readBooks(world);
  const adversities: Record<string, number> = {};
  const demon = (list: Parameters<typeof runDemon>[0], nth: number) =>
    runDemon(list, {
      random: createRandom(seed + nth),
      calmMs: CALM_MS,
      brokenMs: BROKEN_MS,
      tell: (name) => {
        adversities[name] = (adversities[name] ?? 0) + 1;
        tell(name);
      },
    }, stop.signal);
  const stop = new AbortController();
  const memory: Sample[] = [];
  const clients = runClients({ origin, random: createRandom(seed + 1), clients: CLIENTS }, stop.signal);
  const talk = runTalk({ discord, random: createRandom(seed + 2), firstId: 2_000_000 }, stop.signal);
  const demons = [providerAdversities, discordAdversities, postgresAdversities].map((of, at) =>
    demon(of(world), 3 + at)
  );
  const watching = watch(program.pid, memory, stop.signal);
  await pause(seconds * 1000, stop.signal);
  stop.abort();
  await Promise.all([...demons, watching]);
  const [fates, replies] = await Promise.all([clients, talk]);
  const atRest = await settle(world, before);
  await awaitShared(world, RECOVERY_MS);
  program.kill("SIGTERM");
  const { code: exitCode, stderr } = await program.finished;
  const books = since(begun, await readBooks(world));
  const faults = stderr.split("\n").filter((line) => /internal error|fault of the program/i.test(line));
  return { seconds, seed, adversities, fates, replies, books, memory, before, atRest, exitCode, faults };
}

/** A little of everything, every provider in turn, so that what is kept for good is there before the first count. */
async function warmUp({ served: { origin }, discord, providers }: ChaosWorld, seed: number): Promise<void> {
  const stop = new AbortController();
  const load = Promise.all([
    runClients({ origin, random: createRandom(seed), clients: CLIENTS }, stop.signal),
    runTalk({ discord, random: createRandom(seed), firstId: 1_000_000 }, stop.signal),
  ]);
  for (const provider of providers) {
    await pause(WARM_UP_MS / providers.length, stop.signal);
    await provider.down();
  }
  for (const provider of providers) await provider.up();
  stop.abort();
  await load;
}

async function watch(pid: number, memory: Sample[], stop: AbortSignal): Promise<void> {
  const startedAt = performance.now();
  while (!stop.aborted) {
    const vitals = await sampleVitals(pid);
    if (vitals) memory.push({ at: (performance.now() - startedAt) / 1000, value: vitals.rssMb });
    await pause(SAMPLE_EVERY_MS, stop);
  }
}

/**
 * What the program holds once nobody asks anything, and nobody whom it has asked keeps a connection to it: when that
 * has not changed for a while and is hardly more than before. What it is in the end, when that never comes.
 */
async function settle({ served, providers, discord }: ChaosWorld, before?: Vitals): Promise<Vitals | undefined> {
  const { pid } = served.program;
  discord.hangUpIdle();
  for (const provider of providers) await provider.down();
  for (const provider of providers) await provider.up();
  let last = await sampleVitals(pid);
  let quietMs = 0;
  for (let waitedMs = 0; last && waitedMs < REST_MS && quietMs < QUIET_MS; waitedMs += SAMPLE_EVERY_MS) {
    await new Promise((resolve) => setTimeout(resolve, SAMPLE_EVERY_MS));
    const now = await sampleVitals(pid);
    const isQuiet = now?.descriptors === last.descriptors &&
      now.descriptors <= (before?.descriptors ?? Infinity) + MOST_KEPT;
    quietMs = isQuiet ? quietMs + SAMPLE_EVERY_MS : 0;
    last = now;
  }
  return last;
}
