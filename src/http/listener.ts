import { Buffer } from "node:buffer";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { BodyReader } from "../core/body_reader.ts";
import { describeError, HttpError } from "./errors.ts";

/** Answers a request; `delivered` resolves when the answer has gone out or its client has gone. */
export type Handler = (request: Request, delivered: Promise<void>) => Response | Promise<Response>;

/** Where to listen, and who answers. */
export interface ListenOptions {
  readonly hostname: string;
  /** 0 lets the system choose one. */
  readonly port: number;
  readonly handler: Handler;
  /** Told of what was not foreseen; the connection is closed. */
  readonly onFault: (error: unknown) => void;
  /** How long a client may take nothing, in milliseconds; default 30 seconds. */
  readonly stuckMs?: number;
}

/** A listening server. */
export interface Listener {
  readonly port: number;
  /** Takes no further connection; resolves when the last one has ended. */
  close(): Promise<void>;
  /** Aborts every request under way, and leaves its connection open for the answer. */
  interrupt(): void;
  /** Ends every connection at once. */
  cut(): void;
}

/** How long the head of a request may take to arrive, in milliseconds. */
const HEAD_MS = 10_000;
/** How long a client may take nothing of an answer that waits for it, in milliseconds, before it is let go. */
const STUCK_MS = 30_000;
/** How long an unread rest of a body is listened to after the answer, in milliseconds, so that the client reads it. */
const LINGER_MS = 500;
/** Methods that the Fetch standard knows no request for. */
const FORBIDDEN_METHODS = new Set(["CONNECT", "TRACE", "TRACK"]);
/** What every answer carries unless it says otherwise itself. */
const SECURITY_HEADERS = new Map([
  ["x-content-type-options", "nosniff"],
  ["x-frame-options", "DENY"],
  ["referrer-policy", "no-referrer"],
  ["cross-origin-resource-policy", "same-origin"],
  ["content-security-policy", "default-src 'none'; frame-ancestors 'none'"],
  ["cache-control", "no-store"],
]);
const NOT_UNDERSTOOD = new HttpError(400, "This is no request to this server", { code: "bad_request" });

/**
 * Listens with `node:http`. `Deno.serve` (2.9.6) does not notice a client that hangs up before the answer begins, unless
 * its whole request came in the first few hundred bytes: models would go on working for nobody.
 * @throws what listening throws; where the sandbox does not allow it, nobody can catch that: ask it first
 */
export async function listen(
  { hostname, port, handler, onFault, stuckMs = STUCK_MS }: ListenOptions,
): Promise<Listener> {
  const working = new Map<ServerResponse, AbortController>();
  const take = (incoming: IncomingMessage, outgoing: ServerResponse) => {
    const work = new AbortController();
    working.set(outgoing, work);
    serve(incoming, outgoing, { handler, work, stuckMs }).catch((error) => {
      onFault(error);
      outgoing.destroy();
    }).finally(() => working.delete(outgoing));
  };
  const server = createServer({ requireHostHeader: false }, take); // the guard says that it is missing
  server.headersTimeout = HEAD_MS;
  server.on("clientError", (error, socket) => {
    // What is being answered on that connection must not be written into.
    if (working.keys().some((outgoing) => outgoing.socket === socket)) socket.destroy();
    else refuseConnection(error, socket);
  });
  server.on("connect", (_, socket) => refuseConnection(new Error("CONNECT"), socket));
  server.on("checkExpectation", (incoming, outgoing) => take(incoming, outgoing)); // nothing is expected of us
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, hostname, resolve);
  });
  return {
    port: portOf(server),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeIdleConnections();
      }),
    interrupt: () => working.forEach((work) => work.abort()),
    cut: () => server.closeAllConnections(),
  };
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("A server listens at no port");
  return address.port;
}

interface ServeOptions {
  readonly handler: Handler;
  /** Aborted when nobody waits for the answer any more, or none is to be waited for. */
  readonly work: AbortController;
  readonly stuckMs: number;
}

async function serve(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  { handler, work, stuckMs }: ServeOptions,
): Promise<void> {
  const delivered = Promise.withResolvers<void>();
  outgoing.once("close", () => {
    if (!outgoing.writableFinished) work.abort();
    delivered.resolve();
  });
  const request = toRequest(incoming, work.signal);
  const response = request ? await handler(request, delivered.promise) : notUnderstood();
  if (outgoing.destroyed) return void await response.body?.cancel(); // there is nobody left to tell
  const streamed = response.headers.get("content-type")?.startsWith("text/event-stream") ?? false;
  // Text goes out in one write with the head, bytes do not.
  const encoded = response.headers.has("content-encoding");
  const whole = streamed ? undefined : encoded ? await response.bytes() : await response.text();
  // What is left of a body that nobody read would be taken for the next request.
  const unread = !incoming.complete;
  outgoing.statusCode = response.status;
  for (const [name, value] of SECURITY_HEADERS) outgoing.setHeader(name, value);
  for (const [name, value] of response.headers) outgoing.setHeader(name, value);
  if (unread) outgoing.setHeader("connection", "close");
  if (whole !== undefined && !unread) return void outgoing.end(whole); // head and body in one write
  if (whole !== undefined) outgoing.setHeader("content-length", Buffer.byteLength(whole));
  outgoing.writeHead(response.status);
  if (whole !== undefined) outgoing.write(whole);
  else if (response.body) await send(response.body, outgoing, stuckMs);
  if (unread) await drain(incoming); // a connection closed under a client that still sends takes the answer with it
  outgoing.end();
}

