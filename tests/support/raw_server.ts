/**
 * A small HTTP/1.1 server written on the bare socket, so that it can break where real servers break: between two bytes,
 * before the headers, without the last chunk, or never. For tests and demos only.
 */

/** One request as it came over the wire. */
export interface RecordedRequest {
  readonly method: string;
  /** Path with its query, as sent. */
  readonly path: string;
  readonly headers: Headers;
  readonly body: Uint8Array;
  /** Epoch milliseconds at which the request was complete. */
  readonly atMs: number;
}

/** What a handler answers with. Nothing here throws when the client has left: watch `gone` in loops. */
export interface Reply {
  /** Status line and headers. Chunked by default; otherwise give `content-length`, or the connection ends the body. */
  head(status: number, headers?: Readonly<Record<string, string>>, options?: { chunked?: boolean }): Promise<void>;
  /** A piece of the body; with chunked encoding, exactly one chunk. */
  write(data: Uint8Array | string): Promise<void>;
  /**
   * The proper end of the body; the connection is kept for the next request where the framing allows it. `last` is
   * written together with the end, so that a client cannot leave between the two.
   */
  end(last?: Uint8Array | string): Promise<void>;
  /** Bytes straight onto the socket; the connection is closed when the handler returns. */
  raw(data: Uint8Array | string): Promise<void>;
  /** Closes the connection at once, without the terminating chunk. */
  cut(): void;
  /** Waits until the client has gone away or the server has cut the connection. */
  hang(): Promise<void>;
  /** Aborted when the connection is over. Its reason is `client` when the client left, `server` otherwise. */
  readonly gone: AbortSignal;
}

/** Answers one request. When it returns without `end()` the connection is cut. Its errors surface in `stop()`. */
export type Handler = (request: RecordedRequest, reply: Reply) => Promise<void> | void;

/** A running server. */
export interface RawServer {
  /** `http://127.0.0.1:port`. */
  readonly origin: string;
  readonly port: number;
  /** Connections accepted so far. */
  readonly connections: number;
  /** Connections open right now. */
  readonly open: number;
  /**
   * Closes the listener and cuts every connection. From the moment the promise resolves connections are refused; until
   * then a new one may still be reset instead.
   */
  down(): Promise<void>;
  /** Listens again on the same port; at once, unless a `down()` is still under way. */
  up(): Promise<void>;
  /** Ends for good and waits until every handler has returned. Throws the first error a handler threw. */
  stop(): Promise<void>;
}

const encoder = new TextEncoder();
const REASONS: Readonly<Record<number, string>> = {
  200: "OK",
  307: "Temporary Redirect",
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  429: "Too Many Requests",
  500: "Internal Server Error",
  502: "Bad Gateway",
  503: "Service Unavailable",
};

/** Starts a server on a free port of 127.0.0.1. */
export function startRawServer(handler: Handler): RawServer {
  const wires = new Set<Wire>();
  const tasks = new TaskGroup();
  let accepted = 0;
  let listener: Deno.TcpListener | undefined;
  let accepting: Promise<void> | undefined;

  async function accept(from: Deno.TcpListener): Promise<void> {
    for await (const connection of from) {
      // A connection that was accepted while the listener closed must look refused, not served.
      if (from !== listener) {
        connection.close();
        continue;
      }
      accepted++;
      const wire = new Wire(connection);
      wires.add(wire);
      tasks.add(serve(wire, handler).finally(() => wires.delete(wire)));
    }
  }

  function listen(port: number): number {
    listener = Deno.listen({ hostname: "127.0.0.1", port });
    accepting = accept(listener).finally(() => accepting = undefined);
    tasks.add(accepting);
    return listener.addr.port;
  }

  async function down(): Promise<void> {
    const closing = listener;
    listener = undefined;
    closing?.close();
    for (const wire of wires) wire.close("server");
    // The system keeps the port open until the pending accept has been dropped.
    await accepting;
  }

  async function up(): Promise<void> {
    if (accepting && !listener) await accepting;
    if (!listener) listen(port);
  }

  const port = listen(0);
  return {
    origin: `http://127.0.0.1:${port}`,
    port,
    get connections() {
      return accepted;
    },
    get open() {
      return wires.size;
    },
    down,
    up,
    async stop() {
      await down();
      await tasks.settle();
    },
  };
}

