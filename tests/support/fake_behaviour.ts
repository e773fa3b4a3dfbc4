/** The ways a fake provider can answer a chat request, and what it takes to play them in any provider's protocol. */
import type { RecordedRequest, Reply } from "./raw_server.ts";

/** A tool call the fake model makes. */
export interface FakeToolCall {
  readonly name: string;
  readonly arguments: Readonly<Record<string, unknown>>;
  readonly id?: string;
  readonly signature?: string;
}

/** Counts to report. `cached` is a part of `input`, `reasoning` a part of `output`. */
export interface FakeUsage {
  readonly input: number;
  readonly cached?: number;
  readonly output: number;
  readonly reasoning?: number;
}

/** How one chat request is answered. Where `tokens` is optional and left out, the default answer is given. */
export type Behaviour =
  | {
    readonly kind: "answer";
    readonly tokens?: readonly string[];
    readonly thinking?: readonly string[];
    readonly toolCalls?: readonly FakeToolCall[];
    /** Left out: plausible counts. `null`: none are sent. */
    readonly usage?: FakeUsage | null;
    /** Provider-neutral: `stop`, `length`, `tool_calls`. */
    readonly finish?: string;
    readonly firstTokenDelayMs?: number;
    readonly gapMs?: number;
    /** Writes the body in pieces of so many bytes, inside characters and JSON lines too. */
    readonly splitBytes?: number;
    /** Tokens to a piece of the body (default 1); larger for throughput. */
    readonly batch?: number;
  }
  | {
    readonly kind: "status";
    readonly status: number;
    /** Objects become JSON. Left out: the provider's own error body for that status. */
    readonly body?: string | object;
    readonly headers?: Readonly<Record<string, string>>;
  }
  /**
   * `reset` closes the connection before any header. Deno's fetch then sends the request a second time by itself if the
   * connection had been used before and the body is not a stream: the second copy meets the next behaviour.
   */
  | { readonly kind: "silence" | "reset" | "html" | "empty" | "gzip_garbage" | "endless_headers" | "blocked_prompt" }
  | { readonly kind: "cut" | "stall" | "no_finish"; readonly after: number }
  | { readonly kind: "malformed"; readonly after: number }
  | {
    readonly kind: "error_in_stream";
    readonly after: number;
    readonly message?: string;
    /** `alternative`: Groq in a chunk's `x_groq.error`, Gemini as bare JSON without `data:`. */
    readonly form?: "usual" | "alternative";
  }
  | { readonly kind: "open_after_finish" }
  | { readonly kind: "endless_body"; /** Default `bytes`. */ readonly of?: "bytes" | "tokens" }
  | { readonly kind: "big_line"; readonly bytes: number }
  | { readonly kind: "redirect"; readonly to: string; /** Default 307. */ readonly status?: number }
  /** Answers only a conversation that ends with the user's turn: half an answer to go on with is refused with 400. */
  | { readonly kind: "rejects_prefill"; readonly tokens?: readonly string[]; readonly usage?: FakeUsage }
  | { readonly kind: "finish"; /** As the provider spells it. */ readonly raw: string }
  | { readonly kind: "raw"; readonly bytes: string };

/** One chat request, as far as every protocol has it. */
export interface Chat {
  readonly model: string;
  readonly stream: boolean;
  readonly body: Readonly<Record<string, unknown>>;
  readonly request: RecordedRequest;
}

/** What the fake model says, in provider-neutral form but for the finish reason. */
export interface Answer {
  readonly tokens: readonly string[];
  readonly thinking: readonly string[];
  readonly toolCalls: readonly FakeToolCall[];
  readonly usage: FakeUsage | null;
  readonly finish: string;
}

/** A streamed answer in a provider's own framing. */
export interface Encoding {
  /** Before the first token; may be empty. */
  readonly opening: string;
  /** One piece for each thought, token and part of a tool call. */
  steps(): Iterable<string>;
  /** Finish reason and counts. */
  readonly finish: string;
  /** What follows the finish; may be empty. */
  readonly end: string;
}

/** A whole reply of one status. */
export interface StatusReply {
  readonly status: number;
  readonly body: string | object;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A provider's way of saying things. */
export interface Protocol {
  readonly name: "ollama" | "groq" | "gemini";
  readonly streamType: string;
  /** Whether the headers of a stream leave before its first token. */
  readonly earlyHead: boolean;
  /** The chat in this request; `undefined` when it is for something else. */
  chatOf(request: RecordedRequest): Chat | undefined;
  /** A request that is turned away whatever behaviour is asked for: no key, unknown model. */
  refuse(request: RecordedRequest, chat: Chat | undefined): StatusReply | undefined;
  /** Answers what is not a chat: model lists, embeddings. */
  other(request: RecordedRequest, reply: Reply): Promise<StatusReply | undefined> | StatusReply | undefined;
  /** Waits for whatever comes before the first token, such as loading the model. */
  prepare?(chat: Chat, gone: AbortSignal): Promise<void>;
  encode(chat: Chat, answer: Answer): Encoding;
  /** The reply without streaming; an incomplete one has no finish reason. */
  single(chat: Chat, answer: Answer, complete: boolean): object;
  /** The provider's word for `stop`, `length` or `tool_calls`. */
  finishReason(neutral: string): string;
  /** One message of a stream around this text. */
  frame(text: string): string;
  error(status: number, chat: Chat): StatusReply;
  streamError(chat: Chat, message: string, form: "usual" | "alternative"): string;
  blockedPrompt(chat: Chat): StatusReply;
}

/** `Hola, soy Django.` in pieces. */
export const DEFAULT_TOKENS: readonly string[] = ["Hola", ", soy", " Djan", "go", "."];

// Taken once, so that a test which replaces the timers does not stop the fakes' own clock.
const { setTimeout, clearTimeout } = globalThis;

/** Waits, but not for a client that has gone. */
export async function pause(ms: number, gone: AbortSignal): Promise<void> {
  if (ms <= 0 || gone.aborted) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  const wake = () => resolve();
  gone.addEventListener("abort", wake, { once: true });
  await promise;
  clearTimeout(timer);
  gone.removeEventListener("abort", wake);
}

/** Sends a whole reply. */
export async function sendStatus(reply: Reply, { status, body, headers = {} }: StatusReply): Promise<void> {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const bytes = new TextEncoder().encode(text);
  const type = typeof body === "string" ? "text/plain; charset=utf-8" : "application/json; charset=utf-8";
  const all = { "content-type": type, ...headers, "content-length": String(bytes.length) };
  await reply.head(status, all, { chunked: false });
  await reply.end(bytes);
}

/** A plausible number of tokens for a text. */
export function estimateTokens(text: string): number {
  return Math.max(1, Math.ceil(text.length / 4));
}

/** A unit vector of 8 numbers that depends on the text alone; texts that share words lie closer together. */
export function fakeVector(text: string): number[] {
  const vector = new Array<number>(8).fill(0);
  for (const word of text.toLowerCase().split(/[^\p{L}\p{N}]+/u)) {
    let hash = 2_166_136_261;
    for (const char of word) hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 16_777_619) >>> 0;
    for (let at = 0; at < 8; at++) vector[at] = (vector[at] ?? 0) + (((hash >>> (at * 4)) & 15) - 7.5);
  }
  const length = Math.hypot(...vector);
  return vector.map((value) => value / length);
}
