import { type Command, InvalidArgumentError, Option } from "commander";
import { formatDay, localDayStarts } from "../storage/summary.ts";
import { type Grouping, GROUPINGS, type UsageBook, type UsageReader } from "../storage/usage.ts";
import { tell, writeJson, writeOut } from "./output.ts";
import type { CurrentSession } from "./session.ts";
import { EXPORT_HEADING, exportLine, exportRow, renderSummary, summaryToCsv } from "./usage_view.ts";

const DEFAULT_DAYS = 30;
/** Ten years. */
const MOST_DAYS = 3653;

interface ShowOptions {
  readonly days: number;
  readonly by: Grouping;
  readonly shared?: true;
  readonly json?: true;
  readonly csv?: true;
}

/** `usage`: what every model did, from this installation's own table or from the one it shares. */
export function addUsage(program: Command, session: CurrentSession): void {
  const usage = program.command("usage")
    .description("Show tokens, cost and latency by day, provider, model, role, outcome or instance")
    .addHelpText(
      "after",
      "\nWithout a command it shows a summary; --days, --by, --shared, --json and --csv: see usage show --help" +
        "\n\nExample:\n  django-agent usage --days 7 --by model\n  django-agent usage prune --older-than 400d",
    );
  addShow(usage, session);
  addExport(usage, session);
  addPrune(usage, session);
}

/** What `usage` does alone. A command of its own, because options of `usage` would swallow those of its commands. */
function addShow(usage: Command, session: CurrentSession): void {
  usage.command("show", { isDefault: true })
    .description("Show a summary; what `usage` alone does")
    .option("--days <count>", "how many days, today included", parseDays, DEFAULT_DAYS)
    .addOption(new Option("--by <what>", "what to sum up by").choices(GROUPINGS).default("day"))
    .option("--shared", "read the table that several machines share (DATABASE_URL)")
    .option("--json", "print the summary as JSON and nothing else")
    .addOption(new Option("--csv", "print the groups as CSV and nothing else").conflicts("json"))
    .addHelpText("after", "\nExample:\n  django-agent usage --days 7 --by model")
    .action(async (options: ShowOptions) => {
      await using opened = await session().openUsage();
      const reader = await openReader(opened.book, options);
      const dayStarts = localDayStarts(options.days);
      const summary = await reader.summarize({ by: options.by, dayStarts });
      if (options.json) writeJson({ source: options.shared ? "shared" : "local", ...summary });
      else if (options.csv) writeOut(summaryToCsv(summary));
      else if (summary.total.calls === 0) writeOut(`No model has been asked since ${formatDay(dayStarts[0] ?? 0)}\n`);
      else writeOut(renderSummary(summary, dayStarts.map(formatDay)));
      if (!options.shared) await tellUnshared(opened.book);
    });
}

function addExport(usage: Command, session: CurrentSession): void {
  usage.command("export")
    .description("Print every row as CSV or JSON; there is no content in them")
    .option("--days <count>", "only these many days, today included", parseDays)
    .option("--shared", "read the table that several machines share (DATABASE_URL)")
    .option("--json", "print one JSON array instead of CSV")
    .addHelpText("after", "\nExample:\n  django-agent usage export --days 31 > usage.csv")
    .action(async ({ days, shared, json }: { days?: number; shared?: true; json?: true }) => {
      await using opened = await session().openUsage();
      const reader = await openReader(opened.book, { shared });
      const sinceMs = days === undefined ? 0 : localDayStarts(days)[0] ?? 0;
      if (json) await exportJson(reader, sinceMs);
      else await exportCsv(reader, sinceMs);
    });
}

function addPrune(usage: Command, session: CurrentSession): void {
  usage.command("prune")
    .description("Delete old rows of this installation's own table for good")
    .requiredOption("--older-than <days>", "age from which rows are deleted, like 400d", parseAge)
    .option("--unshared", "also rows that no shared database has confirmed, on a machine that shares or shared them")
    .option("--json", "print the counts as JSON and nothing else")
    .addHelpText("after", "\nExample:\n  django-agent usage prune --older-than 400d")
    .action(async ({ olderThan, unshared, json }: { olderThan: number; unshared?: true; json?: true }) => {
      await using opened = await session().openUsage();
      const { origin, problem } = opened.book.sharing;
      const table = await opened.book.openLocal();
      const before = localDayStarts(olderThan + 1)[0] ?? 0;
      const shares = origin !== null || problem !== null || table.shares;
      const { deleted, kept } = table.prune(before, shares && !unshared);
      if (json) return writeJson({ before: new Date(before).toISOString(), deleted, kept });
      writeOut(`${inRows(deleted)} from before ${formatDay(before)} deleted\n`);
      if (kept > 0) writeOut(`${inRows(kept)} of that age kept: no shared database has confirmed them (--unshared)\n`);
    });
}

async function openReader(book: UsageBook, { shared }: { readonly shared?: true | undefined }): Promise<UsageReader> {
  return shared ? await book.openShared() : await book.openLocal();
}

/** A word for whoever shares usage when some of it has not arrived. */
async function tellUnshared(book: UsageBook): Promise<void> {
  const { origin, problem } = book.sharing;
  if (problem !== null) tell(`note: usage is not shared: ${problem}`);
  if (origin === null) return;
  const unshared = (await book.openLocal()).countUnshared();
  if (unshared === 0) return;
  const have = unshared === 1 ? "has" : "have";
  tell(`note: ${inRows(unshared)} ${have} not been sent to ${origin} yet; whatever asks a model next sends them`);
}

async function exportCsv(reader: UsageReader, sinceMs: number): Promise<void> {
  writeOut(EXPORT_HEADING);
  for await (const page of reader.rows(sinceMs)) {
    writeOut(page.map(exportLine).join(""));
  }
}

async function exportJson(reader: UsageReader, sinceMs: number): Promise<void> {
  let separator = "[\n";
  for await (const page of reader.rows(sinceMs)) {
    writeOut(separator + page.map((row) => JSON.stringify(exportRow(row))).join(",\n"));
    separator = ",\n";
  }
  writeOut(separator === "[\n" ? "[]\n" : "\n]\n");
}

function inRows(count: number): string {
  return count === 1 ? "1 row" : `${count.toLocaleString("en")} rows`;
}

function parseDays(text: string): number {
  const days = Number(text);
  if (!/^\d+$/.test(text) || days < 1 || days > MOST_DAYS) {
    throw new InvalidArgumentError(`It must be a whole number from 1 to ${MOST_DAYS}.`);
  }
  return days;
}

function parseAge(text: string): number {
  const [, days] = /^(\d+)d$/.exec(text) ?? [];
  if (days === undefined) throw new InvalidArgumentError("It must be a number of days, like 400d.");
  return parseDays(days);
}
