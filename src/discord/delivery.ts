import { hostAndPort } from "../core/address.ts";
import { AgentError, EXIT, type ExitCode } from "../core/errors.ts";
import { formatWait } from "../core/format.ts";
import { inTime } from "../core/in_time.ts";
import { pause } from "../core/pause.ts";
import { howToAllow } from "../core/sandbox.ts";
import type { EgressRecorder } from "../providers/exchange.ts";
import { asRecord, parseJson } from "../providers/json.ts";
import { readNetworkError } from "../providers/network_error.ts";
import type { ReplyHead, Send, Sending } from "../providers/sender.ts";
import { pauseAfter, readLimited } from "./rate_limit.ts";
import { readRefusal, refusalError, UNKNOWN_MESSAGE } from "./refusal.ts";
import type { WebhookRequest } from "./webhook_request.ts";

/** What the server says of a message; undefined what it does not say. */
export interface Delivered {
  readonly id: string | undefined;
  /** The channel or thread it is in. */
  readonly channelId: string | undefined;
}

export interface DeliveryErrorOptions {
  readonly exitCode: ExitCode;
  readonly remedy?: string | undefined;
  readonly mayHaveArrived: boolean;
  readonly cause?: unknown;
}

/** A request that was not confirmed. */
export class DeliveryError extends AgentError {
  override readonly name = "DeliveryError";
  /** True when the server may have done what was asked all the same. */
  readonly mayHaveArrived: boolean;

  constructor(message: string, { mayHaveArrived, ...options }: DeliveryErrorOptions) {
    super(message, options);
    this.mayHaveArrived = mayHaveArrived;
  }
}

export interface DeliveryOptions {
  /** `https://discord.com`: the only place that is asked. */
  readonly origin: string;
  readonly send: Send;
  readonly ledger: EgressRecorder;
  /** How long all requests may take together, waits included, in milliseconds. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** Told of every wait of a second and more, and why. */
  readonly onWait?: (ms: number, reason: string) => void;
  /** The first pause after a failure, in milliseconds; each further one is twice as long. Default 500. */
  readonly backOffMs?: number;
}

/** One request after the other, each confirmed before the next. */
export interface Delivery {
  /**
   * Sends a request until it is confirmed or there is no hope: after a 429 once the time has passed that it names,
   * after a failure again, five times in all, if a second time can do no harm. A message is posted again only when the
   * first request cannot have been carried out.
   * @throws DeliveryError with what is known
   */
  deliver(request: WebhookRequest): Promise<Delivered>;
}

export function createDelivery(options: DeliveryOptions): Delivery {
  return new PacedDelivery(options);
}

const MOST_TRIES = 5;
/** Some 429 name a time of zero. */
const SHORTEST_LIMIT_MS = 250;
const FIRST_BACK_OFF_MS = 500;
/** Shorter waits are not worth a line. */
const TOLD_MS = 1000;
const MAX_BODY_BYTES = 512 * 1024;
/** How long the rest of an answer may take whose first line confirms the message, in milliseconds. */
const BODY_MS = 10_000;
/**
 * Statuses that say that nobody has dealt with the request: 502 by Discord's documentation ("There was not a gateway
 * available to process your request"), 503 by RFC 9110, and Cloudflare's for a server that refused the connection
 * (521), could not be found (523) or failed the TLS handshake (525, 526). Not 522, which Cloudflare also gives when a
 * server falls silent after it has connected.
 */
const NOT_PROCESSED = new Set([502, 503, 521, 523, 525, 526]);

type Outcome =
  | { readonly kind: "confirmed"; readonly delivered: Delivered }
  | { readonly kind: "limited"; readonly waitMs: number | undefined; readonly reason: string }
  | { readonly kind: "refused"; readonly code: number | undefined; readonly error: AgentError }
  /** `processed`: true when the server may have done what was asked. */
  | { readonly kind: "failed"; readonly processed: boolean; readonly message: string; readonly cause?: unknown };

interface Failed {
  /** How many times so far. */
  readonly failures: number;
  /** True when one of them may have been carried out. */
  readonly processed: boolean;
  /** True when the time left is too short for another. */
  readonly isLate: boolean;
}

