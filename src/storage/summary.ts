import { percentile } from "../core/percentile.ts";
import type { Percentiles, UsageGroup, UsageQuery, UsageSummary, UsageSums } from "./usage.ts";

/** A group before its percentiles are known. */
export interface OpenGroup extends UsageSums {
  readonly key: string;
  /** In any order; sorted in place by `finishSummary`. Integers sort four times faster than floating-point numbers. */
  readonly latencies: Int32Array;
  readonly firstTokens: Int32Array;
}

/** The sums of nothing, to be added to. */
export function emptySums() {
  return {
    calls: 0,
    ok: 0,
    failed: 0,
    aborted: 0,
    fallbacks: 0,
    input_tokens: 0,
    cached_input_tokens: 0,
    output_tokens: 0,
    reasoning_tokens: 0,
    total_tokens: 0,
    estimated: 0,
    cost_usd: null as number | null,
    unpriced: 0,
  } satisfies UsageSums;
}

/** Local midnights of the last `days` days, today included. Whoever moves the clock for summer gets days of 23 hours. */
export function localDayStarts(days: number, now = new Date()): number[] {
  const at = (ago: number) => new Date(now.getFullYear(), now.getMonth(), now.getDate() - ago).getTime();
  return Array.from({ length: days }, (_, index) => at(days - 1 - index));
}

/** The local day a moment lies in as `YYYY-MM-DD`. */
export function formatDay(epochMs: number): string {
  const date = new Date(epochMs);
  const two = (value: number) => String(value).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

/** Sorts, adds up and takes the percentiles. */
export function finishSummary({ by, dayStarts }: UsageQuery, open: readonly OpenGroup[]): UsageSummary {
  const groups = open.map(finishGroup);
  if (by === "day") groups.sort((a, b) => a.key < b.key ? -1 : 1);
  else groups.sort((a, b) => b.total_tokens - a.total_tokens || b.calls - a.calls || (a.key < b.key ? -1 : 1));
  return { by, since: new Date(dayStarts[0] ?? 0).toISOString(), groups, total: finishGroup(addUp(open)) };
}

/** Binary fractions add up to noise far behind the point; no price has this many digits. */
const USD_DIGITS = 10;

function finishGroup({ key, latencies, firstTokens, cost_usd, ...sums }: OpenGroup): UsageGroup {
  const cost = cost_usd === null ? null : Number(cost_usd.toFixed(USD_DIGITS));
  return {
    key,
    ...sums,
    cost_usd: cost,
    latency_ms: percentilesOf(latencies),
    first_token_ms: percentilesOf(firstTokens),
  };
}

function percentilesOf(values: Int32Array): Percentiles {
  values.sort();
  return { p50: percentile(values, 0.5), p95: percentile(values, 0.95) };
}

function addUp(groups: readonly OpenGroup[]): OpenGroup {
  const sum = (pick: (group: OpenGroup) => number) => groups.reduce((total, group) => total + pick(group), 0);
  const priced = groups.filter(({ cost_usd }) => cost_usd !== null);
  return {
    key: "total",
    calls: sum(({ calls }) => calls),
    ok: sum(({ ok }) => ok),
    failed: sum(({ failed }) => failed),
    aborted: sum(({ aborted }) => aborted),
    fallbacks: sum(({ fallbacks }) => fallbacks),
    input_tokens: sum(({ input_tokens }) => input_tokens),
    cached_input_tokens: sum(({ cached_input_tokens }) => cached_input_tokens),
    output_tokens: sum(({ output_tokens }) => output_tokens),
    reasoning_tokens: sum(({ reasoning_tokens }) => reasoning_tokens),
    total_tokens: sum(({ total_tokens }) => total_tokens),
    estimated: sum(({ estimated }) => estimated),
    cost_usd: priced.length === 0 ? null : priced.reduce((total, { cost_usd }) => total + (cost_usd ?? 0), 0),
    unpriced: sum(({ unpriced }) => unpriced),
    latencies: concat(groups.map(({ latencies }) => latencies)),
    firstTokens: concat(groups.map(({ firstTokens }) => firstTokens)),
  };
}

function concat(parts: readonly Int32Array[]): Int32Array {
  const whole = new Int32Array(parts.reduce((length, part) => length + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}
