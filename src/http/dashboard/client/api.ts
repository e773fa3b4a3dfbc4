/// <reference lib="dom" />
/** Requests to the API that this page comes from. */
import { Observable } from "./observable.ts";

/** What the API said instead of doing what it was asked. */
export class ApiFailure extends Error {
  /** HTTP status. */
  readonly status: number;
  /** Everything that is wrong, where it says more than its message. */
  readonly problems: readonly string[];

  constructor(status: number, message: string, problems: readonly string[] = []) {
    super(message);
    this.status = status;
    this.problems = problems;
  }
}

/** What goes with a request. */
export interface SendOptions {
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly signal?: AbortSignal | undefined;
  readonly headers?: Readonly<Record<string, string>>;
}

/** `none`: nobody has asked for one. `missing`, `wrong`: nothing can be had without another. */
export type TokenState = "none" | "missing" | "wrong" | "given";

const TOKEN = "django-agent-token";

/** The API, with the token it wants. The token is kept until the tab is closed. */
export class Api {
  readonly token: Observable<TokenState>;
  #token: string | null;

  constructor() {
    this.#token = readToken();
    this.token = new Observable<TokenState>(this.#token === null ? "none" : "given");
  }

  /** False for what no header can carry; then it is not kept. */
  keepToken(token: string): boolean {
    if (!/^[\x21-\x7e]+$/.test(token)) return false;
    this.#token = token;
    storeToken(token);
    this.token.set("given");
    return true;
  }

  /** Sends a request. @throws ApiFailure; TypeError when nobody answers */
  async send(method: string, path: string, options: SendOptions = {}): Promise<Response> {
    const { body, signal, headers = {} } = options;
    const token = this.#token;
    const response = await fetch(path, {
      method,
      headers: {
        ...headers,
        ...(body !== undefined && { "content-type": "application/json" }),
        ...(token !== null && { authorization: `Bearer ${token}` }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      ...(signal && { signal }),
    });
    if (response.ok) return response;
    // Another may have been given since this one was sent.
    if (response.status === 401 && token === this.#token) {
      this.#token = null;
      storeToken(null);
      this.token.set(token === null && this.token.value !== "wrong" ? "missing" : "wrong");
    }
    throw await failureOf(response);
  }

  /** The JSON of an answer. @throws as `send` */
  async ask<T>(method: string, path: string, options?: SendOptions): Promise<T> {
    return await (await this.send(method, path, options)).json();
  }
}

/** A browser may keep nothing for a page: then the token is asked for anew after a reload. */
function readToken(): string | null {
  try {
    return sessionStorage.getItem(TOKEN);
  } catch {
    return null;
  }
}

function storeToken(token: string | null): void {
  try {
    if (token === null) sessionStorage.removeItem(TOKEN);
    else sessionStorage.setItem(TOKEN, token);
  } catch {
    // It counts until the page is closed.
  }
}

async function failureOf(response: Response): Promise<ApiFailure> {
  const body = await response.json().catch(() => undefined);
  const { message, problems } = body?.error ?? {};
  return new ApiFailure(response.status, typeof message === "string" ? message : response.statusText, problems);
}

/** One event of a stream; `undefined` for a sign of life that says nothing. */
export interface StreamEvent {
  readonly name: string;
  /** Parsed JSON, as the server wrote it. */
  readonly data: unknown;
}

/** Server-sent events of an answer, as they come (html.spec.whatwg.org, 9.2.6). */
export async function* readEvents(response: Response): AsyncGenerator<StreamEvent | undefined, void, void> {
  if (!response.body) return;
  let waiting = "";
  for await (const piece of pieces(response.body.pipeThrough(new TextDecoderStream()))) {
    waiting += piece;
    for (let end = waiting.indexOf("\n\n"); end >= 0; end = waiting.indexOf("\n\n")) {
      const lines = waiting.slice(0, end).split("\n");
      waiting = waiting.slice(end + 2);
      const field = (name: string) => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
      const [name, data] = [field("event"), field("data")];
      yield name === undefined || data === undefined ? undefined : { name, data: JSON.parse(data) };
    }
  }
}

/** Not every browser lets a stream be iterated. */
async function* pieces(stream: ReadableStream<string>): AsyncGenerator<string, void, void> {
  const reader = stream.getReader();
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) yield next.value;
  } finally {
    await reader.cancel().catch(() => {});
  }
}
