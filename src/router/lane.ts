import type { BreakerState, EventBus } from "../core/events.ts";
import { percentile } from "../core/percentile.ts";
import type { ErrorKind } from "../core/types.ts";
import { type BreakerSettings, CircuitBreaker } from "./breaker.ts";
import { CallQueue, type QueueSettings } from "./queue.ts";

/** Latencies kept for the percentiles of `status`. */
const LATENCY_SAMPLES = 128;

export interface LaneSettings {
  readonly breaker: BreakerSettings;
  readonly queue: QueueSettings;
}

export interface LaneStatus {
  readonly breaker: BreakerState;
  readonly failures: number;
  /** ISO 8601 moment at which the provider may be asked again; null when it may be asked now. */
  readonly retry_at: string | null;
  readonly last_error_kind: ErrorKind | null;
  readonly in_flight: number;
  readonly waiting: number;
  /** Median and 95th percentile of the last answers in whole milliseconds; null before the first. */
  readonly latency_p50_ms: number | null;
  readonly latency_p95_ms: number | null;
}

/**
 * The road to one provider: its breaker, its queue, and the moment before which it does not want to be asked.
 * Outlives every reload of the configuration, as long as provider id and origin stay the same.
 */
export class Lane {
  readonly breaker: CircuitBreaker;
  readonly queue: CallQueue;
  #heldUntil = 0;
  #lastErrorKind: ErrorKind | null = null;
  readonly #latencies: number[] = [];
  #answers = 0;

  constructor(provider: string, readonly origin: string, settings: LaneSettings, events: EventBus) {
    this.queue = new CallQueue(settings.queue);
    this.breaker = new CircuitBreaker({
      ...settings.breaker,
      onTransition: ({ retryInMs, ...transition }) =>
        events.emit("router.breaker_changed", {
          provider,
          ...transition,
          retry_at: retryInMs === null ? null : isoIn(retryInMs),
        }),
    });
  }

  configure(settings: LaneSettings): void {
    this.breaker.configure(settings.breaker);
    this.queue.configure(settings.queue);
  }

  /** Asks nobody before `epochMs`. A later moment already set stays: the wait is never shortened. */
  holdUntil(epochMs: number): void {
    this.#heldUntil = Math.max(this.#heldUntil, performance.now() + epochMs - Date.now());
  }

  /** Milliseconds the provider still wants to be left alone. */
  get heldMs(): number {
    return Math.max(0, this.#heldUntil - performance.now());
  }

  recordAnswer(latencyMs: number): void {
    this.#latencies[this.#answers++ % LATENCY_SAMPLES] = Math.round(latencyMs);
  }

  recordError(kind: ErrorKind): void {
    this.#lastErrorKind = kind;
  }

  get status(): LaneStatus {
    const sorted = this.#latencies.toSorted((a, b) => a - b);
    const waitMs = Math.max(this.breaker.retryInMs, this.heldMs);
    return {
      breaker: this.breaker.state,
      failures: this.breaker.failures,
      retry_at: waitMs > 0 ? isoIn(waitMs) : null,
      last_error_kind: this.#lastErrorKind,
      in_flight: this.queue.running,
      waiting: this.queue.depth,
      latency_p50_ms: percentile(sorted, 0.5),
      latency_p95_ms: percentile(sorted, 0.95),
    };
  }
}

function isoIn(ms: number): string {
  return new Date(Date.now() + ms).toISOString();
}