/** Work in the background whose errors wait until somebody asks. */
class TaskGroup {
  readonly #running = new Set<Promise<void>>();
  readonly #failures: unknown[] = [];

  add(task: Promise<void>): void {
    const tracked: Promise<void> = task.catch((error) => void this.#failures.push(error)).finally(() => {
      this.#running.delete(tracked);
    });
    this.#running.add(tracked);
  }

  /** Waits for everything and throws the first error there was. */
  async settle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
    if (this.#failures.length > 0) throw this.#failures[0];
  }
}

/** One connection: reads ahead all the time, which is the only way to notice that the client has left. */
class Wire {
  readonly #connection: Deno.TcpConn;
  readonly #gone = new AbortController();
  readonly #reading: Promise<void>;
  #inbox: Uint8Array = new Uint8Array(0);
  #arrived = Promise.withResolvers<void>();

  constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
    connection.setNoDelay(true);
    this.#reading = this.#readAhead();
  }

  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  /** Takes bytes up to and including `delimiter`; `undefined` when the connection ended first. */
  async takeUntil(delimiter: string): Promise<Uint8Array | undefined> {
    const wanted = encoder.encode(delimiter);
    for (;;) {
      const at = indexOf(this.#inbox, wanted);
      if (at >= 0) return this.#take(at + wanted.length);
      if (!(await this.#more())) return undefined;
    }
  }

  /** Takes exactly `length` bytes; `undefined` when the connection ended first. */
  async takeBytes(length: number): Promise<Uint8Array | undefined> {
    while (this.#inbox.length < length) if (!(await this.#more())) return undefined;
    return this.#take(length);
  }

  async write(data: Uint8Array): Promise<void> {
    try {
      for (let sent = 0; sent < data.length && !this.gone.aborted;) {
        sent += await this.#connection.write(data.subarray(sent));
      }
    } catch {
      this.close("client");
    }
  }

  close(by: "client" | "server"): void {
    if (this.gone.aborted) return;
    this.#gone.abort(by);
    this.#connection.close();
    this.#arrived.resolve();
  }

  /** Resolves when nothing reads from the socket any more. */
  async finished(): Promise<void> {
    await this.#reading;
  }

  async #more(): Promise<boolean> {
    if (this.gone.aborted) return false;
    await this.#arrived.promise;
    return !this.gone.aborted;
  }

  #take(length: number): Uint8Array {
    const taken = this.#inbox.slice(0, length);
    this.#inbox = this.#inbox.slice(length);
    return taken;
  }

  async #readAhead(): Promise<void> {
    const buffer = new Uint8Array(65_536);
    try {
      for (;;) {
        const count = await this.#connection.read(buffer);
        if (count === null) break;
        this.#inbox = concat(this.#inbox, buffer.subarray(0, count));
        const { resolve } = this.#arrived;
        this.#arrived = Promise.withResolvers();
        resolve();
      }
    } catch {
      // A reset by the client, or our own close: both mean that the connection is over.
    }
    this.close("client");
  }
}

async function serve(wire: Wire, handler: Handler): Promise<void> {
  try {
    for (;;) {
      const request = await readRequest(wire);
      if (!request) return;
      const reply = new SocketReply(wire);
      await handler(request, reply);
      if (!reply.reusable || request.headers.get("connection")?.toLowerCase() === "close") return;
    }
  } finally {
    wire.close("server");
    await wire.finished();
  }
}

