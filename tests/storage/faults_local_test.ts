/** What the machine can do to the local store while rows are recorded. None is lost, none is doubled, nobody waits. */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { EXIT } from "../../src/core/errors.ts";
import type { UsageRow } from "../../src/storage/usage.ts";
import {
  allRows,
  assertHolds,
  createStore,
  openTable,
  pendingIds,
  type StoreFolder,
  until,
  watchRecorder,
} from "../support/local_store.ts";
import { namespacesMissing } from "../support/namespaces.ts";
import { type Script, startScript } from "../support/script.ts";
import { skipped } from "../support/skipped.ts";
import { usageRow, variedRows } from "../support/usage_rows.ts";
import type { FullDiskReport } from "./full_disk.ts";
import type { ReadOnlyReport } from "./read_only.ts";

const ignore = skipped(namespacesMissing);

const LOCKED_MS = 10_000;

function ids(rows: readonly UsageRow[]): string[] {
  return rows.map(({ id }) => id);
}

/** True while another program writes. */
function isLocked(database: string): boolean {
  const db = new DatabaseSync(database, { timeout: 0 });
  try {
    db.exec("BEGIN IMMEDIATE");
    return false;
  } catch {
    return true;
  } finally {
    db.close();
  }
}

/** A process that holds the database. */
async function holdDatabase(how: "write" | "everything", database: string): Promise<Script> {
  const holder = startScript("storage/lock_holder.ts", { args: [how, database] });
  assert.equal(await holder.line(), "held");
  return holder;
}

