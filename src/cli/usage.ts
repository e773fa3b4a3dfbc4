import { formatDay, localDayStarts } from "../storage/summary.ts";
import { type Grouping, GROUPINGS, type UsageBook, type UsageReader } from "../storage/usage.ts";
import { choice, createCommand, flag, type Group, option } from "./command.ts";
import { tell, writeJson, writeOut } from "./output.ts";
import { refuseTogether } from "./usage_error.ts";
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

/** What `usage` does alone. A command of its own, because options of `usage` would be those of its commands too. */
const show = createCommand<ShowOptions>({
  brief: "Show a summary; what `usage` alone does",
  options: {
    days: option("<count>", "how many days, today included", { parse: parseDays, fallback: DEFAULT_DAYS }),
    by: choice("<what>", "what to sum up by", GROUPINGS, { fallback: "day" }),
    shared: flag("read the table that several machines share (DATABASE_URL)"),
    json: flag("print the summary as JSON and nothing else"),
    csv: flag("print the groups as CSV and nothing else"),
  },
  examples: ["django-agent usage --days 7 --by model"],
  async run(session, options) {
    refuseTogether("--csv", options.csv, "--json", options.json);
    await using opened = await session.openUsage();
    const reader = await openReader(opened.book, options);
    const dayStarts = localDayStarts(options.days);
    const summary = await reader.summarize({ by: options.by, dayStarts });
    if (options.json) writeJson({ source: options.shared ? "shared" : "local", ...summary });
    else if (options.csv) writeOut(summaryToCsv(summary));
    else if (summary.total.calls === 0) writeOut(`No model has been asked since ${formatDay(dayStarts[0] ?? 0)}\n`);
    else writeOut(renderSummary(summary, dayStarts.map(formatDay)));
    if (!options.shared) await tellUnshared(opened.book);
  },
});

interface ExportOptions {
  readonly days?: number;
  readonly shared?: true;
  readonly json?: true;
}

const exportRows = createCommand<ExportOptions>({
  brief: "Print every row as CSV or JSON; there is no content in them",
  options: {
    days: option("<count>", "only these many days, today included", { parse: parseDays }),
    shared: flag("read the table that several machines share (DATABASE_URL)"),
    json: flag("print one JSON array instead of CSV"),
  },
  examples: ["django-agent usage export --days 31 > usage.csv"],
  async run(session, { days, shared, json }) {
    await using opened = await session.openUsage();
    const reader = await openReader(opened.book, { shared });
    const sinceMs = days === undefined ? 0 : localDayStarts(days)[0] ?? 0;
    if (json) await exportJson(reader, sinceMs);
    else await exportCsv(reader, sinceMs);
  },
});

interface PruneOptions {
  readonly olderThan: number;
  readonly unshared?: true;
  readonly json?: true;
}

const prune = createCommand<PruneOptions>({
  brief: "Delete old rows of this installation's own table for good",
  options: {
    "older-than": option("<days>", "age from which rows are deleted, like 400d", { parse: parseAge, required: true }),
    unshared: flag("also rows that no shared database has confirmed, on a machine that shares or shared them"),
    json: flag("print the counts as JSON and nothing else"),
  },
  examples: ["django-agent usage prune --older-than 400d"],
  async run(session, { olderThan, unshared, json }) {
    await using opened = await session.openUsage();
    const { origin, problem } = opened.book.sharing;
    const table = await opened.book.openLocal();
    const before = localDayStarts(olderThan + 1)[0] ?? 0;
    const shares = origin !== null || problem !== null || table.shares;
    const { deleted, kept } = table.prune(before, shares && !unshared);
    if (json) return writeJson({ before: new Date(before).toISOString(), deleted, kept });
    writeOut(`${inRows(deleted)} from before ${formatDay(before)} deleted\n`);
    if (kept > 0) writeOut(`${inRows(kept)} of that age kept: no shared database has confirmed them (--unshared)\n`);
  },
});

/** `usage`: what every model did, from this installation's own table or from the one it shares. */
export const usage: Group = {
  brief: "Show tokens, cost and latency by day, provider, model, role, outcome or instance",
  commands: { show, export: exportRows, prune },
  alone: show,
  notes: "Without a command it shows a summary; --days, --by, --shared, --json and --csv: see usage show --help",
  examples: ["django-agent usage --days 7 --by model", "django-agent usage prune --older-than 400d"],
};

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
    throw new RangeError(`It must be a whole number from 1 to ${MOST_DAYS}.`);
  }
  return days;
}

function parseAge(text: string): number {
  const [, days] = /^(\d+)d$/.exec(text) ?? [];
  if (days === undefined) throw new RangeError("It must be a number of days, like 400d.");
  return parseDays(days);
}
