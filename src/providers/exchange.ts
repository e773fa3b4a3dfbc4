import { hostAndPort, isLoopbackOrPrivate } from "../core/address.ts";
import { ProviderError } from "../core/errors.ts";
import { formatDuration } from "../core/format.ts";
import { isAllowed } from "../core/sandbox.ts";
import type { ErrorKind, ProviderType } from "../core/types.ts";
import { classifyRefusal, type Subject } from "./classify.ts";
import { readErrorBody, readErrorObject } from "./error_body.ts";
import { createFrameSplitter, FrameError, type FrameFormat } from "./frames.ts";
import { asRecord, parseJson } from "./json.ts";
import { classifyNetworkError, sandboxRefusal } from "./network_error.ts";
import { bodySentOnce, minimalHeaders } from "./outgoing.ts";

/** Why a fetch ends that is over anyway. Made once: an error made for every call costs as much as parsing its answer. */
const OVER = new DOMException("The exchange is over", "AbortError");
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
  /** False for a provider that answers from outside the local network, whatever its address. */
  readonly local: boolean;
  readonly ledger: EgressRecorder;
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
  readonly #controller = new AbortController();
  #failure: ProviderError | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #tokensFlow = false;
  /** Since when a read of the body has been waiting; unset while the reader of the answer is the slow one. */
  #waitingSinceMs: number | undefined;
  /** Only held: Deno closes the connection of an aborted fetch at once only while its response is still referenced. */
  #response: Response | undefined;
  #upstream: ReadableStreamDefaultReader<Uint8Array> | undefined;
  #relay: ReadableStreamDefaultController<Uint8Array> | undefined;
  #started = false;
  /** True once the body has ended the way a body ends. */
  #ended = false;
  #closed = false;
  #receivedBytes = 0;

  constructor(wire: ExchangePlace, options: ExchangeOptions, signal: AbortSignal) {
    this.#wire = wire;
    this.#options = options;
    this.#signal = signal;
    if (signal.aborted) this.#abort();
    else signal.addEventListener("abort", this.#abort, { once: true });
    this.#timer = setTimeout(this.#missFirstToken, Math.min(options.firstTokenMs, LONGEST_TIMER_MS));
  }

  /** The `fetch` to hand to a client library. Throws only `ProviderError`, and resolves only with a status of 2xx. */
  readonly fetch = async (input: string | URL | Request, init: RequestInit = {}): Promise<Response> => {
    try {
      const url = new URL(input instanceof Request ? input.url : input);
      this.#guard(url);
      const response = await this.#send(url, init);
      this.#response = response;
      this.#upstream = response.body?.getReader();
      if (!response.ok) await this.#refuse(response);
      const { format } = this.#options;
      const body = format === "json" ? await this.#readDocument() : this.#relayFrames(format);
      return new Response(body, { headers: { "content-type": CONTENT_TYPES[format] } });
    } catch (error) {
      throw this.explain(error);
    }
  };

  /** To be called at the first token of the answer: from now on the idle limit holds instead of the first one. */
  firstToken(): void {
    if (this.#tokensFlow) return;
    this.#tokensFlow = true;
    clearTimeout(this.#timer);
    if (this.#closed || this.#failure) return;
    const { idleMs, firstTokenMs } = this.#options;
    this.#watchIdle(idleMs ?? firstTokenMs, idleMs ?? firstTokenMs);
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
    this.#signal.removeEventListener("abort", this.#abort);
    this.#controller.abort(OVER);
    // A body that already ended or failed has nothing left to cancel.
    await this.#upstream?.cancel().catch(() => {});
    if (this.#started) {
      this.#wire.ledger.received(this.#wire.origin, this.#receivedBytes);
    }
  }

  readonly #abort = (): void => {
    this.#fail(this.error("aborted", `${this.#name()}: the call was aborted.`));
  };

  readonly #missFirstToken = (): void => {
    const { firstTokenMs, whileLoading = false } = this.#options;
    const what = whileLoading ? "had not loaded the model after" : "sent no token within";
    const remedy = whileLoading ? "Use a smaller model, or raise deadlines.load_seconds." : undefined;
    this.#fail(this.error("timeout", `${this.#name()} ${what} ${formatDuration(firstTokenMs)}.`, remedy, whileLoading));
  };

  /** One timer for the whole stream: it looks at how long the current read has been waiting, and comes back later. */
  #watchIdle(idleMs: number, delayMs: number): void {
    this.#timer = setTimeout(() => {
      const sinceMs = this.#waitingSinceMs;
      const leftMs = sinceMs === undefined ? idleMs : idleMs - (performance.now() - sinceMs);
      if (leftMs > 0) return this.#watchIdle(idleMs, Math.ceil(leftMs));
      this.#fail(this.error("timeout", `${this.#name()} stalled: nothing came for ${formatDuration(idleMs)}.`));
    }, Math.min(delayMs, LONGEST_TIMER_MS));
  }

  #fail(error: ProviderError): ProviderError {
    if (this.#failure) return this.#failure;
    this.#failure = error;
    clearTimeout(this.#timer);
    this.#relay?.error(error);
    this.#controller.abort(OVER);
    return error;
  }

  #guard(url: URL): void {
    this.throwIfFailed();
    const { providerId, origin, local } = this.#wire;
    if (this.#started) throw this.error("protocol", `A second request to provider ${providerId} was refused.`);
    if (url.origin !== origin) {
      throw this.error("egress_denied", `Provider ${providerId} may only be asked at ${origin}, not at ${url.origin}.`);
    }
    if (this.#options.localOnly && !(local && isLoopbackOrPrivate(url.hostname))) {
      const remedy = "Use a profile that is not local_only, and start with --cloud.";
      throw this.error("egress_denied", `This call must stay local, and provider ${providerId} is not.`, remedy);
    }
  }

  async #send(url: URL, init: RequestInit): Promise<Response> {
    const { method = "GET", body } = init;
    if (typeof body !== "string" && body !== undefined && body !== null) throw new TypeError("The body must be text.");
    const bytes = typeof body === "string" ? new TextEncoder().encode(body) : null;
    const headers = minimalHeaders(init.headers);
    if (!isAllowed(hostAndPort(this.#wire.origin))) throw sandboxRefusal(this.#subject(), this.#wire.origin);
    this.#started = true;
    this.#wire.ledger.sent(this.#wire.origin, bytes?.byteLength ?? 0);
    // "manual" hands a redirect over as what it is, a status over 299, and follows none.
    const request = {
      method,
      headers,
      body: bytes && bodySentOnce(bytes),
      redirect: "manual",
      signal: this.#controller.signal,
    } as const;
    const response = await fetch(url, request).catch((error) => {
      throw this.#failure ?? classifyNetworkError(error, this.#subject(), this.#wire.origin);
    });
    if (this.#failure) await response.body?.cancel().catch(() => {});
    this.throwIfFailed();
    return response;
  }

  /** Throws what the status and the error body mean. */
  async #refuse({ status, headers }: Response): Promise<never> {
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
    if (this.#upstream === undefined) return undefined;
    this.#waitingSinceMs = performance.now();
    const { done, value } = await this.#upstream.read().catch(() => {
      throw this.#failure ?? this.error("protocol", `${this.#name()} broke off in the middle of its answer.`);
    });
    this.#waitingSinceMs = undefined;
    if (done) return undefined;
    this.#receivedBytes += value.byteLength;
    if (this.#receivedBytes > MAX_BODY_BYTES) {
      throw this.error("protocol", `${this.#name()} sent more than ${MAX_BODY_BYTES / 1024 / 1024} MiB.`);
    }
    return value;
  }

  async #readDocument(): Promise<string> {
    const decoder = new TextDecoder();
    const parts: string[] = [];
    for (let chunk = await this.#read(); chunk !== undefined; chunk = await this.#read()) {
      parts.push(decoder.decode(chunk, { stream: true }));
    }
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
