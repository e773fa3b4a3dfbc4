/**
 * The one time limit of a call, joined with its caller's signal.
 *
 * Not `AbortSignal.any` with `AbortSignal.timeout`: those keep their timer for the whole limit, and at many calls a
 * second ten minutes of timers are a leak. This one lets go of timer and listener on disposal.
 */
export class CallDeadline implements Disposable {
  readonly #controller = new AbortController();
  readonly #endsAt: number;
  readonly #caller: AbortSignal | undefined;
  readonly #timer: ReturnType<typeof setTimeout>;
  #expired = false;
  #onOver: (() => void) | undefined;

  /** Starts the clock. */
  constructor(totalMs: number, caller: AbortSignal | undefined) {
    this.#endsAt = performance.now() + totalMs;
    this.#caller = caller;
    this.#timer = setTimeout(this.#expire, totalMs);
    if (caller?.aborted) this.#follow();
    else caller?.addEventListener("abort", this.#follow, { once: true });
  }

  /** Aborts when the caller does or when the time is up. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** True once the time was up first. */
  get expired(): boolean {
    return this.#expired;
  }

  get remainingMs(): number {
    return Math.max(0, this.#endsAt - performance.now());
  }

  /** Calls `act` when the call is over before its time or at the end of it; one watcher, cheaper than a listener. */
  set onOver(act: () => void) {
    this.#onOver = act;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#caller?.removeEventListener("abort", this.#follow);
  }

  readonly #expire = (): void => {
    this.#expired = !this.signal.aborted;
    this.#end(new DOMException("The time for the whole call was up", "TimeoutError"));
  };

  readonly #follow = (): void => this.#end(this.#caller?.reason);

  #end(reason: unknown): void {
    this.#controller.abort(reason);
    this.#onOver?.();
  }
}

/** Resolves after `ms`; rejects with the signal's reason when it aborts first. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal.addEventListener("abort", stop, { once: true });
  });
}
