import { DatabaseSync } from "node:sqlite";
import assert from "node:assert/strict";
import { AgentError, EXIT } from "../../src/core/errors.ts";
import { parseDatabaseUrl } from "../../src/storage/database_url.ts";
import { PendingFile } from "../../src/storage/pending_file.ts";
import type { UsageBook } from "../../src/storage/usage.ts";
import { createUsageBook, type UsageBookOptions } from "../../src/storage/usage_book.ts";
import { type Cluster, PASSWORD, postgresMissing, startCluster } from "../support/postgres.ts";
import { createFolder } from "../support/program.ts";
import { allRows, assertSecret, changed, connect, stored, until } from "../support/shared_store.ts";
import { skipped } from "../support/skipped.ts";
import { startTcpServer } from "../support/tcp_server.ts";
import { usageRow, variedRows } from "../support/usage_rows.ts";
import { idsOf, sharedIds } from "./station.ts";

let cluster: Cluster;
const ignore = skipped(postgresMissing);
Deno.test.beforeAll(async () => {
  if (!ignore) cluster = await startCluster();
});
Deno.test.afterAll(async () => await cluster?.[Symbol.asyncDispose]());

interface Home extends AsyncDisposable {
  readonly dataDir: string;
  /** What people and the log were told; never the password. */
  readonly warnings: string[];
  readonly notes: string[];
  readonly origins: string[];
  /** Opens the book of this folder. */
  open(shared?: string | AgentError): UsageBook;
}

