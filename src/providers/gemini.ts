import type { GenerateContentResponse, GoogleGenAI, ThinkingConfig } from "@google/genai/web";
import type { FinishReason, Think, Usage } from "../core/types.ts";
import { geminiConfig, geminiContents, readCall, readFinish, readUsage } from "./gemini_chat.ts";
import { asRecord, asRecords, asText, asVectors, isTextOrNothing } from "./json.ts";
import type { ChatCall, EmbedCall, EmbedResult, ModelInfo, Provider, ProviderChunk } from "./provider.ts";
import type { EgressRecorder, Exchange } from "./exchange.ts";
import { createFetchSender } from "./fetch_sender.ts";
import { createWire } from "./wire.ts";

/** What `createGemini` needs. */
export interface GeminiOptions {
  /** The provider's name in models.json. */
  readonly id: string;
  readonly apiKey: string;
  /** Default `https://generativelanguage.googleapis.com`. */
  readonly baseUrl?: string;
  readonly ledger: EgressRecorder;
}

/** Longest wait for the list of models. */
const CONTROL_MS = 10_000;
/** The library's own default, v1, refuses what the library sends. */
const API_VERSION = "v1beta";

/** Gemini's developer API. The client library is loaded at the first call: it is large, and most runs need none. */
export function createGemini(
  { id, apiKey, baseUrl = "https://generativelanguage.googleapis.com", ledger }: GeminiOptions,
): Provider {
  const base = baseUrl.replace(/\/+$/, "");
  const { origin } = new URL(base);
  const wire = createWire({
    providerId: id,
    type: "gemini",
    origin,
    local: false,
    ledger,
    send: createFetchSender(origin),
  });
  const access = { apiKey, base };
  const list = async (size: number, signal: AbortSignal): Promise<ModelInfo[]> => {
    const url = `${base}/${API_VERSION}/models?pageSize=${size}`;
    const limits = { localOnly: false, firstTokenMs: CONTROL_MS };
    const answer = await wire.json(url, { headers: { "x-goog-api-key": apiKey } }, limits, signal);
    return asRecords(asRecord(answer)?.["models"]).map(({ name }) => {
      const bare = (asText(name) ?? "").replace(/^models\//, "");
      return { name: bare, remote: true, sizeBytes: null, loadedContextTokens: null };
    });
  };
  return {
    id,
    type: "gemini",
    origin,
    local: false,
    chat(call, signal) {
      const { model, localOnly, deadlines: { firstTokenMs, idleMs } } = call;
      const limits = { model, localOnly, format: "sse", firstTokenMs, idleMs } as const;
      return wire.stream(limits, signal, (exchange) => readAnswer(exchange, call, access));
    },
    embed(call, signal) {
      const { model, localOnly, deadlines: { firstTokenMs } } = call;
      const limits = { model, localOnly, format: "json", firstTokenMs } as const;
      return wire.run(limits, signal, (exchange) => embed(exchange, call, access));
    },
    listModels: (signal) => list(1000, signal),
    async health(signal) {
      await list(1, signal);
      return { version: null, cloudDisabled: null };
    },
  };
}

interface Access {
  readonly apiKey: string;
  readonly base: string;
}

async function connect(exchange: Exchange, { apiKey, base }: Access): Promise<GoogleGenAI> {
  const { GoogleGenAI } = await import("@google/genai/web");
  return new GoogleGenAI({ apiKey, apiVersion: API_VERSION, httpOptions: { baseUrl: base, fetch: exchange.fetch } });
}

async function* readAnswer(exchange: Exchange, call: ChatCall, access: Access): AsyncGenerator<ProviderChunk> {
  const client = await connect(exchange, access);
  const thinkingConfig = await thinkingOf(call.think ?? false);
  const stream = await client.models.generateContentStream({
    model: call.model,
    contents: geminiContents(call.messages),
    config: { ...geminiConfig(call), ...(thinkingConfig && { thinkingConfig }) },
  });
  let usage: Usage | undefined;
  let calledTools = false;
  for await (const chunk of stream) {
    exchange.throwIfFailed();
    refuseBlocked(exchange, chunk, call.model);
    usage = readUsage(chunk.usageMetadata) ?? usage;
    const candidate = chunk.candidates?.[0];
    for (const part of candidate?.content?.parts ?? []) {
      const tool = readCall(part);
      if (!isTextOrNothing(part.text)) throw exchange.misshapen();
      if (part.text || tool) exchange.firstToken();
      if (part.text) yield { type: part.thought ? "thinking" : "text", text: part.text };
      if (tool) yield { type: "tool_call", call: tool };
      calledTools ||= tool !== undefined;
    }
    if (!candidate?.finishReason) continue;
    const finish_reason = finishOf(exchange, candidate.finishReason, call.model, calledTools);
    exchange.complete();
    yield { type: "final", finish_reason, usage: usage ?? null };
    return;
  }
  throw exchange.unfinished();
}

async function thinkingOf(think: Think): Promise<ThinkingConfig | undefined> {
  if (think === false) return undefined;
  if (think === true) return { includeThoughts: true };
  const { ThinkingLevel } = await import("@google/genai/web");
  const levels = { low: ThinkingLevel.LOW, medium: ThinkingLevel.MEDIUM, high: ThinkingLevel.HIGH };
  return { includeThoughts: true, thinkingLevel: levels[think] };
}

function refuseBlocked(exchange: Exchange, { promptFeedback }: GenerateContentResponse, model: string): void {
  if (!promptFeedback?.blockReason) return;
  throw exchange.error("content_filter", `Gemini refused the content of the request to ${model}.`);
}

function finishOf(exchange: Exchange, reason: string, model: string, calledTools: boolean): FinishReason {
  const read = readFinish(reason, calledTools);
  if ("finish" in read) return read.finish;
  const how = read.error === "content_filter" ? "content filter stopped" : "service broke off";
  throw exchange.error(read.error, `Gemini's ${how} the answer of ${model}.`);
}

async function embed(exchange: Exchange, call: EmbedCall, access: Access): Promise<EmbedResult> {
  const client = await connect(exchange, access);
  // One content a text: a plain list of texts becomes a single vector with some of the models.
  const contents = call.texts.map((text) => ({ role: "user", parts: [{ text }] }));
  const { embeddings = [] } = await client.models.embedContent({ model: call.model, contents });
  const vectors = asVectors(embeddings.map(({ values }) => values), call.texts.length);
  if (vectors !== undefined) return { vectors, usage: null };
  throw exchange.error("protocol", `Gemini did not send one vector a text for ${call.model}.`);
}
