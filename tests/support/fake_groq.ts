/** A fake Groq: chat completions over server-sent events, and the model list. */
import type { Answer, Chat, Encoding, FakeToolCall, FakeUsage, StatusReply } from "./fake_behaviour.ts";
import { type FakeProvider, jsonBody, startFakeProvider } from "./fake_provider.ts";
import type { RecordedRequest } from "./raw_server.ts";

export interface FakeGroqOptions {
  /** The one key that is accepted. Default: every key. */
  readonly apiKey?: string;
  /** The models there are; others are not found. Default: today's, and no request is refused for its model. */
  readonly models?: readonly string[];
}

const DEFAULT_MODELS: readonly string[] = ["openai/gpt-oss-120b", "openai/gpt-oss-20b"];
const ID = "chatcmpl-6c2b1f0a";
const REQUEST_ID = "req_01kfake0000000000000000000";
const CREATED = 1_795_411_757;

/** Starts a fake Groq on a free port of 127.0.0.1; its API lies under `/openai/v1`. */
export function startFakeGroq(options: FakeGroqOptions = {}): FakeProvider {
  return startFakeProvider({
    name: "groq",
    streamType: "text/event-stream",
    earlyHead: true,
    chatOf,
    refuse: (request, chat) => refuse(request, chat, options),
    other: (request) => answerOther(request, options.models ?? DEFAULT_MODELS),
    encode,
    single,
    finishReason: (neutral) => neutral,
    frame: (text) => `data: ${text}\n\n`,
    error: (status, chat) => errorReply(status, chat.model),
    streamError,
    blockedPrompt: () => failure(400, "The prompt was rejected by the content filter.", "content_filter"),
  });
}

function chatOf(request: RecordedRequest): Chat | undefined {
  if (request.method !== "POST" || request.path !== "/openai/v1/chat/completions") return undefined;
  const body = jsonBody(request);
  return { model: String(body["model"]), stream: body["stream"] === true, body, request };
}

function refuse(
  request: RecordedRequest,
  chat: Chat | undefined,
  { apiKey, models }: FakeGroqOptions,
): StatusReply | undefined {
  const key = request.headers.get("authorization")?.match(/^Bearer (.+)$/)?.[1];
  if (!key || (apiKey !== undefined && key !== apiKey)) return errorReply(401, "");
  if (chat && models && !models.includes(chat.model)) return errorReply(404, chat.model);
  return undefined;
}

function encode(chat: Chat, answer: Answer): Encoding {
  const chunk = (delta: object, finish_reason: string | null = null, more: object = {}) =>
    event({
      ...envelope("chat.completion.chunk", chat),
      choices: [{ index: 0, delta, logprobs: null, finish_reason }],
      ...more,
    });
  const usage = answer.usage && usageOf(answer.usage);
  const options = chat.body["stream_options"] as { include_usage?: boolean } | undefined;
  const usageChunk = event({ ...envelope("chat.completion.chunk", chat), choices: [], usage });
  return {
    opening: chunk({ role: "assistant", content: "" }, null, { x_groq: { id: REQUEST_ID } }),
    *steps() {
      for (const reasoning of answer.thinking) yield chunk({ reasoning, channel: "analysis" });
      for (const content of answer.tokens) yield chunk({ content });
      for (const [index, call] of answer.toolCalls.entries()) {
        for (const piece of toolCallPieces(index, call)) yield chunk({ tool_calls: [piece] });
      }
    },
    finish: chunk({}, answer.finish, { x_groq: { id: REQUEST_ID, ...(usage && { usage }) } }) +
      (usage && options?.include_usage ? usageChunk : ""),
    end: "data: [DONE]\n\n",
  };
}

function single(chat: Chat, { tokens, thinking, toolCalls, usage, finish }: Answer, complete: boolean): object {
  const reasoning = thinking.join("");
  const message = {
    role: "assistant",
    content: tokens.join(""),
    ...(reasoning && { reasoning }),
    ...(toolCalls.length > 0 && { tool_calls: toolCalls.map((call, index) => toolCallOf(index, call)) }),
  };
  return {
    ...envelope("chat.completion", chat),
    choices: [{ index: 0, message, logprobs: null, finish_reason: complete ? finish : null }],
    ...(usage && complete && { usage: usageOf(usage) }),
    x_groq: { id: REQUEST_ID },
  };
}