async function createHome(): Promise<Home> {
  const folder = await createFolder();
  const dataDir = `${folder.path}/data`;
  const [warnings, notes, origins] = [[], [], []] as [string[], string[], string[]];
  const options: Omit<UsageBookOptions, "shared"> = {
    dataDir,
    traffic: {
      sent: (origin) => void origins.push(origin),
      sentMore: () => {},
      received: (origin) => void origins.push(origin),
    },
    warn(message, remedy) {
      assertSecret(`${message} ${remedy}`);
      warnings.push(message);
    },
    inform(message) {
      assertSecret(message);
      notes.push(message);
    },
  };
  return {
    dataDir,
    warnings,
    notes,
    origins,
    open: (shared) =>
      createUsageBook({ ...options, shared: typeof shared === "string" ? parseDatabaseUrl(shared) : shared }),
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

async function failureOf(promise: Promise<unknown>): Promise<AgentError> {
  const error = await promise.then(() => assert.fail("it succeeded"), (reason) => reason);
  assert.ok(error instanceof AgentError, String(error));
  assertSecret(error);
  return error;
}

Deno.test({
  name: "UsageBook keeps what is recorded, shares it, and reads both",
  ignore,
  async fn() {
    await using home = await createHome();
    const url = await cluster.createDatabase();
    const origin = `postgres://127.0.0.1:${cluster.port}`;
    const rows = variedRows(50);
    await using book = home.open(url);
    assert.deepEqual(book.sharing, { state: "idle", origin, problem: null });
    for (const row of rows) book.record(row);
    const local = await book.openLocal();
    await until(() => local.countUnshared() === 0);
    assert.deepEqual(book.sharing, { state: "connected", origin, problem: null });
    assert.equal(book.path, `${home.dataDir}/django.db`);
    assert.equal(local.count, 50);
    const expected = stored(rows, local.instanceId);
    assert.deepEqual(await allRows(local), expected);
    const shared = await allRows(await book.openShared());
    assert.deepEqual(shared.sort((a, b) => a.id < b.id ? -1 : 1), expected.sort((a, b) => a.id < b.id ? -1 : 1));
    assert.deepEqual(new Set(home.origins), new Set([origin]));
    assert.deepEqual(home.warnings, []);
  },
});

Deno.test({
  name: "disposing of a UsageBook closes everything it opened",
  ignore,
  async fn() {
    await using home = await createHome();
    const url = await cluster.createDatabase();
    const book = home.open(url);
    book.record(usageRow());
    const local = await book.openLocal();
    await until(() => local.countUnshared() === 0);
    await book.openShared();
    assert.equal(await sessions(url), 2);
    await book[Symbol.asyncDispose]();
    await until(async () => await sessions(url) === 0);
    assert.throws(() => local.count);
  },
});

async function sessions(url: string): Promise<number> {
  const rows = await cluster.query(
    url,
    "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'django-agent'",
  );
  return rows.length;
}

Deno.test({
  name: "disposing of a UsageBook sends what is left, and what could not be sent waits for the next",
  ignore,
  async fn() {
    await using home = await createHome();
    const url = await cluster.createDatabase();
    const rows = variedRows(30);
    {
      await using book = await openConnected(rows[0]);
      for (const row of rows.slice(1, 10)) book.record(row);
    }
    assert.deepEqual((await sharedIds(cluster, url)).sort(), idsOf(rows.slice(0, 10)).sort());
    await using silent = await startTcpServer(() => {});
    for (const [host, from] of [["127.0.0.1:1", 10], [`127.0.0.1:${silent.port}`, 19]] as const) {
      await using book = home.open(changed(url, { host }));
      for (const row of rows.slice(from, from + 9)) book.record(row);
      await until(() => book.sharing.state === "away" || silent.connections > 0);
    }
    {
      await using book = await openConnected(rows[28]);
      for (const row of rows.slice(29)) book.record(row);
    }
    assert.deepEqual((await sharedIds(cluster, url)).sort(), idsOf(rows).sort());
    assert.deepEqual(home.warnings, []);
    assert.deepEqual(home.notes.map((note) => note.replace(/\d{4,}/, "PORT")), [
      "Cannot use the shared database postgres://127.0.0.1:1: the connection was refused; usage is kept and sent later",
    ]);

    /** Connected already, so that the time for what is left is for that alone. */
    async function openConnected(first = usageRow()): Promise<UsageBook> {
      const book = home.open(url);
      book.record(first);
      await until(() => book.sharing.state === "connected");
      return book;
    }
  },
});

Deno.test({
  name: "UsageBook tells a person once what is wrong with the database, never the password, and keeps on recording",
  ignore,
  async fn() {
    await using home = await createHome();
    const url = changed(await cluster.createDatabase(), { password: encodeURIComponent(`${PASSWORD}!`) });
    await using book = home.open(url);
    book.record(usageRow());
    await until(() => book.sharing.state === "away");
    book.record(usageRow());
    assert.match(book.sharing.problem ?? "", /it does not accept user "agent" with that password$/);
    assertSecret(JSON.stringify(book.sharing));
    assert.equal(home.warnings.length, 1);
    assert.match(home.warnings[0] ?? "", /with that password; usage is kept here meanwhile$/);
    const local = await book.openLocal();
    assert.deepEqual([local.count, local.countUnshared()], [2, 2]);
    const error = await failureOf(book.openShared());
    assert.equal(error.exitCode, EXIT.config);
  },
});

Deno.test({
  name: "UsageBook.openShared() only reads: it creates no table, and sees what others have shared",
  ignore,
  async fn() {
    await using home = await createHome();
    const url = await cluster.createDatabase();
    await using book = home.open(url);
    const error = await failureOf(book.openShared());
    assert.match(error.message, /^Nothing has been shared at /);
    assert.deepEqual([...await cluster.query(url, "SELECT to_regclass('token_usage') AS found")], [{ found: null }]);
    const others = await connect(url);
    const rows = stored(variedRows(5), crypto.randomUUID());
    await others.insert(rows);
    await others.close();
    assert.deepEqual(await allRows(await book.openShared()), rows);
    assert.equal(book.sharing.state, "idle");
  },
});

Deno.test("UsageBook works without a shared database, and says how to name one", async () => {
  await using home = await createHome();
  await using book = home.open();
  book.record(usageRow());
  assert.deepEqual(book.sharing, { state: "off", origin: null, problem: null });
  const error = await failureOf(book.openShared());
  assert.equal(error.exitCode, EXIT.config);
  assert.equal(error.message, "There is no shared database");
  assert.match(error.remedy ?? "", /^Set DATABASE_URL=postgres:\/\//);
  assert.equal((await book.openLocal()).count, 1);
});

Deno.test("UsageBook says why a shared database is not used, and never connects to it", async () => {
  await using home = await createHome();
  const refusal = new AgentError("It is outside this network", { exitCode: EXIT.permission, remedy: "--cloud" });
  await using book = home.open(refusal);
  assert.deepEqual(home.warnings, [], "no matter until there is something to share");
  book.record(usageRow());
  book.record(usageRow());
  assert.deepEqual(home.warnings, ["It is outside this network; usage is kept on this machine only"]);
  assert.deepEqual(book.sharing, { state: "off", origin: null, problem: "It is outside this network" });
  assert.equal(await failureOf(book.openShared()), refusal);
  assert.deepEqual(home.origins, []);
});

Deno.test("UsageBook creates nothing until there is something to keep", async () => {
  await using home = await createHome();
  await using book = home.open();
  await assert.rejects(Deno.stat(home.dataDir), Deno.errors.NotFound);
  book.record(usageRow());
  assert.ok((await Deno.stat(book.path)).isFile);
});

Deno.test("UsageBook.openLocal() brings in what waits beside the database", async () => {
  await using home = await createHome();
  const rows = variedRows(7);
  const pending = new PendingFile(`${home.dataDir}/usage-pending.jsonl`);
  pending.append(rows);
  await using book = home.open();
  const local = await book.openLocal();
  assert.deepEqual(await allRows(local), stored(rows, local.instanceId));
  assert.equal(pending.waiting, false);
});

Deno.test("UsageBook.openLocal() waits for another program that has the database for a moment", async () => {
  await using home = await createHome();
  await using book = home.open();
  book.record(usageRow());
  const lock = await Deno.open(`${book.path}.lock`, { write: true });
  try {
    await lock.lock(true);
    let opened = false;
    const opening = book.openLocal().then((local) => (opened = true, local.count));
    await new Promise((resolve) => setTimeout(resolve, 120));
    assert.equal(opened, false);
    await lock.unlock();
    assert.equal(await opening, 1);
  } finally {
    lock.close();
  }
});

Deno.test("UsageBook tells where a damaged database went, and goes on with a new one", async () => {
  await using home = await createHome();
  await Deno.mkdir(home.dataDir);
  await Deno.writeTextFile(`${home.dataDir}/django.db`, "This is no database at all. ".repeat(200));
  await using book = home.open();
  book.record(usageRow());
  assert.equal((await book.openLocal()).count, 1);
  assert.equal(home.warnings.length, 1);
  const [, aside = ""] = /was damaged: it is now (.+), and a new one was begun$/.exec(home.warnings[0] ?? "") ?? [];
  assert.match(await Deno.readTextFile(aside), /^This is no database at all/);
});

Deno.test("UsageBook keeps rows in the database although the file beside it is none, and says what is wrong", async () => {
  await using home = await createHome();
  await Deno.mkdir(`${home.dataDir}/usage-pending.jsonl`, { recursive: true });
  await using book = home.open();
  for (let count = 0; count < 3; count++) book.record(usageRow());
  const local = await book.openLocal();
  assert.equal(local.count, 3);
  assert.match(home.warnings.join("\n"), /Cannot read .*usage-pending\.jsonl: .* is not a plain file/);
});

Deno.test("UsageBook.openLocal() tells of lines that were no usage, and opens the database once", async () => {
  await using home = await createHome();
  await Deno.mkdir(home.dataDir);
  await Deno.writeTextFile(`${home.dataDir}/usage-pending.jsonl`, '\n{"torn');
  await using book = home.open();
  assert.equal(await book.openLocal(), await book.openLocal());
  assert.deepEqual(home.warnings.filter((warning) => /Some lines of .* were no usage/.test(warning)).length, 1);
});

Deno.test("a UsageBook that ends while others hold the database and the file beside it keeps its rows all the same", async () => {
  await using home = await createHome();
  const rows = variedRows(3);
  {
    await using book = home.open();
    book.record(rows[0] ?? assert.fail());
  }
  await Deno.writeTextFile(`${home.dataDir}/usage-pending.jsonl`, "");
  const busy = new DatabaseSync(`${home.dataDir}/django.db`);
  const file = await Deno.open(`${home.dataDir}/usage-pending.jsonl`);
  try {
    busy.exec("BEGIN IMMEDIATE");
    await file.lock(true);
    await using book = home.open();
    for (const row of rows.slice(1)) book.record(row);
  } finally {
    file.close();
    busy.close();
  }
  assert.deepEqual(home.warnings, []);
  await using book = home.open();
  assert.equal((await book.openLocal()).count, rows.length);
});
