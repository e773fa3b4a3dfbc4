/** Calls of every fate, to say of all of them what holds for each. */
import { type Outcome, outcomeOf, outcomeOfStream } from "./booked.ts";
import type { Behaviour } from "./fake_provider.ts";
import { ask, GEMINI, GPT, LLAMA, type Rig, type RigOptions, SMALL_GPT, until } from "./rig.ts";

/** One or more calls on a rig of their own. */
export interface Scenario extends RigOptions {
  readonly name: string;
  /** How many attempts have to begin. */
  readonly begun: number;
  /** Makes the calls: all their attempts in the order they ended, and the response of the last. */
  readonly call: (rig: Rig) => Promise<Outcome>;
  /** True when attempts end before a request of theirs can arrive. */
  readonly unheard?: boolean;
}

const PROMPT = "¿Quién eres?";
const SILENCE: Behaviour = { kind: "silence" };
const CHAIN = [GPT, SMALL_GPT, GEMINI];
const ALONE = { max_concurrent: 1, max_waiting: 1 };

function status(code: number): Behaviour {
  return { kind: "status", status: code };
}

function tooMany(retryAfter: string): Behaviour {
  return { kind: "status", status: 429, headers: { "retry-after": retryAfter } };
}

/** A call of `generate()` that Groq meets with these behaviours, one a request. */
function generate(...behaviours: Behaviour[]): Scenario["call"] {
  return (rig) => {
    rig.groq.next(...behaviours);
    return outcomeOf(ask(rig));
  };
}

/** The same of `stream()`. */
function stream(...behaviours: Behaviour[]): Scenario["call"] {
  return (rig) => {
    rig.groq.next(...behaviours);
    return outcomeOfStream(rig.router.stream({ prompt: PROMPT }));
  };
}

/** A call of `generate()` that is aborted as soon as `ready` says so. */
function abort(behaviour: Behaviour, ready: (rig: Rig) => boolean): Scenario["call"] {
  return async (rig) => {
    rig.groq.next(behaviour);
    const controller = new AbortController();
    const outcome = outcomeOf(ask(rig, { signal: controller.signal }));
    await until(() => ready(rig));
    controller.abort();
    return await outcome;
  };
}

/** Several calls, one after the other. */
function inTurn(...calls: Scenario["call"][]): Scenario["call"] {
  return async (rig) => {
    const outcomes: Outcome[] = [];
    for (const call of calls) outcomes.push(await call(rig));
    return { ...outcomes.at(-1), attempts: outcomes.flatMap(({ attempts }) => attempts) };
  };
}

/** `inner` while another call has Groq's only place, which is aborted afterwards. */
function whileBusy(inner: Scenario["call"]): Scenario["call"] {
  return async (rig) => {
    rig.groq.next(SILENCE);
    const controller = new AbortController();
    const first = outcomeOf(ask(rig, { signal: controller.signal }));
    await until(() => rig.groq.chats.length === 1);
    const { attempts } = await inner(rig);
    controller.abort();
    return { attempts: [...attempts, ...(await first).attempts] };
  };
}

/** Calls that get their answer from the first model. */
const ANSWERED: readonly Scenario[] = [
  { name: "an answer of Ollama", chain: [LLAMA], begun: 1, call: generate() },
  { name: "an answer of Gemini", chain: [GEMINI, GPT], begun: 1, call: generate() },
  { name: "an answer of Groq in a stream", chain: CHAIN, begun: 1, call: stream() },
  { name: "an answer without counts", chain: CHAIN, begun: 1, call: generate({ kind: "answer", usage: null }) },
  {
    name: "an answer with tokens of every kind",
    chain: CHAIN,
    begun: 1,
    call: generate({ kind: "answer", usage: { input: 900, cached: 300, output: 80, reasoning: 30 } }),
  },
  { name: "an answer without a price", chain: ["gemini/gemini-unpriced"], begun: 1, call: generate() },
  {
    name: "test(), answered and not",
    chain: [GPT, GEMINI],
    begun: 2,
    call: async (rig) => {
      rig.groq.next({ kind: "answer" }, status(400));
      const [first, second] = [await outcomeOf(rig.router.test(GPT)), await outcomeOf(rig.router.test(GPT))];
      return { attempts: [...first.attempts, ...second.attempts] };
    },
  },
];

