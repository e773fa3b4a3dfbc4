import { modelsSchema } from "../../src/config/schema.ts";
import { createEventBus } from "../../src/core/events.ts";
import { createOllama } from "../../src/providers/ollama.ts";
import type { Provider } from "../../src/providers/provider.ts";
import type { BookAttempt } from "../../src/router/accounting.ts";
import { resolveProfile } from "../../src/router/chain.ts";
import { Router } from "../../src/router/router.ts";
import { createSnapshot, type ProviderSlot } from "../../src/router/snapshot.ts";
import { freePort } from "../support/free_port.ts";
import { median } from "../support/statistics.ts";
import { type Figure, spreadOf, spreadOfDifference } from "./measure.ts";
import { measureScaling } from "./scaling.ts";

const DEADLINES = { loadMs: 60_000, firstTokenMs: 60_000, idleMs: 60_000 };
const TOKENS = 8;
const ledger = { sent() {}, received() {} };

interface Timing {
  readonly firstMs: number;
  readonly totalMs: number;
}

/** Figures of the router against the same provider class called directly; `origin` is the fast fake. */
export async function benchRouter(origin: string): Promise<Figure[]> {
  const provider = createOllama({ id: "fast", baseUrl: origin, ledger });
  const router = createRouter({ fast: provider }, ["fast/bench"]);
  const figures: Figure[] = [];
  for (const load of LOADS) figures.push(...await benchOverhead(provider, router, load));
  figures.push(await benchRefused(provider), await benchOpenBreaker(provider));
  figures.push(...await benchLongStream(provider, router), await benchScaling(provider, router));
  return figures;
}

/** A router over the fast fake that books its attempts. */
export function createFastRouter(origin: string, book: BookAttempt): Router {
  const fast = createOllama({ id: "fast", baseUrl: origin, ledger });
  return createRouter({ fast }, ["fast/bench"], { book });
}

interface RouterOptions {
  readonly random?: () => number;
  readonly book?: BookAttempt;
}

export function createRouter(
  providers: Record<string, Provider>,
  chain: string[],
  { random = Math.random, book = () => {} }: RouterOptions = {},
): Router {
  const models = modelsSchema.parse({
    profile: "local",
    providers: Object.fromEntries(
      Object.keys(providers).map((id) => [id, {
        type: "ollama",
        max_concurrent: 64,
        models: { bench: { context: 131_072 } },
      }]),
    ),
    fallback_chain: chain,
    profiles: { local: { local_only: true } },
  });
  const slots = new Map<string, ProviderSlot>(Object.entries(providers).map(([id, provider]) => [id, { provider }]));
  const events = createEventBus({ onListenerError: console.error });
  const profile = resolveProfile(models, "local");
  if (!profile) throw new Error("The profile is gone");
  const snapshot = createSnapshot({ models, profile, providers: slots, cloudAllowed: false });
  return new Router(snapshot, { events, book, random });
}

async function callDirectly(provider: Provider, tokens = TOKENS): Promise<Timing> {
  const startedAt = performance.now();
  let firstMs = 0;
  const call = {
    model: "bench",
    contextTokens: 131_072,
    messages: [{ role: "user", content: "Hola" }],
    max_tokens: tokens,
    deadlines: DEADLINES,
    localOnly: true,
  } as const;
  for await (const _ of provider.chat(call, new AbortController().signal)) {
    if (firstMs === 0) firstMs = performance.now() - startedAt;
  }
  return { firstMs, totalMs: performance.now() - startedAt };
}

async function callRouter(router: Router, tokens = TOKENS): Promise<Timing> {
  const startedAt = performance.now();
  let firstMs = 0;
  for await (const { type } of router.stream({ prompt: "Hola", max_tokens: tokens })) {
    if (firstMs === 0 && type === "text") firstMs = performance.now() - startedAt;
  }
  return { firstMs, totalMs: performance.now() - startedAt };
}

interface Load {
  readonly what: string;
  readonly concurrency: number;
  /** Turns that count, after as many again that do not, until the runtime has compiled both paths. */
  readonly turns: number;
}

/** The second one keeps the one thread of this process busy all the time, as no real model ever would. */
const LOADS: readonly Load[] = [
  { what: "1 at a time", concurrency: 1, turns: 150 },
  { what: "32 at a time", concurrency: 32, turns: 60 },
];

/** Calls each of the concurrent callers makes in a turn, one after the other. */
const CALLS_A_TURN = 10;

/**
 * Turns of direct and of routed calls, so that both see the same machine. In a turn `concurrency` callers call again
 * and again, as clients of a server do.
 */