class PacedDelivery implements Delivery {
  readonly #options: DeliveryOptions;
  /** Who is asked, for messages. */
  readonly #who: string;
  /** When all has to be over, on the clock of `performance.now()`. */
  readonly #endMs: number;
  /** Aborts then. Deno loads what `setTimeout` needs when it is first called, 8 ms of a start; not so for this. */
  readonly #late: AbortSignal;
  /** Before this the next request is not welcome. */
  #notBeforeMs = 0;

  constructor(options: DeliveryOptions) {
    this.#options = options;
    const { host } = new URL(options.origin);
    this.#who = host === "discord.com" ? "Discord" : host;
    this.#endMs = performance.now() + options.timeoutMs;
    this.#late = AbortSignal.timeout(options.timeoutMs);
  }

  async deliver(request: WebhookRequest): Promise<Delivered> {
    let processed = false;
    for (let failures = 0, limits = 0;;) {
      await this.#waitForLimit(this.#notBeforeMs - performance.now(), LIMIT, processed);
      const outcome = await this.#attempt(request, processed);
      switch (outcome.kind) {
        case "confirmed":
          return outcome.delivered;
        case "limited":
          await this.#waitForLimit(outcome.waitMs ?? this.#backOff(limits++), outcome.reason, processed);
          break;
        case "refused":
          // What was deleted by a request whose answer got lost is not there any more.
          if (outcome.code === UNKNOWN_MESSAGE && request.method === "DELETE" && processed) return NOTHING_SAID;
          throw outcome.error;
        case "failed": {
          processed ||= outcome.processed;
          const isSafe = request.isRepeatable || !outcome.processed;
          const pauseMs = this.#backOff(failures++);
          const isLate = !this.#fits(pauseMs);
          if (!isSafe || failures === MOST_TRIES || isLate) {
            throw this.#giveUp(outcome, { failures, processed, isLate });
          }
          await this.#pause(pauseMs, outcome.message, processed);
        }
      }
    }
  }

  async #attempt(request: WebhookRequest, processed: boolean): Promise<Outcome> {
    const { origin, send, ledger, signal } = this.#options;
    if (signal.aborted) throw stopped(processed);
    const { path, method, headers, body } = request;
    ledger.sent(origin, body?.length ?? 0); // may have to wait for its file
    if (performance.now() >= this.#endMs) throw processed ? this.#tooLate() : this.#unsent();
    const sending = send({ path, method, headers, body });
    const either = AbortSignal.any([signal, this.#late]);
    const leave = () => void sending.cancel();
    either.addEventListener("abort", leave);
    try {
      const head = await sending.head;
      this.#notBeforeMs = performance.now() + pauseAfter(head.headers);
      return this.#outcomeOf(head, await this.#readBody(sending), method);
    } catch (cause) {
      if (signal.aborted) throw stopped(true);
      if (this.#late.aborted) throw this.#tooLate();
      return this.#failedBy(cause);
    } finally {
      either.removeEventListener("abort", leave);
    }
  }

  /** What comes of the body: it only adds to what the status says, so one that breaks off or hangs is no failure. */
  async #readBody(sending: Sending): Promise<string> {
    const decoder = new TextDecoder();
    let text = "";
    const read = async () => {
      for (let piece = await sending.read(); piece && text.length < MAX_BODY_BYTES; piece = await sending.read()) {
        this.#options.ledger.received(this.#options.origin, piece.length);
        text += decoder.decode(piece, { stream: true });
      }
    };
    await inTime(BODY_MS, read().catch(() => {}));
    await sending.cancel();
    return text;
  }

  #outcomeOf({ status, headers }: ReplyHead, body: string, method: WebhookRequest["method"]): Outcome {
    if (status >= 200 && status < 300) return { kind: "confirmed", delivered: readDelivered(body) };
    if (status === 429) {
      const { waitMs, global } = readLimited(headers, body);
      const reason = global ? GLOBAL_LIMIT : LIMIT;
      return {
        kind: "limited",
        waitMs: waitMs === undefined ? undefined : Math.max(waitMs, SHORTEST_LIMIT_MS),
        reason,
      };
    }
    if (status >= 500) {
      return { kind: "failed", processed: !NOT_PROCESSED.has(status), message: `${this.#who} answers ${status}` };
    }
    const refusal = readRefusal(status, body);
    return { kind: "refused", code: refusal.code, error: refusalError(refusal, this.#who, ABOUT[method]) };
  }

  #failedBy(cause: unknown): Outcome {
    const { denied, connected, reason } = readNetworkError(cause);
    if (denied) throw this.#notAllowed(cause);
    const what = connected
      ? `The connection to ${this.#who} broke before the answer`
      : `${this.#who} cannot be reached`;
    return { kind: "failed", processed: connected, message: reason === undefined ? what : `${what}: ${reason}`, cause };
  }

  async #waitForLimit(ms: number, limit: string, processed: boolean): Promise<void> {
    if (!this.#fits(ms)) {
      throw new DeliveryError(`${limit} lasts another ${formatWait(ms)}, which is more than --timeout leaves`, {
        exitCode: EXIT.tempfail,
        remedy: `Try again in ${formatWait(ms)}, or allow more with --timeout.`,
        mayHaveArrived: processed,
      });
    }
    await this.#pause(ms, limit, processed);
  }

  #fits(ms: number): boolean {
    return ms < this.#endMs - performance.now();
  }

