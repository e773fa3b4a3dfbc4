import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { setImmediate } from "node:timers";
import { MIGRATIONS } from "../../src/storage/migrations.ts";
import { queryValue, StorageError } from "../../src/storage/sqlite.ts";
import type { UsageRow } from "../../src/storage/usage.ts";
import type { UsageTable } from "../../src/storage/usage_table.ts";
import { allRows, assertHolds, createStore, openTable, type StoreFolder, until } from "../support/local_store.ts";
import { usageRow, variedRows } from "../support/usage_rows.ts";

const UUID = /^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/;

function storageError(problem: StorageError["problem"]) {
  return (error: unknown) => error instanceof StorageError && error.problem === problem || assert.fail(String(error));
}

/** A table in a store of its own. */
async function createTable(
  rows: readonly UsageRow[] = [],
): Promise<{ store: StoreFolder; table: UsageTable } & AsyncDisposable> {
  const store = await createStore();
  const table = openTable(store.database);
  table.insertAll(rows);
  return {
    store,
    table,
    async [Symbol.asyncDispose]() {
      table[Symbol.dispose]();
      await store[Symbol.asyncDispose]();
    },
  };
}

function ids(rows: readonly UsageRow[] | undefined): string[] | undefined {
  return rows?.map(({ id }) => id);
}

Deno.test("UsageTable.instanceId is a UUID of the data folder that every later run finds again", async () => {
  await using store = await createStore();
  const open = () => {
    using table = openTable(store.database);
    return table.instanceId;
  };
  const first = open();
  assert.match(first, UUID);
  assert.deepEqual([open(), open()], [first, first]);
  await using other = await createTable();
  assert.notEqual(other.table.instanceId, first);
});

Deno.test("UsageTable.insert() keeps a row exactly as it is", async () => {
  const rows = [
    usageRow(),
    usageRow({
      conversation_id: "ñandú 🦤 \"'; DROP TABLE token_usage; --",
      role: "embeddings",
      cost_usd: 0.1 + 0.2,
      at_ms: 8_640_000_000_000_000,
      input_tokens: Number.MAX_SAFE_INTEGER,
      fallback: true,
      chain_position: 7,
      outcome: "failed",
      error_kind: "rate_limit",
      source: "none",
    }),
    usageRow({ cost_usd: null, first_token_ms: null, latency_ms: 0, at_ms: 0, outcome: "aborted", model: "" }),
  ];
  await using subject = await createTable();
  for (const row of rows) subject.table.insert(row);
  await assertHolds(subject.table, rows);
  assert.equal(subject.table.count, 3);
});

Deno.test("a row that comes twice is kept once, as it came first", async () => {
  const [first, second] = [usageRow(), usageRow()];
  await using subject = await createTable();
  const { table } = subject;
  table.insert(first);
  table.insert({ ...first, latency_ms: 999 });
  table.insertAll([{ ...first, latency_ms: 998 }, second, { ...second, latency_ms: 997 }]);
  await assertHolds(table, [first, second]);
  table.insertAll([second, first]);
  await assertHolds(table, [first, second]);
});

Deno.test("UsageTable.insertAll() writes all of the rows or none", async () => {
  const rows = variedRows(10);
  await using subject = await createTable(rows);
  const { table } = subject;
  const refused = { ...usageRow(), latency_ms: 1.5 };
  assert.throws(() => table.insertAll([usageRow(), refused, usageRow()]), storageError("unusable"));
  assert.throws(() => table.insert(refused), storageError("unusable"));
  await assertHolds(table, rows);
  const more = usageRow();
  table.insertAll([more]);
  await assertHolds(table, [...rows, more]);
});

