/** A fake SearXNG: its JSON API, and the ways in which one fails. */
import { type RecordedRequest, type Reply, startRawServer } from "./raw_server.ts";

/** A result as SearXNG gives it; many engines leave `content` out. */
export interface FakeResult {
  readonly url: string;
  readonly title?: string | null;
  readonly content?: string | null;
}

/** How one search is answered. */
export type SearchBehaviour =
  | {
    readonly kind: "results";
    readonly results: readonly FakeResult[]; /** Bytes to a piece. */
    readonly split?: number;
  }
  | { readonly kind: "status"; readonly status: number; readonly headers?: Readonly<Record<string, string>> }
  | { readonly kind: "text"; readonly text: string }
  /** Never says anything. */
  | { readonly kind: "silence" }
  /** Head and half an answer, then nothing more; `cut` closes the connection. */
  | { readonly kind: "half"; readonly cut: boolean }
  /** Goes on for ever. */
  | { readonly kind: "endless" };

export interface FakeSearxng extends AsyncDisposable {
  /** `http://127.0.0.1:port` */
  readonly origin: string;
  readonly requests: readonly RecordedRequest[];
  /** Connections accepted so far. */
  readonly connections: number;
  /** Connections open right now. */
  readonly open: number;
  /** How to answer from now on. */
  always(behaviour: SearchBehaviour): void;
}

/** Starts it on a free port of 127.0.0.1; it finds nothing until it is told. */
export function startFakeSearxng(): FakeSearxng {
  const requests: RecordedRequest[] = [];
  let behaviour: SearchBehaviour = { kind: "results", results: [] };
  const server = startRawServer(async (request, reply) => {
    requests.push(request);
    await play(behaviour, reply);
  });
  return {
    origin: server.origin,
    requests,
    get connections() {
      return server.connections;
    },
    get open() {
      return server.open;
    },
    always: (changed) => void (behaviour = changed),
    [Symbol.asyncDispose]: () => server.stop(),
  };
}

const JSON_TYPE = { "content-type": "application/json" };

async function play(behaviour: SearchBehaviour, reply: Reply): Promise<void> {
  switch (behaviour.kind) {
    case "results":
      return await sendPieces(bodyOf(behaviour.results), behaviour.split ?? Infinity, reply);
    case "status":
      await reply.head(behaviour.status, { "content-type": "text/html", ...behaviour.headers });
      return await reply.end("<!DOCTYPE html><title>No</title>");
    case "text":
      return await sendPieces(behaviour.text, Infinity, reply);
    case "silence":
      return await reply.hang();
    case "half":
      await reply.head(200, JSON_TYPE);
      await reply.write('{"query":"x","results":[{"url":"https://exa');
      return behaviour.cut ? reply.cut() : await reply.hang();
    case "endless":
      await reply.head(200, JSON_TYPE);
      while (!reply.gone.aborted) await reply.write("a".repeat(65_536));
  }
}

async function sendPieces(text: string, size: number, reply: Reply): Promise<void> {
  await reply.head(200, JSON_TYPE);
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length; at += size) await reply.write(bytes.subarray(at, at + size));
  await reply.end();
}

function bodyOf(results: readonly FakeResult[]): string {
  const shown = results.map((result) => ({ engine: "fake", score: 1, category: "general", ...result }));
  const more = { answers: [], corrections: [], infoboxes: [], suggestions: [], unresponsive_engines: [] };
  return JSON.stringify({ query: "x", number_of_results: shown.length, results: shown, ...more });
}
