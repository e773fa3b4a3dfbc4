/** What the body of a refusal says about time. */
export interface BodyHints {
  readonly retryDelayMs: number | undefined;
  /** True when a quota that counts by the day is used up. */
  readonly dailyQuota: boolean;
}

/** No provider counts by more than a day; a longer wait is a mistake somebody made. */
const LONGEST_HOLD_MS = 25 * 3_600_000;

/**
 * When a provider wants to be asked again, in epoch milliseconds: the latest of `retry-after` (RFC 9110, seconds or a
 * date), the `x-ratelimit-reset-*` of every allowance that is used up, and what Gemini says in the body (a delay, or
 * a daily quota, which starts anew at midnight Pacific time). `undefined` when it says nothing.
 */
export function retryMoment(headers: Headers, body: BodyHints, nowMs: number): number | undefined {
  const moments = [
    retryAfter(headers.get("retry-after"), nowMs),
    resetOf("requests", headers, nowMs),
    resetOf("tokens", headers, nowMs),
    body.retryDelayMs === undefined ? undefined : nowMs + body.retryDelayMs,
    body.dailyQuota ? nextPacificMidnight(nowMs) : undefined,
  ].filter((moment) => moment !== undefined);
  return moments.length === 0 ? undefined : Math.min(Math.max(...moments), nowMs + LONGEST_HOLD_MS);
}

function retryAfter(value: string | null, nowMs: number): number | undefined {
  if (value === null) return undefined;
  if (/^\s*\d+(\.\d+)?\s*$/.test(value)) return nowMs + Math.ceil(Number(value) * 1000);
  const moment = Date.parse(value);
  return Number.isNaN(moment) ? undefined : Math.max(moment, nowMs);
}

function resetOf(what: "requests" | "tokens", headers: Headers, nowMs: number): number | undefined {
  const remaining = headers.get(`x-ratelimit-remaining-${what}`);
  if (remaining === null || Number(remaining) > 0) return undefined;
  const delayMs = parseDuration(headers.get(`x-ratelimit-reset-${what}`) ?? "");
  return delayMs === undefined ? undefined : nowMs + delayMs;
}

const UNIT_MS: Readonly<Record<string, number>> = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000, ms: 1 };

/** Milliseconds of `2m59.56s`, `120ms`, `1h2m3s`, or plain seconds; `undefined` for anything else. */
export function parseDuration(text: string): number | undefined {
  const compact = text.trim();
  if (/^\d+(\.\d+)?$/.test(compact)) return Math.ceil(Number(compact) * 1000);
  if (!/^(\d+(\.\d+)?(ms|[dhms]))+$/.test(compact)) return undefined;
  let totalMs = 0;
  for (const [, amount, unit] of compact.matchAll(/(\d+(?:\.\d+)?)(ms|[dhms])/g)) {
    totalMs += Number(amount) * (UNIT_MS[unit ?? "s"] ?? 0);
  }
  return Math.ceil(totalMs);
}

const PACIFIC = new Intl.DateTimeFormat("en-US", {
  timeZone: "America/Los_Angeles",
  hourCycle: "h23",
  year: "numeric",
  month: "numeric",
  day: "numeric",
  hour: "numeric",
});

/** The next midnight in Los Angeles after `nowMs`, in epoch milliseconds: when Gemini's daily quotas start anew. */
export function nextPacificMidnight(nowMs: number): number {
  const part = (type: string, moment: number) =>
    Number(PACIFIC.formatToParts(moment).find((item) => item.type === type)?.value ?? 0);
  // Midnight there is 08:00 UTC in winter and 07:00 in summer; clocks change at 2 in the morning, never at midnight.
  const winter = Date.UTC(part("year", nowMs), part("month", nowMs) - 1, part("day", nowMs) + 1, 8);
  return winter - part("hour", winter) * 3_600_000;
}
