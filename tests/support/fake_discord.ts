/**
 * The part of Discord's REST API that a webhook meets, on a real socket: it keeps messages and threads, refuses what
 * Discord refuses, counts against a rate limit when it has one, and breaks where it is told to.
 */
import { type RawServer, type RecordedRequest, type Reply, startRawServer } from "./raw_server.ts";

export const WEBHOOK_ID = "1234567890123456789";
export const WEBHOOK_TOKEN = "s3cret-T0KEN_of-the.webhook-that-nothing-may-show";
const CHANNEL_ID = "2234567890123456789";

/** How one request is answered; `answer` is what Discord does when nothing is wrong. */
export type Behaviour =
  | { readonly kind: "answer"; readonly headers?: Readonly<Record<string, string>> }
  | {
    readonly kind: "status";
    readonly status: number;
    /** Objects become JSON. */
    readonly body?: string | object;
    readonly headers?: Readonly<Record<string, string>>;
    /** Does what is asked before it answers like that. */
    readonly carriedOut?: boolean;
  }
  /** Closes the connection: before it does anything, after it has done it, or after the head of its answer. */
  | { readonly kind: "cut"; readonly when: "before" | "after" | "in_body" }
  /** Does what is asked, and never answers, or never ends its answer. */
  | { readonly kind: "silence" | "stall" }
  /** Does what is asked and answers 204 without a body, as some other servers do. */
  | { readonly kind: "no_content" };

export interface FakeMessage {
  readonly id: string;
  readonly channelId: string;
  /** The JSON as it came. */
  payload: Record<string, unknown>;
  files: FakeFile[];
}

export interface FakeFile {
  readonly field: string;
  readonly name: string;
  readonly bytes: Uint8Array;
}

export interface FakeDiscordOptions {
  /** Requests allowed in a window; no rate headers at all when unset. */
  readonly limit?: { readonly requests: number; readonly windowMs: number };
}

export interface FakeDiscord {
  readonly origin: string;
  /** The address of its one webhook. */
  readonly webhookUrl: string;
  readonly server: RawServer;
  /** Every request, in the order they came. */
  readonly requests: readonly RecordedRequest[];
  /** Messages that are there, in the order they were posted. */
  readonly messages: readonly FakeMessage[];
  /** Names of threads by id. */
  readonly threads: ReadonlyMap<string, string>;
  /** How the next requests are answered; afterwards as Discord does. */
  next(...behaviours: readonly Behaviour[]): void;
  stop(): Promise<void>;
}

export function startFakeDiscord(options: FakeDiscordOptions = {}): FakeDiscord {
  const discord = new Discord(options);
  const server = startRawServer((request, reply) => discord.handle(request, reply));
  return {
    origin: server.origin,
    webhookUrl: `${server.origin}/api/webhooks/${WEBHOOK_ID}/${WEBHOOK_TOKEN}`,
    server,
    requests: discord.requests,
    messages: discord.messages,
    threads: discord.threads,
    next: (...behaviours) => void discord.queue.push(...behaviours),
    stop: () => server.stop(),
  };
}

interface Answer {
  readonly status: number;
  readonly body?: object;
}

class Discord {
  readonly requests: RecordedRequest[] = [];
  readonly messages: FakeMessage[] = [];
  readonly threads = new Map<string, string>();
  readonly queue: Behaviour[] = [];
  readonly #limit: FakeDiscordOptions["limit"];
  #window = { startMs: 0, used: 0 };
  #lastId = 3234567890123456789n;

  constructor({ limit }: FakeDiscordOptions) {
    this.#limit = limit;
  }

  async handle(request: RecordedRequest, reply: Reply): Promise<void> {
    this.requests.push(request);
    const behaviour = this.queue.shift() ?? { kind: "answer" };
    switch (behaviour.kind) {
      case "answer":
        return await this.#answer(request, reply, behaviour.headers);
      case "status":
        if (behaviour.carriedOut) this.#carryOut(request);
        return await send(reply, behaviour.status, behaviour.body, behaviour.headers);
      case "cut":
        if (behaviour.when === "before") return reply.cut();
        return await this.#cut(request, reply, behaviour.when);
      case "silence":
        this.#carryOut(request);
        return await reply.hang();
      case "stall":
        this.#carryOut(request);
        await reply.head(200, { "content-type": "application/json" });
        return await reply.hang();
      case "no_content":
        this.#carryOut(request);
        return await send(reply, 204);
    }
  }

