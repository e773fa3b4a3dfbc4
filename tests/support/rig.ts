/** The router over the real providers, which talk to a fake of each kind on a real socket. */
import assert from "node:assert/strict";
import { type ModelsConfig, modelsSchema } from "../../src/config/schema.ts";
import { NoAnswerError } from "../../src/core/errors.ts";
import { type AgentEvent, createEventBus, type EventMap, type EventName } from "../../src/core/events.ts";
import type {
  Attempt,
  Delta,
  GenerateRequest,
  ModelRef,
  ModelResponse,
  StreamItem,
  StreamStart,
} from "../../src/core/types.ts";
import type { Provider } from "../../src/providers/provider.ts";
import { createGemini } from "../../src/providers/gemini.ts";
import { createGroq } from "../../src/providers/groq.ts";
import { createOllama } from "../../src/providers/ollama.ts";
import { createAccounting } from "../../src/router/accounting.ts";
import { resolveProfile } from "../../src/router/chain.ts";
import { Router } from "../../src/router/router.ts";
import { createSnapshot, type ProviderSlot, type Refusal, type RouterSnapshot } from "../../src/router/snapshot.ts";
import type { UsageRow } from "../../src/storage/usage.ts";
import { startFakeGemini } from "./fake_gemini.ts";
import { startFakeGroq } from "./fake_groq.ts";
import { type FakeOllama, type FakeOllamaOptions, startFakeOllama } from "./fake_ollama.ts";
import type { FakeProvider } from "./fake_provider.ts";
// Loaded here, so that no deadline of a test pays for it.
import "@google/genai/web";
import "groq-sdk";
import "ollama/browser";

export const LLAMA = "ollama/llama3.2";
export const QWEN = "ollama/qwen3.5:2b";
export const GPT = "groq/openai/gpt-oss-120b";
export const SMALL_GPT = "groq/openai/gpt-oss-20b";
export const GEMINI = "gemini/gemini-3.5-flash-lite";
/** What the fakes say unless told otherwise. */
export const DEFAULT_ANSWER = "Hola, soy Django.";
/** No test may ever find this in what the program shows. */
export const API_KEY = "gsk-never-to-be-shown-0123456789";

type ProviderId = "ollama" | "groq" | "gemini";

/** What a test wants to be different. */
export interface ModelsOptions {
  readonly chain: readonly ModelRef[];
  readonly assignments?: Readonly<Record<string, ModelRef>>;
  readonly localOnly?: boolean;
  /** Seconds, as in models.json. Default: long enough never to matter. */
  readonly deadlines?: Readonly<Record<string, number>>;
  readonly breaker?: { readonly failure_threshold?: number; readonly recovery_seconds?: number };
  /** Settings of a provider in models.json, over the ordinary ones. */
  readonly providers?: Readonly<Partial<Record<ProviderId, Readonly<Record<string, unknown>>>>>;
  /** Providers that this run may not use. */
  readonly refusals?: Readonly<Partial<Record<ProviderId, Refusal>>>;
}

export interface RigOptions extends ModelsOptions {
  readonly sealed?: boolean;
  /** For the jitter of retries; default 0, the shortest pause. */
  readonly random?: () => number;
  readonly ollama?: FakeOllamaOptions;
}

export interface Rig extends AsyncDisposable {
  readonly ollama: FakeOllama;
  readonly groq: FakeProvider;
  readonly gemini: FakeProvider;
  readonly router: Router;
  readonly events: readonly AgentEvent[];
  /** Origins in the egress ledger, one entry a request. */
  readonly egress: readonly string[];
  /** Rows for the usage table, one an attempt. */
  readonly rows: readonly UsageRow[];
  /** Payloads of the events of one name, in order. */
  eventsOf<Name extends EventName>(name: Name): Readonly<EventMap[Name]>[];
  /** Replaces the configuration, as a reload does. */
  reload(options: ModelsOptions): void;
}

/** Starts the three fakes and a router over them. */
export function startRig({ sealed = false, random = () => 0, ollama: ollamaOptions, ...options }: RigOptions): Rig {
  const fakes = { ollama: startFakeOllama(ollamaOptions), groq: startFakeGroq(), gemini: startFakeGemini() };
  // Loaded the way the router asks for it, so that Ollama need not load it again.
  if (!ollamaOptions?.resident) fakes.ollama.setResident(["llama3.2"], OLLAMA_MODELS["llama3.2"].context);
  const events: AgentEvent[] = [];
  const egress: string[] = [];
  const bus = createEventBus({ onListenerError: (error) => assert.fail(String(error)) });
  bus.subscribe((event) => events.push(event));
  const ledger = { sent: (origin: string) => void egress.push(origin), received: () => {} };
  const snapshotOf = (models: ModelsOptions) => buildSnapshot(models, fakes, ledger, !sealed);
  const rows: UsageRow[] = [];
  const book = createAccounting({ record: (row) => void rows.push(row), events: bus });
  const router = new Router(snapshotOf(options), { events: bus, book, random });
  return {
    ...fakes,
    router,
    events,
    egress,
    rows,
    eventsOf: (name) => events.flatMap((event) => event.name === name ? [event.data as never] : []),
    reload: (changed) => router.apply(snapshotOf(changed)),
    async [Symbol.asyncDispose]() {
      for (const fake of Object.values(fakes)) await fake.stop();
    },
  };
}

