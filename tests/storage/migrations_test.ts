import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { EXIT } from "../../src/core/errors.ts";
import { type Migration, MIGRATIONS } from "../../src/storage/migrations.ts";
import { openDatabase, queryValue, StorageError } from "../../src/storage/sqlite.ts";
import { assertHolds, createStore, fingerprint, openTable, type StoreFolder } from "../support/local_store.ts";
import { startScript } from "../support/script.ts";
import { usageRow, variedRows } from "../support/usage_rows.ts";

const RELEASED = MIGRATIONS.length;
const ADD_COLUMN: Migration = (db) => db.exec("ALTER TABLE token_usage ADD COLUMN note TEXT");
const ADD_TABLE: Migration = (db) => db.exec("CREATE TABLE notes (id TEXT)");
/** What a step may do before it fails. */
const FAIL: Migration = (db) => {
  db.exec("CREATE TABLE half_done (id TEXT); DELETE FROM token_usage");
  throw new Error("the step does not work");
};
const NEXT = [...MIGRATIONS, ADD_COLUMN];
const AFTER_NEXT = [...NEXT, ADD_TABLE];

function upgrade({ database }: StoreFolder, migrations: readonly Migration[]): void {
  openTable(database, { migrations })[Symbol.dispose]();
}

/** Version, tables and columns of the usage, as another program sees them. */
function schemaOf(path: string): { version: unknown; tables: string[]; columns: string[] } {
  const db = new DatabaseSync(path);
  try {
    const names = (sql: string) => db.prepare(sql).all().map(({ name }) => String(name));
    return {
      version: queryValue(db, "PRAGMA user_version"),
      tables: names("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"),
      columns: names("SELECT name FROM pragma_table_info('token_usage')"),
    };
  } finally {
    db.close();
  }
}

const rows = variedRows(500);

/** A store with rows in it, as this version leaves it. */
async function filledStore(): Promise<StoreFolder> {
  const store = await createStore();
  using table = openTable(store.database);
  table.insertAll(rows);
  return store;
}

Deno.test("the released steps stay as they are: files that have seen them are out there", async () => {
  await using store = await createStore();
  openTable(store.database, { migrations: MIGRATIONS.slice(0, 1) })[Symbol.dispose]();
  const { version, tables, columns } = schemaOf(store.database);
  assert.deepEqual([version, tables], [1, ["installation", "outbox", "refused", "token_usage"]]);
  assert.deepEqual(columns, ["seq", ...Object.keys(usageRow())]);
});

Deno.test("an upgrade brings every row along and leaves a copy of the file as it was beside it", async () => {
  await using store = await filledStore();
  const before = schemaOf(store.database);
  const copy = `${store.database}.before-v${RELEASED + 2}`;
  let copied: string | undefined;
  const look: Migration = (db) => {
    copied = fingerprint(copy); // it is there before anything is changed
    ADD_COLUMN(db);
  };
  upgrade(store, [...MIGRATIONS, look, ADD_TABLE]);
  const { version, columns, tables } = schemaOf(store.database);
  assert.deepEqual([version, columns.at(-1), tables.includes("notes")], [RELEASED + 2, "note", true]);
  assert.deepEqual(store.files(), ["django.db", `django.db.before-v${RELEASED + 2}`]);
  assert.equal(fingerprint(copy), copied);
  assert.deepEqual(schemaOf(copy), before);
  {
    using upgraded = openTable(store.database, { migrations: AFTER_NEXT });
    await assertHolds(upgraded, rows);
    upgraded.insert(usageRow());
  }
  using old = openTable(copy);
  await assertHolds(old, rows);
});

Deno.test("the copy holds what a crash has left in the -wal", async () => {
  await using store = await filledStore();
  await using script = startScript("storage/crasher.ts", {
    args: [store.database, "UPDATE token_usage SET latency_ms = 7"],
  });
  assert.equal(await script.line(), "done");
  script.kill("SIGKILL");
  await script.end();
  upgrade(store, NEXT);
  const expected = rows.map((row) => ({ ...row, latency_ms: 7 }));
  for (const [path, migrations] of [[store.database, NEXT], [`${store.database}.before-v2`, MIGRATIONS]] as const) {
    using table = openTable(path, { migrations });
    await assertHolds(table, expected);
  }
});

Deno.test("no copy is made of a fresh file, nor when there is nothing to do", async () => {
  await using store = await createStore();
  for (let count = 0; count < 2; count++) {
    upgrade(store, AFTER_NEXT);
    assert.deepEqual(store.files(), ["django.db"]);
  }
  assert.equal(schemaOf(store.database).version, RELEASED + 2);
});