  async #answer(request: RecordedRequest, reply: Reply, headers: Readonly<Record<string, string>> = {}): Promise<void> {
    const rate = this.#countAgainstLimit();
    if (rate.retryAfter !== undefined) {
      const body = { message: "You are being rate limited.", retry_after: rate.retryAfter, global: false };
      return await send(reply, 429, body, rate.headers);
    }
    const { status, body } = this.#carryOut(request);
    await send(reply, status, body, { ...rate.headers, ...headers });
  }

  async #cut(request: RecordedRequest, reply: Reply, when: "after" | "in_body"): Promise<void> {
    const { status, body } = this.#carryOut(request);
    if (when === "in_body") {
      await reply.head(status, { "content-type": "application/json" });
      await reply.write(JSON.stringify(body).slice(0, 12));
    }
    reply.cut();
  }

  #countAgainstLimit(): { headers: Record<string, string>; retryAfter?: number } {
    if (!this.#limit) return { headers: {} };
    const { requests, windowMs } = this.#limit;
    const now = Date.now();
    if (now >= this.#window.startMs + windowMs) this.#window = { startMs: now, used: 0 };
    const resetAfter = (this.#window.startMs + windowMs - now) / 1000;
    this.#window.used++;
    const headers = {
      "x-ratelimit-limit": String(requests),
      "x-ratelimit-remaining": String(Math.max(0, requests - this.#window.used)),
      "x-ratelimit-reset-after": resetAfter.toFixed(3),
      "x-ratelimit-bucket": "fake",
    };
    return this.#window.used <= requests ? { headers } : { headers, retryAfter: resetAfter };
  }

  /** Does what a request asks for. */
  #carryOut(request: RecordedRequest): Answer {
    const url = new URL(request.path, "http://localhost");
    const [, id, token, messageId] =
      /^\/api(?:\/v\d+)?\/webhooks\/(\d+)\/([^/]+)(?:\/messages\/(\d+))?$/.exec(url.pathname) ?? [];
    if (id !== WEBHOOK_ID) return { status: 404, body: { message: "Unknown Webhook", code: 10015 } };
    if (token !== WEBHOOK_TOKEN) return { status: 401, body: { message: "Invalid Webhook Token", code: 50027 } };
    const threadId = url.searchParams.get("thread_id") ?? undefined;
    if (messageId !== undefined) return this.#change(request, messageId, threadId);
    const message = readMessage(request);
    const refusal = refusalOf(message.payload, message.files, threadId);
    if (refusal) return refusal;
    const posted = { id: this.#newId(), channelId: this.#channelOf(message.payload, threadId), ...message };
    this.messages.push(posted);
    return url.searchParams.get("wait") === "true" ? { status: 200, body: shown(posted) } : { status: 204 };
  }

  #change(request: RecordedRequest, messageId: string, threadId = CHANNEL_ID): Answer {
    const index = this.messages.findIndex(({ id, channelId }) => id === messageId && channelId === threadId);
    const message = this.messages[index];
    if (!message) return { status: 404, body: { message: "Unknown Message", code: 10008 } };
    if (request.method === "DELETE") {
      this.messages.splice(index, 1);
      return { status: 204 };
    }
    const { payload, files } = readMessage(request);
    message.payload = { ...message.payload, ...payload };
    message.files.push(...files);
    return { status: 200, body: shown(message) };
  }

  #channelOf({ thread_name: name }: Record<string, unknown>, threadId: string | undefined): string {
    if (typeof name !== "string") return threadId ?? CHANNEL_ID;
    const id = this.#newId();
    this.threads.set(id, name);
    return id;
  }

  #newId(): string {
    return String(++this.#lastId);
  }
}

function shown({ id, channelId, payload }: FakeMessage): object {
  return { id, type: 0, channel_id: channelId, webhook_id: WEBHOOK_ID, ...payload };
}

interface FakeEmbed {
  readonly title?: string;
  readonly description?: string;
  readonly footer?: { readonly text: string };
  readonly author?: { readonly name: string };
  readonly fields?: readonly { readonly name: string; readonly value: string }[];
}

/** What Discord refuses, as it says so. Its limits are written out here once more, from facts and not from the code. */
function refusalOf(
  payload: Record<string, unknown>,
  files: readonly FakeFile[],
  threadId?: string,
): Answer | undefined {
  const { content, allowed_mentions: mentions, thread_name: threadName, username } = payload;
  const embeds = (payload["embeds"] ?? []) as readonly FakeEmbed[];
  const problems = [
    ...longerThan(2000, "content", content),
    ...longerThan(80, "username", username),
    ...(/clyde|discord/i.test(String(username ?? "")) ? [["username", "USERNAME_INVALID_CONTAINS"] as const] : []),
    ...longerThan(100, "thread_name", threadName),
    ...longerThan(10, "embeds", embeds),
    ...embeds.flatMap(embedProblems),
    ...(embeds.reduce((sum, embed) => sum + lettersOf(embed), 0) > 6000
      ? [["embeds", "MAX_EMBED_SIZE_EXCEEDED"] as const]
      : []),
    ...longerThan(10, "attachments", files),
  ];
  if (problems.length > 0) return { status: 400, body: formError(problems) };
  if (files.some(({ bytes }) => bytes.length > 10 * 1024 * 1024)) {
    return { status: 413, body: { message: "Request entity too large", code: 40005 } };
  }
  if (embeds.length === 0 && files.length === 0 && !payload["poll"] && String(content ?? "").trim() === "") {
    return { status: 400, body: { message: "Cannot send an empty message", code: 50006 } };
  }
  if (threadName !== undefined && threadId !== undefined) {
    return { status: 400, body: { message: "Webhooks cannot have both", code: 220002 } };
  }
  if (mentions === undefined) throw new Error("A message came without allowed_mentions");
  return undefined;
}

type FormProblem = readonly [field: string, code: string];

function embedProblems({ title, description, footer, author, fields }: FakeEmbed): FormProblem[] {
  return [
    ...longerThan(256, "embeds", title),
    ...longerThan(4096, "embeds", description),
    ...longerThan(2048, "embeds", footer?.text),
    ...longerThan(256, "embeds", author?.name),
    ...longerThan(25, "embeds", fields),
    ...(fields ?? []).flatMap(({ name, value }) => [
      ...longerThan(256, "embeds", name),
      ...longerThan(1024, "embeds", value),
      ...(name === "" || value === "" ? [["embeds", "BASE_TYPE_REQUIRED"] as const] : []),
    ]),
  ];
}

function longerThan(most: number, field: string, value: unknown): FormProblem[] {
  const { length } = Array.isArray(value) || typeof value === "string" ? value : "";
  return length > most ? [[field, "BASE_TYPE_MAX_LENGTH"]] : [];
}

function lettersOf({ title = "", description = "", footer, author, fields = [] }: FakeEmbed): number {
  return [
    title,
    description,
    footer?.text ?? "",
    author?.name ?? "",
    ...fields.flatMap(({ name, value }) => [name, value]),
  ]
    .join("").length;
}

function formError(problems: readonly FormProblem[]): object {
  const errors = problems.map(([field, code]) => [field, { _errors: [{ code, message: "It is refused." }] }]);
  return { message: "Invalid Form Body", code: 50035, errors: Object.fromEntries(errors) };
}

async function send(
  reply: Reply,
  status: number,
  body?: string | object,
  headers: Readonly<Record<string, string>> = {},
): Promise<void> {
  const text = body === undefined ? "" : typeof body === "string" ? body : JSON.stringify(body);
  const type = typeof body === "string" ? "text/html" : "application/json";
  const length = status === 204 ? {} : { "content-length": String(new TextEncoder().encode(text).length) };
  await reply.head(status, { "content-type": type, ...length, ...headers }, { chunked: false });
  await reply.end(text);
}

function readMessage({ headers, body }: RecordedRequest): { payload: Record<string, unknown>; files: FakeFile[] } {
  const type = headers.get("content-type") ?? "";
  const boundary = /^multipart\/form-data; boundary=(.+)$/.exec(type)?.[1];
  if (boundary === undefined) return { payload: JSON.parse(decode(body)), files: [] };
  const parts = readMultipart(body, boundary);
  const json = parts.find(({ field }) => field === "payload_json");
  if (!json) throw new Error("A multipart message came without payload_json");
  return { payload: JSON.parse(decode(json.bytes)), files: parts.filter((part) => part !== json) };
}

/** Reads multipart/form-data strictly; its bytes are taken as letters of Latin-1, so that nothing of them changes. */
export function readMultipart(body: Uint8Array, boundary: string): FakeFile[] {
  const letters = new TextDecoder("latin1").decode(body);
  const pieces = letters.split(`--${boundary}`);
  if (pieces.shift() !== "" || pieces.pop() !== "--\r\n") throw new Error("The multipart body is malformed");
  return pieces.map((piece) => {
    const [, head = "", data = ""] = /^\r\n([^]*?)\r\n\r\n([^]*)\r\n$/.exec(piece) ?? [];
    const [, field, name = ""] =
      /^Content-Disposition: form-data; name="([^"]+)"(?:; filename="([^"]*)")?\r\n/i.exec(head) ??
        [];
    if (field === undefined) throw new Error(`A part of the multipart body is malformed: ${head}`);
    return { field, name: decode(latin1Bytes(name)), bytes: latin1Bytes(data) };
  });
}

/** The decoder calls windows-1252 latin1: its letters for 0x80 to 0x9f are turned back. */
function latin1Bytes(letters: string): Uint8Array {
  return Uint8Array.from(letters, (letter) => LATIN1.get(letter) ?? letter.charCodeAt(0));
}

const LATIN1 = new Map(
  Array.from(
    { length: 256 },
    (_, byte): [string, number] => [new TextDecoder("latin1").decode(Uint8Array.of(byte)), byte],
  ),
);

function decode(bytes: Uint8Array): string {
  return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
}
