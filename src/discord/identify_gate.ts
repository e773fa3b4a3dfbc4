import type { Log } from "../core/log.ts";
import { formatWait } from "../core/format.ts";
import { pause } from "../core/pause.ts";

/** How many new sessions Discord allows. */
export interface SessionLimit {
  /** How many are left today. */
  readonly remaining: number;
  /** How many a day has. */
  readonly total: number;
  /** Until they are given anew, in milliseconds. */
  readonly resetAfterMs: number;
  /** How many shards may begin one at the same time. */
  readonly maxConcurrency: number;
}

/** How long Discord wants between two new sessions of the same lane, in milliseconds. */
const GAP_MS = 5000;
/** A timer takes no longer delay. */
const LONGEST_PAUSE_MS = 2 ** 31 - 1;

/**
 * Lets shards begin new sessions as slowly as Discord wants it: one of a lane in five seconds, and never more in a day
 * than it allows, since Discord takes a token away from who exceeds that.
 */
export class IdentifyGate {
  readonly #limit: SessionLimit;
  readonly #log: Log;
  readonly #gapMs: number;
  /** By lane: when the next may begin, on the clock of `performance.now()`. */
  readonly #notBeforeMs = new Map<number, number>();
  #remaining: number;
  #resetAtMs: number;

  constructor(limit: SessionLimit, log: Log, gapMs = GAP_MS) {
    this.#limit = limit;
    this.#log = log;
    this.#gapMs = gapMs;
    this.#remaining = limit.remaining;
    this.#resetAtMs = performance.now() + limit.resetAfterMs;
  }

  /** Waits until this shard may begin a new session; false when the signal has aborted before. */
  async pass(shardId: number, signal: AbortSignal): Promise<boolean> {
    for (let waitMs = this.#take(); waitMs > 0; waitMs = this.#take()) {
      this.#log.warn(`Discord allows no more sessions today; the next begins in ${formatWait(waitMs)}`);
      if (!await pause(Math.min(waitMs, LONGEST_PAUSE_MS), signal)) return false;
    }
    const lane = shardId % this.#limit.maxConcurrency;
    const now = performance.now();
    const turnMs = Math.max(now, this.#notBeforeMs.get(lane) ?? 0);
    this.#notBeforeMs.set(lane, turnMs + this.#gapMs);
    return turnMs === now ? !signal.aborted : await pause(turnMs - now, signal);
  }

  /** A session that was let in could not be asked for: there was no connection. */
  giveBack(): void {
    this.#remaining++;
  }

  /** Takes one of the day's sessions, and gives 0; or else how long it is until there are more, in milliseconds. */
  #take(): number {
    const now = performance.now();
    if (now >= this.#resetAtMs) {
      this.#remaining = Math.max(1, this.#limit.total);
      this.#resetAtMs = now + DAY_MS;
    }
    if (this.#remaining <= 0) return this.#resetAtMs - now;
    this.#remaining--;
    return 0;
  }
}

const DAY_MS = 86_400_000;
