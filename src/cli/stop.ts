/** Ctrl-C, and where the system knows them also the polite request to end and the end of the terminal. */
const SIGNALS: readonly Deno.Signal[] = Deno.build.os === "windows" ? ["SIGINT"] : ["SIGINT", "SIGTERM", "SIGHUP"];

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
