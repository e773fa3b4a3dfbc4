/** What the tasks of the tests have in common: a command line, a help, and an end that leaves nothing behind. */
import { parseArgs, type ParseArgsConfig } from "node:util";
import { usageError } from "../../src/cli/usage_error.ts";
import { AgentError, EXIT } from "../../src/core/errors.ts";

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
  const stop = () => stopping.abort();
  // Windows knows no SIGTERM.
  const signals = Deno.build.os === "windows" ? ["SIGINT"] as const : ["SIGINT", "SIGTERM"] as const;
  for (const signal of signals) Deno.addSignalListener(signal, stop);
  try {
    return await run(args, stopping.signal);
  } catch (error) {
    if (stopping.signal.aborted) return EXIT.interrupted;
    if (!(error instanceof AgentError)) throw error;
    console.error(`error: ${error.message}`);
    console.error(`→ ${error.remedy ?? `See: deno task ${name} --help`}`);
    return error.exitCode;
  } finally {
    for (const signal of signals) Deno.removeSignalListener(signal, stop);
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