Deno.test("UsageTable.rows() gives every row from a moment on, in pages, and lets other work go on between them", async () => {
  const rows = variedRows(25_003);
  const sinceMs = rows[1000]?.at_ms ?? 0;
  await using subject = await createTable(rows);
  const expected = rows.filter(({ at_ms }) => at_ms >= sinceMs);
  assert.ok(expected.length > 20_000 && expected.length < 25_003);
  const pages: number[] = [];
  const found: string[] = [];
  let turns = 0;
  for await (const page of subject.table.rows(sinceMs)) {
    assert.equal(turns, pages.length); // what was waiting for its turn at the last page has had it
    setImmediate(() => turns++);
    pages.push(page.length);
    found.push(...page.map(({ id }) => id));
  }
  await until(() => turns === pages.length);
  assert.deepEqual(found, ids(expected));
  assert.ok(pages.length >= 3 && pages.every((length) => length <= 10_000), pages.join());
});

Deno.test("UsageTable.rows() gives whole pages once each when the last one is full", async () => {
  const rows = variedRows(20_000);
  await using subject = await createTable(rows);
  assert.deepEqual(ids(await allRows(subject.table)), ids(rows));
  assert.deepEqual(await allRows(subject.table, Date.now() + 1), []);
});

Deno.test("what comes and goes while rows are read doubles none and hides none of the others", async () => {
  const rows = variedRows(20_001);
  await using subject = await createTable(rows);
  const { table } = subject;
  const found: string[] = [];
  for await (const page of table.rows(0)) {
    if (found.length === 0) {
      table.prune(rows[5000]?.at_ms ?? 0, false);
      table.insert(usageRow());
    }
    found.push(...page.map(({ id }) => id));
  }
  assert.equal(new Set(found).size, found.length);
  const before = ids(rows) ?? [];
  assert.deepEqual(found.slice(0, before.length), before);
});

Deno.test("UsageTable.nextBatch() gives each store what it has not confirmed, oldest first", async () => {
  const rows = variedRows(12);
  await using subject = await createTable(rows);
  const { table } = subject;
  const first = table.nextBatch("a", 5) ?? assert.fail();
  assert.deepEqual(first.rows, rows.slice(0, 5).map((row) => ({ ...row, instance_id: table.instanceId })));
  assert.deepEqual(table.nextBatch("a", 5), first); // until it is confirmed
  table.confirm("a", first.lastSeq);
  const second = table.nextBatch("a", 5) ?? assert.fail();
  assert.deepEqual(ids(second.rows), ids(rows.slice(5, 10)));
  table.confirm("a", second.lastSeq);
  table.confirm("a", first.lastSeq); // late, by another process
  const third = table.nextBatch("a", 5) ?? assert.fail();
  assert.deepEqual(ids(third.rows), ids(rows.slice(10)));
  table.confirm("a", third.lastSeq);
  assert.equal(table.nextBatch("a", 5), undefined);
  assert.deepEqual(ids(table.nextBatch("b", 100)?.rows), ids(rows));
});

Deno.test("UsageTable.countUnshared() counts what the store that confirmed last has not got", async () => {
  const rows = variedRows(10);
  await using subject = await createTable(rows);
  const { table } = subject;
  const confirm = (storeId: string, limit: number) =>
    table.confirm(storeId, table.nextBatch(storeId, limit)?.lastSeq ?? assert.fail());
  assert.equal(table.countUnshared(), 10);
  confirm("a", 8);
  assert.equal(table.countUnshared(), 2);
  confirm("b", 3);
  assert.equal(table.countUnshared(), 7);
  confirm("a", 1);
  assert.equal(table.countUnshared(), 1);
  table.insert(usageRow());
  assert.equal(table.countUnshared(), 2);
});

Deno.test("UsageTable.confirm() makes a store the last one to have confirmed, whatever the clock says", async () => {
  const rows = variedRows(10);
  await using subject = await createTable(rows);
  const { table } = subject;
  const now = Date.now;
  try {
    table.confirm("old", table.nextBatch("old", 9)?.lastSeq ?? assert.fail());
    const then = now();
    for (const moment of [then, then - 3_600_000, then - 7_200_000]) {
      Date.now = () => moment;
      table.confirm("new", table.nextBatch("new", 1)?.lastSeq ?? assert.fail());
    }
  } finally {
    Date.now = now;
  }
  assert.equal(table.countUnshared(), 7);
  assert.deepEqual(table.prune(now() + 1000, true), { deleted: 3, kept: 7 });
});

