/** The one time limit of a call, joined with its caller's signal. */
export interface CallDeadline extends Disposable {
  /** Aborts when the caller does or when the time is up. */
  readonly signal: AbortSignal;
  /** True once the time was up first. */
  readonly expired: boolean;
  readonly remainingMs: number;
}

/**
 * Starts the clock of a call.
 *
 * Not `AbortSignal.any` with `AbortSignal.timeout`: those keep their timer for the whole limit, and at many calls a
 * second ten minutes of timers are a leak. This one lets go of timer and listener on disposal.
 */
export function startDeadline(totalMs: number, caller: AbortSignal | undefined): CallDeadline {
  const controller = new AbortController();
  const endsAt = performance.now() + totalMs;
  let expired = false;
  const timer = setTimeout(() => {
    expired = !controller.signal.aborted;
    controller.abort(new DOMException(`The call took longer than ${totalMs} ms`, "TimeoutError"));
  }, totalMs);
  const follow = () => controller.abort(caller?.reason);
  if (caller?.aborted) follow();
  else caller?.addEventListener("abort", follow, { once: true });
  return {
    signal: controller.signal,
    get expired() {
      return expired;
    },
    get remainingMs() {
      return Math.max(0, endsAt - performance.now());
    },
    [Symbol.dispose]() {
      clearTimeout(timer);
      caller?.removeEventListener("abort", follow);
    },
  };
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