async function benchOverhead(provider: Provider, router: Router, load: Load): Promise<Figure[]> {
  const { what, concurrency, turns } = load;
  const direct: Timing[] = [];
  const routed: Timing[] = [];
  const cost = { direct: [] as number[], routed: [] as number[] }; // milliseconds of the turn for each of its calls
  const takeTurn = async (call: () => Promise<Timing>, into: Timing[], costs: number[]) => {
    const startedAt = performance.now();
    const caller = async () => {
      for (let count = 0; count < CALLS_A_TURN; count++) into.push(await call());
    };
    await Promise.all(Array.from({ length: concurrency }, caller));
    costs.push((performance.now() - startedAt) / (concurrency * CALLS_A_TURN));
  };
  for (let turn = -turns; turn < turns; turn++) {
    const both = [
      () => takeTurn(() => callDirectly(provider), turn < 0 ? [] : direct, turn < 0 ? [] : cost.direct),
      () => takeTurn(() => callRouter(router), turn < 0 ? [] : routed, turn < 0 ? [] : cost.routed),
    ];
    for (const take of turn % 2 ? both : both.toReversed()) await take();
  }
  const added = (pick: (timing: Timing) => number) => {
    const [through, without] = [routed.map(pick), direct.map(pick)];
    const own = median(without);
    return { value: median(through) - own, unit: "ms", direct: own, spread: spreadOfDifference(through, without) };
  };
  return [
    {
      what: `added to a call, ${what}`,
      ...added(({ totalMs }) => totalMs),
      bound: { kind: "at most", value: 0.3 },
      note: `medians of ${direct.length}` +
        (concurrency > 1 ? `; one every ${micros(cost.direct)} µs direct, ${micros(cost.routed)} µs routed` : ""),
    },
    {
      what: `added to the first token, ${what}`,
      ...added(({ firstMs }) => firstMs),
      bound: { kind: "at most", value: 0.5 },
    },
  ];
}

function micros(milliseconds: readonly number[]): string {
  return (median(milliseconds) * 1000).toFixed(0);
}

/** From the end of the retry's pause to the answer of the next provider; the first one refuses connections. */
async function benchRefused(provider: Provider): Promise<Figure> {
  const PAUSE_MS = 100; // what the router waits before its one retry when `random` gives 0
  const dead = createOllama({ id: "dead", baseUrl: `http://127.0.0.1:${freePort()}`, ledger });
  const times: number[] = [];
  const direct: number[] = [];
  for (let round = 0; round < 30; round++) {
    const router = createRouter({ dead, fast: provider }, ["dead/bench", "fast/bench"], { random: () => 0 });
    times.push((await callRouter(router)).totalMs - PAUSE_MS);
    direct.push((await callDirectly(provider)).totalMs);
  }
  return {
    what: "refused connection to the next answer",
    value: median(times),
    unit: "ms",
    bound: { kind: "at most", value: 15 },
    direct: median(direct),
    spread: spreadOf(times),
    note: `after the retry's pause of ${PAUSE_MS} ms; median of ${times.length}`,
  };
}

/** What an open breaker at the head of the chain costs a call. */
async function benchOpenBreaker(provider: Provider): Promise<Figure> {
  const dead = createOllama({ id: "dead", baseUrl: `http://127.0.0.1:${freePort()}`, ledger });
  const broken = createRouter({ dead, fast: provider }, ["dead/bench", "fast/bench"], { random: () => 0 });
  while (broken.lanes.dead?.breaker !== "open") await callRouter(broken);
  const healthy = createRouter({ fast: provider }, ["fast/bench"]);
  const skipped: number[] = [];
  const plain: number[] = [];
  for (let round = 0; round < 1500; round++) {
    for (
      const [router, into] of round % 2
        ? [[broken, skipped], [healthy, plain]] as const
        : [[healthy, plain], [broken, skipped]] as const
    ) {
      into.push((await callRouter(router)).totalMs);
    }
  }
  return {
    what: "open breaker skipped",
    value: median(skipped) - median(plain),
    unit: "ms",
    bound: { kind: "at most", value: 0.05 },
    spread: spreadOfDifference(skipped, plain),
    note: `a call without it ${median(plain).toFixed(3)} ms; medians of ${plain.length}`,
  };
}

/** A long answer relayed token by token. */
async function benchLongStream(provider: Provider, router: Router): Promise<Figure[]> {
  const tokens = 100_000;
  const relay = async (count: number, sample: () => void) => {
    let seen = 0;
    for await (const item of router.stream({ prompt: "Hola", max_tokens: count })) {
      if (item.type === "text" && ++seen % 1000 === 0) sample();
    }
    return seen;
  };
  await relay(tokens, () => {});
  await relay(tokens, () => {});
  const sizes: number[] = [];
  const startedAt = performance.now();
  const seen = await relay(tokens, () => sizes.push(Deno.memoryUsage().rss / 1e6));
  const seconds = (performance.now() - startedAt) / 1000;
  if (seen !== tokens) throw new Error(`${tokens} tokens were sent and ${seen} arrived`);
  const direct: number[] = [];
  for (let round = 0; round < 3; round++) direct.push((await callDirectly(provider, tokens)).totalMs / 1000);
  return [
    {
      what: "100,000 tokens relayed",
      value: tokens / seconds,
      unit: "tokens/s",
      bound: { kind: "at least", value: 50_000 },
      direct: tokens / (direct.at(-1) ?? NaN),
      note: "third run of each",
    },
    {
      what: "memory while relaying 100,000 tokens, largest less smallest",
      value: Math.max(...sizes) - Math.min(...sizes),
      unit: "MB",
      bound: { kind: "at most", value: 10 },
      note: `RSS ${sizes[0]?.toFixed(0)} MB at the start, ${sizes.at(-1)?.toFixed(0)} MB at the end, third run`,
    },
  ];
}

function benchScaling(provider: Provider, router: Router): Promise<Figure> {
  return measureScaling({
    what: "an answer of 1,000 → 10,000 → 100,000 tokens",
    sizes: [1000, 10_000, 100_000],
    costOf: "each",
    mostTimes: 1.5,
    sameWork: true,
    measure: async (tokens) => (await callRouter(router, tokens)).totalMs,
    direct: async (tokens) => (await callDirectly(provider, tokens)).totalMs,
  });
}
