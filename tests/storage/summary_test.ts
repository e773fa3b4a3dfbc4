import assert from "node:assert/strict";
import { finishSummary, formatDay, localDayStarts, type OpenGroup } from "../../src/storage/summary.ts";
import { type Grouping, GROUPINGS, type UsageRow, type UsageSummary } from "../../src/storage/usage.ts";
import { createStore, openTable } from "../support/local_store.ts";
import { startScript } from "../support/script.ts";
import { usageRow, variedRows } from "../support/usage_rows.ts";

const DAY_MS = 86_400_000;

/** The summary of a table that holds these rows. */
async function summaryOf(rows: readonly UsageRow[], by: Grouping, dayStarts = localDayStarts(30)) {
  await using store = await createStore();
  using table = openTable(store.database);
  table.insertAll(rows);
  const summary = await table.summarize({ by, dayStarts });
  return { ...summary, instanceId: table.instanceId };
}

/** The value that `share` of them do not exceed. */
function nearestRank(values: readonly number[], share: number): number | null {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted.find((value) => sorted.filter((other) => other <= value).length >= share * sorted.length) ?? null;
}

/** What a group has to say about these rows, worked out without haste. */
function expectedGroup(key: string, rows: readonly UsageRow[], by: Grouping) {
  const sum = (pick: (row: UsageRow) => number) => rows.map(pick).reduce((total, value) => total + value, 0);
  const count = (test: (row: UsageRow) => boolean) => rows.filter(test).length;
  const measured = rows.filter(({ outcome }) => by === "outcome" || outcome === "ok");
  const latencies = measured.map(({ latency_ms }) => latency_ms);
  const firstTokens = measured.map(({ first_token_ms }) => first_token_ms).filter((ms) => ms !== null);
  const costs = rows.map(({ cost_usd }) => cost_usd).filter((usd) => usd !== null);
  const cost = costs.reduce((total, usd) => total + usd, 0);
  return {
    key,
    calls: rows.length,
    ok: count(({ outcome }) => outcome === "ok"),
    failed: count(({ outcome }) => outcome === "failed"),
    aborted: count(({ outcome }) => outcome === "aborted"),
    fallbacks: count(({ outcome, fallback }) => outcome === "ok" && fallback),
    input_tokens: sum(({ input_tokens }) => input_tokens),
    cached_input_tokens: sum(({ cached_input_tokens }) => cached_input_tokens),
    output_tokens: sum(({ output_tokens }) => output_tokens),
    reasoning_tokens: sum(({ reasoning_tokens }) => reasoning_tokens),
    total_tokens: sum(({ total_tokens }) => total_tokens),
    estimated: count(({ source }) => source === "estimated"),
    cost_usd: costs.length > 0 ? Math.round(cost * 1e9) / 1e9 : null,
    unpriced: count(({ cost_usd, total_tokens }) => cost_usd === null && total_tokens > 0),
    latency_ms: { p50: nearestRank(latencies, 0.5), p95: nearestRank(latencies, 0.95) },
    first_token_ms: { p50: nearestRank(firstTokens, 0.5), p95: nearestRank(firstTokens, 0.95) },
  };
}

/** Costs to the billionth: sums of fractions depend on the order they are added up in. */
function rounded<T extends { readonly cost_usd: number | null }>(group: T): T {
  return { ...group, cost_usd: group.cost_usd === null ? null : Math.round(group.cost_usd * 1e9) / 1e9 };
}

const KEY_OF: Readonly<Record<Grouping, (row: UsageRow) => string>> = {
  day: ({ at_ms }) => new Date(at_ms).toLocaleDateString("sv-SE"), // YYYY-MM-DD of the local day
  provider: ({ provider }) => provider,
  model: ({ provider, model }) => `${provider}/${model}`,
  role: ({ role }) => role,
  outcome: ({ outcome }) => outcome,
  instance: () => "this one",
};

for (const by of GROUPINGS) {
  Deno.test(`UsageTable.summarize() adds up by ${by} as a person would`, async () => {
    const dayStarts = localDayStarts(30);
    const old = variedRows(200, 90).filter(({ at_ms }) => at_ms < (dayStarts[0] ?? 0));
    assert.ok(old.length > 100);
    const rows = variedRows(3000);
    const { groups, total, since, instanceId, ...rest } = await summaryOf([...old, ...rows], by, dayStarts);
    const byKey = Map.groupBy(rows, KEY_OF[by]);
    const expected = [...byKey].map(([key, of]) => expectedGroup(by === "instance" ? instanceId : key, of, by));
    const order = (a: typeof expected[number], b: typeof expected[number]) =>
      by === "day" ? a.key.localeCompare(b.key) : b.total_tokens - a.total_tokens;
    assert.deepEqual(groups.map(rounded), expected.sort(order));
    assert.deepEqual(rounded(total), expectedGroup("total", rows, by));
    assert.equal(since, new Date(dayStarts[0] ?? 0).toISOString());
    assert.deepEqual(rest, { by });
  });
}

