import { z } from "zod";
import { AgentError, type AgentErrorOptions, EXIT, type ExitCode, exitCodeOf } from "../core/errors.ts";
import { COGNITIVE_MODES, type CognitiveMode, type ErrorKind, type Role } from "../core/types.ts";
import type { ApiCall, ApiReply } from "./chat_api.ts";

/** What a conversation is held with. */
export interface ChatClientOptions {
  readonly call: ApiCall;
  readonly conversationId: string;
  readonly role?: Role | undefined;
}

/** The part of an answer that the terminal shows; another process may have sent it. */
const answerSchema = z.object({
  content: z.string(),
  silent: z.boolean(),
  cognitive_mode: z.literal(COGNITIVE_MODES),
  provider: z.string().nullable(),
  model: z.string().nullable(),
  fallback: z.boolean(),
  knowledge_sources: z.array(z.object({
    kind: z.string(),
    source: z.string(),
    id: z.number().nullable(),
    heading: z.string().nullable(),
  })),
  cost_usd: z.number().nullable(),
  latency_ms: z.number(),
});
export type HeardAnswer = z.output<typeof answerSchema>;

const deltaSchema = z.object({ text: z.string() });
const errorSchema = z.object({
  error: z.object({
    message: z.string(),
    code: z.string(),
    attempts: z.array(z.object({ outcome: z.string(), error_kind: z.string().optional() })).optional(),
  }),
});

/** A piece of an answer, or the answer. */
export type Heard = { readonly delta: string } | { readonly done: HeardAnswer };

/** Speaks `POST /api/chat`. */
export class ChatClient {
  readonly #options: ChatClientOptions;

  constructor(options: ChatClientOptions) {
    this.#options = options;
  }

  /** Says something. @throws AgentError with what the API says; the reason of the signal */
  async *say(message: string, cognitive_mode: CognitiveMode, signal: AbortSignal): AsyncGenerator<Heard, void, void> {
    const { call, conversationId, role } = this.#options;
    const body = { message, cognitive_mode, conversation_id: conversationId, stream: true, ...(role && { role }) };
    const reply = await call("/api/chat", body, signal);
    try {
      await requireOk(reply);
      for await (const { event, data } of readEvents(reply.pieces)) {
        signal.throwIfAborted();
        if (event === "delta") yield { delta: deltaSchema.parse(data).text };
        else if (event === "done") return yield { done: answerSchema.parse(data) };
        else if (event === "error") throw errorOf(data, reply);
      }
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof AgentError) throw error;
      throw brokenOff(error); // a connection that was cut, or something that is no answer of this API
    }
    signal.throwIfAborted();
    throw brokenOff(undefined);
  }

  /** Lets the conversation begin anew. @throws AgentError */
  async reset(): Promise<void> {
    const { call, conversationId } = this.#options;
    const body = { conversation_id: conversationId };
    const reply = await call("/api/memory/working/clear", body, new AbortController().signal);
    await requireOk(reply);
    await readAll(reply.pieces);
  }
}

/** @throws AgentError with what the API says, for any status but 200 */
export async function requireOk({ status, pieces, origin }: ApiReply): Promise<void> {
  if (status === 200) return;
  throw errorOf(parseJson(await readAll(pieces).catch(() => "")), { status, origin });
}

/** The rest of a body. */
export async function readAll(pieces: AsyncIterable<string>): Promise<string> {
  return (await Array.fromAsync(pieces)).join("");
}

/** Server-sent events whose data is JSON (html.spec.whatwg.org, 9.2.6), as far as this API writes them. */
async function* readEvents(pieces: AsyncIterable<string>): AsyncGenerator<{ event: string; data: unknown }> {
  let waiting = "";
  for await (const piece of pieces) {
    waiting += piece;
    for (let end = waiting.indexOf("\n\n"); end >= 0; end = waiting.indexOf("\n\n")) {
      const lines = waiting.slice(0, end).split("\n");
      waiting = waiting.slice(end + 2);
      const field = (name: string) => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2) ?? "";
      yield { event: field("event"), data: parseJson(field("data")) };
    }
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** What the API says of what it did not do. */
export class ApiError extends AgentError {
  override readonly name = "ApiError";

  /** @param code the API's own */
  constructor(message: string, readonly code: string, options: AgentErrorOptions) {
    super(message, options);
  }
}

function errorOf(body: unknown, { status, origin = "This process" }: Pick<ApiReply, "status" | "origin">): AgentError {
  const { success, data } = errorSchema.safeParse(body);
  if (!success) {
    const message = `${origin} answered with status ${status}, and not as \`serve\` does`;
    return new AgentError(message, { exitCode: EXIT.unavailable, remedy: "Check the address behind --api." });
  }
  const { message, code, attempts = [] } = data.error;
  const remedy = code === "invalid_token" ? "Set DJANGO_API_TOKEN in .env to the token of that server." : undefined;
  const failed = attempts.findLast(({ outcome }) => outcome === "failed");
  return new ApiError(message, code, { exitCode: exitCodeFor(code, failed?.error_kind), remedy });
}

/** As `ask` would end: the kind of the last failure says it best, then the API's own code. */
function exitCodeFor(code: string, kind: string | undefined): ExitCode {
  if (kind !== undefined) return exitCodeOf(kind as ErrorKind) ?? EXIT.unavailable;
  switch (code) {
    case "invalid_token":
    case "egress_sealed":
    case "permission_denied":
    case "foreign_host":
      return EXIT.permission;
    case "rate_limit_exceeded":
    case "timeout":
    case "busy":
      return EXIT.tempfail;
    case "invalid_value":
    case "bad_request":
    case "body_too_large":
    case "context_length_exceeded":
    case "content_filter":
      return EXIT.data;
    case "config_refused":
      return EXIT.config;
    case "internal_error":
      return EXIT.internal;
    default:
      return EXIT.unavailable;
  }
}

function brokenOff(cause: unknown): AgentError {
  return new AgentError("The answer broke off", { exitCode: EXIT.unavailable, remedy: "Ask again.", cause });
}