function envelope(object: string, { model }: Chat): object {
  return { id: ID, object, created: CREATED, model, system_fingerprint: "fp_fa5e0ba5e1" };
}

function toolCallOf(index: number, { id = `call_${index}`, name, arguments: given }: FakeToolCall): object {
  return { id, type: "function", function: { name, arguments: JSON.stringify(given) } };
}

/** The call as it is streamed: its name first, then its arguments as halves of a JSON text. */
function* toolCallPieces(index: number, call: FakeToolCall): Generator<object> {
  const { id = `call_${index}`, name } = call;
  const text = JSON.stringify(call.arguments);
  const half = Math.ceil(text.length / 2);
  yield { index, id, type: "function", function: { name, arguments: "" } };
  yield { index, function: { arguments: text.slice(0, half) } };
  yield { index, function: { arguments: text.slice(half) } };
}

function usageOf({ input, cached = 0, output, reasoning = 0 }: FakeUsage): object {
  return {
    queue_time: 0.021,
    prompt_tokens: input,
    prompt_time: 0.004,
    completion_tokens: output,
    completion_time: 0.05,
    total_tokens: input + output,
    total_time: 0.054,
    ...(cached > 0 && { prompt_tokens_details: { cached_tokens: cached } }),
    ...(reasoning > 0 && { completion_tokens_details: { reasoning_tokens: reasoning } }),
  };
}

function streamError(chat: Chat, message: string, form: "usual" | "alternative"): string {
  if (form === "usual") return event({ error: { message, type: "server_error", code: "over_capacity" } });
  return event({
    ...envelope("chat.completion.chunk", chat),
    choices: [{ index: 0, delta: {}, logprobs: null, finish_reason: null }],
    x_groq: { id: REQUEST_ID, error: message },
  });
}

function answerOther({ method, path }: RecordedRequest, models: readonly string[]): StatusReply {
  if (method !== "GET" || path !== "/openai/v1/models") {
    return failure(404, `Unknown request URL: ${method} ${path}. Please check the URL for typos.`, "unknown_url");
  }
  const data = models.map((id) => ({
    id,
    object: "model",
    created: CREATED,
    owned_by: "OpenAI",
    active: true,
    context_window: 131_072,
    public_apps: null,
    max_completion_tokens: 65_536,
  }));
  return { status: 200, body: { object: "list", data } };
}

function errorReply(status: number, model: string): StatusReply {
  switch (status) {
    case 400:
      return failure(400, "'messages' : value must be an array", undefined);
    case 401:
      return failure(401, "Invalid API Key", "invalid_api_key");
    case 404: {
      const message = `The model \`${model}\` does not exist or you do not have access to it.`;
      return failure(404, message, "model_not_found");
    }
    case 413:
      return failure(413, `Request too large for model \`${model}\``, "rate_limit_exceeded", "tokens");
    case 429:
      return { ...failure(429, limitText(model), "rate_limit_exceeded", "tokens"), headers: LIMIT_HEADERS };
    case 503:
      return failure(
        503,
        "The model is over capacity. Please try again later.",
        "over_capacity",
        "service_unavailable",
      );
    default:
      return failure(status, "Internal Server Error", undefined, "internal_server_error");
  }
}

const LIMIT_HEADERS = {
  "retry-after": "4",
  "x-ratelimit-limit-requests": "1000",
  "x-ratelimit-limit-tokens": "8000",
  "x-ratelimit-remaining-requests": "997",
  "x-ratelimit-remaining-tokens": "12",
  "x-ratelimit-reset-requests": "4m19.2s",
  "x-ratelimit-reset-tokens": "3.75s",
};

function limitText(model: string): string {
  return `Rate limit reached for model \`${model}\` in organization \`org_fake\` service tier \`on_demand\` on tokens ` +
    "per minute (TPM): Limit 8000, Used 7988, Requested 512. Please try again in 3.75s.";
}

function failure(
  status: number,
  message: string,
  code: string | undefined,
  type = "invalid_request_error",
): StatusReply {
  return { status, body: { error: { message, type, ...(code && { code }) } } };
}

function event(data: object): string {
  return `data: ${JSON.stringify(data)}\n\n`;
}
