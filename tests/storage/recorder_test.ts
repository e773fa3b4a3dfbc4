import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { PendingFile } from "../../src/storage/pending_file.ts";
import type { UsageRow } from "../../src/storage/usage.ts";
import {
  assertHolds,
  createStore,
  openTable,
  pendingIds,
  type StoreFolder,
  until,
  watchRecorder,
} from "../support/local_store.ts";
import { startScript } from "../support/script.ts";
import { usageRow, variedRows } from "../support/usage_rows.ts";
import { spoilIndex } from "./spoiler.ts";

/** Asserts that a later run finds exactly these rows, and that nothing waits any more. */
async function assertKept(store: StoreFolder, rows: readonly UsageRow[]): Promise<void> {
  assert.equal(store.pending.waiting, false);
  using table = openTable(store.database);
  await assertHolds(table, rows);
}

/** Keeps the data folder from coming about, as a disk that is not there does; undone by `restore`. */
function blockFolder(store: StoreFolder): { data: Pick<StoreFolder, "database" | "pending">; restore(): void } {
  const path = `${store.path}/data`;
  Deno.writeTextFileSync(path, "a file where the folder should be");
  const pending = new PendingFile(`${path}/p.jsonl`);
  return { data: { database: `${path}/django.db`, pending }, restore: () => Deno.removeSync(path) };
}

Deno.test("Recorder.record() writes a row at once, for whoever looks from outside", async () => {
  await using store = await createStore();
  const rows = variedRows(3);
  {
    using watched = watchRecorder(store);
    assert.deepEqual(store.files(), []); // nothing is opened before there is a row
    for (const [index, row] of rows.entries()) {
      watched.recorder.record(row);
      using reader = openTable(store.database);
      await assertHolds(reader, rows.slice(0, index + 1));
      assert.equal(watched.stored, index + 1);
    }
    assert.deepEqual(watched.recorder.status, { state: "ok", problem: null, in_memory: 0 });
    assert.deepEqual([watched.warnings, watched.opened], [[], [false]]);
  }
  assert.deepEqual(store.files(), ["django.db"]);
});

Deno.test("Recorder.table opens the table when nothing has been recorded yet, and gives the one in use", async () => {
  await using store = await createStore();
  using watched = watchRecorder(store);
  const { table } = watched.recorder;
  assert.equal(table?.count, 0);
  watched.recorder.record(usageRow());
  assert.equal(watched.recorder.table, table);
  assert.deepEqual(watched.opened, [false]);
});

Deno.test("a row that waited since an earlier run is brought in as soon as the table is opened", async () => {
  await using store = await createStore();
  const rows = variedRows(3);
  store.pending.append(rows.slice(0, 2));
  {
    using watched = watchRecorder(store);
    watched.recorder.record(rows[2] ?? assert.fail());
    await until(() => !store.pending.waiting);
    assert.equal(watched.stored, 2);
  }
  await assertKept(store, [rows[2] ?? assert.fail(), ...rows.slice(0, 2)]);
});

Deno.test("a row that another process left while this one was running is brought in by and by", async () => {
  await using store = await createStore();
  const { setTimeout } = globalThis;
  const hurried = (action: () => void, ms = 0) => setTimeout(action, ms / 1000);
  const rows = variedRows(3);
  try {
    Object.assign(globalThis, { setTimeout: hurried });
    using watched = watchRecorder(store);
    watched.recorder.record(rows[0] ?? assert.fail());
    for (const row of rows.slice(1)) {
      store.pending.append([row]);
      await until(() => !store.pending.waiting);
    }
    assert.equal(watched.stored, 3);
  } finally {
    Object.assign(globalThis, { setTimeout });
  }
  await assertKept(store, rows);
});

Deno.test("a row waits beside the database while another process is just opening that", async () => {
  await using store = await createStore();
  openTable(store.database)[Symbol.dispose]();
  await using holder = startScript("storage/lock_holder.ts", { args: ["file", `${store.database}.lock`] });
  assert.equal(await holder.line(), "held");
  const rows = variedRows(2);
  {
    using watched = watchRecorder(store);
    for (const row of rows) watched.recorder.record(row);
    assert.deepEqual(watched.recorder.status, { state: "waiting", problem: "busy", in_memory: 0 });
    assert.equal(watched.recorder.table, undefined);
    assert.deepEqual(pendingIds(store.pending), rows.map(({ id }) => id));
    await holder.tell("0");
    await holder.end();
    await until(() => watched.recorder.status.state === "ok");
    assert.deepEqual([watched.stored, watched.warnings], [1, []]); // what passes by itself is nobody's business
  }
  await assertKept(store, rows);
});

