import { hostAndPort } from "../core/address.ts";
import { AgentError, EXIT } from "../core/errors.ts";
import { howToAllow, isAllowed } from "../core/sandbox.ts";
import type { Ledger } from "../privacy/ledger.ts";
import { createHttpSender } from "../providers/http_sender.ts";
import type { Sending } from "../providers/sender.ts";

/** What came back of a request. */
export interface ApiReply {
  readonly status: number;
  /** Who has answered; undefined for this process. */
  readonly origin?: string | undefined;
  /** The body, as it comes; to be read to its end or left. */
  readonly pieces: AsyncIterable<string>;
}

/** Posts JSON to a path of the API, or asks for what is there. @throws AgentError when nobody answers; the reason of the signal */
export type ApiCall = (path: string, body: object | undefined, signal: AbortSignal) => Promise<ApiReply>;

const REMEDY = "Start `serve` there, or leave --api out: then this command needs no other.";

interface Sent {
  readonly method: "GET" | "POST";
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
}

function toSend(body: object | undefined): Sent {
  if (!body) return { method: "GET", headers: {}, body: null };
  return { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
}

/** Asks an API within this process. */
export function createLocalCall(api: (request: Request) => Promise<Response>): ApiCall {
  return async (path, body, signal) => {
    const response = await api(new Request(`http://localhost${path}`, { ...toSend(body), signal }));
    return { status: response.status, pieces: response.body?.pipeThrough(new TextDecoderStream()) ?? none() };
  };
}

export interface RemoteCallOptions {
  /** `http://127.0.0.1:8000` */
  readonly origin: string;
  readonly token: string | undefined;
  readonly ledger: Ledger;
  /** What to do when nobody answers. */
  readonly remedy?: string;
}

/**
 * Asks a running `serve`, past every proxy.
 * @throws AgentError (exit 77) when the sandbox does not allow that address
 */
export function createRemoteCall({ origin, token, ledger, remedy = REMEDY }: RemoteCallOptions): ApiCall {
  const host = hostAndPort(origin);
  if (!isAllowed(host)) {
    throw new AgentError(`Cannot talk to ${origin}: the sandbox of this program does not allow it`, {
      exitCode: EXIT.permission,
      remedy: howToAllow(host),
    });
  }
  const send = createHttpSender(origin);
  const authorization = token === undefined ? undefined : { authorization: `Bearer ${token}` };
  return async (path, request, signal) => {
    const { method, headers, body } = toSend(request);
    const bytes = body === null ? null : new TextEncoder().encode(body);
    ledger.sent(origin, bytes?.length ?? 0);
    const sending = send({ path, method, headers: { ...headers, ...authorization }, body: bytes });
    const leave = () => void sending.cancel();
    signal.addEventListener("abort", leave, { once: true });
    const release = () => signal.removeEventListener("abort", leave); // the signal may live for months
    try {
      const { status } = await sending.head;
      return { status, origin, pieces: read(sending, { onRead: (count) => ledger.received(origin, count), release }) };
    } catch (cause) {
      release();
      signal.throwIfAborted();
      throw new AgentError(`Nothing answers at ${origin}`, { exitCode: EXIT.unavailable, remedy, cause });
    }
  };
}

interface Reader {
  readonly onRead: (bytes: number) => void;
  /** Called at the end, however it comes. */
  readonly release: () => void;
}

async function* read(sending: Sending, { onRead, release }: Reader): AsyncGenerator<string, void, void> {
  const decoder = new TextDecoder();
  try {
    for (let piece = await sending.read(); piece; piece = await sending.read()) {
      onRead(piece.length);
      yield decoder.decode(piece, { stream: true });
    }
    yield decoder.decode();
  } finally {
    release();
    await sending.cancel();
  }
}

async function* none(): AsyncGenerator<string, void, void> {}
