/** One suite over everything usage can be read from: this installation's own table, and the one it shares. */
import assert from "node:assert/strict";
import { v7 as newTimeOrderedId } from "uuid";
import type { SharedUsage } from "../../src/storage/shared_usage.ts";
import { localDayStarts } from "../../src/storage/summary.ts";
import { GROUPINGS, type UsageReader, type UsageRow } from "../../src/storage/usage.ts";
import { UsageTable } from "../../src/storage/usage_table.ts";
import { type Cluster, postgresMissing, startCluster } from "../support/postgres.ts";
import { createFolder } from "../support/program.ts";
import { allRows, connect, stored } from "../support/shared_store.ts";
import { skipped } from "../support/skipped.ts";
import { usageRow, variedRows } from "../support/usage_rows.ts";

const DAY_MS = 86_400_000;

interface Subject extends AsyncDisposable {
  readonly reader: UsageReader;
  readonly instanceId: string;
  /** Brings rows in by the subject's own way. */
  add(rows: readonly UsageRow[]): Promise<void>;
}

/** Both implementations, empty; the second as the first one's installation. */
async function withSubjects(test: (subjects: readonly [Subject, Subject]) => Promise<void>): Promise<void> {
  await using local = await openTable();
  await using shared = await openPostgres(cluster ?? assert.fail("no server"), local.instanceId);
  await test([local, shared]);
}

