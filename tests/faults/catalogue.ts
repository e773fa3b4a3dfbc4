/**
 * The fault catalogue. A public one for gateways names sixteen ways in which their providers break them; all of them
 * are here but the outage of a minute, which is in `outage.ts`, with some variants and with those that Ollama adds. Whom
 * an answer is billed to is looked at in all of them (`trial.ts`).
 */
import type { Behaviour } from "../support/fake_behaviour.ts";
import type { FakeOllama } from "../support/fake_ollama.ts";
import type { ProtocolName, Scenario } from "./scenario.ts";
import { ANSWERS } from "./world.ts";

type Expectations = Pick<Scenario, "whole" | "streamed">;

const both = (expected: Scenario["whole"]): Expectations => ({ whole: expected, streamed: expected });
/** The fallback gives one answer after so many calls of the primary. */
const takenOver = (primary: number): Expectations => both({ ending: "fallback", primary, fallback: 1 });
/** The primary gives one answer after so many calls. */
const answered = (primary: number): Expectations => both({ ending: "primary", primary, fallback: 0 });
/** Who waits for the whole answer gets it from the fallback; who has seen a part of it is told that it is no whole. */
const brokenOff = (kind: "protocol" | "timeout" | "unavailable" | "context_length"): Expectations => ({
  whole: { ending: "fallback", primary: 1, fallback: 1 },
  streamed: { ending: "told", kind, primary: 1, fallback: 0 },
});
const status = (code: number, more: object = {}): Behaviour => ({ kind: "status", status: code, ...more });
const primaryDoes = (behaviour: Behaviour): Scenario["arrange"] => ({ primary }) => primary.always(behaviour);

/** A prompt over the context, as each provider says it. */
const TOO_LONG: Readonly<Record<ProtocolName, object>> = {
  ollama: { error: "request (9000 tokens) exceeds the available context size (8192 tokens), try increasing it" },
  groq: {
    error: {
      message: "Please reduce the length of the messages or completion.",
      type: "invalid_request_error",
      code: "context_length_exceeded",
    },
  },
  gemini: {
    error: {
      code: 400,
      message: "The input token count (9000) exceeds the maximum number of tokens allowed (8192).",
      status: "INVALID_ARGUMENT",
    },
  },
};

const REFUSALS: readonly Scenario[] = [
  {
    name: "429 with Retry-After",
    asks: 2,
    arrange: primaryDoes(status(429, { headers: { "retry-after": "60" } })),
    ...both({ ending: "fallback", primary: 1, fallback: 2 }),
  },
  {
    name: "429 without Retry-After",
    asks: 2,
    arrange: primaryDoes(status(429)),
    ...both({ ending: "fallback", primary: 1, fallback: 2 }),
  },
  { name: "500 once", arrange: ({ primary }) => primary.next(status(500)), ...answered(2) },
  {
    name: "503 for good",
    asks: 5,
    arrange: primaryDoes(status(503)),
    ...both({ ending: "fallback", primary: 3, fallback: 5 }),
  },
  {
    name: "400: the prompt is too long",
    arrange: ({ primary }) => primary.always(status(400, { body: TOO_LONG[primary.protocol] })),
    ...takenOver(1),
  },
  {
    name: "400: the content filter",
    arrange: primaryDoes({ kind: "blocked_prompt" }),
    ...both({ ending: "refused", kind: "content_filter", primary: 1, fallback: 0 }),
  },
];

const SILENCES: readonly Scenario[] = [
  { name: "reset before the headers", arrange: primaryDoes({ kind: "reset" }), ...takenOver(2) },
  { name: "silence", limits: "silent", hangs: true, arrange: primaryDoes({ kind: "silence" }), ...takenOver(1) },
  {
    name: "late first token, in time",
    arrange: ({ primary }, { lateMs }) =>
      primary.always({ kind: "answer", ...ANSWERS.primary, firstTokenDelayMs: lateMs }),
    ...answered(1),
  },
  {
    name: "late first token, too late",
    limits: "short",
    hangs: true,
    arrange: ({ primary }, { lateMs }) =>
      primary.always({ kind: "answer", ...ANSWERS.primary, firstTokenDelayMs: lateMs }),
    ...takenOver(1),
  },
];

