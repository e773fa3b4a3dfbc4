/// <reference lib="dom" />
/** Requests to the API that this page comes from. */

/** What the API said instead of doing what it was asked. */
export class ApiFailure extends Error {
  readonly status: number;
  /** Everything that is wrong, where it says more than its message. */
  readonly problems: readonly string[];

  constructor(status: number, message: string, problems: readonly string[] = []) {
    super(message);
    this.status = status;
    this.problems = problems;
  }
}

const TOKEN = "django-agent-token";
/** Called when the API wants a token, or another one. */
let onTokenNeeded = (): void => {};

/** @param ask shows a form for the token */
export function watchToken(ask: () => void): void {
  onTokenNeeded = ask;
}

/** Keeps a token until this tab is closed. */
export function keepToken(token: string): void {
  sessionStorage.setItem(TOKEN, token);
}

/** Sends a request, with a body as JSON. @throws ApiFailure; TypeError when nobody answers */
export async function send(method: string, path: string, options: SendOptions = {}): Promise<Response> {
  const { body, signal, headers = {} } = options;
  const token = sessionStorage.getItem(TOKEN);
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
  if (response.status === 401) onTokenNeeded();
  throw await failureOf(response);
}

export interface SendOptions {
  readonly body?: unknown;
  readonly signal?: AbortSignal | undefined;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The JSON of an answer. */
export async function ask<T>(method: string, path: string, options?: SendOptions): Promise<T> {
  return await (await send(method, path, options)).json();
}

async function failureOf(response: Response): Promise<ApiFailure> {
  const body = await response.json().catch(() => undefined);
  const { message, problems } = body?.error ?? {};
  return new ApiFailure(response.status, typeof message === "string" ? message : response.statusText, problems);
}

/** One event of a stream. */
export interface StreamEvent {
  readonly name: string;
  readonly data: Record<string, unknown>;
}

/** Server-sent events of an answer, as they come (html.spec.whatwg.org, 9.2.6). */
export async function* readEvents(response: Response): AsyncGenerator<StreamEvent, void, void> {
  if (!response.body) return;
  let waiting = "";
  for await (const piece of pieces(response.body.pipeThrough(new TextDecoderStream()))) {
    waiting += piece;
    for (let end = waiting.indexOf("\n\n"); end >= 0; end = waiting.indexOf("\n\n")) {
      const lines = waiting.slice(0, end).split("\n");
      waiting = waiting.slice(end + 2);
      const field = (name: string) => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
      const [name, data] = [field("event"), field("data")];
      if (name !== undefined && data !== undefined) yield { name, data: JSON.parse(data) };
    }
  }
}

/** Not every browser lets a stream be iterated. */
async function* pieces(stream: ReadableStream<string>): AsyncGenerator<string, void, void> {
  const reader = stream.getReader();
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) yield next.value;
  } finally {
    await reader.cancel();
  }
}