Deno.test("UsageTable.summarize() tells an unknown price from none", async () => {
  const free = usageRow({ cost_usd: 0, provider: "free" });
  const unknown = usageRow({ cost_usd: null, provider: "unknown" });
  const nothing = usageRow({ cost_usd: null, provider: "nothing", total_tokens: 0, outcome: "failed" });
  const priced = usageRow({ cost_usd: 0.25, provider: "priced" });
  const mixed = [{ ...unknown, provider: "mixed" }, { ...nothing, provider: "mixed" }, { ...priced, provider: "mixed" }]
    .map((row) => usageRow({ ...row, id: usageRow().id }));
  const costs = ({ groups, total }: UsageSummary) =>
    Object.fromEntries([...groups, total].map(({ key, cost_usd, unpriced }) => [key, [cost_usd, unpriced]]));
  assert.deepEqual(costs(await summaryOf([free, unknown, nothing, priced, ...mixed], "provider")), {
    free: [0, 0],
    unknown: [null, 1],
    nothing: [null, 0],
    priced: [0.25, 0],
    mixed: [0.25, 1],
    total: [0.5, 2],
  });
  assert.deepEqual(costs(await summaryOf([unknown, nothing], "role")), { identity_core: [null, 1], total: [null, 1] });
});

Deno.test("UsageTable.summarize() shows no noise of binary fractions in a cost", async () => {
  const rows = Array.from({ length: 3 }, () => usageRow({ cost_usd: 0.1 }));
  const { total, groups } = await summaryOf(rows, "model");
  assert.deepEqual([total.cost_usd, groups[0]?.cost_usd], [0.3, 0.3]);
});

Deno.test("UsageTable.summarize() takes percentiles by nearest rank, of answers alone unless it is by outcome", async () => {
  const rows = Array.from(
    { length: 20 },
    (_, index) => usageRow({ latency_ms: 1000 - index * 10, first_token_ms: index % 2 ? null : index, outcome: "ok" }),
  );
  const failed = usageRow({ latency_ms: 90_000, first_token_ms: 80_000, outcome: "failed" });
  const byRole = await summaryOf([...rows, failed], "role");
  assert.deepEqual(byRole.groups[0]?.latency_ms, { p50: 900, p95: 990 });
  assert.deepEqual(byRole.groups[0]?.first_token_ms, { p50: 8, p95: 18 });
  assert.deepEqual(byRole.total.latency_ms, { p50: 900, p95: 990 });
  const byOutcome = await summaryOf([...rows, failed], "outcome");
  const found = byOutcome.groups.map(({ key, latency_ms }) => [key, latency_ms.p50, latency_ms.p95]);
  assert.deepEqual(found, [["ok", 900, 990], ["failed", 90_000, 90_000]]);
  assert.deepEqual(byOutcome.total.latency_ms, { p50: 910, p95: 1000 });
  const { total } = await summaryOf([failed], "provider");
  assert.deepEqual([total.latency_ms, total.first_token_ms], [{ p50: null, p95: null }, { p50: null, p95: null }]);
});

Deno.test("UsageTable.summarize() gives zeros of an empty table", async () => {
  for (const by of GROUPINGS) {
    const { groups, total } = await summaryOf([], by);
    assert.deepEqual(groups, []);
    assert.deepEqual(total, expectedGroup("total", [], by));
  }
});

Deno.test("UsageTable.summarize() keeps models of one name apart by their provider, a slash in it or not", async () => {
  const names = [["a", "b/c"], ["a/b", "c"], ["x", "m"], ["y", "m"]] as const;
  const rows = names.map(([provider, model], index) => usageRow({ provider, model, total_tokens: 10 - index }));
  const { groups } = await summaryOf(rows, "model");
  assert.deepEqual(groups.map(({ key, calls }) => [key, calls]), [["a/b/c", 1], ["a/b/c", 1], ["x/m", 1], ["y/m", 1]]);
});

Deno.test("UsageTable.summarize() puts the most tokens first, then the most calls, then the alphabet", async () => {
  const of = (provider: string, ...tokens: number[]) =>
    tokens.map((total_tokens) => usageRow({ provider, total_tokens }));
  const rows = [...of("d", 5), ...of("c", 10), ...of("b", 10), ...of("z", 4, 6), ...of("e", 30)];
  const { groups } = await summaryOf(rows, "provider");
  assert.deepEqual(groups.map(({ key }) => key), ["e", "z", "b", "c", "d"]);
});

Deno.test("UsageTable.summarize() leaves out what was before its window, and counts the future as the last day", async () => {
  const dayStarts = localDayStarts(3);
  const [first = 0, second = 0, last = 0] = dayStarts;
  const moments = [0, first - 1, first, second - 1, second, last, Date.now() + 400 * DAY_MS];
  const { groups, total } = await summaryOf(moments.map((at_ms) => usageRow({ at_ms })), "day", dayStarts);
  const found = groups.map(({ key, calls }) => [key, calls]);
  assert.deepEqual(found, [[formatDay(first), 2], [formatDay(second), 1], [formatDay(last), 2]]);
  assert.equal(total.calls, 5);
});

