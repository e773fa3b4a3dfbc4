import assert from "node:assert/strict";
import { csvLine, EXPORT_HEADING, exportRow, renderSummary, summaryToCsv } from "../../src/cli/usage_view.ts";
import type { UsageGroup, UsageSummary } from "../../src/storage/usage.ts";
import { usageRow } from "../support/usage_rows.ts";

function group(key: string, change: Partial<UsageGroup> = {}): UsageGroup {
  return {
    key,
    calls: 4,
    ok: 2,
    failed: 1,
    aborted: 1,
    fallbacks: 1,
    input_tokens: 12_345,
    cached_input_tokens: 100,
    output_tokens: 655,
    reasoning_tokens: 5,
    total_tokens: 13_000,
    estimated: 1,
    cost_usd: 0.25,
    unpriced: 0,
    latency_ms: { p50: 1200, p95: 15_000 },
    first_token_ms: { p50: 90, p95: null },
    ...change,
  };
}

function summary(by: UsageSummary["by"], groups: UsageGroup[]): UsageSummary {
  return { by, since: "2026-11-01T00:00:00.000Z", groups, total: group("total", { calls: 8 }) };
}

Deno.test("renderSummary() puts numbers flush right and draws days without a call too", () => {
  const days = ["2026-11-01", "2026-11-02", "2026-11-03", "2026-11-04"];
  const shown = renderSummary(
    summary("day", [group("2026-11-02"), group("2026-11-04", { total_tokens: 100 })]),
    days,
  );
  const lines = shown.trimEnd().split("\n");
  assert.deepEqual(lines.map((line) => line.split(" ")[0]), ["day", "2026-11-02", "2026-11-03", "2026-11-04", "total"]);
  assert.match(
    lines[1] ?? "",
    /^2026-11-02 +4 +1 +1 +1 +12,345 +100 +655 +13,000 +\$0\.2500 +1\.2 s \/ 15 s +– +█{20}$/,
  );
  assert.match(lines[2] ?? "", /^2026-11-03( +0){8}( +–){3}$/);
  assert.match(lines[3] ?? "", / ▏$/, "a little is more than nothing");
  assert.equal(lines[1]?.indexOf("12,345"), (lines[0]?.indexOf("input") ?? 0) - 1, "flush right under its heading");
});

Deno.test("renderSummary() tells unknown prices from none", () => {
  const costs = [
    group("free", { cost_usd: 0 }),
    group("unknown", { cost_usd: null, unpriced: 4 }),
    group("partly", { cost_usd: 1.5, unpriced: 1 }),
    group("tiny", { cost_usd: 0.000021 }),
    group("failed", { cost_usd: null, unpriced: 0 }),
  ];
  const shown = renderSummary(summary("model", costs), []);
  assert.match(shown, /^free .* \$0 /m);
  assert.match(shown, /^unknown .* unknown /m);
  assert.match(shown, /^partly .* \$1\.50 \+ unknown /m);
  assert.match(shown, /^tiny .* \$0\.000021 /m);
  assert.match(shown, /^failed .* \$0 /m);
  assert.ok(!/█|▏/.test(shown), "bars belong to days");
});

Deno.test("summaryToCsv() names its columns, without a group too", () => {
  const [heading, line, end] = summaryToCsv(summary("model", [group("groq/a,b")])).split("\r\n");
  assert.match(heading ?? "", /^model,calls,ok,failed,aborted,fallbacks,input_tokens,.*,first_token_p95_ms$/);
  assert.match(line ?? "", /^"groq\/a,b",4,2,1,1,1,12345,100,655,5,13000,1,0\.25,0,1200,15000,90,$/);
  assert.equal(end, "");
  assert.equal(summaryToCsv(summary("model", [])), `${heading}\r\n`);
});

Deno.test("csvLine() quotes what would break a line of CSV", () => {
  assert.equal(
    csvLine(["a", 1, true, null, 'say "x"', "two\nlines", "x,y"]),
    'a,1,true,,"say ""x""","two\nlines","x,y"\r\n',
  );
});

Deno.test("exportRow() has the columns of the heading, in its order, and the moment in ISO 8601", () => {
  const row = exportRow({ ...usageRow({ at_ms: 0 }), instance_id: "i" });
  assert.equal(csvLine(Object.keys(row)), EXPORT_HEADING);
  assert.equal(row.at, "1970-01-01T00:00:00.000Z");
});
