import assert from "node:assert/strict";
import { StorageError } from "../../src/storage/sqlite.ts";
import type { UsageRow } from "../../src/storage/usage.ts";
import { assertHolds, createStore, fingerprint, openTable, type StoreFolder } from "../support/local_store.ts";
import { startScript } from "../support/script.ts";
import { usageRow, variedRows } from "../support/usage_rows.ts";

const PAGE_BYTES = 4096;

interface Damage {
  readonly what: string;
  apply(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer>;
}

/** What becomes of files on real machines. */
const DAMAGES: readonly Damage[] = [
  { what: "text instead of a database", apply: () => new TextEncoder().encode("Dear diary\n".repeat(9000)) },
  { what: "noise", apply: (bytes) => noise(bytes, 0, bytes.length) },
  { what: "noise behind a good head", apply: (bytes) => noise(bytes, 1024, bytes.length) },
  { what: "nothing but zeros, as after a power cut", apply: (bytes) => bytes.fill(0) },
  { what: "cut in half", apply: (bytes) => bytes.slice(0, bytes.length / 2) },
  { what: "cut within a page", apply: (bytes) => bytes.slice(0, bytes.length - PAGE_BYTES * 3 - 100) },
  { what: "cut within its head", apply: (bytes) => bytes.slice(0, 50) },
  { what: "a page in the middle overwritten", apply: (bytes) => noise(bytes, ...middlePage(bytes)) },
  { what: "a page in the middle zeroed", apply: (bytes) => bytes.fill(0, ...middlePage(bytes)) },
  { what: "far longer than it was, and all of it wrong", apply: (bytes) => noise(new Uint8Array(bytes.length * 3), 0) },
];

function middlePage({ length }: Uint8Array): [from: number, to: number] {
  const page = length / PAGE_BYTES >> 1;
  return [page * PAGE_BYTES, (page + 1) * PAGE_BYTES];
}

/** The same noise every time. */
function noise(bytes: Uint8Array<ArrayBuffer>, from: number, to = bytes.length): Uint8Array<ArrayBuffer> {
  for (let at = from, value = 1; at < to; at++) bytes[at] = value = value * 75 % 65537;
  return bytes;
}

/** A store whose last pages are still in the -wal, as `kill -9` leaves it; those in the middle are in the file alone. */
async function crashedStore(rows: readonly UsageRow[]): Promise<StoreFolder> {
  const store = await createStore();
  {
    using table = openTable(store.database);
    table.insertAll(rows);
  }
  await using script = startScript("storage/crasher.ts", {
    args: [store.database, "UPDATE token_usage SET latency_ms = 7 WHERE seq % 100 = 0 AND seq > 700"],
  });
  assert.equal(await script.line(), "done");
  script.kill("SIGKILL");
  await script.end();
  return store;
}

/** Opens a damaged file: it must be found out, set aside as it is with all that belongs to it, and a new one begun. */
async function assertSetAside(store: StoreFolder): Promise<void> {
  const before = store.contents();
  const asides: string[] = [];
  const row = usageRow();
  let instanceId: string;
  {
    using table = openTable(store.database, { onSetAside: (aside) => asides.push(aside) });
    assert.equal(asides.length, 1);
    table.insert(row);
    await assertHolds(table, [row]);
    table.check();
    instanceId = table.instanceId;
  }
  const [aside = ""] = asides;
  assert.match(aside.slice(store.database.length), /^\.damaged-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}Z$/);
  for (const [name, bytes] of Object.entries(before)) {
    const kept = aside + name.slice("django.db".length);
    if (name !== "django.db-shm") assert.equal(fingerprint(kept), bytes, kept); // SQLite's own, without content
  }
  const beside = store.files().filter((name) => !name.startsWith(aside.slice(store.path.length + 1)));
  assert.deepEqual(beside, ["django.db"]);
  using again = openTable(store.database); // fails when anything is set aside
  assert.equal(again.instanceId, instanceId);
  await assertHolds(again, [row]);
}

Deno.test("a damaged file is set aside as it is, told of, and a new one begun", async (t) => {
  for (const { what, apply } of DAMAGES) {
    await t.step(what, async () => {
      await using store = await createStore();
      {
        using table = openTable(store.database);
        table.insertAll(variedRows(1000));
      }
      Deno.writeFileSync(store.database, apply(Deno.readFileSync(store.database)));
      await assertSetAside(store);
    });
  }
});

