/** A signal that knows who listens to it. */
export interface WatchedSignal {
  readonly controller: AbortController;
  readonly signal: AbortSignal;
  /** Listeners that were added and not removed again. */
  readonly listeners: ReadonlySet<unknown>;
}

/** Creates a signal on which a test can see listeners that were left behind. */
export function createWatchedSignal(): WatchedSignal {
  const controller = new AbortController();
  const { signal } = controller;
  const listeners = new Set<unknown>();
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (...args: Parameters<typeof add>) => {
    listeners.add(args[1]);
    add(...args);
  };
  signal.removeEventListener = (...args: Parameters<typeof remove>) => {
    listeners.delete(args[1]);
    remove(...args);
  };
  return { controller, signal, listeners };
}
