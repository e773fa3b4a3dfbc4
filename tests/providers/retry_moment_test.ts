import assert from "node:assert/strict";
import { nextPacificMidnight, parseDuration, retryMoment } from "../../src/providers/retry_moment.ts";

const NOW = Date.UTC(2026, 10, 23, 12);
const NOTHING = { retryDelayMs: undefined, dailyQuota: false };

const HEADERS: readonly (readonly [Record<string, string>, number | undefined])[] = [
  [{}, undefined],
  [{ "retry-after": "4" }, 4000],
  [{ "retry-after": "0.25" }, 250],
  [{ "retry-after": "0" }, 0],
  [{ "retry-after": "Mon, 23 Nov 2026 12:01:00 GMT" }, 60_000],
  [{ "retry-after": "Mon, 23 Nov 2026 11:00:00 GMT" }, 0],
  [{ "retry-after": "soon" }, undefined],
  [{ "x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "2m59.5s" }, 179_500],
  [{ "x-ratelimit-remaining-requests": "3", "x-ratelimit-reset-requests": "2m59.5s" }, undefined],
  [{ "x-ratelimit-reset-tokens": "7s" }, undefined],
  [{ "x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "never" }, undefined],
  [{ "retry-after": "4", "x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "7.66s" }, 7660],
  [{ "retry-after": "9", "x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "7.66s" }, 9000],
];

Deno.test("retryMoment() takes the latest moment the headers name", () => {
  for (const [headers, expected] of HEADERS) {
    const moment = retryMoment(new Headers(headers), NOTHING, NOW);
    assert.equal(moment === undefined ? undefined : moment - NOW, expected, JSON.stringify(headers));
  }
});

Deno.test("retryMoment() heeds a delay in the body, and puts a daily quota off to midnight Pacific time", () => {
  const none = new Headers();
  assert.equal(retryMoment(none, { retryDelayMs: 17_000, dailyQuota: false }, NOW), NOW + 17_000);
  assert.equal(retryMoment(none, { retryDelayMs: 17_000, dailyQuota: true }, NOW), Date.UTC(2026, 10, 24, 8));
});

Deno.test("parseDuration() reads what Groq and Gemini write", () => {
  const cases = {
    "37s": 37_000,
    "2m59.56s": 179_560,
    "120ms": 120,
    "1h2m3s": 3_723_000,
    "1d": 86_400_000,
    "12": 12_000,
  };
  for (const [text, ms] of Object.entries(cases)) assert.equal(parseDuration(text), ms, text);
  for (const text of ["", "s", "5x", "-1s", "1s later"]) assert.equal(parseDuration(text), undefined, text);
});

Deno.test("nextPacificMidnight() is right in winter, in summer, and across both changes of the clock", () => {
  const cases = [
    ["2026-11-23T07:59:59Z", "2026-11-23T08:00:00Z"],
    ["2026-11-23T08:00:00Z", "2026-11-24T08:00:00Z"],
    ["2026-07-01T06:59:59Z", "2026-07-01T07:00:00Z"],
    ["2026-07-01T07:00:00Z", "2026-07-02T07:00:00Z"],
    // Summer time began on 2026-03-08 and ended on 2026-11-01, at 2 in the morning.
    ["2026-03-08T09:00:00Z", "2026-03-09T07:00:00Z"],
    ["2026-11-01T07:30:00Z", "2026-11-02T08:00:00Z"],
    ["2026-12-31T20:00:00Z", "2027-01-01T08:00:00Z"],
  ] as const;
  for (const [now, midnight] of cases) {
    assert.equal(new Date(nextPacificMidnight(Date.parse(now))).toISOString(), new Date(midnight).toISOString(), now);
  }
});