  async #pause(ms: number, reason: string, processed: boolean): Promise<void> {
    if (ms <= 0) return;
    if (ms >= TOLD_MS) this.#options.onWait?.(ms, reason);
    if (!await pause(ms, this.#options.signal)) throw stopped(processed);
  }

  /** From half to all of 0.5 s, 1 s, 2 s …: many that fail together do not come back together. */
  #backOff(before: number): number {
    return (this.#options.backOffMs ?? FIRST_BACK_OFF_MS) * 2 ** Math.min(before, 5) * (1 - Math.random() / 2);
  }

  #giveUp({ message, cause }: Outcome & { kind: "failed" }, { failures, processed, isLate }: Failed): DeliveryError {
    const tries = failures > 1 ? ` (${failures} tries)` : "";
    return new DeliveryError(`${message}${tries}${processed ? "; it may have arrived all the same" : ""}`, {
      exitCode: isLate && !processed ? EXIT.tempfail : EXIT.unavailable,
      remedy: processed ? LOOK_FIRST : "Check the network connection, and try again later.",
      mayHaveArrived: processed,
      cause,
    });
  }

  #unsent(): DeliveryError {
    return new DeliveryError("The time of --timeout was over before it was sent", {
      exitCode: EXIT.tempfail,
      remedy: "Allow more with --timeout.",
      mayHaveArrived: false,
    });
  }

  #tooLate(): DeliveryError {
    return new DeliveryError(`No answer from ${this.#who} within --timeout; it may have arrived all the same`, {
      exitCode: EXIT.tempfail,
      remedy: LOOK_FIRST,
      mayHaveArrived: true,
    });
  }

  #notAllowed(cause: unknown): AgentError {
    const host = hostAndPort(this.#options.origin);
    return new AgentError(`Cannot talk to ${host}: the sandbox of this program does not allow it`, {
      exitCode: EXIT.permission,
      remedy: howToAllow(host),
      cause,
    });
  }
}

const LIMIT = "The rate limit of this webhook";
const GLOBAL_LIMIT = "The rate limit of everything this machine asks Discord";
const NOTHING_SAID: Delivered = { id: undefined, channelId: undefined };
const LOOK_FIRST = "Look whether it is there before you send it again.";
const ABOUT = { POST: "the message", PATCH: "the change", DELETE: "to delete the message" } as const;

function readDelivered(body: string): Delivered {
  const { id, channel_id: channelId } = asRecord(parseJson(body)) ?? {};
  return { id: readId(id), channelId: readId(channelId) };
}

function readId(value: unknown): string | undefined {
  return typeof value === "string" && /^\d{1,20}$/.test(value) ? value : undefined;
}

function stopped(mayHaveArrived: boolean): DeliveryError {
  return new DeliveryError(mayHaveArrived ? "Stopped while it was sent; it may have arrived all the same" : "Stopped", {
    exitCode: EXIT.interrupted,
    remedy: mayHaveArrived ? LOOK_FIRST : undefined,
    mayHaveArrived,
  });
}
