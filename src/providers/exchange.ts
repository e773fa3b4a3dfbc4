import { ProviderError } from "../core/errors.ts";
import { formatDuration } from "../core/format.ts";
import { isAllowed } from "../core/sandbox.ts";
import type { ErrorKind, ProviderType } from "../core/types.ts";
import { classifyRefusal, type Subject } from "./classify.ts";
import { readErrorBody, readErrorObject } from "./error_body.ts";
import { createFrameSplitter, FrameError, type FrameFormat } from "./frames.ts";
import { asRecord, parseJson } from "./json.ts";
import { classifyNetworkError, sandboxRefusal } from "./network_error.ts";
import { minimalHeaders } from "./outgoing.ts";
import type { Outgoing, ReplyHead, Send, Sending } from "./sender.ts";

/** How long the end of a body may take to follow a complete answer, in milliseconds, before its connection is given up. */
const LINGER_MS = 20;
/** Largest body that is read, in bytes; a body without end is cut off here. */
const MAX_BODY_BYTES = 64 * 1024 * 1024;
/** Largest part of an error body that is looked at, in bytes. */
const MAX_ERROR_BYTES = 64 * 1024;
/** A timer takes no longer delay, and fires at once when given one. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;
/** How much of a stream a client library is given at a time, in characters. */
const BATCH_CHARS = 4096;
const CONTENT_TYPES = { json: "application/json", ndjson: "application/x-ndjson", sse: "text/event-stream" } as const;

/** Told of every request before it goes out, and of what came back once it has ended. */
export interface EgressRecorder {
  /** One request with so many body bytes is about to go to `origin`. */
  sent(origin: string, bytes: number): void;
  /** So many body bytes (after decompression) came back from `origin`. */
  received(origin: string, bytes: number): void;
}

/** Whose transport it is, and where it may go. */
export interface ExchangePlace {
  readonly providerId: string;
  readonly type: ProviderType;
  /** The only origin that may be asked. */
  readonly origin: string;
  /** The same as the sandbox names it, `host:port`. */
  readonly host: string;
  /** True when the origin and what answers there are on this machine or its network. */
  readonly local: boolean;
  readonly ledger: EgressRecorder;
  readonly send: Send;
}

/** What one request is about, and its limits in milliseconds. */
export interface ExchangeOptions {
  /** The model the request is about, for error messages; unset when it is about none. */
  readonly model?: string;
  readonly localOnly: boolean;
  /** How the answer is cut into frames; `json` for one document. */
  readonly format: FrameFormat | "json";
  /** From the start to `firstToken()`, or to the end of a `json` answer. */
  readonly firstTokenMs: number;
  /** Longest wait for one read of the body after the first token; default `firstTokenMs`. */
  readonly idleMs?: number;
  /** True when `firstTokenMs` is the time a model has to be loaded in. */
  readonly whileLoading?: boolean;
}

/** One request and its answer. The first thing that goes wrong is the error of the whole exchange. */
export class Exchange {
  readonly #wire: ExchangePlace;
  readonly #options: ExchangeOptions;
  readonly #signal: AbortSignal;
  #failure: ProviderError | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #startedAtMs = performance.now();
  /** Unset until tokens flow. */
  #firstTokenAtMs: number | undefined;
  /** Since when a read of the body has been waiting; unset while the reader of the answer is the slow one. */
  #waitingSinceMs: number | undefined;
  #sending: Sending | undefined;
  #relay: ReadableStreamDefaultController<Uint8Array> | undefined;
  #started = false;
  /** True once the body has ended the way a body ends. */
  #ended = false;
  /** True once the answer is complete, whether its body has ended or not. */
  #complete = false;
  #closed = false;
  #receivedBytes = 0;

