import assert from "node:assert/strict";
import { PendingFile } from "../../src/storage/pending_file.ts";
import { StorageError } from "../../src/storage/sqlite.ts";
import type { UsageRow } from "../../src/storage/usage.ts";
import { assertHolds, createStore, openTable, pendingIds } from "../support/local_store.ts";
import { namespacesMissing } from "../support/namespaces.ts";
import { startScript } from "../support/script.ts";
import { skipped } from "../support/skipped.ts";
import { usageRow, variedRows } from "../support/usage_rows.ts";

/** What a look through the file gives. */
function drain(pending: PendingFile) {
  const rows: UsageRow[] = [];
  let takes = 0;
  const { rows: count, aside } = pending.drain((waiting) => {
    takes++;
    rows.push(...waiting);
  });
  // What could not be read has not gone: it is a line of a file set aside.
  const unreadable = aside.flatMap((path) => Deno.readTextFileSync(path).trimEnd().split("\n")).length;
  return { rows: count, unreadable, taken: rows, takes };
}

function isBusy(error: unknown): boolean {
  return error instanceof StorageError && error.problem === "busy" || assert.fail(String(error));
}

Deno.test("PendingFile.drain() gives back every row as it was, in order, and once", async () => {
  await using store = await createStore();
  const { pending } = store;
  const odd = usageRow({ conversation_id: "a line\nbreak, a \u2028 and a 🦤", cost_usd: 1e-9, first_token_ms: null });
  const rows = [...variedRows(20), odd, usageRow({ cost_usd: null, fallback: true, error_kind: "protocol" })];
  assert.equal(pending.waiting, false);
  pending.append(rows.slice(0, 5));
  pending.append([]);
  pending.append(rows.slice(5));
  assert.equal(pending.waiting, true);
  assert.deepEqual(drain(pending), { rows: rows.length, unreadable: 0, taken: rows, takes: 1 });
  assert.equal(pending.waiting, false);
  assert.deepEqual(drain(pending), { rows: 0, unreadable: 0, taken: [], takes: 0 });
  pending.append([odd]);
  assert.deepEqual(drain(pending).taken, [odd]);
});

Deno.test("PendingFile.append() creates the file for its owner only, and its folder", async () => {
  await using store = await createStore();
  const path = `${store.path}/deep/data/pending.jsonl`;
  const pending = new PendingFile(path);
  assert.equal(drain(pending).takes, 0);
  assert.throws(() => Deno.statSync(path), Deno.errors.NotFound);
  pending.append([usageRow()]);
  assert.equal((Deno.statSync(path).mode ?? 0o600) & 0o777, 0o600);
});

Deno.test("PendingFile.drain() keeps every row when they cannot be taken", async () => {
  await using store = await createStore();
  const { pending } = store;
  const rows = variedRows(3);
  pending.append(rows);
  assert.throws(() => pending.drain(() => assert.fail("not now")), /not now/);
  const more = usageRow();
  pending.append([more]);
  assert.deepEqual(drain(pending).taken, [...rows, more]);
});

Deno.test("PendingFile.drain() drops a line torn by a power cut, and no other", async (t) => {
  const rows = variedRows(3);
  for (const cut of [1, 20, 200, JSON.stringify(rows[2]).length]) {
    await t.step(`${cut} bytes are missing`, async () => {
      await using store = await createStore();
      const { pending } = store;
      pending.append(rows);
      Deno.truncateSync(pending.path, Deno.statSync(pending.path).size - cut);
      const next = usageRow();
      pending.append([next]);
      const torn = cut === JSON.stringify(rows[2]).length ? 0 : 1;
      assert.deepEqual(drain(pending), { rows: 3, unreadable: torn, taken: [...rows.slice(0, 2), next], takes: 1 });
      assert.equal(pending.waiting, false);
    });
  }
});

