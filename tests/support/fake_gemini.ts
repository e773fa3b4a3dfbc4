/** A fake Gemini: generateContent with and without a stream, embeddings, and the model list. */
import {
  type Answer,
  type Chat,
  type Encoding,
  type FakeUsage,
  fakeVector,
  type StatusReply,
} from "./fake_behaviour.ts";
import { type FakeProvider, jsonBody, startFakeProvider } from "./fake_provider.ts";
import type { RecordedRequest } from "./raw_server.ts";

export interface FakeGeminiOptions {
  /** The one key that is accepted. Default: every key. */
  readonly apiKey?: string;
  /** The models there are; others are not found. Default: today's, and no request is refused for its model. */
  readonly models?: readonly string[];
}

type Part = Readonly<Record<string, unknown>>;

const DEFAULT_MODELS: readonly string[] = ["gemini-3.5-flash-lite", "gemini-3.8-flash", "gemini-embedding-001"];
const CHAT_PATH = /^\/v1beta\/models\/([^:/?]+):(generateContent|streamGenerateContent\?alt=sse)$/;
const EMBED_PATH = /^\/v1beta\/models\/([^:/?]+):(embedContent|batchEmbedContents)$/;
const TYPE_PREFIX = "type.googleapis.com/google.rpc.";

/** Starts a fake Gemini on a free port of 127.0.0.1; its API lies under `/v1beta`. */
export function startFakeGemini(options: FakeGeminiOptions = {}): FakeProvider {
  return startFakeProvider({
    name: "gemini",
    streamType: "text/event-stream",
    earlyHead: true,
    chatOf,
    refuse: (request, chat) => refuse(request, chat, options),
    other: (request) => answerOther(request, options.models ?? DEFAULT_MODELS),
    encode,
    single,
    finishReason: (neutral) => neutral === "length" ? "MAX_TOKENS" : "STOP",
    frame: (text) => `data: ${text}\r\n\r\n`,
    error: (status, chat) => errorReply(status, chat.model),
    streamError,
    blockedPrompt,
  });
}

function chatOf(request: RecordedRequest): Chat | undefined {
  const [, model, verb] = request.path.match(CHAT_PATH) ?? [];
  if (request.method !== "POST" || !model || !verb) return undefined;
  return { model: decodeURIComponent(model), stream: verb !== "generateContent", body: jsonBody(request), request };
}

function refuse(
  { headers }: RecordedRequest,
  chat: Chat | undefined,
  { apiKey, models }: FakeGeminiOptions,
): StatusReply | undefined {
  const key = headers.get("x-goog-api-key");
  if (!key) return errorReply(403, "");
  if (apiKey !== undefined && key !== apiKey) return invalidKey();
  if (chat && models && !models.includes(chat.model)) return errorReply(404, chat.model);
  return undefined;
}

function encode({ model }: Chat, answer: Answer): Encoding {
  const parts = partsOf(answer);
  return {
    opening: "",
    *steps() {
      for (const [at, part] of parts.entries()) {
        yield event(chunk(model, { content: says([part]) }, answer.usage, (at + 1) / parts.length));
      }
    },
    finish: event(chunk(model, lastCandidate(answer), answer.usage, 1)),
    end: "",
  };
}

function single({ model }: Chat, answer: Answer, complete: boolean): object {
  const thoughts = answer.thinking.join("");
  const text = answer.tokens.join("");
  const parts = partsOf({
    ...answer,
    thinking: thoughts ? [thoughts] : [],
    tokens: text ? [text] : [],
  });
  const finish = complete ? { finishReason: answer.finish } : {};
  return chunk(model, { content: says(parts), ...finish }, answer.usage, 1);
}

function partsOf({ thinking, tokens, toolCalls }: Answer): Part[] {
  return [
    ...thinking.map((text) => ({ text, thought: true })),
    ...tokens.map((text) => ({ text })),
    ...toolCalls.map(({ id, name, arguments: args, signature }) => ({
      functionCall: { ...(id && { id }), name, args },
      ...(signature && { thoughtSignature: signature }),
    })),
  ];
}

/** A candidate that was stopped for what it says comes without content. */
function lastCandidate({ finish }: Answer): object {
  const ordinary = finish === "STOP" || finish === "MAX_TOKENS";
  return { ...(ordinary && { content: says([{ text: "" }]) }), finishReason: finish };
}

function says(parts: readonly Part[]): object {
  return { parts, role: "model" };
}

/** `progress` from 0 to 1: counts are running totals, which the last chunk completes. */
function chunk(model: string, candidate: object, usage: FakeUsage | null, progress: number): object {
  return {
    candidates: [{ ...candidate, index: 0 }],
    ...(usage && { usageMetadata: usageOf(usage, progress) }),
    modelVersion: model,
    responseId: "fAkE0ReSpOnSe",
  };
}

