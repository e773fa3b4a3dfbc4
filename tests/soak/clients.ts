/** Clients of `/v1`: most read their answer, some of them as a stream; some hang up, some ask for what cannot be. */
import { readOpenAiStream } from "../support/api_ways.ts";

/** What they saw. */
export interface Answers {
  /** Whole answers with all their tokens, streamed or not. */
  readonly whole: number;
  /** Those of them that another model gave than the one that was asked for. */
  readonly fallbacks: number;
  /** Answers begun, at which the client hung up. */
  readonly hungUp: number;
  /** Requests that were refused as they should be. */
  readonly refused: number;
  /** What else came, in words; none is wanted. */
  readonly wrong: readonly string[];
}

type Kind = keyof Omit<Answers, "wrong">;

const TOKENS = 8;
const ANSWER = " palabra".repeat(TOKENS);
/** How many ask at a time. */
const CLIENTS = 8;
/** Of so many requests some hang up, some are refused, some fall back. */
const ROUND = 20;
const MOST_TOLD = 10;

const question = (model: string, content = "Hola") => ({
  model,
  messages: [{ role: "user", content }],
  max_tokens: TOKENS,
});

/** What is refused, and how. */
const REFUSED: readonly (readonly [status: number, body: string])[] = [
  [400, `{"model": "auto", "messages": [`],
  [400, JSON.stringify({ model: "auto", messages: [] })],
  [404, JSON.stringify(question("role:gardener"))],
  [404, JSON.stringify(question("ollama/none"))],
];

export class Clients implements Disposable {
  readonly #url: string;
  readonly #client = Deno.createHttpClient({ poolMaxIdlePerHost: CLIENTS });
  readonly #counts: Record<Kind, number> = { whole: 0, fallbacks: 0, hungUp: 0, refused: 0 };
  readonly #wrong: string[] = [];
  #asked = 0;

  constructor(origin: string) {
    this.#url = `${origin}/v1/chat/completions`;
  }

  /** Asks so much more; resolves when all of it is answered. @throws when the server cannot be reached */
  async ask(requests: number): Promise<void> {
    const last = this.#asked + requests;
    await Promise.all(Array.from({ length: CLIENTS }, async () => {
      while (this.#asked < last) await this.#askOne(this.#asked++);
    }));
  }

  get answers(): Answers {
    return { ...this.#counts, wrong: this.#wrong };
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }

  async #askOne(index: number): Promise<void> {
    const kind = index % ROUND;
    if (kind === 3) return await this.#hangUp();
    if (kind === 8) return await this.#askBadly(Math.floor(index / ROUND));
    const isStreamed = kind % 2 === 0;
    const isTechnical = kind === 13 || kind === 18;
    const isFallback = kind === (Math.floor(index / ROUND) % 2 === 0 ? 13 : 18); // streamed every other time
    const response = await this.#post({
      ...question(isTechnical ? "role:technical" : "auto", isFallback ? "fail" : "Hola"),
      ...(isStreamed && { stream: true }),
    });
    const text = await response.text();
    const answer = isStreamed ? wholeTextOf(text) : JSON.parse(text).choices?.[0]?.message.content;
    if (response.status !== 200 || answer !== ANSWER) return this.#note(`${response.status} ${text}`);
    if (response.headers.get("x-django-fallback") !== String(isFallback)) return this.#note("the wrong model answered");
    this.#counts.whole++;
    if (isFallback) this.#counts.fallbacks++;
  }

  async #hangUp(): Promise<void> {
    const leaving = new AbortController();
    const response = await this.#post({ ...question("auto", "no end"), stream: true }, leaving.signal);
    const reader = response.body?.getReader();
    let told = "";
    while (reader && !told.includes("palabra")) {
      const { done, value } = await reader.read();
      if (done) return this.#note(`${response.status} instead of an answer without an end: ${told}`);
      told += new TextDecoder().decode(value);
    }
    leaving.abort();
    await reader?.cancel().catch(() => {}); // it says that it was aborted
    this.#counts.hungUp++;
  }

  async #askBadly(count: number): Promise<void> {
    const [status, body] = REFUSED[count % REFUSED.length] ?? [0, ""];
    const response = await this.#post(body);
    const text = await response.text();
    if (response.status !== status || !JSON.parse(text).error) return this.#note(`${response.status} ${text}`);
    this.#counts.refused++;
  }

  async #post(body: string | object, signal: AbortSignal | null = null): Promise<Response> {
    return await fetch(this.#url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: typeof body === "string" ? body : JSON.stringify(body),
      client: this.#client,
      signal,
    });
  }

  #note(what: string): void {
    if (this.#wrong.length < MOST_TOLD) this.#wrong.push(what.slice(0, 300));
  }
}

/** The text of a stream that ended as it should; undefined for any other. */
function wholeTextOf(body: string): string | undefined {
  const { text, isComplete, error } = readOpenAiStream(body);
  return isComplete && error === undefined ? text : undefined;
}
