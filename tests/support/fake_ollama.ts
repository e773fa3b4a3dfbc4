/** A fake Ollama: the native API with models that may be loaded, remote, or missing. */
import {
  type Answer,
  type Chat,
  type Encoding,
  estimateTokens,
  fakeVector,
  pause,
  type Protocol,
  type StatusReply,
} from "./fake_behaviour.ts";
import { type FakeProvider, jsonBody, startFakeProvider } from "./fake_provider.ts";
import type { RecordedRequest, Reply } from "./raw_server.ts";

/** A model that has been pulled. */
export interface FakeOllamaModel {
  /** `:latest` is added where a name has no tag, as Ollama does. */
  readonly name: string;
  readonly size?: number;
  /** Both are set for a model that Ollama runs in its own cloud. */
  readonly remote_host?: string;
  readonly remote_model?: string;
  /** As `/api/show` names them. */
  readonly capabilities?: readonly string[];
  /** Largest context window, in tokens. */
  readonly maxContextTokens?: number;
}

/** How `/api/ps` answers: as usual, never, or with this status. */
export type PsMode = "ok" | "silent" | 404;

export interface FakeOllamaOptions {
  /** Default: `llama3.2`, `qwen3.5:2b` and `embeddinggemma`. */
  readonly models?: readonly (string | FakeOllamaModel)[];
  /** Names of the models in memory. Default: all of them. */
  readonly resident?: readonly string[];
  readonly ps?: PsMode;
  /** `never` is `ps: "silent"`. */
  readonly psDelay?: "never";
  readonly version?: string;
  readonly cloudDisabled?: boolean;
  readonly loadMs?: number;
  readonly silentTruncation?: number;
  readonly remoteReply?: boolean;
}

export interface FakeOllama extends FakeProvider {
  /** A model that is not in memory takes so long to its first token, and is in memory afterwards. */
  loadMs: number;
  /** Reported as `prompt_eval_count`, as if the prompt had been cut to that length. */
  silentTruncation: number | undefined;
  /** Whether reply lines say that another machine made them. */
  remoteReply: boolean;
  setModels(models: readonly (string | FakeOllamaModel)[]): void;
  /** `contextLength` is what `/api/ps` reports, in tokens (default 4096). */
  setResident(names: readonly string[], contextLength?: number): void;
  setPs(mode: PsMode): void;
}

interface State {
  models: Map<string, FakeOllamaModel>;
  /** Name to context length. */
  resident: Map<string, number>;
  ps: PsMode;
  loadMs: number;
  silentTruncation: number | undefined;
  remoteReply: boolean;
  readonly version: string;
  readonly cloudDisabled: boolean;
}

const DEFAULT_CONTEXT = 4096;
const DEFAULT_MODELS: readonly FakeOllamaModel[] = [
  { name: "llama3.2", capabilities: ["completion", "tools"] },
  { name: "qwen3.5:2b", capabilities: ["completion", "tools", "thinking", "vision"] },
  { name: "embeddinggemma", capabilities: ["embedding"], maxContextTokens: 2048 },
];
const CREATED_AT = "2026-11-23T05:29:17.123456789Z";

/** Starts a fake Ollama on a free port of 127.0.0.1. */
export function startFakeOllama(options: FakeOllamaOptions = {}): FakeOllama {
  const models = index(options.models ?? DEFAULT_MODELS);
  const state: State = {
    models,
    resident: contexts(options.resident ?? [...models.keys()], DEFAULT_CONTEXT),
    ps: options.ps ?? (options.psDelay === "never" ? "silent" : "ok"),
    loadMs: options.loadMs ?? 0,
    silentTruncation: options.silentTruncation,
    remoteReply: options.remoteReply ?? false,
    version: options.version ?? "0.33.2",
    cloudDisabled: options.cloudDisabled ?? true,
  };
  const provider = startFakeProvider(ollamaProtocol(state));
  // Defined on the provider itself: a spread would freeze its live counters.
  return Object.defineProperties(provider, {
    loadMs: property(state, "loadMs"),
    silentTruncation: property(state, "silentTruncation"),
    remoteReply: property(state, "remoteReply"),
    setModels: { value: (changed: FakeOllamaOptions["models"]) => void (state.models = index(changed ?? [])) },
    setResident: {
      value: (names: readonly string[], length = DEFAULT_CONTEXT) => void (state.resident = contexts(names, length)),
    },
    setPs: { value: (mode: PsMode) => void (state.ps = mode) },
  }) as FakeOllama;
}

function property<Key extends keyof State>(state: State, key: Key): PropertyDescriptor {
  return { get: () => state[key], set: (value: State[Key]) => void (state[key] = value), enumerable: true };
}

