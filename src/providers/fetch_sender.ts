import type { Outgoing, ReplyHead, Send, Sending } from "./sender.ts";

/** Why a fetch ends that is over anyway. Made once: an error made for every call costs as much as parsing its answer. */
const OVER = new DOMException("The exchange is over", "AbortError");

/** Sends with Deno's `fetch`, which obeys the proxies of the environment: for providers outside the local network. */
export function createFetchSender(origin: string): Send {
  return (request) => new Fetching(origin, request);
}

class Fetching implements Sending {
  readonly head: Promise<ReplyHead>;
  readonly #controller = new AbortController();
  /** Only held: Deno closes the connection of an aborted fetch at once only while its response is still referenced. */
  #response: Response | undefined;
  #body: ReadableStreamDefaultReader<Uint8Array> | undefined;

  constructor(origin: string, { path, ...request }: Outgoing) {
    this.head = this.#send(origin + path, request);
  }

  async read(): Promise<Uint8Array | undefined> {
    return (await this.#body?.read())?.value;
  }

  async cancel(): Promise<void> {
    this.#controller.abort(OVER);
    // A body that already ended or failed has nothing left to cancel.
    await this.#body?.cancel().catch(() => {});
  }

  async #send(url: string, { method, headers, body }: Omit<Outgoing, "path">): Promise<ReplyHead> {
    this.#response = await fetch(url, {
      method,
      headers,
      body: body && bodySentOnce(body),
      redirect: "manual", // hands it over as what it is, a status over 299
      signal: this.#controller.signal,
    });
    this.#body = this.#response.body?.getReader();
    return this.#response;
  }
}

/**
 * A body that can be sent only once. Deno's fetch sends any other body a second time by itself when a kept connection
 * turns out closed: a retry nobody counts, and perhaps an answer that is paid for twice.
 */
function bodySentOnce(bytes: Uint8Array<ArrayBuffer>): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new ReadableStream({
    start(controller) {
      controller.enqueue(bytes);
      controller.close();
    },
  });
}