Deno.test("a damaged file is set aside with the -wal a crash has left, and nothing of that is folded into it", async (t) => {
  for (const { what, apply } of DAMAGES) {
    await t.step(what, async () => {
      await using store = await crashedStore(variedRows(1000));
      Deno.writeFileSync(store.database, apply(Deno.readFileSync(store.database)));
      assert.deepEqual(store.files(), ["django.db", "django.db-shm", "django.db-wal"]);
      await assertSetAside(store);
    });
  }
});

Deno.test("what a crash has left in a -wal is brought in when the file is whole", async () => {
  const rows = variedRows(1000);
  await using store = await crashedStore(rows);
  using table = openTable(store.database);
  await assertHolds(
    table,
    rows.map((row, index) => (index + 1) % 100 === 0 && index >= 700 ? { ...row, latency_ms: 7 } : row),
  );
});

Deno.test("a -wal without its file is set aside, not deleted", async (t) => {
  for (const empty of [false, true]) {
    await t.step(empty ? "the file is empty" : "the file is gone", async () => {
      await using store = await crashedStore(variedRows(1000));
      if (empty) Deno.truncateSync(store.database);
      else Deno.removeSync(store.database);
      await assertSetAside(store);
    });
  }
});

Deno.test("a second damaged file of the same moment gets a name of its own", async () => {
  await using store = await createStore();
  const toISOString = Date.prototype.toISOString;
  Date.prototype.toISOString = () => "2026-11-24T10:20:30.456Z";
  const asides: string[] = [];
  try {
    for (let count = 0; count < 3; count++) {
      Deno.writeTextFileSync(store.database, `damage number ${count}, which is long enough to be looked at`.repeat(10));
      using _table = openTable(store.database, { onSetAside: (aside) => asides.push(aside) });
    }
  } finally {
    Date.prototype.toISOString = toISOString;
  }
  const name = `${store.database}.damaged-2026-11-24T10-20-30.456Z`;
  assert.deepEqual(asides, [name, `${name}-2`, `${name}-3`]);
  for (const [count, aside] of asides.entries()) {
    assert.match(Deno.readTextFileSync(aside), new RegExp(`^damage number ${count}`));
  }
});

Deno.test("a large file is looked through as a whole only when it is suspect", async () => {
  await using store = await createStore();
  const long = "x".repeat(1024 * 1024);
  {
    using table = openTable(store.database);
    table.insertAll(Array.from({ length: 17 }, () => usageRow({ conversation_id: long })));
  }
  const bytes = Deno.readFileSync(store.database);
  Deno.writeFileSync(store.database, noise(bytes, ...middlePage(bytes)));
  openTable(store.database)[Symbol.dispose]();
  const asides: string[] = [];
  using table = openTable(store.database, { suspect: true, onSetAside: (aside) => asides.push(aside) });
  assert.equal(asides.length, 1);
  assert.equal(table.count, 0);
});

Deno.test("an index that does not match its rows is found by check(), and when the file is suspect", async () => {
  await using store = await createStore();
  const rows = variedRows(1000);
  {
    using table = openTable(store.database);
    table.insertAll(rows);
    table.check();
  }
  changeRow(store.database, rows[500]?.id ?? "");
  {
    using table = openTable(store.database);
    assert.throws(() => table.check(), (error) => error instanceof StorageError && error.problem === "damaged");
  }
  const asides: string[] = [];
  using table = openTable(store.database, { suspect: true, onSetAside: (aside) => asides.push(aside) });
  assert.equal(asides.length, 1);
  assert.equal(table.count, 0);
});

/** Changes the last letter of an id wherever it stands in a row, and not in the index. */
function changeRow(database: string, id: string): void {
  const bytes = Deno.readFileSync(database);
  const text = new TextDecoder("latin1").decode(bytes);
  const places = [...text.matchAll(new RegExp(`${id}(?=.{6}conversation-)`, "gs"))]; // between them: at_ms
  assert.notEqual(places.length, 0);
  for (const { index } of places) bytes[index + id.length - 1] = "x".charCodeAt(0);
  Deno.writeFileSync(database, bytes);
}