function ollamaProtocol(state: State): Protocol {
  return {
    name: "ollama",
    streamType: "application/x-ndjson",
    earlyHead: false,
    chatOf,
    refuse: (_request, chat) => chat && refuse(chat, state),
    other: (request, reply) => answerOther(request, reply, state),
    prepare: (chat, gone) => load(chat.model, contextOf(chat.body), state, gone),
    encode: (chat, answer) => encode(chat, answer, state),
    single: (chat, answer, complete) => single(chat, answer, complete, state),
    finishReason: (neutral) => neutral === "tool_calls" ? "stop" : neutral,
    frame: (text) => `${text}\n`,
    error: (status, chat) => ({ status, body: { error: errorText(status, chat.model) } }),
    streamError: (_chat, message) => `${JSON.stringify({ error: message })}\n`,
    blockedPrompt: () => ({ status: 400, body: { error: "the prompt was rejected by the content filter" } }),
  };
}

function chatOf(request: RecordedRequest): Chat | undefined {
  if (request.method !== "POST" || request.path !== "/api/chat") return undefined;
  const body = jsonBody(request);
  // Without messages it is not a chat but the order to load the model.
  if (!Array.isArray(body["messages"]) || body["messages"].length === 0) return undefined;
  return { model: String(body["model"]), stream: body["stream"] !== false, body, request };
}

function refuse({ model, body }: Chat, state: State): StatusReply | undefined {
  if (!state.models.has(tagged(model))) return notFound(model);
  const tokens = estimateTokens(JSON.stringify(body["messages"]));
  const window = contextOf(body);
  if (body["truncate"] !== false || window === undefined || tokens <= window) return undefined;
  const message = `request (${tokens} tokens) exceeds the available context size (${window} tokens), try increasing it`;
  const type = "exceed_context_size_error";
  const error = JSON.stringify({ error: { code: 400, message, type, n_prompt_tokens: tokens, n_ctx: window } });
  return { status: 400, body: { error } };
}

/** Loading is lost when the client hangs up meanwhile, as in Ollama. */
async function load(model: string, window: number | undefined, state: State, gone: AbortSignal): Promise<void> {
  const name = tagged(model);
  if (!state.resident.has(name)) await pause(state.loadMs, gone);
  if (!gone.aborted) state.resident.set(name, window ?? state.resident.get(name) ?? DEFAULT_CONTEXT);
}

function encode({ model }: Chat, answer: Answer, state: State): Encoding {
  const line = (fields: object) => `${JSON.stringify({ ...stamp(model, state), ...fields })}\n`;
  const says = (fields: object) => line({ message: { role: "assistant", content: "", ...fields }, done: false });
  return {
    opening: "",
    *steps() {
      for (const thinking of answer.thinking) yield says({ thinking });
      for (const content of answer.tokens) yield says({ content });
      for (const [at, call] of answer.toolCalls.entries()) {
        yield says({ tool_calls: [toolCall(call, at)] });
      }
    },
    finish: line({ message: { role: "assistant", content: "" }, ...closing(answer, state) }),
    end: "",
  };
}

function single({ model }: Chat, answer: Answer, complete: boolean, state: State): object {
  const thinking = answer.thinking.join("");
  const message = {
    role: "assistant",
    content: answer.tokens.join(""),
    ...(thinking && { thinking }),
    ...(answer.toolCalls.length > 0 && { tool_calls: answer.toolCalls.map(toolCall) }),
  };
  return { ...stamp(model, state), message, ...(complete ? closing(answer, state) : { done: false }) };
}

function toolCall({ id, name, arguments: given }: Answer["toolCalls"][number], index: number): object {
  return { ...(id && { id }), function: { index, name, arguments: given } };
}

function stamp(model: string, { remoteReply }: State): object {
  const remote = { remote_model: model, remote_host: "https://ollama.com:443" };
  return { model, ...(remoteReply && remote), created_at: CREATED_AT };
}

function closing({ usage, finish }: Answer, { silentTruncation }: State): object {
  const counts = usage && {
    prompt_eval_count: silentTruncation ?? usage.input,
    prompt_eval_duration: 40_000_000,
    eval_count: usage.output,
    eval_duration: 25_000_000 * usage.output,
  };
  return { done: true, done_reason: finish, total_duration: 812_000_000, load_duration: 21_000_000, ...counts };
}