const BROKEN_STREAMS: readonly Scenario[] = [
  { name: "cut", arrange: primaryDoes({ kind: "cut", after: 2 }), ...brokenOff("protocol") },
  {
    name: "cut before the first token",
    arrange: primaryDoes({ kind: "cut", after: 0 }),
    ...takenOver(1),
  },
  {
    name: "stalled",
    limits: "idle",
    hangs: true,
    arrange: primaryDoes({ kind: "stall", after: 2 }),
    ...brokenOff("timeout"),
  },
  { name: "malformed chunk", arrange: primaryDoes({ kind: "malformed", after: 2 }), ...brokenOff("protocol") },
  { name: "no terminator", arrange: primaryDoes({ kind: "no_finish", after: 2 }), ...brokenOff("protocol") },
  {
    name: "error in the stream: billed to who answered",
    arrange: primaryDoes({ kind: "error_in_stream", after: 2 }),
    ...brokenOff("unavailable"),
  },
  {
    name: "cut, and a picky fallback",
    arrange: ({ primary, fallback }) => {
      primary.always({ kind: "cut", after: 2 });
      fallback.always({ kind: "rejects_prefill", ...ANSWERS.fallback });
    },
    ...brokenOff("protocol"),
  },
];

const OLLAMA_ALONE: readonly Omit<Scenario, "protocols">[] = [
  {
    name: "not in memory, slow to load",
    limits: "short",
    arrange: ({ primary }, { loadMs }) => {
      const ollama = primary as FakeOllama;
      ollama.setResident([]);
      ollama.loadMs = loadMs;
    },
    ...answered(1),
  },
  {
    name: "prompt cut silently",
    prompt: "Una palabra y otra palabra más. ".repeat(400),
    arrange: ({ primary }) => primary.always({ kind: "answer", ...ANSWERS.primary, usage: { input: 90, output: 5 } }),
    ...brokenOff("context_length"),
  },
  {
    name: "200 with done: false",
    arrange: primaryDoes(status(200, {
      headers: { "content-type": "application/x-ndjson" },
      body: { model: "llama3.2", message: { role: "assistant", content: "" }, done: false },
    })),
    ...takenOver(1),
  },
  {
    name: "cloud model by its name",
    sealed: true,
    model: "gpt-oss:120b-cloud",
    arrange: () => {},
    ...takenOver(0),
  },
  {
    name: "cloud model under another name",
    sealed: true,
    model: "innocent",
    arrange: ({ primary }) =>
      (primary as FakeOllama).setModels([
        { name: "innocent", remote_host: "https://ollama.com:443", remote_model: "gpt-oss:120b" },
      ]),
    ...takenOver(0),
  },
  {
    name: "model missing",
    asks: 4,
    arrange: ({ primary }) => (primary as FakeOllama).setModels([]),
    ...both({
      ending: "fallback",
      primary: 4,
      fallback: 4,
    }),
  },
  {
    name: "restart between two calls",
    asks: 2,
    arrange: () => {},
    between: async ({ primary }) => {
      await primary.down();
      await primary.up();
    },
    ...answered(2),
  },
  { name: "503: the queue is full", arrange: primaryDoes(status(503)), ...takenOver(1) },
];

/** In the order of the catalogue, Ollama's own last. */
export const CATALOGUE: readonly Scenario[] = [
  ...REFUSALS,
  ...SILENCES,
  ...BROKEN_STREAMS,
  ...OLLAMA_ALONE.map((scenario): Scenario => ({ ...scenario, protocols: ["ollama"] })),
];
