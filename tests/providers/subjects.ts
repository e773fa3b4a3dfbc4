/** What the tests of the providers share: each provider with its fake, calls, and ways to look at what came of them. */
import assert from "node:assert/strict";
import { ProviderError } from "../../src/core/errors.ts";
import type { ErrorKind } from "../../src/core/types.ts";
import { createGemini } from "../../src/providers/gemini.ts";
import { createGroq } from "../../src/providers/groq.ts";
import { createOllama } from "../../src/providers/ollama.ts";
import type { ChatCall, Provider, ProviderChunk } from "../../src/providers/provider.ts";
import type { EgressRecorder } from "../../src/providers/exchange.ts";
import { startFakeGemini } from "../support/fake_gemini.ts";
import { startFakeGroq } from "../support/fake_groq.ts";
import { type FakeOllama, startFakeOllama } from "../support/fake_ollama.ts";
import type { FakeProvider } from "../support/fake_provider.ts";

export const API_KEY = "key-that-must-never-be-shown";
export const SECRET = "SECRET-CONTENT";

/** One record of the egress ledger. */
export interface Sent {
  readonly origin: string;
  readonly sent: number;
  readonly received: number;
}

export type TestLedger = EgressRecorder & { readonly records: Sent[] };

/** A ledger that keeps what it is told. */
export function createTestLedger(): TestLedger {
  const records: Sent[] = [];
  return {
    records,
    sent: (origin, sent) => void records.push({ origin, sent, received: 0 }),
    received: (origin, received) => {
      const last = records.findLastIndex((record) => record.origin === origin);
      const { sent = 0 } = records[last] ?? {};
      records[last] = { origin, sent, received };
    },
  };
}

/** A provider under test and the server behind it. */
export interface Bench {
  readonly fake: FakeProvider;
  readonly provider: Provider;
  readonly ledger: TestLedger;
}

export interface Subject {
  readonly name: "ollama" | "groq" | "gemini";
  readonly model: string;
  start(): FakeProvider;
  create(origin: string, ledger: EgressRecorder): Provider;
}

export const OLLAMA: Subject = {
  name: "ollama",
  model: "llama3.2",
  start: () => startFakeOllama(),
  create: (baseUrl, ledger) => createOllama({ id: "ollama", baseUrl, ledger }),
};

export const GROQ: Subject = {
  name: "groq",
  model: "openai/gpt-oss-120b",
  start: () => startFakeGroq({ apiKey: API_KEY }),
  create: (baseUrl, ledger) => createGroq({ id: "groq", apiKey: API_KEY, baseUrl, ledger }),
};

export const GEMINI: Subject = {
  name: "gemini",
  model: "gemini-3.5-flash-lite",
  start: () => startFakeGemini({ apiKey: API_KEY }),
  create: (baseUrl, ledger) => createGemini({ id: "gemini", apiKey: API_KEY, baseUrl, ledger }),
};

export const SUBJECTS: readonly Subject[] = [OLLAMA, GROQ, GEMINI];

/** Runs `body` with a fresh fake and provider, and stops the fake afterwards. */
export async function withBench(subject: Subject, body: (bench: Bench) => Promise<void>): Promise<void> {
  const ledger = createTestLedger();
  const fake = subject.start();
  try {
    await body({ fake, ledger, provider: subject.create(fake.origin, ledger) });
  } finally {
    await fake.stop();
  }
}

/** As `withBench`, for what only Ollama has. */
export async function withOllama(
  body: (bench: { fake: FakeOllama; provider: Provider; ledger: ReturnType<typeof createTestLedger> }) => Promise<void>,
): Promise<void> {
  const ledger = createTestLedger();
  const fake = startFakeOllama();
  try {
    await body({ fake, ledger, provider: OLLAMA.create(fake.origin, ledger) });
  } finally {
    await fake.stop();
  }
}

/** A call that asks one question, with deadlines no working answer reaches. */
export function callOf(subject: Subject, changes: Partial<ChatCall> = {}): ChatCall {
  return {
    model: subject.model,
    contextTokens: 4096,
    messages: [{ role: "user", content: `${SECRET}: who are you?` }],
    deadlines: { loadMs: 10_000, firstTokenMs: 10_000, idleMs: 10_000 },
    localOnly: false,
    ...changes,
  };
}

/** A signal nobody aborts. */
export const calm: AbortSignal = new AbortController().signal;

/** All chunks of an answer, and the error that ended it, if one did. */
export async function collect(
  provider: Provider,
  call: ChatCall,
  signal: AbortSignal = calm,
): Promise<{ chunks: ProviderChunk[]; error?: unknown }> {
  const chunks: ProviderChunk[] = [];
  try {
    for await (const chunk of provider.chat(call, signal)) chunks.push(chunk);
    return { chunks };
  } catch (error) {
    return { chunks, error };
  }
}

/** The text of the answer in these chunks. */
export function textOf(chunks: readonly ProviderChunk[]): string {
  return chunks.map((chunk) => chunk.type === "text" ? chunk.text : "").join("");
}

/** Asserts that `error` is the `ProviderError` it should be and shows nothing it must not. */
export function assertProviderError(error: unknown, kind: ErrorKind, subject: Subject): ProviderError {
  assert.ok(error instanceof ProviderError, `not a ProviderError: ${Deno.inspect(error)}`);
  assert.equal(error.kind, kind, error.message);
  assert.equal(error.provider, subject.name);
  const shown = Deno.inspect(error, { depth: 10 });
  assert.ok(!shown.includes(SECRET), `message content in: ${shown}`);
  assert.ok(!shown.includes(API_KEY), `the API key in: ${shown}`);
  assert.match(error.message, /^[A-Z].*\.$/s, "a message is a sentence");
  return error;
}

/** Waits for something another task does soon. */
export async function until(what: string, condition: () => boolean): Promise<void> {
  for (let tries = 0; tries < 1000; tries++) {
    if (condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.fail(`never happened: ${what}`);
}

const CONSOLE_METHODS = ["debug", "info", "log", "warn", "error", "trace", "dir", "table"] as const;

/** Runs `body` and asserts that nothing at all was written to the console meanwhile. */
export async function withSilentConsole(body: () => Promise<void>): Promise<void> {
  const written: unknown[][] = [];
  const originals = CONSOLE_METHODS.map((method) => [method, console[method]] as const);
  for (const method of CONSOLE_METHODS) console[method] = (...args: unknown[]) => void written.push([method, ...args]);
  try {
    await body();
  } finally {
    for (const [method, original] of originals) console[method] = original;
  }
  assert.deepEqual(written, []);
}