/** Calls that fail somewhere, and go on or not. */
const FAILED: readonly Scenario[] = [
  { name: "a busy provider", chain: CHAIN, begun: 2, call: generate(status(503)) },
  { name: "a hiccup", chain: CHAIN, begun: 2, call: generate(status(500)) },
  { name: "a hiccup that comes back", chain: CHAIN, begun: 3, call: generate(status(500), status(500)) },
  { name: "a connection that is closed", chain: CHAIN, begun: 2, call: stream({ kind: "reset" }) },
  { name: "a key that is refused", chain: CHAIN, begun: 2, call: generate(status(401)) },
  { name: "a model that is gone", chain: CHAIN, begun: 2, call: stream(status(404)) },
  { name: "a prompt that is too long", chain: CHAIN, begun: 2, call: generate(status(413)) },
  { name: "a bad request", chain: CHAIN, begun: 1, call: generate(status(400)) },
  { name: "a content filter", chain: CHAIN, begun: 1, call: stream({ kind: "blocked_prompt" }) },
  { name: "a rate limit", chain: CHAIN, begun: 2, call: generate(tooMany("60")) },
  { name: "a rate limit that is waited for", chain: [GPT], begun: 2, call: stream(tooMany("0.05")) },
  {
    name: "a provider that is not there",
    chain: [LLAMA, GPT],
    begun: 3,
    unheard: true,
    call: async (rig) => {
      await rig.ollama.down();
      return await outcomeOf(ask(rig));
    },
  },
  {
    name: "embed() that fails, and is tried again",
    chain: ["ollama/embeddinggemma"],
    begun: 2,
    call: (rig) => {
      rig.ollama.on("/api/embed", status(500));
      return outcomeOf(rig.router.embed(["uno"]));
    },
  },
];

/** Answers that break off. */
const BROKEN: readonly Scenario[] = (["cut", "no_finish", "malformed", "error_in_stream", "stall"] as const)
  .flatMap((kind) => {
    const shared = { providers: { groq: { deadlines: { first_token_seconds: 0.1, idle_seconds: 0.1 } } } };
    const early: Scenario["call"] = stream({ kind, after: 0 });
    return [
      { ...shared, name: `${kind} in generate()`, chain: CHAIN, begun: 2, call: generate({ kind, after: 2 }) },
      { ...shared, name: `${kind} in stream()`, chain: CHAIN, begun: 1, call: stream({ kind, after: 2 }) },
      { ...shared, name: `${kind} before the first token`, chain: [GPT, GEMINI], begun: 2, call: early },
    ];
  });

/** Calls that are over before their time, or at the end of it. */
const STOPPED: readonly Scenario[] = [
  {
    name: "no time left, nothing shown",
    chain: CHAIN,
    deadlines: { total_seconds: 0.1 },
    begun: 1,
    call: generate(SILENCE),
  },
  {
    name: "no time left, something shown",
    chain: CHAIN,
    deadlines: { total_seconds: 0.2 },
    begun: 1,
    call: stream({ kind: "stall", after: 1 }),
  },
  {
    name: "aborted beforehand",
    chain: CHAIN,
    begun: 0,
    call: (rig) => outcomeOf(ask(rig, { signal: AbortSignal.abort() })),
  },
  {
    name: "aborted before the first token",
    chain: CHAIN,
    begun: 1,
    call: abort(SILENCE, ({ groq }) => groq.chats.length === 1),
  },
  {
    name: "aborted in the pause before a retry",
    chain: CHAIN,
    begun: 1,
    random: () => 0.99,
    call: abort(status(500), ({ router }) => router.lanes["groq"]?.failures === 1),
  },
  {
    name: "aborted while a rate limit is waited for",
    chain: [GPT],
    begun: 1,
    call: abort(tooMany("9"), ({ rows }) => rows.length === 1),
  },
  {
    name: "aborted in the queue",
    chain: CHAIN,
    providers: { groq: ALONE },
    begun: 1,
    call: whileBusy(abort(SILENCE, ({ router }) => router.lanes["groq"]?.waiting === 1)),
  },
];

/** Calls that have to leave candidates out. */
const SKIPPED: readonly Scenario[] = [
  { name: "nothing but clouds for a local profile", chain: CHAIN, localOnly: true, begun: 0, call: generate() },
  { name: "a cloud before a local model, sealed", chain: [GPT, LLAMA], sealed: true, begun: 1, call: stream() },
  {
    name: "a forbidden model asked for by name",
    chain: [LLAMA],
    sealed: true,
    begun: 0,
    call: (rig) => outcomeOf(ask(rig, { model: GPT })),
  },
  {
    name: "a breaker that opens",
    chain: [GPT],
    breaker: { failure_threshold: 1 },
    begun: 1,
    call: inTurn(generate(status(503)), generate(), stream()),
  },
  { name: "a provider that is held", chain: [GPT], begun: 1, call: inTurn(generate(tooMany("60")), generate()) },
  {
    name: "a queue that is full",
    chain: CHAIN,
    providers: { groq: { max_concurrent: 1, max_waiting: 0 } },
    begun: 2,
    call: whileBusy(generate()),
  },
  {
    name: "a prompt that fits nowhere",
    chain: [LLAMA],
    begun: 0,
    call: (rig) => outcomeOf(ask(rig, { prompt: "palabra ".repeat(40_000) })),
  },
];

export const CALL_SCENARIOS: readonly Scenario[] = [...ANSWERED, ...FAILED, ...BROKEN, ...STOPPED, ...SKIPPED];