async function answerOther(request: RecordedRequest, reply: Reply, state: State): Promise<StatusReply | undefined> {
  switch (`${request.method} ${request.path}`) {
    case "GET /":
      return { status: 200, body: "Ollama is running" };
    case "GET /api/version":
      return ok({ version: state.version });
    case "GET /api/status":
      return ok({ cloud: { disabled: state.cloudDisabled, source: state.cloudDisabled ? "env" : "none" } });
    case "GET /api/tags":
      return ok({ models: [...state.models.values()].map(listed) });
    case "GET /api/ps":
      if (state.ps === "silent") return void await reply.hang();
      if (state.ps === 404) return { status: 404, body: "404 page not found" };
      return ok({ models: [...state.resident].map(([name, context_length]) => running(name, context_length)) });
    case "POST /api/show":
      return show(jsonBody(request), state);
    case "POST /api/embed":
      return await embed(jsonBody(request), state, reply.gone);
    case "POST /api/chat":
      return await preload(jsonBody(request), state, reply.gone);
    default:
      return { status: 404, body: "404 page not found" };
  }
}

async function preload(body: Record<string, unknown>, state: State, gone: AbortSignal): Promise<StatusReply> {
  const model = String(body["model"]);
  if (!state.models.has(tagged(model))) return notFound(model);
  if (body["keep_alive"] === 0) state.resident.delete(tagged(model));
  else await load(model, contextOf(body), state, gone);
  const done_reason = body["keep_alive"] === 0 ? "unload" : "load";
  return ok({ model, created_at: CREATED_AT, message: { role: "assistant", content: "" }, done: true, done_reason });
}

async function embed(body: Record<string, unknown>, state: State, gone: AbortSignal): Promise<StatusReply> {
  const model = String(body["model"]);
  if (!state.models.has(tagged(model))) return notFound(model);
  const texts = [body["input"]].flat().map(String);
  const window = contextOf(body);
  if (body["truncate"] === false && window !== undefined && texts.some((text) => text.length > window * 8)) {
    return { status: 400, body: { error: "the input length exceeds the context length" } };
  }
  await load(model, window, state, gone);
  const prompt_eval_count = texts.reduce((sum, text) => sum + estimateTokens(text), 0);
  const durations = { total_duration: 14_143_917, load_duration: 1_019_500 };
  return ok({ model, embeddings: texts.map(fakeVector), ...durations, prompt_eval_count });
}

function show(body: Record<string, unknown>, state: State): StatusReply {
  const name = String(body["model"] ?? body["name"]);
  const model = state.models.get(tagged(name));
  if (!model) return notFound(name);
  const { remote_host, remote_model, capabilities = ["completion", "tools"], maxContextTokens = 131_072 } = model;
  return ok({
    ...(remote_host && { remote_host }),
    ...(remote_model && { remote_model }),
    details: DETAILS,
    model_info: { "general.architecture": "llama", "llama.context_length": maxContextTokens },
    capabilities,
    modified_at: CREATED_AT,
  });
}

const DETAILS = { format: "gguf", family: "llama", families: ["llama"], parameter_size: "3.2B" };

function listed({ name, size = 2_019_393_189, remote_host, remote_model }: FakeOllamaModel): object {
  const remote = { ...(remote_model && { remote_model }), ...(remote_host && { remote_host }) };
  return { name, model: name, ...remote, modified_at: CREATED_AT, size, digest: "a80c4f17acd5", details: DETAILS };
}

function running(name: string, context_length: number): object {
  const until = { expires_at: "2318-09-30T00:00:00Z", size_vram: 0 };
  return { name, model: name, size: 2_019_393_189, digest: "a80c4f17acd5", details: DETAILS, ...until, context_length };
}

function errorText(status: number, model: string): string {
  if (status === 404) return `model '${model}' not found`;
  if (status === 503) return "server busy, please try again.  maximum pending requests exceeded";
  if (status === 401) return "unauthorized";
  if (status < 500) return "invalid request";
  return "llama runner process has terminated: exit status 2";
}

function notFound(model: string): StatusReply {
  return { status: 404, body: { error: `model '${model}' not found` } };
}

function ok(body: object): StatusReply {
  return { status: 200, body };
}

function contextOf(body: Readonly<Record<string, unknown>>): number | undefined {
  const { options } = body as { options?: { num_ctx?: unknown } };
  return typeof options?.num_ctx === "number" ? options.num_ctx : undefined;
}

function index(models: readonly (string | FakeOllamaModel)[]): Map<string, FakeOllamaModel> {
  const named = models.map((model) => typeof model === "string" ? { name: model } : model);
  return new Map(named.map((model) => [tagged(model.name), { ...model, name: tagged(model.name) }]));
}

function contexts(names: readonly string[], length: number): Map<string, number> {
  return new Map(names.map((name) => [tagged(name), length]));
}

function tagged(name: string): string {
  return name.includes(":") ? name : `${name}:latest`;
}
