import { isLoopbackOrPrivate } from "../core/address.ts";
import { once } from "../core/once.ts";
import { isOllamaCloudName } from "../core/cloud_name.ts";
import { ProviderError } from "../core/errors.ts";
import type { ErrorKind } from "../core/types.ts";
import { asRecord, asText, asVectors, isTextOrNothing } from "./json.ts";
import { chatRequest, readFinish, readUsage, wasPromptCut } from "./ollama_chat.ts";
import { findEntry, findLoaded, mergeModels, readDetails, runsElsewhere } from "./ollama_models.ts";
import type { AttemptDeadlines, ChatCall, EmbedCall, EmbedResult, Provider, ProviderChunk } from "./provider.ts";
import type { EgressRecorder, Exchange, ExchangeOptions } from "./exchange.ts";
import { createSenders, type SenderOf } from "./senders.ts";
import { createWire, type Wire } from "./wire.ts";

/** What `createOllama` needs. */
export interface OllamaOptions {
  /** The provider's name in models.json. */
  readonly id: string;
  /** Default `http://127.0.0.1:11434`. */
  readonly baseUrl?: string;
  readonly ledger: EgressRecorder;
  /** Default: senders of its own. */
  readonly senderOf?: SenderOf;
}

/** Longest wait for the small answers about models and health. */
const CONTROL_MS = 10_000;
/** For how long a model counts as in memory once Ollama has said so, in milliseconds. */
const RESIDENT_MS = 1000;

/**
 * Ollama through its native API. Before a generation it is asked what is in memory, at most once a second while that is
 * the model: one that has to be loaded is given the load deadline, and for a call that must stay local it is asked
 * whether the model runs on this machine.
 */
export function createOllama(
  { id, baseUrl = "http://127.0.0.1:11434", ledger, senderOf = createSenders() }: OllamaOptions,
): Provider {
  const base = new URL(baseUrl).href.replace(/\/+$/, "");
  const { origin, hostname } = new URL(base);
  const local = isLoopbackOrPrivate(hostname);
  const wire = createWire({ providerId: id, type: "ollama", origin, local, ledger, send: senderOf(origin) });
  const context: OllamaContext = {
    id,
    base,
    wire,
    library: once(() => import("ollama/browser")),
    residents: new Map(),
  };
  return {
    id,
    type: "ollama",
    origin,
    local,
    chat: (call, signal) => chat(context, call, signal),
    embed: (call, signal) => embed(context, call, signal),
    async listModels(signal) {
      const tags = await control(context, "tags", signal);
      return mergeModels(tags, await control(context, "ps", signal).catch(ignoreRefusal));
    },
    async describeModel(model, signal) {
      // Ollama passes the question on to the cloud for such a name.
      if (isOllamaCloudName(model)) throw elsewhere(id, model);
      return readDetails(
        await control(context, "show", signal, { method: "POST", body: JSON.stringify({ model }) }, model),
      );
    },
    async health(signal) {
      const version = asText(asRecord(await control(context, "version", signal))?.["version"]) ?? null;
      const status = asRecord(await control(context, "status", signal).catch(ignoreRefusal));
      const disabled = asRecord(status?.["cloud"])?.["disabled"];
      return { version, cloudDisabled: typeof disabled === "boolean" ? disabled : null };
    },
  };
}

interface OllamaContext {
  readonly id: string;
  readonly base: string;
  readonly wire: Wire;
  readonly library: () => Promise<typeof import("ollama/browser")>;
  /** The models that Ollama had in memory when it was last asked. */
  readonly residents: Map<string, Resident>;
}

interface Resident {
  readonly contextTokens: number;
  /** When Ollama said so, on the monotonic clock. */
  readonly atMs: number;
}

/** One small question. */
function control(
  { base, wire }: OllamaContext,
  path: string,
  signal: AbortSignal,
  init: RequestInit = {},
  model?: string,
): Promise<unknown> {
  const limits = { firstTokenMs: CONTROL_MS, localOnly: false, ...(model !== undefined && { model }) };
  return wire.json(`${base}/api/${path}`, init, limits, signal);
}

/** Older versions lack `/api/ps` and `/api/status`; an answer that says no is as good as none. */
function ignoreRefusal(error: unknown): undefined {
  if (error instanceof ProviderError && error.status !== undefined) return undefined;
  throw error;
}

async function* chat(context: OllamaContext, call: ChatCall, signal: AbortSignal): AsyncGenerator<ProviderChunk> {
  const first = await firstDeadline(context, call, signal);
  const limits = { ...first, format: "ndjson", idleMs: call.deadlines.idleMs } as const;
  try {
    yield* context.wire.stream(limits, signal, (exchange) => readAnswer(context, call, exchange));
  } catch (error) {
    context.residents.clear(); // whatever has happened to it, it may have lost its memory
    throw error;
  }
}