Deno.test("UsageTable.prune() deletes what is older, and leaves what no store has confirmed if it is to", async () => {
  const rows = Array.from({ length: 10 }, (_, index) => usageRow({ at_ms: 1000 + index }));
  await using subject = await createTable(rows);
  const { table } = subject;
  assert.deepEqual(table.prune(1000, false), { deleted: 0, kept: 0 });
  assert.deepEqual(table.prune(1002, true), { deleted: 0, kept: 2 });
  table.confirm("a", table.nextBatch("a", 4)?.lastSeq ?? assert.fail());
  assert.deepEqual(table.prune(1006, true), { deleted: 4, kept: 2 });
  await assertHolds(table, rows.slice(4));
  assert.equal(table.countUnshared(), 6);
  assert.deepEqual(table.prune(1006, false), { deleted: 2, kept: 0 });
  await assertHolds(table, rows.slice(6));
});

Deno.test("UsageTable.prune() gives the space back", async () => {
  const rows = variedRows(20_000);
  await using store = await createStore();
  const spaceOf = () => {
    const db = new DatabaseSync(store.database);
    try {
      return { pages: Number(queryValue(db, "PRAGMA page_count")), free: queryValue(db, "PRAGMA freelist_count") };
    } finally {
      db.close();
    }
  };
  let deleted: number;
  let after: ReturnType<typeof spaceOf>;
  {
    using table = openTable(store.database);
    table.insertAll(rows);
    const before = spaceOf();
    ({ deleted } = table.prune(rows[15_000]?.at_ms ?? 0, false));
    assert.ok(deleted > 14_000 && deleted <= 15_000, `${deleted}`);
    after = spaceOf();
    assert.equal(after.free, 0);
    assert.ok(after.pages < before.pages * 0.3, JSON.stringify({ before, after }));
  }
  assert.equal(Deno.statSync(store.database).size, after.pages * 4096);
  using again = openTable(store.database);
  assert.deepEqual(ids(await allRows(again)), ids(rows.slice(deleted)));
});

Deno.test("rows that come after all were pruned are new to every store", async () => {
  const rows = variedRows(2);
  await using store = await createStore();
  {
    using table = openTable(store.database);
    table.insertAll(variedRows(5));
    table.confirm("a", table.nextBatch("a", 5)?.lastSeq ?? assert.fail());
    assert.deepEqual(table.prune(Date.now() + 1000, false), { deleted: 5, kept: 0 });
    table.insert(rows[0] ?? assert.fail());
    assert.deepEqual(ids(table.nextBatch("a", 5)?.rows), ids(rows.slice(0, 1)));
    table.prune(Date.now() + 1000, false);
  }
  using later = openTable(store.database);
  later.insert(rows[1] ?? assert.fail());
  assert.deepEqual(ids(later.nextBatch("a", 5)?.rows), ids(rows.slice(1)));
  assert.equal(later.countUnshared(), 1);
});

Deno.test("a table that cannot be used after all is let go of", async () => {
  await using store = await createStore();
  const nothing = [() => {}];
  assert.throws(() => openTable(store.database, { migrations: nothing }), storageError("unusable"));
  // Refused as busy while anybody has it open.
  using table = openTable(store.database, { migrations: [...nothing, ...MIGRATIONS] });
  assert.equal(table.count, 0);
});

Deno.test("UsageTable writes nothing into a file that is no longer in its place", async (t) => {
  const ways: Record<string, (table: UsageTable) => void> = {
    "insert()": (table) => table.insert(usageRow()),
    "insertAll()": (table) => table.insertAll([usageRow()]),
  };
  for (const [name, write] of Object.entries(ways)) {
    await t.step(name, async () => {
      await using store = await createStore();
      {
        using table = openTable(store.database);
        write(table);
        Deno.renameSync(store.database, `${store.database}.away`);
        assert.throws(() => write(table), storageError("unusable"));
        using other = openTable(`${store.path}/other.db`);
        Deno.renameSync(`${store.path}/other.db`, store.database);
        assert.throws(() => write(table), storageError("unusable"));
        assert.deepEqual([table.count, other.count], [1, 0]);
      }
    });
  }
});
