import http, { type ClientRequest, type IncomingMessage } from "node:http";
import https from "node:https";
import type { Socket } from "node:net";
import { BodyReader } from "../core/body_reader.ts";
import type { ReplyHead, Send, Sending } from "./sender.ts";

/**
 * A sender on `node:http`, for origins on this machine and its network. Against Deno's `fetch` (2.9.6) it takes half
 * the time and half the memory a call, knows no proxy of the environment, and never sends a request a second time by
 * itself. Its connections are kept and used again.
 */
export function createHttpSender(origin: string): Send {
  const { hostname, port, protocol } = new URL(origin);
  const { Agent, request } = protocol === "https:" ? https : http;
  const agent = new Agent({ keepAlive: true });
  forbidRepeats(agent);
  const place = { agent, hostname: hostname.replace(/^\[|\]$/g, ""), port };
  return ({ body, ...head }) => {
    const sent = request({ ...place, ...head });
    sent.end(body);
    return new Requesting(sent);
  };
}

/**
 * Deno sends a request again by itself when a connection that was used before closes under it, even when it is we who
 * close it: a retry nobody counts, and work for a model that nobody waits for.
 */
function forbidRepeats(agent: http.Agent): void {
  const reuse = agent.reuseSocket.bind(agent);
  agent.reuseSocket = (socket: Socket, request: ClientRequest) => {
    reuse(socket, request);
    request.reusedSocket = false;
  };
}

/** Made once: an error made for every call costs as much as parsing its answer. */
const CLOSED = new Error("The connection closed before any answer");

class Requesting implements Sending {
  readonly #request: ClientRequest;
  readonly #head = Promise.withResolvers<ReplyHead>();
  #incoming: IncomingMessage | undefined;
  #body: BodyReader | undefined;

  constructor(request: ClientRequest) {
    this.#request = request;
    request.on("error", this.#head.reject);
    request.once("close", () => this.#head.reject(CLOSED));
    request.once("response", (incoming) => {
      this.#incoming = incoming;
      this.#body = new BodyReader(incoming);
      this.#head.resolve(new Head(incoming));
    });
  }

  get head(): Promise<ReplyHead> {
    return this.#head.promise;
  }

  async read(): Promise<Uint8Array | undefined> {
    return await this.#body?.read();
  }

  cancel(): Promise<void> {
    this.#head.reject(CLOSED);
    // A connection that both sides are done with is somebody else's by now.
    if (!(this.#incoming?.readableEnded && this.#request.writableFinished)) this.#request.destroy();
    return Promise.resolve();
  }
}

class Head implements ReplyHead {
  readonly #incoming: IncomingMessage;

  constructor(incoming: IncomingMessage) {
    this.#incoming = incoming;
  }

  get status(): number {
    return this.#incoming.statusCode ?? 0;
  }

  /** Made when they are wanted, which is when something is wrong. */
  get headers(): Headers {
    const { rawHeaders } = this.#incoming;
    const headers = new Headers();
    for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
      headers.append(rawHeaders[at] ?? "", rawHeaders[at + 1] ?? "");
    }
    return headers;
  }
}
