/**
 * `deno task faults [--full] [--json]`: what the program does when its providers break, scenario by scenario. With
 * `--full` the waits are those of real life, and it takes two minutes. The exit code is 1 when one of them fails.
 */
import { parseArgs } from "node:util";
import { Progress } from "../../src/cli/progress.ts";
import { renderReport, runCatalogue } from "./report.ts";
import { FAST, FULL } from "./scenario.ts";
import { provideKeys } from "./world.ts";

function readArguments(args: readonly string[]): { full: boolean; json: boolean } | undefined {
  try {
    const { full = false, json = false } = parseArgs({
      args: [...args],
      options: { full: { type: "boolean" }, json: { type: "boolean" } },
    }).values;
    return { full, json };
  } catch (error) {
    console.error(`Cannot run the faults: ${error instanceof Error ? error.message : error}`);
    console.error("Usage: deno task faults [--full] [--json]");
    return undefined;
  }
}

async function main(args: readonly string[]): Promise<number> {
  const options = readArguments(args);
  if (!options) return 64;
  Deno.env.set("DJANGO_LOG_LEVEL", "error"); // warnings are what the scenarios are about
  using _keys = provideKeys();
  const progress = new Progress();
  let done = 0;
  const results = await runCatalogue(
    options.full ? FULL : FAST,
    ({ scenario, protocol, way }) => progress.show(`${++done} · ${scenario} · ${protocol} · ${way}`),
  );
  progress.clear();
  const failed = results.filter(({ complaints }) => complaints.length > 0);
  console.log(options.json ? JSON.stringify(results) : renderReport(results).trimEnd());
  console.error(`\n${results.length - failed.length} of ${results.length} as they should be`);
  return failed.length === 0 ? 0 : 1;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
