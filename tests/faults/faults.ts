/**
 * `deno task faults`: what the program does when its providers break, scenario by scenario.
 */
import { EXIT } from "../../src/core/errors.ts";
import { Progress } from "../../src/cli/progress.ts";
import { createRunFolder, parseOptions, runTask, unlessAborted } from "../support/task.ts";
import { renderReport, runCatalogue } from "./report.ts";
import { FAST, FULL } from "./scenario.ts";
import { provideKeys } from "./world.ts";

const HELP = `Usage: deno task faults [--full] [--json]

Lets providers break in every way they are known to break, asks through every interface, and prints what the caller got
and what the providers saw.

  --full  with the waits of real life, up to a minute each: some three minutes in all
  --json  every trial as JSON, instead of the table

Exit codes: 0 all is as it should be, 1 something is not, 64 wrong usage.`;

async function run(args: readonly string[], signal: AbortSignal): Promise<number> {
  const flag = { type: "boolean", default: false } as const;
  const { full, json } = parseOptions(args, { full: flag, json: flag });
  return await unlessAborted(signal, async (aborted) => {
    using _folder = createRunFolder();
    Deno.env.set("DJANGO_LOG_LEVEL", "error"); // warnings are what the scenarios are about
    using _keys = provideKeys();
    using progress = new Progress();
    let done = 0;
    const catalogue = runCatalogue(
      full ? FULL : FAST,
      ({ scenario, protocol, way }) => progress.show(`${++done} · ${scenario} · ${protocol} · ${way}`),
    );
    const results = await Promise.race([catalogue, aborted]);
    progress.clear();
    const failed = results.filter(({ complaints }) => complaints.length > 0);
    console.log(json ? JSON.stringify(results) : renderReport(results).trimEnd());
    console.error(`\n${results.length - failed.length} of ${results.length} as they should be`);
    return failed.length === 0 ? EXIT.ok : EXIT.internal;
  });
}

if (import.meta.main) Deno.exit(await runTask({ name: "faults", help: HELP, run }, Deno.args));