Deno.test("a step that fails leaves those before it in place, and the file usable", async () => {
  await using store = await filledStore();
  assert.throws(() => upgrade(store, [...NEXT, FAIL]), (error) => {
    assert.ok(error instanceof StorageError && error.problem === "unusable", String(error));
    assert.match(String(error.cause), /the step does not work/);
    return true;
  });
  const { version, columns, tables } = schemaOf(store.database);
  assert.deepEqual([version, columns.at(-1), tables.includes("half_done")], [RELEASED + 1, "note", false]);
  assert.deepEqual(store.files(), ["django.db", `django.db.before-v${RELEASED + 2}`]);
  assert.equal(schemaOf(`${store.database}.before-v${RELEASED + 2}`).version, RELEASED);
  using table = openTable(store.database, { migrations: NEXT });
  await assertHolds(table, rows);
  table.insert(usageRow());
});

Deno.test("a first step that fails leaves the file as it was, and no copies however often it is tried", async () => {
  await using store = await filledStore();
  for (let count = 0; count < 3; count++) {
    assert.throws(() => upgrade(store, [...MIGRATIONS, FAIL]), StorageError);
    assert.deepEqual(store.files(), ["django.db"]);
  }
  using table = openTable(store.database);
  await assertHolds(table, rows);
});

Deno.test("an upgrade that was killed within a step goes on from the step before it", async () => {
  await using store = await filledStore();
  await using script = startScript("storage/upgrade_crasher.ts", { args: [store.database] });
  assert.equal(await script.line(), "within");
  script.kill("SIGKILL");
  await script.end();
  const version = RELEASED + 2;
  assert.deepEqual(store.files(), ["django.db", "django.db-journal", `django.db.before-v${version}`]);
  const firstStep: Migration = () => assert.fail("this step was done");
  upgrade(store, [...MIGRATIONS, firstStep, ADD_TABLE]);
  assert.deepEqual(store.files(), ["django.db", `django.db.before-v${version}`, `django.db.before-v${version}-2`]);
  const versions = store.files().map((name) => schemaOf(`${store.path}/${name}`).version);
  assert.deepEqual(versions, [version, RELEASED, RELEASED + 1]);
  assert.deepEqual(schemaOf(store.database).tables.includes("first_step"), true);
  using table = openTable(store.database, { migrations: AFTER_NEXT });
  await assertHolds(table, rows); // not the latency of the step that was cut short
});

Deno.test("the copy takes no name that is taken", async () => {
  await using store = await filledStore();
  const name = `${store.database}.before-v${RELEASED + 1}`;
  Deno.writeTextFileSync(name, "somebody else's");
  Deno.symlinkSync("nowhere", `${name}-2`);
  upgrade(store, NEXT);
  assert.equal(Deno.readTextFileSync(name), "somebody else's");
  assert.equal(Deno.readLinkSync(`${name}-2`), "nowhere");
  assert.equal(schemaOf(`${name}-3`).version, RELEASED);
});

Deno.test("an upgrade is refused while another program has the file open, and leaves it as it is", async () => {
  await using store = await filledStore();
  await using holder = startScript("storage/lock_holder.ts", { args: ["connection", store.database] });
  assert.equal(await holder.line(), "held");
  const before = store.files();
  assert.throws(() => upgrade(store, NEXT), (error) => {
    assert.ok(error instanceof StorageError && error.problem === "busy", String(error));
    assert.equal(error.exitCode, EXIT.tempfail);
    return true;
  });
  assert.deepEqual(store.files(), before);
  assert.equal(schemaOf(store.database).version, RELEASED);
  openTable(store.database)[Symbol.dispose](); // the old version goes on
  await holder.tell("0");
  await holder.end();
  upgrade(store, NEXT);
  assert.equal(schemaOf(store.database).version, RELEASED + 1);
});

Deno.test("a damaged file is not upgraded but set aside, whatever its size", async () => {
  await using store = await createStore();
  const long = "x".repeat(1024 * 1024);
  {
    using table = openTable(store.database);
    table.insertAll(Array.from({ length: 17 }, () => usageRow({ conversation_id: long })));
  }
  const bytes = Deno.readFileSync(store.database);
  Deno.writeFileSync(store.database, bytes.fill(0x5a, 8 * 1024 * 1024, 8 * 1024 * 1024 + 4096));
  const asides: string[] = [];
  const onSetAside = (aside: string) => asides.push(aside);
  openDatabase({ path: store.database, busyTimeoutMs: 0, migrations: NEXT, onSetAside }).close();
  assert.equal(asides.length, 1);
  assert.deepEqual(store.files(), ["django.db", asides[0]?.slice(store.path.length + 1)]);
  assert.equal(schemaOf(store.database).version, RELEASED + 1);
});