Deno.test("PendingFile.drain() drops what is no row, counts it, and takes the rows between", async () => {
  await using store = await createStore();
  const { pending } = store;
  const good = usageRow();
  const { id: _id, ...withoutId } = good;
  const broken: unknown[] = [
    withoutId,
    null,
    [],
    "text",
    4711,
    { ...good, id: 5 },
    ...["role", "profile", "provider", "model", "source", "outcome"].map((name) => ({ ...good, [name]: null })),
    ...["at_ms", "input_tokens", "cached_input_tokens", "output_tokens", "reasoning_tokens", "total_tokens"]
      .flatMap((name) => [{ ...good, [name]: 1.5 }, { ...good, [name]: "1" }, { ...good, [name]: 2 ** 60 }]),
    ...["latency_ms", "chain_position", "first_token_ms"].map((name) => ({ ...good, [name]: 0.5 })),
    { ...good, fallback: 1 },
    { ...good, cost_usd: "0" },
    { ...good, conversation_id: 1 },
    { ...good, error_kind: false },
  ];
  const bytes = new Uint8Array([0x0a, 0xff, 0xfe, 0x00, 0x80]);
  const text = broken.map((value) => JSON.stringify(value)).join("\r\n");
  Deno.writeTextFileSync(pending.path, `Dear diary\n\n{"id":\n${text}`);
  Deno.writeFileSync(pending.path, bytes, { append: true });
  const rows = variedRows(2);
  pending.append(rows);
  assert.deepEqual(drain(pending), { rows: 2, unreadable: broken.length + 3, taken: rows, takes: 1 });
  assert.equal(pending.waiting, false);
});

Deno.test("PendingFile.drain() empties a file that holds no row at all without taking any", async () => {
  await using store = await createStore();
  const { pending } = store;
  Deno.writeTextFileSync(pending.path, "Dear diary\n");
  assert.deepEqual(drain(pending), { rows: 0, unreadable: 1, taken: [], takes: 0 });
  assert.equal(pending.waiting, false);
});

Deno.test("whatever PendingFile.drain() takes for a row the table takes too", async () => {
  await using store = await createStore();
  const { pending } = store;
  using table = openTable(store.database);
  const odd = [
    { id: "no UUID, and a \u0000 within" },
    { id: "lone \ud800 surrogate" },
    { at_ms: -1, input_tokens: -0, output_tokens: 0, latency_ms: Number.MAX_SAFE_INTEGER },
    { cost_usd: -1e300, model: "" },
    { role: "x".repeat(100_000) as "technical", error_kind: "unheard of" as "timeout" },
  ].map((change) => usageRow(change));
  pending.append(odd);
  const infinite = JSON.stringify(usageRow()).replace('"cost_usd":0', '"cost_usd":1e999,"unknown":{"deep":[1]}');
  Deno.writeTextFileSync(pending.path, `\n${infinite}`, { append: true });
  pending.drain((rows) => table.insertAll(rows));
  assert.equal(table.count, odd.length + 1);
  assert.equal(pending.waiting, false);
});

Deno.test("PendingFile waits for no other process: it says that it is busy", async () => {
  await using store = await createStore();
  const { pending } = store;
  const rows = variedRows(2);
  pending.append(rows);
  await using holder = startScript("storage/lock_holder.ts", { args: ["file", pending.path] });
  assert.equal(await holder.line(), "held");
  assert.throws(() => pending.append([usageRow()]), isBusy);
  assert.throws(() => drain(pending), isBusy);
  await holder.tell("0");
  await holder.end();
  assert.deepEqual(drain(pending).taken, rows);
});

Deno.test("processes that add to one file while another one empties it lose nothing", async () => {
  await using store = await createStore();
  const { pending } = store;
  const writers = [1, 2].map(() => startScript("storage/pending_writer.ts", { args: [store.path, "1500"] }));
  const found: string[] = [];
  try {
    for (const writer of writers) assert.equal(await writer.line(), "ready");
    for (const writer of writers) await writer.tell("go");
    let running = true;
    const added = Promise.all(writers.map((writer) => writer.line())).finally(() => running = false);
    while (running) {
      try {
        found.push(...drain(pending).taken.map(({ id }) => id));
      } catch (error) {
        isBusy(error);
      }
      await new Promise((resolve) => setTimeout(resolve));
    }
    found.push(...drain(pending).taken.map(({ id }) => id));
    const expected = (await added).flatMap((line) => JSON.parse(line));
    assert.equal(expected.length, 3000);
    assert.deepEqual(found.toSorted(), expected.toSorted());
  } finally {
    for (const writer of writers) await writer[Symbol.asyncDispose]();
  }
});