/** What is no HTTP, or breaks off before it is a request, never gets to the app. */
function refuseConnection(error: Error, socket: Duplex): void {
  const code = "code" in error ? error.code : undefined;
  const { status, text } = code === "HPE_HEADER_OVERFLOW"
    ? { status: "431 Request Header Fields Too Large", text: "The head of the request is too large" }
    : code === "ERR_HTTP_REQUEST_TIMEOUT"
    ? { status: "408 Request Timeout", text: "The request took too long to arrive" }
    : { status: "400 Bad Request", text: NOT_UNDERSTOOD.message };
  const { body } = describeError(new HttpError(400, text, NOT_UNDERSTOOD.options), { openai: false });
  const json = JSON.stringify(body);
  const head = [
    `HTTP/1.1 ${status}`,
    "connection: close",
    "content-type: application/json",
    `content-length: ${Buffer.byteLength(json)}`,
    ...[...SECURITY_HEADERS].map((pair) => pair.join(": ")),
  ];
  if (socket.writable) socket.end(`${head.join("\r\n")}\r\n\r\n${json}`);
  else socket.destroy();
}

function notUnderstood(): Response {
  const { status, body } = describeError(NOT_UNDERSTOOD, { openai: false });
  return Response.json(body, { status });
}

/** Undefined for what is no request to this server: another target than a path, another protocol, an odd method. */
function toRequest(incoming: IncomingMessage, signal: AbortSignal): Request | undefined {
  const { method = "GET", url = "", httpVersion } = incoming;
  if (!url.startsWith("/") || !httpVersion.startsWith("1.") || FORBIDDEN_METHODS.has(method)) return undefined;
  return new IncomingRequest(url, method, incoming, signal);
}

/** A request with a body that is read straight off the socket, no further than it is wanted. */
class IncomingRequest extends Request {
  readonly #incoming: IncomingMessage;
  readonly #signal: AbortSignal;
  #body: ReadableStream<Uint8Array<ArrayBuffer>> | null | undefined;

  constructor(path: string, method: string, incoming: IncomingMessage, signal: AbortSignal) {
    super(`http://localhost${path}`, { method, headers: pairsOf(incoming.rawHeaders) });
    this.#incoming = incoming;
    this.#signal = signal;
  }

  override get signal(): AbortSignal {
    return this.#signal;
  }

  override get body(): ReadableStream<Uint8Array<ArrayBuffer>> | null {
    return this.#body ??= hasBody(this) ? toStream(this.#incoming) : null;
  }
}

function pairsOf(rawHeaders: readonly string[]): [string, string][] {
  const pairs: [string, string][] = [];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) pairs.push([rawHeaders[at] ?? "", rawHeaders[at + 1] ?? ""]);
  return pairs;
}

function hasBody({ method, headers }: Request): boolean {
  if (method === "GET" || method === "HEAD") return false;
  return headers.has("content-length") || headers.has("transfer-encoding");
}

/** Whoever loses interest leaves the rest to `drain`. */
function toStream(incoming: IncomingMessage): ReadableStream<Uint8Array<ArrayBuffer>> {
  const body = new BodyReader(incoming);
  return new ReadableStream({
    async pull(controller) {
      const piece = await body.read();
      if (piece) controller.enqueue(piece);
      else controller.close();
    },
  }, { highWaterMark: 0 });
}

/** Hands on piece by piece, no faster than the client reads. */
async function send(body: ReadableStream<Uint8Array>, outgoing: ServerResponse, stuckMs: number): Promise<void> {
  const reader = body.getReader();
  const cancel = () => void reader.cancel().catch(() => {});
  outgoing.once("close", cancel);
  if (outgoing.destroyed) cancel();
  for (;;) {
    const { done, value } = await reader.read();
    if (done || outgoing.destroyed) return;
    if (!outgoing.write(value)) await drained(outgoing, stuckMs);
  }
}

/** Waits until the client has taken what was written, or is gone; one that takes nothing for so long is let go. */
function drained(outgoing: ServerResponse, stuckMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => outgoing.destroy(), stuckMs);
    const done = () => {
      clearTimeout(timer);
      outgoing.off("drain", done);
      outgoing.off("close", done);
      resolve();
    };
    outgoing.once("drain", done);
    outgoing.once("close", done);
  });
}

/** Reads the rest of a body away, for as long as is worth it. */
function drain(incoming: IncomingMessage): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      resolve();
    };
    const timer = setTimeout(done, LINGER_MS);
    for (const event of ["end", "error", "close"]) incoming.once(event, done);
    incoming.removeAllListeners("readable").resume(); // it does not flow while somebody waits for that
  });
}