function usageOf({ input, cached = 0, output, reasoning = 0 }: FakeUsage, progress: number): object {
  const thoughts = Math.round(reasoning * progress);
  const candidates = Math.round((output - reasoning) * progress);
  return {
    promptTokenCount: input,
    ...(candidates > 0 && { candidatesTokenCount: candidates }),
    totalTokenCount: input + candidates + thoughts,
    ...(cached > 0 && { cachedContentTokenCount: cached }),
    promptTokensDetails: [{ modality: "TEXT", tokenCount: input }],
    ...(thoughts > 0 && { thoughtsTokenCount: thoughts }),
  };
}

function streamError(_chat: Chat, message: string, form: "usual" | "alternative"): string {
  const error = { error: { code: 503, message, status: "UNAVAILABLE" } };
  return form === "usual" ? event(error) : JSON.stringify(error, null, 2);
}

function blockedPrompt({ model, stream }: Chat): StatusReply {
  const body = {
    promptFeedback: { blockReason: "PROHIBITED_CONTENT" },
    usageMetadata: { promptTokenCount: 7, totalTokenCount: 7 },
    modelVersion: model,
    responseId: "fAkE0ReSpOnSe",
  };
  if (!stream) return { status: 200, body };
  return { status: 200, body: event(body), headers: { "content-type": "text/event-stream" } };
}

function answerOther(request: RecordedRequest, models: readonly string[]): StatusReply {
  const { method, path } = request;
  const [, model, verb] = path.match(EMBED_PATH) ?? [];
  if (method === "POST" && model && verb) return embed(verb, jsonBody(request));
  const [bare] = path.split("?");
  if (method === "GET" && bare === "/v1beta/models") return { status: 200, body: { models: models.map(listed) } };
  const named = models.find((name) => method === "GET" && bare === `/v1beta/models/${name}`);
  return named ? { status: 200, body: listed(named) } : errorReply(404, bare ?? "");
}

function embed(verb: string, body: Record<string, unknown>): StatusReply {
  if (verb === "embedContent") return { status: 200, body: { embedding: { values: vectorOf(body) } } };
  const requests = Array.isArray(body["requests"]) ? body["requests"] : [];
  return { status: 200, body: { embeddings: requests.map((request) => ({ values: vectorOf(request) })) } };
}

/** All parts of one content make one vector. */
function vectorOf(request: { content?: { parts?: { text?: string }[] } }): number[] {
  return fakeVector((request.content?.parts ?? []).map(({ text }) => text ?? "").join("\n"));
}

function listed(name: string): object {
  const embedding = name.includes("embedding");
  return {
    name: `models/${name}`,
    version: "001",
    displayName: name,
    inputTokenLimit: embedding ? 2_048 : 1_048_576,
    outputTokenLimit: embedding ? 1 : 65_536,
    supportedGenerationMethods: embedding ? ["embedContent"] : ["generateContent", "countTokens"],
  };
}

function errorReply(status: number, model: string): StatusReply {
  switch (status) {
    case 400:
      return failure(400, "INVALID_ARGUMENT", "Request contains an invalid argument.");
    case 401:
      return failure(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.");
    case 403: {
      const message = "Method doesn't allow unregistered callers (callers without established identity). Please use " +
        "API Key or other form of API consumer identity to call this API.";
      return failure(403, "PERMISSION_DENIED", message);
    }
    case 404: {
      const message = `models/${model} is not found for API version v1beta, or is not supported for generateContent. ` +
        "Call ListModels to see the list of available models and their supported methods.";
      return failure(404, "NOT_FOUND", message);
    }
    case 429:
      return failure(429, "RESOURCE_EXHAUSTED", "You exceeded your current quota.", quotaDetails(model));
    case 503:
      return failure(503, "UNAVAILABLE", "The model is overloaded. Please try again later.");
    case 504:
      return failure(504, "DEADLINE_EXCEEDED", "The service was unable to finish processing within the deadline.");
    default:
      return failure(status, "INTERNAL", "An internal error has occurred.");
  }
}

function quotaDetails(model: string): object[] {
  const violation = {
    quotaMetric: "generativelanguage.googleapis.com/generate_content_free_tier_requests",
    quotaId: "GenerateRequestsPerMinutePerProjectPerModel-FreeTier",
    quotaDimensions: { location: "global", model },
    quotaValue: "15",
  };
  return [
    { "@type": `${TYPE_PREFIX}QuotaFailure`, violations: [violation] },
    { "@type": `${TYPE_PREFIX}RetryInfo`, retryDelay: "17s" },
  ];
}

function invalidKey(): StatusReply {
  const info = {
    "@type": `${TYPE_PREFIX}ErrorInfo`,
    reason: "API_KEY_INVALID",
    domain: "googleapis.com",
    metadata: { service: "generativelanguage.googleapis.com" },
  };
  return failure(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", [info]);
}

function failure(code: number, status: string, message: string, details: readonly object[] = []): StatusReply {
  return { status: code, body: { error: { code, message, status, ...(details.length > 0 && { details }) } } };
}

function event(data: object): string {
  return `data: ${JSON.stringify(data)}\r\n\r\n`;
}
