import { z } from "zod";
import { hostAndPort, isLoopback, isLoopbackOrPrivate } from "../core/address.ts";
import { inTime } from "../core/in_time.ts";
import { howToAllow, isAllowed } from "../core/sandbox.ts";
import type { Send, Sending } from "../providers/sender.ts";

/** A page that was found. */
export interface WebResult {
  readonly url: string;
  readonly title: string;
  readonly text: string;
}

export interface WebSearchOptions {
  /** Where SearXNG listens, now; undefined when none is configured. */
  readonly baseUrl: () => string | undefined;
  readonly senderOf: (origin: string) => Send;
  /** How far a request may go: this machine, its network, or anywhere. */
  readonly reach: () => "machine" | "network" | "anywhere";
  readonly traffic: { sent(origin: string, bytes: number): void; received(origin: string, bytes: number): void };
  /** Tells a person what they should act on. */
  readonly warn: (message: string, remedy: string) => void;
}

/** How long an answer waits for the web, in milliseconds. */
const WAIT_MS = 6000;
/** The most of an answer that is read, in bytes. */
const MOST_BYTES = 2 * 1024 * 1024;
const MOST_RESULTS = 5;
const MOST_LETTERS = { query: 300, title: 150, text: 500, url: 500 };

/** The part of SearXNG's answer that is used (docs.searxng.org, "Search API"). */
const answerSchema = z.object({ results: z.array(z.unknown()) });
const resultSchema = z.object({ url: z.string(), title: z.string().nullish(), content: z.string().nullish() });

/** Why a search came to nothing; the message is for people. */
class SearchError extends Error {
  override readonly name = "SearchError";
}

/** Asks a SearXNG of one's own. What it cannot find, for whatever reason, costs no answer. */
export class WebSearch {
  readonly #options: WebSearchOptions;
  /** What was told last: the same is not told twice in a row. */
  #told = "";

  constructor(options: WebSearchOptions) {
    this.#options = options;
  }

  /** Undefined when none is configured, null when it could not be asked. */
  async search(query: string, signal: AbortSignal): Promise<readonly WebResult[] | null | undefined> {
    const baseUrl = this.#options.baseUrl();
    if (baseUrl === undefined) return undefined;
    try {
      const found = await this.#ask(new URL(baseUrl), query, signal);
      this.#told = "";
      return found;
    } catch (error) {
      signal.throwIfAborted();
      this.#tell(error);
      return null;
    }
  }

  async #ask(url: URL, query: string, signal: AbortSignal): Promise<readonly WebResult[]> {
    signal.throwIfAborted();
    this.#requireReachable(url);
    const { senderOf, traffic } = this.#options;
    const q = encodeURIComponent([...query.toWellFormed()].slice(0, MOST_LETTERS.query).join(""));
    const path = `/search?format=json&q=${q}`;
    traffic.sent(url.origin, path.length);
    const headers = { "user-agent": "django-agent", accept: "application/json" };
    const sending = senderOf(url.origin)({ path, method: "GET", headers, body: null });
    const leave = () => void sending.cancel();
    signal.addEventListener("abort", leave, { once: true });
    try {
      const read = await inTime(WAIT_MS, readText(sending, (bytes) => traffic.received(url.origin, bytes)));
      if (!read) throw new SearchError(`it did not answer within ${WAIT_MS / 1000} s`);
      return parseResults(read.value);
    } finally {
      signal.removeEventListener("abort", leave);
      await sending.cancel();
    }
  }

  /** What the sandbox enforces anyway is said here with its remedy. */
  #requireReachable({ origin, hostname }: URL): void {
    const reach = this.#options.reach();
    const within = reach === "anywhere" || (reach === "network" ? isLoopbackOrPrivate : isLoopback)(hostname);
    if (!within) throw new SearchError(`this run keeps everything on this ${reach}`);
    const host = hostAndPort(origin);
    if (!isAllowed(host)) throw new SearchError(`the sandbox does not allow ${host}. ${howToAllow(host)}`);
  }

  #tell(error: unknown): void {
    const reason = error instanceof SearchError ? error.message : "it cannot be reached";
    if (reason === this.#told) return;
    this.#told = reason;
    this.#options.warn(
      `The web was not searched: ${reason}`,
      "Check chat.searxng_url in models.json, that SearXNG runs there, and that its settings allow the format json.",
    );
  }
}

async function readText(sending: Sending, onRead: (bytes: number) => void): Promise<string> {
  const { status } = await sending.head;
  if (status !== 200) throw new SearchError(`it answered with status ${status}`);
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for (let piece = await sending.read(); piece; piece = await sending.read()) {
    bytes += piece.length;
    onRead(piece.length);
    if (bytes > MOST_BYTES) throw new SearchError(`its answer has more than ${MOST_BYTES} bytes`);
    text += decoder.decode(piece, { stream: true });
  }
  return text + decoder.decode();
}

function parseResults(text: string): WebResult[] {
  const { success, data } = answerSchema.safeParse(parseJson(text));
  if (!success) throw new SearchError("its answer is not what SearXNG says in JSON");
  const results = data.results.flatMap(parseResult);
  if (results.length === 0 && data.results.length > 0) {
    throw new SearchError("its answer is not what SearXNG says in JSON");
  }
  return results.slice(0, MOST_RESULTS);
}

/** Nothing, for what is no page of the web. */
function parseResult(result: unknown): WebResult[] {
  const { success, data } = resultSchema.safeParse(result);
  const url = success ? URL.parse(data.url) : null;
  if (!success || !url || !/^https?:$/.test(url.protocol)) return [];
  return [{
    url: oneLine(url.href, MOST_LETTERS.url),
    title: oneLine(data.title ?? "", MOST_LETTERS.title),
    text: oneLine(data.content ?? "", MOST_LETTERS.text),
  }];
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function oneLine(text: string, letters: number): string {
  return [...text.toWellFormed().replace(/[\p{Cc}\s]+/gu, " ").trim()].slice(0, letters).join("");
}