  constructor(wire: ExchangePlace, options: ExchangeOptions, signal: AbortSignal) {
    this.#wire = wire;
    this.#options = options;
    this.#signal = signal;
    if (signal.aborted) this.#abort();
    else signal.addEventListener("abort", this.#abort, { once: true });
    this.#watch(Math.min(options.firstTokenMs, this.#idleMs));
  }

  /** The `fetch` to hand to a client library. Throws only `ProviderError`, and resolves only with a status of 2xx. */
  readonly fetch = async (input: string | URL | Request, init: RequestInit = {}): Promise<Response> => {
    try {
      const path = this.#guard(input);
      const head = await this.#send(path, init);
      if (head.status < 200 || head.status > 299) await this.#refuse(head);
      const { format } = this.#options;
      const body = format === "json" ? await this.#readDocument() : this.#relayFrames(format);
      return new Response(body, { headers: { "content-type": CONTENT_TYPES[format] } });
    } catch (error) {
      throw this.explain(error);
    }
  };

  /** To be called at the first token of the answer: from now on the idle limit holds instead of the first one. */
  firstToken(): void {
    this.#firstTokenAtMs ??= performance.now();
  }

  /** To be called when the answer is complete: what is left is the end of its body. */
  complete(): void {
    this.#complete = true;
  }

  /** What went wrong, for whatever a client library made of it. Never carries text of the provider's. */
  explain(error: unknown): ProviderError {
    if (this.#failure) return this.#failure;
    if (error instanceof ProviderError) return this.#fail(error);
    if (error instanceof FrameError) return this.#fail(this.error("protocol", `${this.#name()}: ${error.message}.`));
    if (this.#ended) return this.#fail(this.unfinished());
    const name = this.#name();
    return this.#fail(
      this.#started ? this.misshapen() : this.error("bad_request", `${name}: the request could not be built.`),
    );
  }

  /** Throws what went wrong so far, if anything did. */
  throwIfFailed(): void {
    if (this.#failure) throw this.#failure;
  }

  /** The error for an answer whose parts are not what they should be. */
  misshapen(): ProviderError {
    return this.error("protocol", `${this.#name()} sent an answer that cannot be understood.`);
  }

  /** The error for an answer that ended properly, but too early. */
  unfinished(): ProviderError {
    return this.#failure ?? this.error("protocol", `${this.#name()} ended its answer without finishing it.`);
  }

  /** An error about this exchange. */
  error(kind: ErrorKind, message: string, remedy?: string, whileLoading = false): ProviderError {
    const { model } = this.#options;
    return new ProviderError(kind, message, {
      provider: this.#wire.providerId,
      model,
      remedy,
      whileLoading,
    });
  }

  /** Ends the exchange and lets go of the connection. May be called again. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    if (this.#complete && !this.#ended) await this.#readToEnd();
    this.#signal.removeEventListener("abort", this.#abort);
    await this.#sending?.cancel();
    if (this.#started) {
      this.#wire.ledger.received(this.#wire.origin, this.#receivedBytes);
    }
  }

  /** A connection can be used again only when its body has been read to the end, which comes at once or not at all. */
  async #readToEnd(): Promise<void> {
    const timer = setTimeout(() => void this.#sending?.cancel(), LINGER_MS);
    try {
      while (await this.#read());
      this.#ended = true;
    } catch {
      // The answer is complete; it is only the connection that is of no more use.
    } finally {
      clearTimeout(timer);
    }
  }

  readonly #abort = (): void => {
    this.#fail(this.error("aborted", `${this.#name()}: the call was aborted.`));
  };

  get #idleMs(): number {
    return this.#options.idleMs ?? this.#options.firstTokenMs;
  }

  /** One timer for the whole exchange: it looks at what is being waited for, and comes back later. */
  #watch(delayMs: number): void {
    this.#timer = setTimeout(() => {
      const flowing = this.#firstTokenAtMs !== undefined;
      const limitMs = flowing ? this.#idleMs : this.#options.firstTokenMs;
      const sinceMs = flowing ? this.#waitingSinceMs : this.#startedAtMs;
      const leftMs = sinceMs === undefined ? limitMs : limitMs - (performance.now() - sinceMs);
      if (leftMs <= 0) return void this.#fail(flowing ? this.#stalled() : this.#silent());
      this.#watch(Math.ceil(flowing ? leftMs : Math.min(leftMs, this.#idleMs)));
    }, Math.min(delayMs, LONGEST_TIMER_MS));
  }

  #silent(): ProviderError {
    const { firstTokenMs, whileLoading = false } = this.#options;
    const what = whileLoading ? "had not loaded the model after" : "sent no token within";
    const remedy = whileLoading ? "Use a smaller model, or raise deadlines.load_seconds." : undefined;
    return this.error("timeout", `${this.#name()} ${what} ${formatDuration(firstTokenMs)}.`, remedy, whileLoading);
  }

  #stalled(): ProviderError {
    return this.error("timeout", `${this.#name()} stalled: nothing came for ${formatDuration(this.#idleMs)}.`);
  }

  #fail(error: ProviderError): ProviderError {
    if (this.#failure) return this.#failure;
    this.#failure = error;
    clearTimeout(this.#timer);
    this.#relay?.error(error);
    void this.#sending?.cancel();
    return error;
  }

  /** Where at the provider the request goes. */
  #guard(input: string | URL | Request): string {
    this.throwIfFailed();
    const { providerId, origin, local } = this.#wire;
    if (this.#started) throw this.error("protocol", `A second request to provider ${providerId} was refused.`);
    const text = input instanceof Request ? input.url : String(input);
    // Nothing after that slash can make it another origin.
    const url = text.startsWith(`${origin}/`) ? undefined : URL.parse(text);
    if (url !== undefined && url?.origin !== origin) {
      const where = url?.origin ?? "no address at all";
      throw this.error("egress_denied", `Provider ${providerId} may only be asked at ${origin}, not at ${where}.`);
    }
    if (this.#options.localOnly && !local) {
      const remedy = "Use a profile that is not local_only, and start with --cloud.";
      throw this.error("egress_denied", `This call must stay local, and provider ${providerId} is not.`, remedy);
    }
    return url ? url.pathname + url.search : text.slice(origin.length);
  }

  async #send(path: string, init: RequestInit): Promise<ReplyHead> {
    const { method = "GET", body } = init;
    if (typeof body !== "string" && body !== undefined && body !== null) throw new TypeError("The body must be text.");
    const bytes = typeof body === "string" ? new TextEncoder().encode(body) : null;
    const { origin, host, ledger, send } = this.#wire;
    const request: Outgoing = { path, method, headers: minimalHeaders(init.headers), body: bytes };
    if (!isAllowed(host)) throw sandboxRefusal(this.#subject(), origin);
    this.#started = true;
    ledger.sent(origin, bytes?.byteLength ?? 0);
    this.#sending = send(request);
    const head = await this.#sending.head.catch((error) => {
      throw this.#failure ?? classifyNetworkError(error, this.#subject(), origin);
    });
    this.throwIfFailed();
    return head;
  }

  /** Throws what the status and the error body mean. */
  async #refuse({ status, headers }: ReplyHead): Promise<never> {
    const decoder = new TextDecoder();
    let text = "";
    try {
      for (let seen = 0; seen < MAX_ERROR_BYTES;) {
        const chunk = await this.#read();
        if (chunk === undefined) break;
        text += decoder.decode(chunk.subarray(0, MAX_ERROR_BYTES - seen), { stream: true });
        seen += chunk.byteLength;
      }
    } catch {
      // The status says enough when its body cannot be read; a deadline or an abort has been noted and goes first.
      this.throwIfFailed();
    }
    throw classifyRefusal({ ...this.#subject(), status, headers, body: readErrorBody(text), nowMs: Date.now() });
  }

  async #read(): Promise<Uint8Array | undefined> {
    this.#waitingSinceMs = performance.now();
    const piece = await this.#sending?.read().catch(() => {
      throw this.#failure ?? this.error("protocol", `${this.#name()} broke off in the middle of its answer.`);
    });
    this.#waitingSinceMs = undefined;
    if (piece === undefined) return undefined;
    this.#receivedBytes += piece.byteLength;
    if (this.#receivedBytes > MAX_BODY_BYTES) {
      throw this.error("protocol", `${this.#name()} sent more than ${MAX_BODY_BYTES / 1024 / 1024} MiB.`);
    }
    return piece;
  }

  async #readDocument(): Promise<string> {
    const decoder = new TextDecoder();
    const parts: string[] = [];
    for (let chunk = await this.#read(); chunk !== undefined; chunk = await this.#read()) {
      parts.push(decoder.decode(chunk, { stream: true }));
    }
    this.#ended = true;
    const text = parts.join("") + decoder.decode();
    if (parseJson(text) === undefined) throw this.error("protocol", `${this.#name()} sent something that is not JSON.`);
    return text;
  }

  #relayFrames(format: FrameFormat): ReadableStream<Uint8Array> {
    const batches = this.#readBatches(format);
    return new ReadableStream({
      start: (controller) => {
        this.#relay = controller;
      },
      pull: async (controller) => {
        try {
          const { done, value } = await batches.next();
          if (done) controller.close();
          else controller.enqueue(value);
        } catch (error) {
          this.explain(error);
        }
      },
    }, { highWaterMark: 0 });
  }

  /**
   * Good frames in the plainest form of their format, in small batches: the libraries disagree about comments and line
   * ends, skip what they cannot parse, and take quadratic time over large chunks.
   */
  async *#readBatches(format: FrameFormat): AsyncGenerator<Uint8Array, void, void> {
    const splitter = createFrameSplitter(format);
    const decoder = new TextDecoder();
    const encoder = new TextEncoder();
    for (let ended = false; !ended;) {
      const chunk = await this.#read();
      ended = chunk === undefined;
      const frames = ended ? splitter.end() : splitter.push(decoder.decode(chunk, { stream: true }));
      let batch = "";
      for (const frame of frames) {
        const problem = this.#inspect(frame, format);
        if (problem === undefined) batch += format === "sse" ? `data: ${frame}\n\n` : `${frame}\n`;
        if (batch !== "" && (problem !== undefined || batch.length >= BATCH_CHARS)) {
          yield encoder.encode(batch);
          batch = "";
        }
        if (problem !== undefined) throw problem;
      }
      if (batch !== "") yield encoder.encode(batch);
    }
    this.#ended = true;
  }

  #inspect(frame: string, format: FrameFormat): ProviderError | undefined {
    if (format === "sse" && frame === "[DONE]") return undefined;
    const parsed = parseJson(frame);
    const object = asRecord(Array.isArray(parsed) ? parsed[0] : parsed);
    if (object === undefined) {
      return this.error("protocol", `${this.#name()} sent a part of an answer that is not a JSON object.`);
    }
    if (object["error"] === undefined || object["error"] === null) return undefined;
    const body = readErrorObject(object);
    return classifyRefusal({
      ...this.#subject(),
      status: undefined,
      headers: new Headers(),
      body,
      nowMs: Date.now(),
    });
  }

  #subject(): Subject {
    const { providerId: provider, type } = this.#wire;
    const { model } = this.#options;
    return { provider, type, ...(model !== undefined && { model }) };
  }

  #name(): string {
    const { model } = this.#options;
    return `Provider ${this.#wire.providerId}${model === undefined ? "" : ` (${model})`}`;
  }
}
