import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { EXIT } from "../../src/core/errors.ts";
import { MIGRATIONS } from "../../src/storage/migrations.ts";
import {
  inTransaction,
  openDatabase,
  queryValue,
  StorageError,
  type StorageProblem,
} from "../../src/storage/sqlite.ts";
import { createStore, openTable, type StoreFolder } from "../support/local_store.ts";
import { startScript } from "../support/script.ts";
import { usageRow } from "../support/usage_rows.ts";

function open(path: string, busyTimeoutMs = 0): DatabaseSync {
  return openDatabase({ path, busyTimeoutMs, onSetAside: assert.fail });
}

/** What `PRAGMA name` says. */
function pragma(db: DatabaseSync, name: string): unknown {
  return queryValue(db, `PRAGMA ${name}`);
}

function storageError(problem: StorageProblem, says: RegExp = /./) {
  return (error: unknown) => {
    assert.ok(error instanceof StorageError, String(error));
    assert.equal(error.problem, problem, error.message);
    assert.match(error.message, says);
    assert.notEqual(error.remedy ?? "", "");
    return true;
  };
}

/** Runs SQL on a file, past the program. */
function execute(path: string, ...sql: string[]): void {
  const db = new DatabaseSync(path);
  try {
    for (const statement of sql) db.exec(statement);
  } finally {
    db.close();
  }
}

Deno.test("openDatabase() creates the file as the program needs it, its folder too", async () => {
  await using store = await createStore();
  const db = open(`${store.path}/deep/data/django.db`, 1234);
  try {
    const found = ["journal_mode", "synchronous", "foreign_keys", "busy_timeout", "auto_vacuum", "user_version"]
      .map((name) => [name, pragma(db, name)]);
    assert.deepEqual(Object.fromEntries(found), {
      journal_mode: "wal",
      synchronous: 1, // NORMAL
      foreign_keys: 1,
      busy_timeout: 1234,
      auto_vacuum: 2, // INCREMENTAL
      user_version: MIGRATIONS.length,
    });
    assert.deepEqual(Deno.readDirSync(`${store.path}/deep/data`).map(({ name }) => name).toArray().sort(), [
      "django.db",
      "django.db-shm",
      "django.db-wal",
      "django.db.lock",
    ]);
  } finally {
    db.close();
  }
});

Deno.test("openDatabase() sets everything up again whenever it opens the file", async () => {
  await using store = await createStore();
  open(store.database).close();
  execute(store.database, "PRAGMA journal_mode = DELETE");
  const db = open(store.database);
  try {
    assert.deepEqual(["journal_mode", "synchronous", "foreign_keys"].map((name) => pragma(db, name)), ["wal", 1, 1]);
  } finally {
    db.close();
  }
});

Deno.test("a statement waits for another program that writes, as long as it was told to", async () => {
  await using store = await createStore();
  using impatient = openTable(store.database);
  using patient = openTable(store.database, { busyTimeoutMs: 60_000 });
  await using holder = startScript("storage/lock_holder.ts", { args: ["write", store.database] });
  assert.equal(await holder.line(), "held");
  assert.throws(() => impatient.insert(usageRow()), storageError("busy", /another program holds it/));
  await holder.tell("200");
  patient.insert(usageRow());
  assert.equal(patient.count, 1);
  assert.equal(await holder.end(), "free\n");
});

