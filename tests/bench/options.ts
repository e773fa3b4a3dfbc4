import { dirname } from "node:path";
import { usageError } from "../../src/cli/usage_error.ts";
import { didYouMean, quote } from "../../src/config/words.ts";
import { parseOptions } from "../support/task.ts";
import { parseReport, type Report } from "./report.ts";

export interface Options {
  /** The parts to run; all when none is named. */
  readonly parts: readonly string[];
  /** The file that gets the report. */
  readonly json: string | undefined;
  /** The file with the report to compare with. */
  readonly compare: string | undefined;
}

/** @throws AgentError (exit 64) for a command line that is wrong */
export function readOptions(args: readonly string[], known: readonly string[]): Options {
  const { part = [], json, compare } = parseOptions(args, OPTIONS);
  const parts = part.flatMap((list) => list.split(",")).map((name) => name.trim());
  for (const name of parts) {
    if (known.includes(name)) continue;
    throw usageError(
      `option '--part' knows no part ${quote(name)}.${didYouMean(name, known)}`,
      `The parts are ${known.join(", ")}.`,
    );
  }
  if (json !== undefined && json === compare) {
    throw usageError("option '--json' would write over the file of '--compare'", "Name another file.");
  }
  for (const [option, file] of [["--json", json], ["--compare", compare]] as const) {
    if (file === "") throw usageError(`option '${option}' needs the name of a file`);
  }
  return { parts, json, compare };
}

const OPTIONS = {
  part: { type: "string", multiple: true },
  json: { type: "string" },
  compare: { type: "string" },
} as const;

/** @throws AgentError (exit 64) when there is no report in it */
export async function readReport(path: string): Promise<Report> {
  try {
    return parseReport(await Deno.readTextFile(path));
  } catch (error) {
    const reason = error instanceof Deno.errors.NotFound ? "there is no such file" : messageOf(error);
    throw usageError(
      `cannot compare with ${path}: ${reason}`,
      "`deno task bench --json FILE` writes one to compare with.",
    );
  }
}

/**
 * Looks whether a report has a folder there, before minutes are spent on measuring. Whether it may be written is not
 * tried: a run that ends early would leave an empty file.
 * @throws AgentError (exit 64) when there is no such folder, or one in its place
 */
export async function requireFolder(path: string): Promise<void> {
  const folder = dirname(`${path}.`); // what ends in a separator lies in that folder
  const found = await Deno.stat(folder).catch(() => undefined);
  const existing = await Deno.stat(path).catch(() => undefined);
  const trouble = !found?.isDirectory
    ? `there is no folder ${folder}`
    : existing?.isDirectory
    ? "it is a folder"
    : undefined;
  if (trouble !== undefined) throw usageError(`cannot write the report to ${path}: ${trouble}`, "Name another file.");
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
