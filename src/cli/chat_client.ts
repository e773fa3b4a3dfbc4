import { AgentError, EXIT, type ExitCode } from "../core/errors.ts";
import type { CognitiveMode, Role } from "../core/types.ts";
import type { ChatAnswer } from "../chat/chat.ts";

/** What a conversation is held with. */
export interface ChatClientOptions {
  /** Sends a request, to this process or to another one. */
  readonly fetch: (request: Request) => Promise<Response>;
  /** `http://127.0.0.1:8000` */
  readonly origin: string;
  readonly token?: string | undefined;
  readonly conversationId: string;
  readonly role?: Role | undefined;
}

/** A piece of an answer, or the answer. */
export type Heard = { readonly delta: string } | { readonly done: ChatAnswer };

/** Speaks `POST /api/chat`. */
export class ChatClient {
  readonly #options: ChatClientOptions;

  constructor(options: ChatClientOptions) {
    this.#options = options;
  }

  /** Says something. @throws AgentError with what the API says; the reason of the signal */
  async *say(message: string, cognitive_mode: CognitiveMode, signal: AbortSignal): AsyncGenerator<Heard, void, void> {
    const { conversationId, role } = this.#options;
    const body = { message, cognitive_mode, conversation_id: conversationId, stream: true, ...(role && { role }) };
    const response = await this.#send("/api/chat", body, signal);
    if (!response.body) throw brokenOff();
    for await (const { event, data } of readEvents(response.body)) {
      signal.throwIfAborted();
      if (event === "delta") yield { delta: data.text };
      else if (event === "error") throw errorOf(data, response.status);
      else if (event === "done") return yield { done: data };
    }
    signal.throwIfAborted();
    throw brokenOff();
  }

  /** Forgets what was said. @throws AgentError */
  async reset(): Promise<void> {
    const body = { conversation_id: this.#options.conversationId };
    const response = await this.#send("/api/memory/working/clear", body, new AbortController().signal);
    await response.body?.cancel();
  }

  async #send(path: string, body: object, signal: AbortSignal): Promise<Response> {
    const { fetch, origin, token } = this.#options;
    const headers = {
      "content-type": "application/json",
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    };
    const request = new Request(origin + path, {
      method: "POST",
      headers,
      body: JSON.stringify(body),
      signal,
      redirect: "error",
    });
    const response = await fetch(request).catch((error) => {
      signal.throwIfAborted();
      throw unreachable(origin, error);
    });
    if (response.ok) return response;
    throw errorOf(await response.json().catch(() => undefined), response.status);
  }
}

/** Server-sent events whose data is JSON (html.spec.whatwg.org, 9.2.6), as far as this API writes them. */
async function* readEvents(body: ReadableStream<Uint8Array<ArrayBuffer>>) {
  let waiting = "";
  for await (const piece of body.pipeThrough(new TextDecoderStream())) {
    waiting += piece;
    for (let end = waiting.indexOf("\n\n"); end >= 0; end = waiting.indexOf("\n\n")) {
      const lines = waiting.slice(0, end).split("\n");
      waiting = waiting.slice(end + 2);
      const field = (name: string) => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2) ?? "";
      yield { event: field("event"), data: JSON.parse(field("data") || "null") };
    }
  }
}

function errorOf(body: { readonly error?: { readonly message?: unknown } } | undefined, status: number): AgentError {
  const message = body?.error?.message;
  return new AgentError(typeof message === "string" ? message : `The API answered with status ${status}`, {
    exitCode: exitCodeOf(status),
  });
}

function exitCodeOf(status: number): ExitCode {
  if (status === 401 || status === 403 || status === 409) return EXIT.permission;
  if (status === 429 || status === 504) return EXIT.tempfail;
  if (status === 400 || status === 413 || status === 422) return EXIT.data;
  return status === 500 ? EXIT.internal : EXIT.unavailable;
}

function unreachable(origin: string, cause: unknown): AgentError {
  return new AgentError(`Nothing answers at ${origin}`, {
    exitCode: EXIT.unavailable,
    remedy: "Start `serve` there, or leave --api out: then this command needs no other.",
    cause,
  });
}

function brokenOff(): AgentError {
  return new AgentError("The answer broke off", { exitCode: EXIT.unavailable, remedy: "Ask again." });
}