async function* readAnswer(
  { id, base, library }: OllamaContext,
  call: ChatCall,
  exchange: Exchange,
): AsyncGenerator<ProviderChunk> {
  const { Ollama } = await library();
  const client = new Ollama({ host: base, fetch: exchange.fetch });
  let calledTools = false;
  for await (const line of await client.chat(chatRequest(call))) {
    exchange.throwIfFailed();
    if (call.localOnly && runsElsewhere({ ...line })) throw elsewhere(id, call.model);
    const { thinking, content, tool_calls: calls } = line.message ?? {};
    if (!isTextOrNothing(thinking) || !isTextOrNothing(content)) throw exchange.misshapen();
    if (thinking || content || calls?.length || line.done === true) exchange.firstToken();
    if (thinking) yield { type: "thinking", text: thinking };
    if (content) yield { type: "text", text: content };
    for (const tool of calls ?? []) {
      calledTools = true;
      yield { type: "tool_call", call: readCall(tool) };
    }
    if (line.done !== true) continue;
    const finish_reason = readFinish(line.done_reason, calledTools);
    if (finish_reason === undefined) {
      throw exchange.error("protocol", `Ollama ended the answer of ${call.model} without finishing it.`);
    }
    if (wasPromptCut(call.messages, line.prompt_eval_count)) throw promptCut(exchange, call.model);
    exchange.complete();
    yield { type: "final", finish_reason, usage: readUsage(line) };
    return;
  }
  throw exchange.unfinished();
}

function readCall(tool: { readonly function: { readonly name: string; readonly arguments: unknown } }) {
  const given = asText(asRecord(tool)?.["id"]);
  return {
    id: given ?? `call_${crypto.randomUUID()}`,
    name: tool.function.name,
    arguments: asRecord(tool.function.arguments) ?? {},
  };
}

function promptCut(exchange: Exchange, model: string): ProviderError {
  return exchange.error(
    "context_length",
    `Ollama cut the prompt to fit the context of ${model} and answered only a part of it.`,
    "Shorten the conversation, raise the model's context in models.json, or update Ollama to 0.12.4 or later.",
  );
}

async function embed(context: OllamaContext, call: EmbedCall, signal: AbortSignal): Promise<EmbedResult> {
  const first = await firstDeadline(context, call, signal);
  try {
    return await context.wire.run(
      { ...first, format: "json" },
      signal,
      (exchange) => readVectors(context, call, exchange),
    );
  } catch (error) {
    context.residents.clear();
    throw error;
  }
}

async function readVectors(
  { base, library }: OllamaContext,
  call: EmbedCall,
  exchange: Exchange,
): Promise<EmbedResult> {
  const { Ollama } = await library();
  const client = new Ollama({ host: base, fetch: exchange.fetch });
  const answer = await client.embed({
    model: call.model,
    input: [...call.texts],
    truncate: false,
    options: { num_ctx: call.contextTokens },
  });
  const vectors = asVectors(answer.embeddings, call.texts.length);
  if (vectors !== undefined) return { vectors, usage: readUsage(answer) };
  throw exchange.error("protocol", `Ollama did not send one vector a text for ${call.model}.`);
}

interface ModelCall {
  readonly model: string;
  readonly contextTokens: number;
  readonly localOnly: boolean;
  readonly deadlines: AttemptDeadlines;
}

/**
 * The deadline of the first token, and the check that a call which must stay local does: a model in memory is local
 * and answers soon; another one has to be loaded, and may be a name that stands for a model in the cloud.
 */
async function firstDeadline(
  context: OllamaContext,
  { model, contextTokens, localOnly, deadlines }: ModelCall,
  signal: AbortSignal,
): Promise<Omit<ExchangeOptions, "format">> {
  const { id, base, wire } = context;
  if (localOnly && isOllamaCloudName(model)) throw elsewhere(id, model);
  const about = { model, localOnly };
  const resident = { ...about, firstTokenMs: deadlines.firstTokenMs };
  const known = context.residents.get(model);
  if (known?.contextTokens === contextTokens && performance.now() - known.atMs < RESIDENT_MS) return resident;
  context.residents.delete(model);
  const limits = { localOnly, firstTokenMs: Math.min(deadlines.firstTokenMs, CONTROL_MS) };
  const ps = await wire.json(`${base}/api/ps`, {}, limits, signal).catch(ignoreRefusal);
  const loaded = findLoaded(ps, model);
  // In memory with another context window means that Ollama is going to load it anew.
  if (loaded && (loaded.contextTokens ?? contextTokens) === contextTokens) {
    context.residents.set(model, { contextTokens, atMs: performance.now() });
    return resident;
  }
  if (loaded === undefined && localOnly) {
    const entry = findEntry(await wire.json(`${base}/api/tags`, {}, limits, signal), model);
    if (entry === undefined) throw notPulled(id, model);
    if (runsElsewhere(entry)) throw elsewhere(id, model);
  }
  return { ...about, firstTokenMs: deadlines.loadMs, whileLoading: true };
}

function notPulled(provider: string, model: string): ProviderError {
  const message = `Ollama (provider ${provider}) does not have the model ${model}.`;
  return new ProviderError("model_not_found", message, { provider, model, remedy: `Run: ollama pull ${model}` });
}

function elsewhere(provider: string, model: string): ProviderError {
  const kind: ErrorKind = "egress_denied";
  return new ProviderError(kind, `Ollama runs ${model} in somebody's cloud, and this call must stay local.`, {
    provider,
    model,
    remedy: "Choose a model that runs on this machine, and set OLLAMA_NO_CLOUD=1 for Ollama.",
  });
}
