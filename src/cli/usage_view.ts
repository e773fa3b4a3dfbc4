import { formatDuration, formatUsd } from "../core/format.ts";
import { emptySums } from "../storage/summary.ts";
import {
  type Grouping,
  type Percentiles,
  type StoredUsageRow,
  USAGE_COLUMNS,
  type UsageGroup,
  type UsageSummary,
} from "../storage/usage.ts";
import { table } from "./output.ts";

/** Columns a full bar takes up. */
const BAR_WIDTH = 20;
/** Eighths of a block, the last one a whole. */
const EIGHTHS = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/** The summary for people: a line a group, days with a bar, and the total. */
export function renderSummary({ by, groups, total }: UsageSummary, days: readonly string[]): string {
  const lines = by === "day" ? fillDays(groups, days) : groups;
  const most = Math.max(1, ...lines.map(({ total_tokens }) => total_tokens));
  const bar = (group: UsageGroup) => by === "day" ? [drawBar(group.total_tokens / most)] : [];
  return table(
    [
      [heading(by), ...HEADINGS, ...(by === "day" ? ["tokens a day"] : [])],
      ...lines.map((group) => [group.key, ...cells(group), ...bar(group)]),
      ["total", ...cells(total)],
    ],
    { from: 1, to: HEADINGS.length },
  );
}

const HEADINGS = [
  "calls",
  "failed",
  "aborted",
  "fallbacks",
  "input",
  "cached",
  "output",
  "tokens",
  "cost",
  "latency p50 / p95",
  "first token p50 / p95",
];

function heading(by: Grouping): string {
  return by === "instance" ? "installation" : by;
}

function cells(group: UsageGroup): string[] {
  const { calls, failed, aborted, fallbacks, input_tokens, cached_input_tokens, output_tokens, total_tokens } = group;
  return [
    ...[calls, failed, aborted, fallbacks].map(formatCount),
    ...[input_tokens, cached_input_tokens, output_tokens, total_tokens].map(formatCount),
    formatCost(group),
    formatPercentiles(group.latency_ms),
    formatPercentiles(group.first_token_ms),
  ];
}

function formatCount(count: number): string {
  return count.toLocaleString("en");
}

function formatCost({ cost_usd, unpriced, calls }: UsageGroup): string {
  if (calls === 0) return "–";
  if (unpriced === 0) return formatUsd(cost_usd ?? 0);
  return cost_usd ? `${formatUsd(cost_usd)} + unknown` : "unknown";
}

function formatPercentiles({ p50, p95 }: Percentiles): string {
  return p50 === null || p95 === null ? "–" : `${formatDuration(p50)} / ${formatDuration(p95)}`;
}

/** `share` of a full bar, to an eighth of a column; anything but nothing can be seen. */
function drawBar(share: number): string {
  const eighths = share > 0 ? Math.max(1, Math.round(share * BAR_WIDTH * 8)) : 0;
  return "█".repeat(eighths >> 3) + (EIGHTHS[eighths & 7] ?? "");
}

/** Every day from the first one with a call on, those without one too: a bar that is missing says something. */
function fillDays(groups: readonly UsageGroup[], days: readonly string[]): UsageGroup[] {
  const known = new Map(groups.map((group) => [group.key, group]));
  const first = days.findIndex((day) => known.has(day));
  return first < 0 ? [] : days.slice(first).map((day) => known.get(day) ?? emptyDay(day));
}

function emptyDay(key: string): UsageGroup {
  const nothing = { p50: null, p95: null };
  return { key, ...emptySums(), latency_ms: nothing, first_token_ms: nothing };
}

/** The groups of a summary as CSV with a line of names, the total left to whoever reads it. */
export function summaryToCsv({ by, groups, total }: UsageSummary): string {
  const flatten = ({ key, latency_ms, first_token_ms, ...sums }: UsageGroup) => ({
    [by]: key,
    ...sums,
    latency_p50_ms: latency_ms.p50,
    latency_p95_ms: latency_ms.p95,
    first_token_p50_ms: first_token_ms.p50,
    first_token_p95_ms: first_token_ms.p95,
  });
  return csvLine(Object.keys(flatten(total))) + groups.map((group) => csvLine(Object.values(flatten(group)))).join("");
}

/** A row as it is exported: the moment in ISO 8601. */
export function exportRow({ id, at_ms, instance_id, ...rest }: StoredUsageRow) {
  return { id, at: new Date(at_ms).toISOString(), instance_id, ...rest };
}

/** What an exported line holds, in order. */
const [, , ...REST] = USAGE_COLUMNS; // id and moment come first
const EXPORT_COLUMNS = ["id", "at", "instance_id", ...REST] as const;

/** The line of names above exported rows. */
export const EXPORT_HEADING = csvLine(EXPORT_COLUMNS);

/** A row as a line of CSV. */
export function exportLine(stored: StoredUsageRow): string {
  const row = exportRow(stored);
  return csvLine(EXPORT_COLUMNS.map((column) => row[column]));
}

/** One line of CSV (RFC 4180); null is an empty field. */
export function csvLine(values: readonly (string | number | boolean | null)[]): string {
  return values.map((value) => {
    const text = value === null ? "" : String(value);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  }).join(",") + "\r\n";
}
