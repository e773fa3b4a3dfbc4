/**
 * `deno task faults`: what the program does when its providers break, scenario by scenario.
 */
import { parseArgs } from "node:util";
import { Progress } from "../../src/cli/progress.ts";
import { renderReport, runCatalogue } from "./report.ts";
import { FAST, FULL } from "./scenario.ts";
import { provideKeys } from "./world.ts";

const HELP = `Usage: deno task faults [--full] [--json]

Lets providers break in every way they are known to break, asks through every interface, and prints what the caller got
and what the providers saw.

  --full  with the waits of real life, up to a minute each: some three minutes in all
  --json  every trial as JSON, instead of the table

Exit codes: 0 all is as it should be, 1 something is not, 64 wrong usage.`;

/** @throws TypeError for an option that there is not */
function readArguments(args: readonly string[]) {
  const flag = { type: "boolean", default: false } as const;
  return parseArgs({ args: [...args], options: { full: flag, json: flag, help: flag } }).values;
}

async function main(args: readonly string[]): Promise<number> {
  let options: ReturnType<typeof readArguments>;
  try {
    options = readArguments(args);
  } catch (error) {
    console.error(`Cannot run the faults: ${error instanceof Error ? error.message : error}`);
    console.error("See: deno task faults --help");
    return 64;
  }
  if (options.help) {
    console.log(HELP);
    return 0;
  }
  using _folder = createRunFolder();
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

/** Holds whatever the run writes, and takes it along when somebody ends the run. */
function createRunFolder(): Disposable {
  const folder = Deno.makeTempDirSync({ prefix: "django-agent-" });
  const remove = () => Deno.removeSync(folder, { recursive: true });
  for (const name of ["TMPDIR", "TMP", "TEMP"]) Deno.env.set(name, folder);
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    if (Deno.build.os === "windows" && signal === "SIGTERM") continue; // it knows none
    Deno.addSignalListener(signal, () => {
      remove();
      Deno.exit(130);
    });
  }
  return { [Symbol.dispose]: remove };
}

if (import.meta.main) Deno.exit(await main(Deno.args));