Deno.test("processes that open a fresh file at the same moment share one installation and lose no row", async () => {
  await using store = await createStore();
  const [files, rows] = [30, 3];
  const openers = [1, 2, 3].map(() =>
    startScript("storage/fresh_opener.ts", { args: [store.path, `${files}`, `${rows}`] })
  );
  try {
    for (const opener of openers) assert.equal(await opener.line(), "ready");
    for (const opener of openers) await opener.tell("go");
    const [first, ...others] = await Promise.all(openers.map(async (opener) => JSON.parse(await opener.line())));
    for (const other of others) assert.deepEqual(other, first);
    assert.equal(new Set(first).size, files);
    for (const opener of openers) await opener.end();
  } finally {
    for (const opener of openers) await opener[Symbol.asyncDispose]();
  }
  // Nothing was set aside. Whoever only looked may have been the last to close a file, which leaves what belongs to it.
  for (const name of store.files()) assert.match(name, /^\d+\.db(-wal|-shm)?$/);
  for (let index = 0; index < files; index++) {
    using table = openTable(`${store.path}/${index}.db`);
    assert.equal(table.count, openers.length * rows);
  }
});

Deno.test("openDatabase() does not wait for a process that is just opening the file", async () => {
  await using store = await createStore();
  open(store.database).close();
  await using holder = startScript("storage/lock_holder.ts", { args: ["file", `${store.database}.lock`] });
  assert.equal(await holder.line(), "held");
  assert.throws(() => open(store.database, 60_000), storageError("busy"));
  await holder.tell("0");
  await holder.end();
  open(store.database).close();
});

/** Leaves the file as a program does that is killed: what it wrote last is in the -wal. */
async function crash({ database }: StoreFolder, ...sql: string[]): Promise<void> {
  const args = [database, ...sql];
  await using script = startScript("storage/crasher.ts", { args });
  assert.equal(await script.line(), "done");
  script.kill("SIGKILL");
  await script.end();
}

Deno.test("a file of a newer version is refused as it is", async (t) => {
  const version = MIGRATIONS.length + 1;
  const change = [`PRAGMA user_version = ${version}`, "CREATE TABLE news (id TEXT)"];
  const refuse = (store: StoreFolder) => {
    const before = store.contents();
    const says = new RegExp(`newer version .*\\(schema ${version}, this one knows ${MIGRATIONS.length}`);
    assert.throws(() => open(store.database), (error) => {
      storageError("newer", says)(error);
      assert.equal((error as StorageError).exitCode, EXIT.config);
      assert.match((error as StorageError).remedy ?? "", /Update the program/);
      return true;
    });
    const { "django.db-shm": _index, ...after } = store.contents(); // SQLite's own, without content
    assert.deepEqual(after, before);
  };
  await t.step("after a clean end", async () => {
    await using store = await createStore();
    open(store.database).close();
    execute(store.database, ...change);
    refuse(store);
  });
  await t.step("after a crash", async () => {
    await using store = await createStore();
    open(store.database).close();
    await crash(store, ...change);
    Deno.removeSync(`${store.database}-shm`);
    assert.deepEqual(store.files(), ["django.db", "django.db-wal"]);
    refuse(store);
  });
});

Deno.test("a database of another program is refused as it is", async (t) => {
  const cases: Record<string, string[]> = {
    "without a version": ["CREATE TABLE bookmarks (url TEXT)"],
    "with a version of its own": ["CREATE TABLE bookmarks (url TEXT)", `PRAGMA user_version = ${MIGRATIONS.length}`],
    "with a version this one does not know": ["CREATE TABLE bookmarks (url TEXT)", "PRAGMA user_version = 4711"],
    "with a version below all": ["CREATE TABLE bookmarks (url TEXT)", "PRAGMA user_version = -1"],
    "empty, but marked as another program's": ["PRAGMA application_id = 4711"],
    "with a table of the same name": ["CREATE TABLE token_usage (id TEXT)", "PRAGMA user_version = 1"],
  };
  const refuse = (store: StoreFolder) => {
    const before = store.contents();
    assert.throws(() => open(store.database), (error) => {
      storageError("foreign", /it belongs to another program/)(error);
      assert.equal((error as StorageError).exitCode, EXIT.config);
      return true;
    });
    const { "django.db-shm": _index, ...after } = store.contents();
    assert.deepEqual(after, before);
  };
  for (const [name, sql] of Object.entries(cases)) {
    await t.step(name, async () => {
      await using store = await createStore();
      execute(store.database, ...sql);
      refuse(store);
    });
  }
  await t.step("after a crash of that program", async () => {
    await using store = await createStore();
    execute(store.database, "PRAGMA journal_mode = WAL", "CREATE TABLE bookmarks (url TEXT)");
    await crash(store, "INSERT INTO bookmarks VALUES ('https://example.org')");
    Deno.removeSync(`${store.database}-shm`);
    refuse(store);
  });
  await t.step("damaged", async () => {
    await using store = await createStore();
    execute(
      store.database,
      "CREATE TABLE bookmarks (url TEXT)",
      "INSERT INTO bookmarks VALUES ('https://example.org')",
    );
    const bytes = Deno.readFileSync(store.database);
    Deno.writeFileSync(store.database, bytes.fill(0x5a, 4096));
    refuse(store);
  });
});