async function openTable(): Promise<Subject> {
  const folder = await createFolder();
  const table = new UsageTable({ path: `${folder.path}/django.db`, busyTimeoutMs: 5000, onSetAside: assert.fail });
  return {
    reader: table,
    instanceId: table.instanceId,
    add: (rows) => Promise.resolve(table.insertAll(rows)),
    async [Symbol.asyncDispose]() {
      table[Symbol.dispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

async function openPostgres(cluster: Cluster, instanceId: string): Promise<Subject> {
  const shared: SharedUsage = await connect(await cluster.createDatabase());
  return {
    reader: shared,
    instanceId,
    async add(rows) {
      for (let at = 0; at < rows.length; at += 500) await shared.insert(stored(rows.slice(at, at + 500), instanceId));
    },
    [Symbol.asyncDispose]: () => shared.close(),
  };
}

/** Fills both with the same rows and wants the same of both: every summary, and the rows as they went in. */
async function assertSame(rows: readonly UsageRow[], sinceMs: number, dayStarts: readonly number[]): Promise<void> {
  await withSubjects(async ([local, shared]) => {
    for (const subject of [local, shared]) await subject.add(rows);
    for (const by of GROUPINGS) {
      const expected = await local.reader.summarize({ by, dayStarts });
      assert.deepEqual(await shared.reader.summarize({ by, dayStarts }), expected, by);
      assert.equal(expected.total.calls, rows.filter(({ at_ms }) => at_ms >= (dayStarts[0] ?? 0)).length);
    }
    const expected = stored(rows.filter(({ at_ms }) => at_ms >= sinceMs), local.instanceId);
    for (const { reader } of [local, shared]) assert.deepEqual(await allRows(reader, sinceMs), expected);
  });
}

let cluster: Cluster | undefined;
const ignore = skipped(postgresMissing);
Deno.test.beforeAll(async () => {
  if (!ignore) cluster = await startCluster();
});
Deno.test.afterAll(async () => await cluster?.[Symbol.asyncDispose]());

Deno.test({
  name: "UsageReader gives the same summaries and rows for rows of every kind",
  ignore,
  fn: () => assertSame(variedRows(3000), 0, localDayStarts(30)),
});

Deno.test({
  name: "UsageReader gives nothing, and zeros, of an empty table",
  ignore,
  fn: () =>
    withSubjects(async (subjects) => {
      const dayStarts = localDayStarts(7);
      for (const { reader } of subjects) {
        for (const by of GROUPINGS) {
          const { groups, total, ...rest } = await reader.summarize({ by, dayStarts });
          assert.deepEqual(rest, { by, since: new Date(dayStarts[0] ?? 0).toISOString() });
          assert.deepEqual(groups, []);
          assert.deepEqual([total.calls, total.total_tokens, total.cost_usd], [0, 0, null]);
          assert.deepEqual(total.latency_ms, { p50: null, p95: null });
        }
        assert.deepEqual(await allRows(reader), []);
      }
    }),
});

Deno.test({
  name: "UsageReader counts what happened at the very beginning of its window, and nothing before",
  ignore,
  async fn() {
    const [first = 0, second = 0, third = 0] = localDayStarts(3);
    const moments = [first - 5 * DAY_MS, first - 1, first, second - 1, second, third - 1, third, third + 3 * DAY_MS];
    const rows = moments.map((at_ms, index) => usageRow({ at_ms, total_tokens: 10 ** index }));
    await assertSame(rows, first, [first, second, third]);
    await withSubjects(async (subjects) => {
      for (const { reader, add } of subjects) {
        await add(rows);
        const { groups } = await reader.summarize({ by: "day", dayStarts: [first, second, third] });
        assert.deepEqual(groups.map(({ calls, total_tokens }) => [calls, total_tokens]), [
          [2, 1100],
          [2, 110_000],
          [2, 11_000_000],
        ]);
        assert.equal((await allRows(reader, third + 3 * DAY_MS)).length, 1);
        assert.equal((await allRows(reader, third + 3 * DAY_MS + 1)).length, 0);
      }
    });
  },
});

Deno.test({
  name: "UsageReader keeps texts of every script, nulls, and numbers as they are",
  ignore,
  async fn() {
    const odd = [
      "¡Hola",
      "日本語/模型",
      "😀👩‍👩‍👧",
      'it\'s "quoted" \\ {a,b}',
      "\u2028 \u00ad",
      "null",
      "",
      "á a\u0301",
      "%s$1",
    ];
    const rows = odd.flatMap((text, index) => [
      usageRow({ conversation_id: text, model: text, profile: text, total_tokens: index }),
      usageRow({ provider: `p${index}`, model: text, conversation_id: null, cost_usd: null, first_token_ms: null }),
    ]);
    const most = 2 ** 50; // the sums have to be exact too
    rows.push(
      usageRow({ input_tokens: 3_000_000_000, output_tokens: most, total_tokens: most, latency_ms: 2 ** 31 - 1 }),
      usageRow({ cost_usd: null, total_tokens: 0 }),
      usageRow({ cost_usd: 0.1, total_tokens: 7 }),
      usageRow({ cost_usd: 0.2, total_tokens: 7 }),
      usageRow({ cost_usd: 1e-7, total_tokens: 7 }),
      usageRow({ cost_usd: 12_345.678_901_234_5, total_tokens: 0 }),
    );
    await assertSame(rows, 0, localDayStarts(2));
  },
});

Deno.test({
  name: "UsageReader gives every row once over many pages, whatever share a millisecond",
  ignore,
  async fn() {
    const from = Date.now() - DAY_MS;
    // More than a page of one millisecond each, then pages that end in the middle of one.
    const rows = Array.from({ length: 10_050 }, (_, index) =>
      usageRow({
        id: newTimeOrderedId(),
        at_ms: from + (index < 4500 ? 0 : Math.floor(index / 30)),
        latency_ms: index,
      }));
    await assertSame(rows, from, localDayStarts(3));
  },
});

Deno.test({
  name: "UsageReader tells installations apart where several share a table",
  ignore,
  async fn() {
    const shared = await connect(await cluster?.createDatabase() ?? assert.fail("no server"));
    try {
      const ids = ["00000000-0000-4000-8000-00000000000a", "00000000-0000-4000-8000-00000000000b"] as const;
      await shared.insert(stored([usageRow({ total_tokens: 1 })], ids[0]));
      await shared.insert(stored([usageRow({ total_tokens: 5 }), usageRow({ total_tokens: 6 })], ids[1]));
      const { groups } = await shared.summarize({ by: "instance", dayStarts: localDayStarts(1) });
      assert.deepEqual(groups.map(({ key, calls }) => [key, calls]), [[ids[1], 2], [ids[0], 1]]);
      assert.deepEqual((await allRows(shared)).map(({ instance_id }) => instance_id), [ids[0], ids[1], ids[1]]);
    } finally {
      await shared.close();
    }
  },
});