Deno.test("a row stays in memory while the pending file is in use, and is not told of", async () => {
  await using store = await createStore();
  openTable(store.database)[Symbol.dispose]();
  store.pending.append([]);
  const holders = [store.pending.path, `${store.database}.lock`].map((path) =>
    startScript("storage/lock_holder.ts", { args: ["file", path] })
  );
  const rows = variedRows(2);
  try {
    for (const holder of holders) assert.equal(await holder.line(), "held");
    using watched = watchRecorder(store);
    for (const row of rows) watched.recorder.record(row);
    assert.deepEqual(watched.recorder.status, { state: "waiting", problem: "busy", in_memory: 2 });
    for (const holder of holders) await holder.tell("0");
    for (const holder of holders) await holder.end();
    await until(() => watched.recorder.status.state === "ok");
    assert.deepEqual([watched.recorder.status.in_memory, watched.warnings], [0, []]);
  } finally {
    for (const holder of holders) await holder[Symbol.asyncDispose]();
  }
  await assertKept(store, rows);
});

Deno.test("rows stay in memory while nothing can be written, which is told once, and are written when it can be", async () => {
  await using store = await createStore();
  const { data, restore } = blockFolder(store);
  const rows = variedRows(50);
  using watched = watchRecorder(data);
  for (const row of rows) watched.recorder.record(row);
  assert.deepEqual(watched.recorder.status, { state: "waiting", problem: "unusable", in_memory: 50 });
  const [unusable = "", memory = "", ...more] = watched.warnings;
  assert.ok(unusable.startsWith(`Cannot use the database ${data.database}: `), unusable);
  assert.match(unusable, /usage waits in .*p\.jsonl meanwhile → Check the file/);
  assert.match(
    memory,
    /^Cannot write .*p\.jsonl either: .* → Usage is in memory only and lost if the program is killed/,
  );
  assert.deepEqual(more, []);
  restore();
  await until(() => watched.recorder.status.state === "ok");
  assert.deepEqual([watched.recorder.status.in_memory, watched.warnings.length, watched.stored], [0, 2, 1]);
  await assertHolds(watched.recorder.table ?? assert.fail(), rows);
});

Deno.test("what is in memory at the end is written if it can be by then", async () => {
  await using store = await createStore();
  const { data, restore } = blockFolder(store);
  const rows = variedRows(5);
  const watched = watchRecorder(data);
  for (const row of rows) watched.recorder.record(row);
  restore();
  watched[Symbol.dispose]();
  assert.equal(watched.warnings.length, 2); // none of them about a loss
  using table = openTable(data.database);
  await assertHolds(table, rows);
});

Deno.test("what is in memory at the end goes to the pending file when the database cannot be used", async () => {
  await using store = await createStore();
  const { data, restore } = blockFolder(store);
  const rows = variedRows(5);
  const watched = watchRecorder(data);
  for (const row of rows) watched.recorder.record(row);
  restore();
  Deno.mkdirSync(`${data.database}.lock`, { recursive: true });
  watched[Symbol.dispose]();
  assert.deepEqual(pendingIds(data.pending), rows.map(({ id }) => id));
  assert.equal(watched.warnings.length, 2); // none of them about a loss
});

Deno.test("what is lost at the end is told with its count", async () => {
  await using store = await createStore();
  const { data } = blockFolder(store);
  const watched = watchRecorder(data);
  for (const row of variedRows(7)) watched.recorder.record(row);
  assert.equal(watched.warnings.length, 2);
  watched[Symbol.dispose]();
  assert.equal(
    watched.warnings[2],
    "The usage of 7 calls could not be written and is lost → Make room for the data folder.",
  );
  assert.equal(watched.warnings.length, 3);
});

Deno.test("memory holds the latest 20,000 rows, and how many were lost before is told at the end", async () => {
  await using store = await createStore();
  const { data, restore } = blockFolder(store);
  const rows = variedRows(20_003);
  const watched = watchRecorder(data);
  for (const row of rows) watched.recorder.record(row);
  assert.equal(watched.recorder.status.in_memory, 20_000);
  restore();
  watched[Symbol.dispose]();
  assert.match(watched.warnings.at(-1) ?? "", /^The usage of 3 calls could not be written and is lost/);
  using table = openTable(data.database);
  await assertHolds(table, rows.slice(3));
});

Deno.test("a row that the table refuses is told of and holds up no other", async () => {
  await using store = await createStore();
  const rows = variedRows(4);
  {
    using watched = watchRecorder(store);
    watched.recorder.record(rows[0] ?? assert.fail());
    watched.recorder.record({ ...usageRow(), latency_ms: 0.5 });
    watched.recorder.record(rows[1] ?? assert.fail());
    await until(() => watched.recorder.status.state === "ok");
    for (const row of rows.slice(2)) watched.recorder.record(row);
    assert.equal(watched.recorder.status.state, "ok");
    assert.equal(watched.warnings.length, 2);
    assert.match(watched.warnings[1] ?? "", /^Some lines of .*usage-pending\.jsonl were no usage/);
  }
  await assertKept(store, rows);
});