Deno.test("openDatabase() says what is in the way when the file system does not let it", async (t) => {
  const cases: Record<string, (path: string) => void> = {
    "a folder where the file should be": (path) => Deno.mkdirSync(path),
    "a folder where the lock should be": (path) => Deno.mkdirSync(`${path}.lock`),
  };
  for (const [name, prepare] of Object.entries(cases)) {
    await t.step(name, async () => {
      await using store = await createStore();
      prepare(store.database);
      assert.throws(() => open(store.database), storageError("unusable", /^Cannot use the database .*django\.db: /));
    });
  }
  await t.step("a file where the folder should be", async () => {
    await using store = await createStore();
    Deno.writeTextFileSync(`${store.path}/data`, "");
    assert.throws(() => open(`${store.path}/data/django.db`), storageError("unusable"));
  });
});

Deno.test("openDatabase() names the sandbox when that is in the way, and how to change it", async () => {
  await using store = await createStore();
  const script = startScript("storage/sandboxed_open.ts", { args: [store.database], flags: ["--allow-read"] });
  await using _ending = script;
  const { message, remedy, exitCode } = JSON.parse(await script.line());
  assert.equal(message, `Cannot use the database ${store.database}: the sandbox of this program does not allow it`);
  assert.ok(remedy.includes(`Add "${store.path}" to permissions.default.read and .write in deno.json`), remedy);
  assert.equal(exitCode, EXIT.permission);
  await script.end();
});

Deno.test("inTransaction() takes effect as a whole or not at all", () => {
  const db = new DatabaseSync(":memory:");
  try {
    db.exec("CREATE TABLE numbers (value INTEGER) STRICT");
    const count = () => queryValue(db, "SELECT count(*) FROM numbers");
    assert.equal(inTransaction(db, () => (queryValue(db, "INSERT INTO numbers VALUES (1)"), "done")), "done");
    assert.equal(count(), 1);
    assert.throws(() =>
      inTransaction(db, () => {
        queryValue(db, "INSERT INTO numbers VALUES (2)");
        queryValue(db, "INSERT INTO numbers VALUES ('three')");
      }), /cannot store TEXT/);
    assert.equal(count(), 1);
    const cut = () => inTransaction(db, () => queryValue(db, "ROLLBACK") ?? assert.fail("ended by itself"));
    assert.throws(cut, /ended by itself/); // as SQLite does when the disk is full
    inTransaction(db, () => queryValue(db, "INSERT INTO numbers VALUES (4)"));
    assert.equal(count(), 2);
  } finally {
    db.close();
  }
});

Deno.test(
  "openDatabase() creates files that only their owner can read",
  { ignore: Deno.build.os === "windows" },
  async () => {
    await using store = await createStore();
    const path = `${store.path}/django.db`;
    const db = open(path);
    try {
      db.exec("CREATE TABLE x (y)");
      for (const suffix of ["", "-wal", "-shm"]) {
        assert.equal((Deno.statSync(path + suffix).mode ?? 0) & 0o077, 0, suffix);
      }
    } finally {
      db.close();
    }
  },
);
