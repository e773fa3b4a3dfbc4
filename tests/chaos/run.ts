/** One run of the chaos: load from all sides while everything breaks, then peace, then the count. */
import { pause } from "../../src/core/pause.ts";
import { createRandom } from "../support/random.ts";
import type { Sample } from "../support/trend.ts";
import { sampleVitals, type Vitals } from "../support/vitals.ts";
import { unlessAborted } from "../support/task.ts";
import { type ClientOutcomes, runClients } from "./clients.ts";
import { type Replies, runDiscordUsers } from "./discord_users.ts";
import { type Fault, injectFaults } from "./fault_injector.ts";
import { awaitShared, checkUsage, since, type UsageCheck } from "./usage_check.ts";
import { type ChaosWorld, discordFaults, postgresFaults, providerFaults, startChaosWorld } from "./world.ts";

export interface ChaosOptions {
  readonly seconds: number;
  /** Of the faults, and of what clients and people do. */
  readonly seed: number;
  /** Ends everything. */
  readonly signal: AbortSignal;
  /** Is told what begins to break, and what is waited for. */
  readonly tell?: (what: string) => void;
}

/** What happened. */
export interface Chaos extends Pick<ChaosOptions, "seconds" | "seed"> {
  /** How often each fault was injected. */
  readonly injected: Readonly<Record<string, number>>;
  readonly outcomes: ClientOutcomes;
  readonly replies: Replies;
  readonly usage: UsageCheck;
  /** MB of resident memory, at seconds since the start. */
  readonly memory: readonly Sample[];
  /** Before the load and a while after it; undefined where the system does not tell. */
  readonly before: Vitals | undefined;
  readonly atRest: Vitals | undefined;
  /** How the program ended when it was asked to. */
  readonly exitCode: number;
  /** What it told of faults of its own. */
  readonly internalErrors: readonly string[];
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

/** @throws what went wrong with the world itself; the reason of the signal. Nothing of it stays behind */
export async function runChaos({ signal, ...options }: ChaosOptions): Promise<Chaos> {
  return await unlessAborted(signal, async (aborted) => {
    await using world = await startChaosWorld();
    return await Promise.race([play(world, options), aborted]);
  });
}

async function play(world: ChaosWorld, options: Omit<ChaosOptions, "signal">): Promise<Chaos> {
  const { seconds, seed } = options;
  const { program } = world.served;
  await warmUp(world, seed);
  const before = await settle(world);
  await awaitShared(world, RECOVERY_MS);
  const begun = await checkUsage(world);
  const { injected, outcomes, replies, memory } = await rage(world, options);
  const atRest = await settle(world, before);
  await awaitShared(world, RECOVERY_MS);
  program.kill("SIGTERM");
  const { code: exitCode, stderr } = await program.finished;
  const usage = since(begun, await checkUsage(world));
  const internalErrors = stderr.split("\n").filter((line) => /internal error|fault of the program/i.test(line));
  return { seconds, seed, injected, outcomes, replies, usage, memory, before, atRest, exitCode, internalErrors };
}

/** The load and the faults. */
async function rage(
  world: ChaosWorld,
  { seconds, seed, tell = () => {} }: Omit<ChaosOptions, "signal">,
): Promise<Pick<Chaos, "injected" | "outcomes" | "replies" | "memory">> {
  const { served: { origin, program }, discord } = world;
  const over = new AbortController();
  const injected: Record<string, number> = {};
  const memory: Sample[] = [];
  const note = (name: string) => {
    injected[name] = (injected[name] ?? 0) + 1;
    tell(name);
  };
  const inject = (faults: readonly Fault[], nth: number) => {
    const random = createRandom(seed + nth);
    return injectFaults(faults, { random, calmMs: CALM_MS, brokenMs: BROKEN_MS, onFault: note }, over.signal);
  };
  const work = Promise.all([
    runClients({ origin, random: createRandom(seed + 1), clients: CLIENTS }, over.signal),
    runDiscordUsers({ discord, random: createRandom(seed + 2), firstId: 2_000_000 }, over.signal),
    inject(providerFaults(world), 3),
    inject(discordFaults(world), 4),
    inject(postgresFaults(world), 5),
    watch(program.pid, memory, over.signal),
  ]);
  await Promise.race([pause(seconds * 1000, over.signal), work]); // which ends early only by failing
  over.abort();
  tell("the load is over, everything is mended; waiting for the last answers, and for what is held to be let go");
  const [outcomes, replies] = await work;
  return { injected, outcomes, replies, memory };
}

/**
 * A little of everything, every provider in turn, so that what is kept for good is there before the first count. One
 * always answers: where nobody can, the bot says so once and then keeps quiet for minutes.
 */
async function warmUp({ served: { origin }, discord, providers }: ChaosWorld, seed: number): Promise<void> {
  const over = new AbortController();
  const load = Promise.all([
    runClients({ origin, random: createRandom(seed), clients: CLIENTS }, over.signal),
    runDiscordUsers({ discord, random: createRandom(seed), firstId: 1_000_000 }, over.signal),
  ]);
  for (const provider of providers) {
    await Promise.race([pause(WARM_UP_MS / providers.length, over.signal), load]);
    if (provider !== providers.at(-1)) await provider.down();
  }
  for (const provider of providers) await provider.up();
  over.abort();
  await load;
}

async function watch(pid: number, memory: Sample[], over: AbortSignal): Promise<void> {
  const startedAt = performance.now();
  do {
    const vitals = await sampleVitals(pid);
    if (vitals) memory.push({ at: (performance.now() - startedAt) / 1000, value: vitals.rssMb });
  } while (await pause(SAMPLE_EVERY_MS, over));
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
