/** What the tasks of the tests have in common: a command line, a help, and an end that leaves nothing behind. */
import { parseArgs, type ParseArgsConfig } from "node:util";
import { usageError } from "../../src/cli/usage_error.ts";
import { AgentError, EXIT, withRemedy } from "../../src/core/errors.ts";
import { childrenOf } from "./processes.ts";

type OptionsConfig = NonNullable<ParseArgsConfig["options"]>;

/** The options of a command line. @throws AgentError (exit 64) for one that does not exist or lacks its value */
export function parseOptions<Config extends OptionsConfig>(args: readonly string[], options: Config) {
  try {
    return parseArgs({ args: [...args], options }).values;
  } catch (error) {
    const told = error instanceof Error ? error.message : String(error);
    const [said = ""] = told.split(/\.?(?: This command|\n)/); // what follows is advice for others
    throw usageError(said.replace(/^./, (letter) => letter.toLowerCase()), "Add --help for the options.");
  }
}

/** The value of an option as a whole number. @throws AgentError (exit 64) for anything else, and for more than `most` */
export function wholeNumber(option: string, value: string, most: number): number {
  if (/^\d{1,15}$/.test(value) && Number(value) <= most) return Number(value);
  throw usageError(`${option} takes a whole number from 0 to ${most}, not "${value}"`, "Add --help for the options.");
}

export interface Task {
  /** Behind `deno task`. */
  readonly name: string;
  readonly help: string;
  /**
   * @returns the exit code
   * @throws AgentError with what is wrong; the reason of the signal, once everything it has started is ended
   */
  run(args: readonly string[], signal: AbortSignal): Promise<number>;
}

/** Runs a task to its end, or until Ctrl-C or SIGTERM. @returns the exit code; everything has been told by then */
export async function runTask({ name, help, run }: Task, args: readonly string[]): Promise<number> {
  if (args.includes("--help") || args.includes("-h")) {
    console.log(help);
    return EXIT.ok;
  }
  const stopping = new AbortController();
  let interrupted: number | undefined;
  const stops = Object.entries(INTERRUPTED).map(([signal, code]) => {
    const stop = () => {
      interrupted ??= code;
      stopping.abort();
    };
    return { signal: signal as keyof typeof INTERRUPTED, stop };
  });
  for (const { signal, stop } of stops) Deno.addSignalListener(signal, stop);
  try {
    return await run(args, stopping.signal);
  } catch (error) {
    if (interrupted !== undefined) return interrupted;
    return tellFailure(error, name);
  } finally {
    for (const { signal, stop } of stops) Deno.removeSignalListener(signal, stop);
  }
}

/** Exit codes as a shell expects them. Windows knows no SIGTERM. */
const INTERRUPTED = { SIGINT: 130, ...(Deno.build.os !== "windows" && { SIGTERM: 143 }) } as const;

/** A full disk or a missing folder is nobody's fault here; anything else keeps its stack. */
function tellFailure(error: unknown, name: string): number {
  if (error instanceof AgentError) {
    console.error(`error: ${withRemedy(error.message, error.remedy ?? `See: deno task ${name} --help`)}`);
    return error.exitCode;
  }
  const isOfSystem = error instanceof Error && Object.values(Deno.errors).some((kind) => error instanceof kind);
  if (!isOfSystem) throw error;
  console.error(`error: ${name} cannot go on: ${error.message}`);
  return EXIT.internal;
}

/** A folder that holds whatever this process and those it starts write to the system's place for temporary files. */
export function createRunFolder(): Disposable {
  const folder = Deno.makeTempDirSync({ prefix: "django-agent-" });
  Deno.chmodSync(folder, 0o755); // PostgreSQL runs as nobody
  for (const name of ["TMPDIR", "TMP", "TEMP"]) Deno.env.set(name, folder);
  return { [Symbol.dispose]: () => Deno.removeSync(folder, { recursive: true }) };
}

/** Ends everything that this process has started, and what that has started. For a run that cannot be unwound. */
export function endChildren(pid = Deno.pid): void {
  for (const child of childrenOf(pid)) {
    endChildren(child);
    try {
      Deno.kill(child, "SIGKILL");
    } catch {
      // It has ended by itself.
    }
  }
}

/**
 * Work that ends when it is done, or, with the reason of the signal, as soon as that has aborted.
 * @param work gets a promise that rejects then, for whatever has to notice by itself
 */
export async function unlessAborted<Result>(
  signal: AbortSignal,
  work: (aborted: Promise<never>) => Promise<Result>,
): Promise<Result> {
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  aborted.catch(() => {}); // whoever waits for something hears of it
  const abort = () => reject(signal.reason);
  signal.addEventListener("abort", abort);
  try {
    return await work(aborted);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
