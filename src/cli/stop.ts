/** Ctrl-C, and where the system knows them also the polite request to end and the end of the terminal. */
const SIGNALS: readonly Deno.Signal[] = Deno.build.os === "windows" ? ["SIGINT"] : ["SIGINT", "SIGTERM", "SIGHUP"];

/** How long running answers may go on after the first request to stop, in milliseconds. */
export const GRACE_MS = 10_000;
/** What is told then. */
export const STOPPING = `stopping: running answers have ${GRACE_MS / 1000} s to finish; once more ends it at once`;

export interface StopSignal extends Disposable {
  /** Aborts at the first of these; the second one ends the process at once. */
  readonly signal: AbortSignal;
}

/** Turns Ctrl-C into an abort, so that a command can end its call and write down what it owes. */
export function listenForStop(): StopSignal {
  const controller = new AbortController();
  const ignore = () => SIGNALS.forEach((name) => Deno.removeSignalListener(name, stop));
  const stop = () => {
    ignore();
    controller.abort();
  };
  SIGNALS.forEach((name) => Deno.addSignalListener(name, stop));
  return {
    signal: controller.signal,
    [Symbol.dispose]: () => {
      if (!controller.signal.aborted) ignore();
    },
  };
}