/** Holds the database for ten seconds while rows are recorded. */
async function recordWhileLocked(how: "write" | "everything", openBefore: boolean): Promise<void> {
  await using store = await createStore();
  const before = openBefore ? [usageRow()] : [];
  const during: UsageRow[] = [];
  openTable(store.database)[Symbol.dispose]();
  using watched = watchRecorder(store, { busyTimeoutMs: 10 });
  for (const row of before) watched.recorder.record(row);
  await using holder = await holdDatabase(how, store.database);
  await holder.tell(`${LOCKED_MS}`);
  let released = false;
  const ended = holder.line().then((line) => {
    assert.equal(line, "free");
    released = true;
  });
  while (!released) {
    const row = usageRow();
    watched.recorder.record(row);
    during.push(row);
    if (during.length <= 20) { // the lock is there for sure, and record() has returned
      assert.ok(isLocked(store.database));
      assert.deepEqual(watched.recorder.status, { state: "waiting", problem: "busy", in_memory: 0 });
      assert.deepEqual(pendingIds(store.pending), ids(during));
      assert.equal(watched.stored, before.length);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  await ended;
  assert.ok(during.length > 20);
  await until(() => watched.recorder.status.state === "ok");
  const after = usageRow();
  watched.recorder.record(after);
  assert.equal(store.pending.waiting, false);
  assert.deepEqual(watched.warnings, []);
  await assertHolds(watched.recorder.table ?? assert.fail(), [...before, ...during, after]);
}

Deno.test("a database that another program holds for ten seconds delays no answer and loses no row", async (t) => {
  const cases = [["write", true], ["write", false], ["everything", false]] as const;
  await Promise.all(cases.map(([how, openBefore]) =>
    t.step({
      name: `it holds it to ${how === "write" ? "write" : "do everything"}, ${
        openBefore ? "open before" : "not open yet"
      }`,
      fn: () => recordWhileLocked(how, openBefore),
      sanitizeOps: false, // the cases run side by side
      sanitizeResources: false,
      sanitizeExit: false,
    })
  ));
});

Deno.test("rows of a process that ends while the database is held are brought in by the next one", async (t) => {
  for (const how of ["ends", "is killed"]) {
    await t.step(`it ${how}`, async () => {
      await using store = await createStore();
      const old = variedRows(3);
      {
        using table = openTable(store.database);
        table.insertAll(old);
      }
      await using holder = await holdDatabase("write", store.database);
      await using process = startScript("storage/recording.ts", { args: [store.path, "20"] });
      const { ids: recorded, status, warnings } = JSON.parse(await process.line());
      assert.deepEqual(status, { state: "waiting", problem: "busy", in_memory: 0 });
      if (how === "ends") await process.tell("end");
      else process.kill("SIGKILL");
      await process.end();
      assert.ok(isLocked(store.database));
      assert.deepEqual(pendingIds(store.pending), recorded);
      await holder.tell("0");
      await holder.end();
      const row = usageRow();
      {
        using watched = watchRecorder(store);
        watched.recorder.record(row);
        await until(() => !store.pending.waiting);
      }
      using table = openTable(store.database);
      assert.deepEqual(ids(await allRows(table)), [...ids(old), row.id, ...recorded]);
      assert.deepEqual(warnings, []);
    });
  }
});

/** Ways for a file to go while a recorder has it open; each gives the ids of the rows in the file that came after it. */
const WAYS_TO_GO: Readonly<Record<string, (store: StoreFolder) => Promise<string[]>>> = {
  async "it was damaged, and another process has set it aside"({ database, path, files }) {
    await using spoiler = startScript("storage/spoiler.ts", { args: [database, "middle"] });
    await spoiler.end();
    await using process = startScript("storage/recording.ts", { args: [path, "2"] });
    const { ids: recorded } = JSON.parse(await process.line());
    await process.tell("end");
    await process.end();
    assert.ok(files().some((name) => name.includes("damaged")), files().join(", "));
    return recorded;
  },
  "somebody has deleted it"({ database }) {
    for (const suffix of ["", "-wal", "-shm"]) Deno.removeSync(database + suffix);
    return Promise.resolve([]);
  },
};

Deno.test("rows recorded after the file was taken away go to the one in its place", async (t) => {
  for (const [name, takeAway] of Object.entries(WAYS_TO_GO)) {
    await t.step(name, async () => {
      await using store = await createStore();
      {
        using table = openTable(store.database);
        table.insertAll(variedRows(1000));
      }
      const rows = variedRows(6);
      let others: string[];
      {
        using watched = watchRecorder(store);
        watched.recorder.record(usageRow());
        others = await takeAway(store);
        for (const row of rows.slice(0, 3)) watched.recorder.record(row);
        assert.equal(watched.recorder.status.state, "waiting");
        assert.match(watched.warnings[0] ?? "", /it is no longer the file that was opened; usage waits in/);
        await until(() => watched.recorder.status.state === "ok");
        for (const row of rows.slice(3)) watched.recorder.record(row);
        assert.deepEqual([watched.warnings.length, watched.asides], [1, []]);
      }
      using table = openTable(store.database);
      assert.deepEqual(ids(await allRows(table)), [...others, ...ids(rows)]);
    });
  }
});

/** Records on a disk of its own that gets full; see `full_disk.ts`. */
async function fillDisk(size: string, ...args: string[]): Promise<FullDiskReport> {
  await using store = await createStore();
  const tmpfs = { folder: store.path, options: `size=${size}` };
  await using script = startScript("storage/full_disk.ts", { args: [store.path, ...args], tmpfs });
  const report: FullDiskReport = JSON.parse(await script.line());
  await script.end();
  return report;
}

Deno.test({
  name: "rows recorded on a full disk are in the table once there is room again, each of them once",
  ignore,
  async fn(t) {
    const cases = [
      { name: "full while rows are recorded", before: 20, left: 0 },
      { name: "room for a part of a row", before: 20, left: 8192 },
      { name: "full before the database is there", before: 0, left: 0 },
      { name: "no room for the tables", before: 0, left: 16_384 },
      { name: "no room for what SQLite shares between processes", before: 0, left: 45_056 },
      { name: "no room for the first row", before: 0, left: 77_824 },
    ];
    for (const { name, before, left } of cases) {
      await t.step(name, async () => {
        const { recorded, status, warnings, found, files } = await fillDisk("8m", `${before}`, `${left}`);
        assert.equal(recorded.length, before + 105);
        assert.deepEqual(found.toSorted(), recorded.toSorted());
        assert.deepEqual([status.state, status.problem], ["waiting", "full"]);
        assert.ok(status.in_memory > 0);
        assert.match(warnings[0] ?? "", /: the disk is full; usage waits in .* → Make room on the disk/);
        assert.match(warnings[1] ?? "", /^Cannot write .* either: No space left .* → Usage is in memory only/);
        assert.equal(warnings.length, 2);
        assert.ok(files.every((file) => !file.includes("damaged")), files.join(", "));
      });
    }
  },
});

Deno.test({
  name: "an upgrade without room for its copy leaves no half of it, and succeeds once there is room",
  ignore,
  async fn() {
    await using store = await createStore();
    const tmpfs = { folder: store.path, options: "size=1m" };
    await using script = startScript("storage/upgrade_on_full_disk.ts", { args: [store.path], tmpfs });
    const { problems, whileFull, afterwards, count } = JSON.parse(await script.line());
    await script.end();
    assert.deepEqual(problems, ["full", "full"]);
    assert.deepEqual(whileFull, ["ballast", "django.db"]);
    assert.deepEqual(afterwards, ["django.db", "django.db-shm", "django.db-wal", "django.db.before-v2"]);
    assert.equal(count, 1000);
  },
});

/** Records in a folder that is read-only; see `read_only.ts`. */
async function recordReadOnly(fate: "writable" | "read-only"): Promise<ReadOnlyReport & { readonly folder: string }> {
  await using store = await createStore();
  const tmpfs = { folder: store.path, options: "size=8m" };
  await using script = startScript("storage/read_only.ts", { args: [store.path, fate], tmpfs });
  const report: ReadOnlyReport = JSON.parse(await script.line());
  await script.end();
  return { ...report, folder: store.path };
}

Deno.test({
  name: "rows recorded while the data folder is read-only are written once it is writable, each of them once",
  ignore,
  async fn() {
    const { folder, refusal, recorded, status, warnings, found } = await recordReadOnly("writable");
    assert.deepEqual(found, recorded);
    assert.deepEqual(status, { state: "waiting", problem: "read_only", in_memory: 7 });
    assert.deepEqual(refusal, {
      message: `Cannot use the database ${folder}/django.db: it cannot be written`,
      remedy: "Check who owns it and its folder, and that the disk is not mounted read-only.",
      exitCode: EXIT.permission,
    });
    assert.ok(warnings[0]?.startsWith(refusal.message), `${warnings[0]}`);
    assert.match(
      warnings[1] ?? "",
      /Read-only file system .* → Usage is in memory only and lost if the program is killed/,
    );
    assert.equal(warnings.length, 2);
  },
});

Deno.test({
  name: "rows recorded in a data folder that stays read-only are lost, which is told with their number",
  ignore,
  async fn() {
    const { recorded, warnings, found } = await recordReadOnly("read-only");
    assert.deepEqual(found, recorded.slice(0, 3));
    assert.match(warnings[2] ?? "", /^The usage of 7 calls could not be written and is lost/);
    assert.equal(warnings.length, 3);
  },
});
