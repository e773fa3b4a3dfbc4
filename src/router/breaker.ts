import type { BreakerState } from "../core/events.ts";

export interface BreakerSettings {
  /** Consecutive counted failures that open the breaker. */
  readonly failureThreshold: number;
  /** Time from opening to the first probe; grows with every failed probe. */
  readonly recoveryMs: number;
}

export interface BreakerTransition {
  readonly from: BreakerState;
  readonly to: BreakerState;
  readonly reason: string;
  readonly failures: number;
  /** Milliseconds until the next probe may start; null unless `to` is open. */
  readonly retryInMs: number | null;
}

export interface BreakerOptions extends BreakerSettings {
  readonly onTransition?: (transition: BreakerTransition) => void;
  /** A monotonic clock in milliseconds; the wall clock may jump. */
  readonly now?: () => number;
}

/** Leave to make one call. Exactly one of its methods has an effect, and only the first time. */
export interface Permit {
  succeeded(): void;
  failed(reason: string): void;
  /** The call said nothing about the provider's health: aborted, rate limited, refused for its content. */
  withdrawn(): void;
}

/** Failed probes never make the recovery time longer than this; one configured longer stays as it is. */
export const MAX_RECOVERY_MS = 300_000;

/**
 * Growth of the recovery time after each failed probe. 1.5 keeps the second probe of the default 30 s within 30 s of
 * the end of a one-minute outage (probes at 30 s and 75 s after opening), which doubling would not.
 */
const RECOVERY_GROWTH = 1.5;

type State =
  | { readonly name: "closed"; readonly failures: number }
  | { readonly name: "open"; readonly failures: number; readonly waitMs: number; readonly retryAt: number }
  | {
    readonly name: "half_open";
    readonly failures: number;
    readonly waitMs: number;
    readonly probeSince: number | null;
  };

/**
 * Circuit breaker of one provider.
 *
 * closed: calls pass, consecutive failures are counted. open: nothing passes until the recovery time is over.
 * half_open: a single probe passes; its success closes, its failure opens again for longer. A probe that has not
 * returned within the recovery time loses its place to the next caller.
 *
 * Every transition starts an epoch; a result that belongs to an older epoch is ignored, so that a call begun before the
 * last transition cannot change the state. A probe that lost its place can still close the breaker by succeeding, but
 * no longer open it by failing.
 */
export class CircuitBreaker {
  #settings: BreakerSettings;
  #state: State = { name: "closed", failures: 0 };
  #epoch = 0;
  #probes = 0;
  readonly #now: () => number;
  readonly #onTransition: (transition: BreakerTransition) => void;

  constructor({ onTransition = () => {}, now = () => performance.now(), ...settings }: BreakerOptions) {
    this.#settings = settings;
    this.#onTransition = onTransition;
    this.#now = now;
  }

  /** Takes over new settings. The state survives; they apply from the next failure on. */
  configure(settings: BreakerSettings): void {
    this.#settings = settings;
  }

  get state(): BreakerState {
    return this.#state.name;
  }

  /** Consecutive failures counted so far. */
  get failures(): number {
    return this.#state.failures;
  }

  /** Milliseconds until a call may pass; 0 when one may pass now, or as soon as the running probe has returned. */
  get retryInMs(): number {
    return this.#state.name === "open" ? Math.max(0, this.#state.retryAt - this.#now()) : 0;
  }

  /** Whether `tryAcquire` would give a permit at this moment. */
  get passable(): boolean {
    const state = this.#state;
    if (state.name === "open") return this.#now() >= state.retryAt;
    return state.name === "closed" || !this.#probeIsRunning(state.probeSince);
  }

  /** Leave for one call, or null when the call must not be made. In half-open state the permit is the probe. */
  tryAcquire(): Permit | null {
    if (!this.passable) return null;
    const state = this.#state;
    if (state.name === "open") {
      const { failures, waitMs } = state;
      this.#enter({ name: "half_open", failures, waitMs, probeSince: this.#now() }, "recovery time is over");
    } else if (state.name === "half_open") {
      this.#state = { ...state, probeSince: this.#now() };
    }
    if (this.#state.name === "half_open") this.#probes++;
    return this.#permit(this.#epoch, this.#probes);
  }

  #permit(epoch: number, probe: number): Permit {
    let used = false;
    const once = (act: () => void) => {
      if (!used && epoch === this.#epoch) act();
      used = true;
    };
    const unlessSuperseded = (act: () => void) =>
      once(() => {
        if (probe === this.#probes) act();
      });
    return {
      succeeded: () => once(() => this.#recordSuccess()),
      failed: (reason) => unlessSuperseded(() => this.#recordFailure(reason)),
      withdrawn: () => unlessSuperseded(() => this.#recordNothing()),
    };
  }

  #recordSuccess(): void {
    if (this.#state.name === "closed") this.#state = { name: "closed", failures: 0 };
    else this.#enter({ name: "closed", failures: 0 }, "probe succeeded");
  }

  #recordFailure(reason: string): void {
    const failures = this.#state.failures + 1;
    if (this.#state.name === "half_open") {
      const { waitMs } = this.#state;
      const longerMs = Math.min(waitMs * RECOVERY_GROWTH, Math.max(waitMs, MAX_RECOVERY_MS));
      this.#open(failures, longerMs, `probe failed: ${reason}`);
    } else if (failures >= this.#settings.failureThreshold) {
      this.#open(failures, this.#settings.recoveryMs, reason);
    } else {
      this.#state = { name: "closed", failures };
    }
  }

  #recordNothing(): void {
    if (this.#state.name === "half_open") this.#state = { ...this.#state, probeSince: null };
  }

  #open(failures: number, waitMs: number, reason: string): void {
    this.#enter({ name: "open", failures, waitMs, retryAt: this.#now() + waitMs }, reason);
  }

  #enter(state: State, reason: string): void {
    const from = this.#state.name;
    this.#state = state;
    this.#epoch++;
    const retryInMs = state.name === "open" ? state.waitMs : null;
    this.#onTransition({ from, to: state.name, reason, failures: state.failures, retryInMs });
  }

  #probeIsRunning(since: number | null): boolean {
    return since !== null && this.#now() - since < this.#settings.recoveryMs;
  }
}
