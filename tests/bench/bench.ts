/**
 * `deno task bench`: what the program costs, measured on this machine in this run. Prints a table and, as the last
 * line, the same figures as JSON. The exit code does not judge them.
 */
import { AgentError, EXIT } from "../../src/core/errors.ts";
import { startFastOllama } from "../support/fast_provider.ts";
import { createRunFolder, endChildren, runTask, unlessAborted } from "../support/task.ts";
import { vitalsMissing } from "../support/vitals.ts";
import { renderComparison } from "./compare.ts";
import { type PartFigure, renderTable } from "./measure.ts";
import { readOptions, readReport, requireFolder } from "./options.ts";
import { PARTS } from "./parts.ts";
import { parseReport } from "./report.ts";

const HELP = `Measures what django-agent costs on this machine, beside the bounds the project set itself.

Usage: deno task bench [--part NAME,…] [--json FILE] [--compare FILE]

  --part NAME,…    only these parts: ${Object.keys(PARTS).join(", ")}
  --json FILE      writes the figures to a file, too
  --compare FILE   shows what has changed since the run that is in this file
  -h, --help       this text

Standard output gets the table, then the comparison, and the figures as JSON in the last line. All parts together take
about ten minutes. Nothing else should run meanwhile. Exit codes: 0 measured, whatever came out · 1 a measurement
failed · 64 wrong usage · 73 the file could not be written.

Example: deno task bench --json before.json; git pull; deno task bench --compare before.json`;

async function run(args: readonly string[], signal: AbortSignal): Promise<number> {
  const { parts, json, compare } = readOptions(args, Object.keys(PARTS));
  const old = compare === undefined ? undefined : await readReport(compare);
  if (json !== undefined) await requireFolder(json);
  const chosen = Object.keys(PARTS).filter((name) => parts.length === 0 || parts.includes(name));
  const figures = await unlessAborted(signal, async (aborted) => {
    using _folder = createRunFolder();
    return await Promise.race([measure(chosen), aborted]).finally(endChildren);
  });
  const report = { machine: machine(), at: new Date().toISOString(), figures };
  const line = JSON.stringify(report);
  console.log(`${report.machine}\n\n${renderTable(figures)}`);
  if (old) console.log(`${renderComparison(old, parseReport(line))}\n`);
  console.log(line);
  if (json !== undefined) await write(json, line);
  return EXIT.ok;
}

async function measure(parts: readonly string[]): Promise<PartFigure[]> {
  if (vitalsMissing !== undefined) console.error(`Left out: what processes hold, because ${vitalsMissing}.`);
  await using provider = await startFastOllama();
  const all: PartFigure[] = [];
  for (const part of parts) {
    const startedAt = performance.now();
    const figures = await PARTS[part]?.(provider.origin) ?? [];
    all.push(...figures.map((figure) => ({ part, ...figure })));
    console.error(`${part}: ${figures.length} figures in ${((performance.now() - startedAt) / 1000).toFixed(0)} s`);
  }
  return all;
}

function machine(): string {
  const { deno, v8 } = Deno.version;
  return `${navigator.hardwareConcurrency} processors, ${Deno.build.target}, Deno ${deno}, V8 ${v8}`;
}

async function write(path: string, line: string): Promise<void> {
  try {
    await Deno.writeTextFile(path, `${line}\n`);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new AgentError(`cannot write the report: ${reason}`, {
      exitCode: EXIT.partial,
      remedy: "It is the last line above.",
    });
  }
}

if (import.meta.main) Deno.exit(await runTask({ name: "bench", help: HELP, run }, Deno.args));
