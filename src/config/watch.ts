import { join } from "node:path";
import { AgentError, EXIT } from "../core/errors.ts";
import type { ConfigFolder } from "./load.ts";
import { readSmallFile } from "./read_file.ts";

export interface WatchOptions extends ConfigFolder {
  /** The name of the file in that folder; default `models.json`. */
  readonly file?: string;
  /** The text in use now (`ConfigSnapshot.text`); default: what the file says when watching begins. */
  readonly text?: string;
  /** How long a new text must stay the same before it counts, so that no half-written one does; default 150. */
  readonly debounceMs?: number;
  /** How often to look without any sign of a change; default 2000. */
  readonly pollMs?: number;
  /** Called when the text differs from the last one, or can no longer be read. What it throws ends the watching. */
  readonly onChange: () => void | Promise<void>;
  /** Ends the watching. */
  readonly signal: AbortSignal;
}

/**
 * Watches one settings file of a folder until the signal aborts, then resolves with nothing left open. Looks at the text
 * alone: a save without a change is none, and neither is a missing file, because editors remove a file on their way to
 * a new one and a folder may come back. The folder is watched rather than the file, so that a replacement by rename is
 * seen; what no event tells of (a link's target, network folders, a folder that comes back) a slow poll finds.
 * @throws AgentError (exit 77) when the folder lies outside the sandbox
 */
export async function watchConfig(options: WatchOptions): Promise<void> {
  const { dir, file = "models.json", debounceMs = 150, pollMs = 2000, onChange, signal } = options;
  let last = options.text ?? await readState(dir, file);
  let candidate: string | undefined;
  while (!signal.aborted) {
    // Opened anew in every round, before the file is read: so no change falls between, whatever became of the folder.
    const watcher = openWatcher(dir);
    try {
      const now = await readState(dir, file);
      if (now === undefined || now === last) {
        candidate = undefined;
        await eventOrTime(pollMs, signal, { watcher, isIdle: true });
      } else if (now !== candidate) {
        candidate = now;
        await eventOrTime(debounceMs, signal, { isIdle: false });
      } else {
        last = now;
        await onChange();
      }
    } finally {
      watcher?.close();
    }
  }
}

/** The text, or why it cannot be read; undefined when there is no file. */
async function readState(dir: string, file: string): Promise<string | undefined> {
  try {
    return await readSmallFile(join(dir, file), dir);
  } catch (error) {
    if (error instanceof AgentError && error.exitCode === EXIT.config) return error.message;
    throw error;
  }
}

/** Undefined where there is nothing to watch (yet) or the system is out of watches: the poll remains. */
function openWatcher(dir: string): Deno.FsWatcher | undefined {
  try {
    return Deno.watchFs(dir, { recursive: false });
  } catch {
    return undefined;
  }
}

interface WaitOptions {
  readonly watcher?: Deno.FsWatcher | undefined;
  /** True when there is nothing to do: then this wait is no reason to keep the program running. */
  readonly isIdle: boolean;
}

/** Resolves after `ms`, at the watcher's next event, or when the signal aborts. */
function eventOrTime(ms: number, signal: AbortSignal, { watcher, isIdle }: WaitOptions): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (signal.aborted) resolve();
  const timer = setTimeout(resolve, ms);
  if (isIdle) Deno.unrefTimer(timer);
  const onAbort = () => resolve();
  signal.addEventListener("abort", onAbort);
  watcher?.[Symbol.asyncIterator]().next().then(() => resolve(), () => {}); // a watcher that fails leaves the poll
  return promise.finally(() => {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
  });
}