async function readRequest(wire: Wire): Promise<RecordedRequest | undefined> {
  const head = await wire.takeUntil("\r\n\r\n");
  if (!head) return undefined;
  const [requestLine = "", ...lines] = new TextDecoder().decode(head).trimEnd().split("\r\n");
  const [method = "", path = ""] = requestLine.split(" ");
  const headers = new Headers();
  for (const line of lines) {
    const colon = line.indexOf(":");
    if (colon > 0) headers.append(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  if (headers.get("expect")?.toLowerCase() === "100-continue") {
    await wire.write(encoder.encode("HTTP/1.1 100 Continue\r\n\r\n"));
  }
  const body = headers.get("transfer-encoding")?.toLowerCase() === "chunked"
    ? await readChunked(wire)
    : await wire.takeBytes(Number(headers.get("content-length") ?? 0));
  return body && { method, path, headers, body, atMs: Date.now() };
}

async function readChunked(wire: Wire): Promise<Uint8Array | undefined> {
  let body: Uint8Array = new Uint8Array(0);
  for (;;) {
    const line = await wire.takeUntil("\r\n");
    if (!line) return undefined;
    const size = parseInt(new TextDecoder().decode(line), 16);
    const chunk = await wire.takeBytes(size + 2);
    if (!chunk) return undefined;
    if (size === 0) return body;
    body = concat(body, chunk.subarray(0, size));
  }
}

class SocketReply implements Reply {
  readonly gone: AbortSignal;
  readonly #wire: Wire;
  #framing: "none" | "chunked" | "length" | "close" = "none";
  #ended = false;
  #raw = false;

  constructor(wire: Wire) {
    this.#wire = wire;
    this.gone = wire.gone;
  }

  get reusable(): boolean {
    return this.#ended && !this.#raw && this.#framing !== "close" && !this.gone.aborted;
  }

  async head(
    status: number,
    headers: Readonly<Record<string, string>> = {},
    { chunked = true }: { chunked?: boolean } = {},
  ): Promise<void> {
    const hasLength = Object.keys(headers).some((name) => name.toLowerCase() === "content-length");
    this.#framing = chunked ? "chunked" : hasLength ? "length" : "close";
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    if (this.#framing === "chunked") lines.push("transfer-encoding: chunked\r\n");
    if (this.#framing === "close") lines.push("connection: close\r\n");
    await this.#send(`HTTP/1.1 ${status} ${REASONS[status] ?? "Status"}\r\n${lines.join("")}\r\n`);
  }

  async write(data: Uint8Array | string): Promise<void> {
    if (this.#framing === "none") throw new Error("Cannot write a body before head()");
    await this.#send(this.#frame(data));
  }

  async end(last: Uint8Array | string = ""): Promise<void> {
    if (this.#framing === "none") throw new Error("Cannot end a reply before head()");
    if (this.#ended) return;
    this.#ended = true;
    await this.#send(concat(this.#frame(last), encoder.encode(this.#framing === "chunked" ? "0\r\n\r\n" : "")));
  }

  async raw(data: Uint8Array | string): Promise<void> {
    this.#raw = true;
    await this.#send(data);
  }

  cut(): void {
    this.#wire.close("server");
  }

  async hang(): Promise<void> {
    if (this.gone.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.gone.addEventListener("abort", () => resolve(), { once: true });
    await promise;
  }

  #frame(data: Uint8Array | string): Uint8Array {
    const bytes = typeof data === "string" ? encoder.encode(data) : data;
    // An empty chunk would end the body.
    if (this.#framing !== "chunked" || bytes.length === 0) return bytes;
    return concat(encoder.encode(`${bytes.length.toString(16)}\r\n`), bytes, encoder.encode("\r\n"));
  }

  async #send(data: Uint8Array | string): Promise<void> {
    if (this.gone.aborted) return;
    await this.#wire.write(typeof data === "string" ? encoder.encode(data) : data);
  }
}

function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

function indexOf(bytes: Uint8Array, wanted: Uint8Array): number {
  for (let at = bytes.indexOf(wanted[0] ?? 0); at >= 0; at = bytes.indexOf(wanted[0] ?? 0, at + 1)) {
    if (wanted.every((byte, offset) => bytes[at + offset] === byte)) return at;
  }
  return -1;
}