type Ledger = Parameters<typeof createOllama>[0]["ledger"];

function buildSnapshot(
  options: ModelsOptions,
  fakes: Readonly<Record<ProviderId, FakeProvider>>,
  ledger: Ledger,
  cloudAllowed: boolean,
): RouterSnapshot {
  const models = buildModels(options, fakes);
  const slots = Object.entries(models.providers).map(
    ([id, { type, base_url: baseUrl = "" }]): [string, ProviderSlot] => {
      const refusal = options.refusals?.[type];
      return [id, refusal ? { refusal } : { provider: createProvider(type, { id, baseUrl, apiKey: API_KEY, ledger }) }];
    },
  );
  const profile = resolveProfile(models, models.profile);
  assert.ok(profile);
  return createSnapshot({ models, profile, providers: new Map(slots), cloudAllowed });
}

function createProvider(type: ProviderId, options: Parameters<typeof createGroq>[0] & { baseUrl: string }): Provider {
  switch (type) {
    case "ollama":
      return createOllama(options);
    case "groq":
      return createGroq(options);
    case "gemini":
      return createGemini(options);
  }
}

function buildModels(options: ModelsOptions, fakes: Readonly<Record<ProviderId, FakeProvider>>): ModelsConfig {
  const { chain, assignments = {}, localOnly = false, deadlines = {}, breaker = {}, providers = {} } = options;
  const profile = localOnly ? "local" : "open";
  return modelsSchema.parse({
    profile,
    providers: {
      ollama: { type: "ollama", base_url: fakes.ollama.origin, models: OLLAMA_MODELS, ...providers.ollama },
      groq: { type: "groq", base_url: fakes.groq.origin, models: GROQ_MODELS, ...providers.groq },
      gemini: { type: "gemini", base_url: fakes.gemini.origin, models: GEMINI_MODELS, ...providers.gemini },
    },
    fallback_chain: chain,
    assignments: { embeddings: "ollama/embeddinggemma", ...assignments },
    profiles: { [profile]: { local_only: localOnly } },
    circuit_breaker: breaker,
    deadlines: { load_seconds: 30, first_token_seconds: 30, idle_seconds: 30, total_seconds: 60, ...deadlines },
  });
}

const OLLAMA_MODELS = {
  "llama3.2": { context: 8192 },
  "qwen3.5:2b": { context: 32_768 },
  "embeddinggemma": { context: 2048, embeddings: true },
};
const GROQ_MODELS = {
  "openai/gpt-oss-120b": { context: 131_072, usd_per_million: { input: 0.15, cached_input: 0.075, output: 0.6 } },
  "openai/gpt-oss-20b": { context: 131_072, usd_per_million: { input: 0.075, output: 0.3 } },
};
const GEMINI_MODELS = {
  "gemini-3.5-flash-lite": { context: 1_048_576, usd_per_million: { input: 0.3, output: 2.5 } },
  "gemini-unpriced": { context: 1_048_576 },
  "gemini-embedding-001": { context: 2048, embeddings: true },
};

/** One question to the router. */
export function ask({ router }: Rig, request: Partial<GenerateRequest> = {}): Promise<ModelResponse> {
  return router.generate({ prompt: "¿Quién eres?", ...request });
}

/** The error of a call that has to fail. It and the events before it must not show the API key. */
export async function failureOf(rig: Rig, call: Promise<unknown>): Promise<NoAnswerError> {
  const error = await call.then(() => assert.fail("the call succeeded"), (reason) => reason);
  assert.ok(error instanceof NoAnswerError, String(error));
  const shown = `${error.message} ${error.remedy} ${JSON.stringify([error.attempts, rig.events])}`;
  assert.ok(!shown.includes(API_KEY), "the API key is shown");
  return error;
}

/** Attempts in short: `groq/openai/gpt-oss-120b failed timeout`, `gemini/x ok`. */
export function brief(attempts: readonly Attempt[]): string[] {
  return attempts.map(({ provider, model, outcome, error_kind }) =>
    [`${provider}/${model}`, outcome, error_kind].filter((part) => part !== undefined).join(" ")
  );
}

/** What a stream gave: its items, and the error it ended in. */
export interface Streamed {
  readonly text: string;
  readonly start: StreamStart | undefined;
  readonly deltas: readonly Delta[];
  readonly response: ModelResponse | undefined;
  readonly error: unknown;
}

/** Reads a stream to its end. */
export async function readStream(stream: AsyncIterable<StreamItem>): Promise<Streamed> {
  const deltas: Delta[] = [];
  let start: StreamStart | undefined;
  let response: ModelResponse | undefined;
  let error: unknown;
  try {
    for await (const item of stream) {
      assert.equal(response, undefined, "an item after the last");
      if (item.type === "start") start = item;
      else if (item.type === "done") response = item.response;
      else deltas.push(item);
    }
  } catch (reason) {
    error = reason;
  }
  const text = deltas.map((delta) => delta.type === "text" ? delta.text : "").join("");
  return { text, start, deltas, response, error };
}

/** Waits for something that is about to happen. */
export async function until(happened: () => boolean): Promise<void> {
  while (!happened()) await new Promise((resolve) => setTimeout(resolve, 1));
}
