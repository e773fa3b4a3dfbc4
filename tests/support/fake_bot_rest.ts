/** The part of Discord's REST API that a bot asks: where the gateway is, messages, typing. */
import type http from "node:http";

/** How one request is answered; `answer` is what Discord does when nothing is wrong. */
export type RestBehaviour =
  | { readonly kind: "answer" }
  | {
    readonly kind: "status";
    readonly status: number;
    /** Objects become JSON. */
    readonly body?: string | object;
    readonly headers?: Readonly<Record<string, string>>;
  }
  /** Does what is asked; then hangs up, never answers, or never ends its answer. */
  | { readonly kind: "cut" | "silence" | "stall" }
  /** Does what is asked and answers 204, as some other servers do. */
  | { readonly kind: "no_content" };

export interface FakeRestOptions {
  /** False for a server that says nothing about limits. */
  readonly rateHeaders?: boolean;
  /** What else can be read, by its path behind the version: `/applications/@me`. */
  readonly pages?: Readonly<Record<string, unknown>>;
}

export interface RestCall {
  readonly method: string;
  readonly path: string;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: Readonly<Record<string, unknown>>;
  readonly atMs: number;
}

/** An answer to a command of Discord's list. */
export interface RestAnswer {
  readonly interactionToken: string;
  readonly contents: string[];
}

export interface RestMessage {
  readonly id: string;
  readonly channelId: string;
  readonly payload: Readonly<Record<string, unknown>>;
}

interface Answer {
  readonly status: number;
  readonly body?: object;
}

export class FakeRest {
  /** Every request, in the order they came. */
  readonly calls: RestCall[] = [];
  /** Commands on offer, by name. */
  readonly commands = new Map<string, Readonly<Record<string, unknown>>>();
  /** Tokens of interactions that were deferred in time. */
  readonly deferred: string[] = [];
  readonly answers: RestAnswer[] = [];
  /** Files that anybody may fetch, by path. */
  readonly files = new Map<string, Uint8Array>();
  /** Messages that are there. */
  readonly messages: RestMessage[] = [];
  readonly #token: string;
  readonly #info: () => object;
  readonly #options: FakeRestOptions;
  readonly #behaviours: RestBehaviour[] = [];
  #lastId = 3234567890123456789n;

  constructor(token: string, info: () => object, options: FakeRestOptions) {
    this.#token = token;
    this.#info = info;
    this.#options = options;
  }

  /** How the next requests are answered; afterwards as Discord does. */
  next(...behaviours: readonly RestBehaviour[]): void {
    this.#behaviours.push(...behaviours);
  }

  async handle(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const call = await readCall(request);
    this.calls.push(call);
    const behaviour = this.#behaviours.shift() ?? { kind: "answer" };
    if (behaviour.kind === "status") return this.#reply(response, behaviour, behaviour.headers);
    const file = this.files.get(call.path);
    if (file && behaviour.kind === "answer") return void response.end(file);
    const answer = this.#carryOut(call);
    switch (behaviour.kind) {
      case "answer":
        return this.#reply(response, answer);
      case "no_content":
        return this.#reply(response, { status: 204 });
      case "cut":
        return void request.socket.destroy();
      case "stall":
        response.writeHead(200, { "content-type": "application/json" });
        response.write("{");
    }
  }

  #reply(
    response: http.ServerResponse,
    { status, body }: { readonly status: number; readonly body?: string | object },
    headers: Readonly<Record<string, string>> = this.#rateHeaders(),
  ): void {
    response.writeHead(status, { "content-type": "application/json", ...headers });
    response.end(body === undefined ? undefined : typeof body === "string" ? body : JSON.stringify(body));
  }

  #rateHeaders(): Record<string, string> {
    if (this.#options.rateHeaders === false) return {};
    return {
      "x-ratelimit-limit": "5",
      "x-ratelimit-remaining": "4",
      "x-ratelimit-reset-after": "5.000",
      "x-ratelimit-bucket": "fake",
    };
  }

  #carryOut({ method, path, headers, body }: RestCall): Answer {
    if (headers.authorization !== `Bot ${this.#token}`) {
      return { status: 401, body: { message: "401: Unauthorized", code: 0 } };
    }
    if (method === "GET" && path === "/api/v10/gateway/bot") return { status: 200, body: this.#info() };
    const page = method === "GET" ? this.#options.pages?.[path.replace("/api/v10", "")] : undefined;
    if (page !== undefined) return { status: 200, body: page as object };
    const interaction = this.#interact(method, path, body);
    if (interaction) return interaction;
    const [, channelId, what] = /^\/api\/v10\/channels\/(\d+)\/(messages|typing)\??$/.exec(path) ?? [];
    if (method !== "POST" || channelId === undefined) {
      return { status: 404, body: { message: "404: Not Found", code: 0 } };
    }
    return what === "typing" ? { status: 204 } : this.#post(channelId, body);
  }

  /** Commands: offered, deferred, answered. */
  #interact(method: string, path: string, body: RestCall["body"]): Answer | undefined {
    if (method === "POST" && /^\/api\/v10\/applications\/\d+\/commands$/.test(path)) {
      this.commands.set(String(body["name"]), body);
      return { status: 201, body };
    }
    const [, deferred] = /^\/api\/v10\/interactions\/\d+\/([^/]+)\/callback$/.exec(path) ?? [];
    if (deferred !== undefined) {
      if (body["type"] === 5) this.deferred.push(deferred);
      return { status: 204 };
    }
    const [, token, original] = /^\/api\/v10\/webhooks\/\d+\/([^/]+)(\/messages\/@original)?$/.exec(path) ?? [];
    if (token === undefined) return undefined;
    if (!this.deferred.includes(token)) return { status: 404, body: { message: "Unknown Webhook", code: 10015 } };
    const answer = this.answers.find((each) => each.interactionToken === token) ??
      { interactionToken: token, contents: [] };
    if (original === undefined) answer.contents.push(String(body["content"]));
    else answer.contents[0] = String(body["content"]);
    if (!this.answers.includes(answer)) this.answers.push(answer);
    return { status: 200, body: { id: "1" } };
  }

  #post(channelId: string, payload: RestCall["body"]): Answer {
    const { content, nonce, enforce_nonce: enforced } = payload;
    if (String(content ?? "") === "") {
      return { status: 400, body: { message: "Cannot send an empty message", code: 50006 } };
    }
    if (String(nonce ?? "").length > 25) return { status: 400, body: { message: "Invalid Form Body", code: 50035 } };
    const before = enforced === true ? this.messages.find((message) => message.payload["nonce"] === nonce) : undefined;
    const message = before ?? { id: String(++this.#lastId), channelId, payload };
    if (!before) this.messages.push(message);
    return { status: 200, body: { id: message.id, channel_id: channelId, content } };
  }
}

async function readCall(request: http.IncomingMessage): Promise<RestCall> {
  let text = "";
  for await (const piece of request.setEncoding("utf8")) text += piece;
  return {
    method: request.method ?? "",
    path: request.url ?? "",
    headers: request.headers,
    body: text === "" ? {} : JSON.parse(text),
    atMs: performance.now(),
  };
}