Deno.test("a crash after the rows were taken and before the file is emptied doubles nothing in the table", async () => {
  await using store = await createStore();
  const { pending } = store;
  const rows = variedRows(10);
  pending.append(rows);
  await using crasher = startScript("storage/drain_crasher.ts", { args: [store.path] });
  await crasher.end();
  assert.deepEqual(pendingIds(pending), rows.map(({ id }) => id));
  using table = openTable(store.database);
  await assertHolds(table, rows);
  const more = usageRow();
  pending.append([more]);
  assert.equal(pending.drain((waiting) => table.insertAll(waiting)).rows, 11);
  await assertHolds(table, [...rows, more]);
});

Deno.test("PendingFile refuses what is no plain file at once", async (t) => {
  await t.step("a folder", async () => {
    await using store = await createStore();
    Deno.mkdirSync(store.pending.path);
    assert.throws(() => store.pending.append([usageRow()]), /is not a plain file/);
  });
  await t.step("a pipe, whose other end would be waited for", async () => {
    await using store = await createStore();
    assert.ok((await new Deno.Command("mkfifo", { args: [store.pending.path] }).output()).success);
    assert.throws(() => store.pending.append([usageRow()]), /is not a plain file/);
  });
});

Deno.test({
  name: "PendingFile.append() adds all of its rows or none on a disk that is full",
  ignore: skipped(namespacesMissing),
  async fn() {
    await using store = await createStore();
    const tmpfs = { folder: store.path, options: "size=40k" };
    await using script = startScript("storage/pending_on_full_disk.ts", { args: [store.path], tmpfs });
    const { added, errors, whileFull, again, afterwards } = JSON.parse(await script.line());
    await script.end();
    assert.equal(errors.length, 3);
    for (const error of errors) assert.match(error, /No space left/);
    assert.ok(again && added.length > 10);
    assert.deepEqual(whileFull, added.slice(0, -3));
    assert.deepEqual(afterwards, added);
  },
});

Deno.test("PendingFile.appendAside() finds a place while another process is at work, and drain() finds it again", async () => {
  await using store = await createStore();
  const { pending } = store;
  const [here, beside, also] = [usageRow(), usageRow(), usageRow()];
  pending.append([here]);
  const holder = Deno.openSync(pending.path, { read: true });
  try {
    holder.lockSync(true);
    assert.throws(() => pending.append([beside]), isBusy);
    pending.appendAside([beside]);
    pending.appendAside([also]);
  } finally {
    holder.close();
  }
  assert.equal(store.files().length, 3);
  const { taken } = drain(pending);
  assert.deepEqual(taken.map(({ id }) => id).sort(), [here, beside, also].map(({ id }) => id).sort());
  assert.deepEqual(store.files(), ["usage-pending.jsonl"]);
  assert.equal(pending.waiting, false);
});

Deno.test("PendingFile.drain() takes no row that a reader could not read back", async () => {
  await using store = await createStore();
  const impossible = [
    usageRow({ at_ms: 8.64e15 + 1 }),
    usageRow({ total_tokens: -1 }),
    { ...usageRow(), outcome: "zzz" },
    { ...usageRow(), source: "nobody" },
  ];
  const fine = usageRow({ at_ms: 8.64e15 });
  await Deno.writeTextFile(store.pending.path, [...impossible, fine].map((row) => `\n${JSON.stringify(row)}`).join(""));
  assert.deepEqual(drain(store.pending), { rows: 1, unreadable: 4, taken: [fine], takes: 1 });
});