Deno.test("finishSummary() adds up groups whose costs are known and unknown", () => {
  const group = (key: string, cost_usd: number | null): OpenGroup => {
    const { latency_ms: _latency, first_token_ms: _first, ...sums } = expectedGroup(key, [usageRow()], "provider");
    return { ...sums, cost_usd, latencies: Int32Array.of(3, 20, 100), firstTokens: Int32Array.of() };
  };
  const query = { by: "provider", dayStarts: [0] } as const;
  const { total, groups } = finishSummary(query, [group("a", null), group("b", 0.5), group("c", 0.25)]);
  assert.deepEqual([total.cost_usd, total.calls, groups[0]?.cost_usd], [0.75, 3, null]);
  assert.deepEqual([groups[0]?.latency_ms, total.latency_ms], [{ p50: 20, p95: 100 }, { p50: 20, p95: 100 }]);
  assert.equal(finishSummary(query, [group("a", null)]).total.cost_usd, null);
});

Deno.test("localDayStarts() gives midnights, today's last, over the ends of months and years", () => {
  const starts = localDayStarts(3, new Date(2026, 0, 1, 23, 59, 59));
  assert.deepEqual(starts, [new Date(2025, 11, 30), new Date(2025, 11, 31), new Date(2026, 0, 1)].map(Number));
  assert.deepEqual(starts.map(formatDay), ["2025-12-30", "2025-12-31", "2026-01-01"]);
  assert.deepEqual(localDayStarts(1, new Date(2024, 1, 29)), [new Date(2024, 1, 29).getTime()]);
  assert.equal(formatDay(localDayStarts(60, new Date(2024, 2, 31))[0] ?? 0), "2024-02-01");
});

interface Days {
  readonly starts: string[];
  readonly names: string[];
  readonly calls: [string, number][];
}

/** What the days are in a time zone. */
async function daysIn(TZ: string, asked: { now: string; days: number; moments: string[] }): Promise<Days> {
  await using probe = startScript("storage/days_probe.ts", { args: [JSON.stringify(asked)], env: { TZ } });
  const line = await probe.line();
  await probe.end();
  return JSON.parse(line);
}

Deno.test("days are those of the clock on the wall, of 23 and of 25 hours too", async (t) => {
  await t.step("the clock goes forward in Madrid", async () => {
    const { starts, names, calls } = await daysIn("Europe/Madrid", {
      now: "2026-03-30T10:00:00Z",
      days: 3,
      moments: ["2026-03-28T22:59:59.999Z", "2026-03-28T23:00:00Z", "2026-03-29T21:59:59.999Z", "2026-03-29T22:00:00Z"],
    });
    assert.deepEqual(starts, ["2026-03-27T23:00:00.000Z", "2026-03-28T23:00:00.000Z", "2026-03-29T22:00:00.000Z"]);
    assert.deepEqual(names, ["2026-03-28", "2026-03-29", "2026-03-30"]);
    assert.deepEqual(calls, [["2026-03-28", 1], ["2026-03-29", 2], ["2026-03-30", 1]]);
  });
  await t.step("the clock goes back in Madrid", async () => {
    const { starts, names, calls } = await daysIn("Europe/Madrid", {
      now: "2026-10-26T10:00:00Z",
      days: 3,
      moments: ["2026-10-24T21:59:59.999Z", "2026-10-24T22:00:00Z", "2026-10-25T22:59:59.999Z", "2026-10-25T23:00:00Z"],
    });
    assert.deepEqual(starts, ["2026-10-23T22:00:00.000Z", "2026-10-24T22:00:00.000Z", "2026-10-25T23:00:00.000Z"]);
    assert.deepEqual(names, ["2026-10-24", "2026-10-25", "2026-10-26"]);
    assert.deepEqual(calls, [["2026-10-24", 1], ["2026-10-25", 2], ["2026-10-26", 1]]);
  });
  await t.step("a year begins in Madrid", async () => {
    const { starts, names, calls } = await daysIn("Europe/Madrid", {
      now: "2025-12-31T23:30:00Z",
      days: 2,
      moments: ["2025-12-31T22:59:59.999Z", "2025-12-31T23:00:00Z"],
    });
    assert.deepEqual(starts, ["2025-12-30T23:00:00.000Z", "2025-12-31T23:00:00.000Z"]);
    assert.deepEqual(names, ["2025-12-31", "2026-01-01"]);
    assert.deepEqual(calls, [["2025-12-31", 1], ["2026-01-01", 1]]);
  });
  await t.step("a day without a midnight in Santiago", async () => {
    const { starts, names, calls } = await daysIn("America/Santiago", {
      now: "2026-09-06T20:00:00Z",
      days: 2,
      moments: ["2026-09-06T03:59:59.999Z", "2026-09-06T04:00:00Z"],
    });
    assert.deepEqual(starts, ["2026-09-05T04:00:00.000Z", "2026-09-06T04:00:00.000Z"]);
    assert.deepEqual(names, ["2026-09-05", "2026-09-06"]);
    assert.deepEqual(calls, [["2026-09-05", 1], ["2026-09-06", 1]]);
  });
});