Deno.test("disposing of a recorder lets go of everything, whatever state it is in", async (t) => {
  const row = usageRow();
  await t.step("while it waits, and what waits can be written by then", async () => {
    await using store = await createStore();
    const { data, restore } = blockFolder(store);
    const watched = watchRecorder(data);
    watched.recorder.record(row);
    restore();
    data.pending.append([usageRow()]);
    watched[Symbol.dispose]();
    const opened = watched.opened.length;
    await new Promise((resolve) => setTimeout(resolve, 20)); // a timer that is left over would open it again
    assert.equal(watched.opened.length, opened);
    assert.deepEqual([...Deno.readDirSync(`${store.path}/data`)].map(({ name }) => name).sort(), [
      "django.db",
      "django.db.lock",
      "p.jsonl",
    ]);
  });
  await t.step("before it was used", async () => {
    await using store = await createStore();
    watchRecorder(store)[Symbol.dispose]();
    assert.deepEqual(store.files(), []);
  });
});

Deno.test("damage that shows while rows are recorded sets the file aside and loses none of what comes", async () => {
  await using store = await createStore();
  const old = variedRows(1000);
  {
    using table = openTable(store.database);
    table.insertAll(old);
  }
  const rows = variedRows(6);
  const watched = watchRecorder(store);
  try {
    watched.recorder.record(rows[0] ?? assert.fail());
    await using spoiler = startScript("storage/spoiler.ts", { args: [store.database, "indexes"] });
    await spoiler.end();
    for (const row of rows.slice(1, 4)) watched.recorder.record(row);
    assert.deepEqual(watched.recorder.status, { state: "waiting", problem: "damaged", in_memory: 0 });
    assert.match(watched.warnings[0] ?? "", /: it is damaged; usage waits in .* meanwhile/);
    assert.deepEqual(pendingIds(store.pending), rows.slice(1, 4).map(({ id }) => id));
    await until(() => watched.recorder.status.state === "ok");
    for (const row of rows.slice(4)) watched.recorder.record(row);
    assert.deepEqual([watched.asides.length, watched.opened, watched.warnings.length], [1, [false, true], 1]);
    await assertHolds(watched.recorder.table ?? assert.fail(), rows.slice(1));
  } finally {
    watched[Symbol.dispose]();
  }
  const db = new DatabaseSync(watched.asides[0] ?? "");
  try {
    const found = db.prepare("SELECT id FROM token_usage NOT INDEXED ORDER BY seq").all().map(({ id }) => id);
    assert.deepEqual(found, [...old, ...rows.slice(0, 1)].map(({ id }) => id)); // what it held is still in there
  } finally {
    db.close();
  }
});

Deno.test("damage in a file too large to be looked through on opening is found when a row is written", async () => {
  await using store = await createStore();
  const long = "x".repeat(1024 * 1024);
  {
    using table = openTable(store.database);
    table.insertAll([...Array.from({ length: 17 }, () => usageRow({ conversation_id: long })), ...variedRows(200)]);
  }
  spoilIndex(store.database);
  const rows = variedRows(3);
  {
    using watched = watchRecorder(store);
    for (const row of rows) watched.recorder.record(row);
    assert.equal(watched.recorder.status.problem, "damaged");
    await until(() => watched.recorder.status.state === "ok");
    assert.deepEqual([watched.asides.length, watched.opened], [1, [false, true]]);
  }
  await assertKept(store, rows);
});

Deno.test("a clock that goes back loses no row and changes no order", async () => {
  await using store = await createStore();
  const now = Date.now;
  const rows: UsageRow[] = [];
  try {
    using watched = watchRecorder(store);
    for (const hours of [0, -1, -1, -24 * 365, 2, -1]) {
      const offset = hours * 3_600_000;
      Date.now = () => now() + offset;
      for (let count = 0; count < 5; count++) {
        const row = usageRow();
        rows.push(row);
        watched.recorder.record(row);
      }
    }
    const table = watched.recorder.table ?? assert.fail();
    const sent: string[] = [];
    for (let batch = table.nextBatch("a", 7); batch; batch = table.nextBatch("a", 7)) {
      sent.push(...batch.rows.map(({ id }) => id));
      table.confirm("a", batch.lastSeq);
    }
    assert.deepEqual(sent, rows.map(({ id }) => id));
    assert.equal(table.countUnshared(), 0);
  } finally {
    Date.now = now;
  }
  const ids = rows.map(({ id }) => id);
  assert.deepEqual(ids, ids.toSorted());
  await assertKept(store, rows);
});
