import assert from "node:assert/strict";
import { EXIT } from "../../src/core/errors.ts";
import { SharedUsageError } from "../../src/storage/postgres_errors.ts";
import type { SharedUsage } from "../../src/storage/shared_usage.ts";
import { localDayStarts } from "../../src/storage/summary.ts";
import { type Cluster, PASSWORD, postgresMissing, startCluster } from "../support/postgres.ts";
import {
  allRows,
  assertSecret,
  changed,
  connect,
  connectError,
  shownOf,
  stored,
  until,
} from "../support/shared_store.ts";
import { skipped } from "../support/skipped.ts";
import { startTcpProxy } from "../support/tcp_proxy.ts";
import { usageRow, variedRows } from "../support/usage_rows.ts";

const INSTANCE = "11111111-1111-4111-8111-111111111111";

let cluster: Cluster;
const ignore = skipped(postgresMissing);
Deno.test.beforeAll(async () => {
  if (!ignore) cluster = await startCluster();
});
Deno.test.afterAll(async () => await cluster?.[Symbol.asyncDispose]());

function test(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, ignore, fn });
}

/** Connects, hands the connection on and closes it. */
async function using<T>(url: string, work: (usage: SharedUsage) => Promise<T>): Promise<T> {
  const usage = await connect(url);
  try {
    return await work(usage);
  } finally {
    await usage.close();
  }
}

async function rejection(promise: Promise<unknown>): Promise<SharedUsageError> {
  const error = await promise.then(() => assert.fail("it succeeded"), (reason) => reason);
  assert.ok(error instanceof SharedUsageError, String(error));
  assertSecret(error);
  return error;
}

async function commentOf(url: string): Promise<unknown> {
  const [row] = await cluster.query(url, "SELECT obj_description('token_usage'::regclass, 'pg_class') AS comment");
  return row?.comment;
}

for (const isolation of ["read committed", "serializable"]) {
  test(`connectPostgres() creates the schema once for many that start at once, ${isolation} or not`, async () => {
    const url = await cluster.createDatabase();
    await cluster.query(
      url,
      `ALTER DATABASE ${new URL(url).pathname.slice(1)}
      SET default_transaction_isolation = '${isolation}'`,
    );
    const all = await Promise.all(Array.from({ length: 6 }, () => connect(url)));
    const [first] = all;
    assert.deepEqual(all.map(({ storeId }) => storeId), all.map(() => first?.storeId));
    assert.equal(await commentOf(url), `django-agent schema 1, store ${first?.storeId}`);
    await Promise.all(all.map((usage) => usage.insert(stored([usageRow()], INSTANCE))));
    assert.equal((await allRows(all[5] ?? assert.fail())).length, 6);
    await Promise.all(all.map((usage) => usage.close()));
  });
}

test("connectPostgres() knows a table again, and a new one of the same name as another", async () => {
  const url = await cluster.createDatabase();
  const first = await using(url, ({ storeId }) => Promise.resolve(storeId));
  assert.match(first, /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/);
  assert.equal(await using(url, ({ storeId }) => Promise.resolve(storeId)), first);
  await cluster.query(url, "DROP TABLE token_usage");
  assert.notEqual(await using(url, ({ storeId }) => Promise.resolve(storeId)), first);
});

const FOREIGN = [
  "CREATE TABLE token_usage (note text); INSERT INTO token_usage VALUES ('mine')",
  "CREATE TABLE token_usage (note text); INSERT INTO token_usage VALUES ('mine'); COMMENT ON TABLE token_usage IS 'tokens'",
  "CREATE VIEW token_usage AS SELECT 'mine' AS note",
];

for (const [index, sql] of FOREIGN.entries()) {
  test(`connectPostgres() refuses another program's token_usage and leaves it alone (${index + 1})`, async () => {
    const url = await cluster.createDatabase();
    await cluster.query(url, sql);
    const before = await commentOf(url);
    for (const migrate of [true, false]) {
      const error = await connectError(url, { migrate });
      assert.equal(error.exitCode, EXIT.config);
      assert.match(error.message, /has a table token_usage of another program$/);
      assert.match(error.remedy ?? "", /Name another database in DATABASE_URL/);
    }
    assert.deepEqual([...await cluster.query(url, "SELECT * FROM token_usage")], [{ note: "mine" }]);
    assert.equal(await commentOf(url), before);
  });
}

test("connectPostgres() leaves a table of a newer version alone", async () => {
  const url = await cluster.createDatabase();
  const { storeId } = await connect(url).then(async (usage) => (await usage.close(), usage));
  await cluster.query(url, `COMMENT ON TABLE token_usage IS 'django-agent schema 99, store ${storeId}'`);
  const error = await connectError(url);
  assert.equal(error.exitCode, EXIT.config);
  assert.match(
    error.message,
    /^A newer version of this program uses the shared database postgres:\/\/127\.0\.0\.1:\d+$/,
  );
  assert.equal(error.remedy, "Update this one.");
  assert.equal(await commentOf(url), `django-agent schema 99, store ${storeId}`);
});

test("connectPostgres() creates nothing for somebody who only reads", async () => {
  const url = await cluster.createDatabase();
  const error = await connectError(url, { migrate: false });
  assert.equal(error.exitCode, EXIT.unavailable);
  assert.match(error.message, /^Nothing has been shared at postgres:\/\/127\.0\.0\.1:\d+ yet$/);
  assert.deepEqual([...await cluster.query(url, "SELECT to_regclass('token_usage') AS found")], [{ found: null }]);
  await (await connect(url)).close();
  await (await connect(url, { migrate: false })).close();
});

test("connectPostgres() says which right is missing, and does with it", async () => {
  const url = await cluster.createDatabase();
  await cluster.query(url, `CREATE ROLE guest LOGIN PASSWORD '${PASSWORD}'`);
  const guest = changed(url, { username: "guest" });
  const error = await connectError(guest);
  assert.equal(error.exitCode, EXIT.config);
  assert.match(error.message, /user "guest" may not do that there$/);
  const [grant] = /GRANT [^;]*;/.exec(error.remedy ?? "") ?? assert.fail(error.remedy);
  assert.equal(grant, "GRANT CREATE, USAGE ON SCHEMA public TO guest;");
  await cluster.query(url, grant);
  await using(guest, (usage) => usage.insert(stored([usageRow()], INSTANCE)));
});

test("SharedUsage.insert() leaves a row alone that is there already", async () => {
  const url = await cluster.createDatabase();
  await using(url, async (usage) => {
    const [first, ...others] = stored(variedRows(40), INSTANCE);
    assert.ok(first);
    await usage.insert([first]);
    await usage.insert([{ ...first, output_tokens: 999 }, ...others]);
    await usage.insert([first, ...others]);
    const rows = await allRows(usage);
    assert.deepEqual(rows, [first, ...others]);
  });
});

test("SharedUsage.insert() brings in all of the rows or none, and tells nothing of the row that was refused", async () => {
  const url = await cluster.createDatabase();
  await using(url, async (usage) => {
    await cluster.query(url, "ALTER TABLE token_usage ADD CHECK (model <> 'forbidden')");
    const secret = "conversation-nobody-may-see";
    const rows = stored([usageRow(), usageRow({ model: "forbidden", conversation_id: secret }), usageRow()], INSTANCE);
    const error = await rejection(usage.insert(rows));
    assert.deepEqual([error.problem, error.exitCode], ["data", EXIT.data]);
    assert.match(error.message, /it refuses a row \(23514\)$/);
    assert.ok(!`${error.message} ${error.remedy}`.includes(secret));
    assert.deepEqual(await allRows(usage), []);
    await usage.insert(rows.slice(0, 1)); // the connection goes on
    assert.equal((await allRows(usage)).length, 1);
  });
});

test("SharedUsage.insert() calls a row refused when a trigger refuses it", async () => {
  const url = await cluster.createDatabase();
  await using(url, async (usage) => {
    await cluster.query(
      url,
      `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$;
       CREATE TRIGGER refuse BEFORE INSERT ON token_usage FOR EACH ROW EXECUTE FUNCTION refuse()`,
    );
    assert.equal((await rejection(usage.insert(stored([usageRow()], INSTANCE)))).problem, "data");
  });
});

test("SharedUsage.insert() notices that the table has gone, is another one, or is no longer ours", async () => {
  const url = await cluster.createDatabase();
  const rows = stored([usageRow()], INSTANCE);
  await using(url, async (usage) => {
    await cluster.query(url, "DROP TABLE token_usage");
    const gone = await rejection(usage.insert(rows));
    assert.equal(gone.problem, "away");
    assert.match(gone.message, /the table token_usage has gone$/);
    await (await connect(url)).close(); // another installation creates it anew
    const other = await rejection(usage.insert(rows));
    assert.equal(other.problem, "away");
    assert.match(other.message, /the table token_usage has gone$/);
    await cluster.query(url, "COMMENT ON TABLE token_usage IS NULL");
    assert.match((await rejection(usage.insert(rows))).message, /a table token_usage of another program$/);
    await cluster.query(url, "ALTER TABLE token_usage DROP COLUMN model");
    const altered = await rejection(usage.insert(rows));
    assert.equal(altered.problem, "setup");
    assert.match(altered.message, /not as this program created it \(42703\)$/);
  });
});

test("SharedUsage counts each connection and what goes both ways", async () => {
  const url = await cluster.createDatabase();
  const counted: { what: string; bytes: number }[] = [];
  await using proxy = await startTcpProxy(cluster.port);
  const origin = `postgres://127.0.0.1:${proxy.port}`;
  const note = (what: string) => (at: string, bytes: number) => {
    assert.equal(at, origin);
    counted.push({ what, bytes });
  };
  const sum = (what: string) => counted.reduce((total, entry) => total + (entry.what === what ? entry.bytes : 0), 0);
  const usage = await connect(`${changed(url, { host: `127.0.0.1:${proxy.port}` })}?sslmode=disable`, {
    traffic: { sent: note("request"), sentMore: note("sent"), received: note("received") },
  });
  assert.deepEqual(counted[0], { what: "request", bytes: 0 }, "counted before it leaves");
  const wanted = () => ({ up: sum("sent"), down: sum("received") });
  assert.deepEqual(proxy.passed, wanted());
  await usage.insert(stored(variedRows(200), INSTANCE));
  assert.deepEqual(proxy.passed, wanted());
  await usage.summarize({ by: "model", dayStarts: localDayStarts(30) });
  assert.deepEqual(proxy.passed, wanted());
  await usage.close();
  await until(() => proxy.open === 0);
  assert.deepEqual(proxy.passed, wanted());
  assert.equal(
    counted.filter(({ what }) => what === "request").length,
    1,
    "one connection, however much is said on it",
  );
});

test("SharedUsage does not connect anew when the server has hung up", async () => {
  const url = await cluster.createDatabase();
  await using proxy = await startTcpProxy(cluster.port);
  const usage = await connect(changed(url, { host: `127.0.0.1:${proxy.port}` }));
  await cluster.query(
    url,
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()
    AND pid <> pg_backend_pid()`,
  );
  for (let tries = 0; tries < 4; tries++) {
    const error = await rejection(usage.insert(stored([usageRow()], INSTANCE)));
    assert.equal(error.problem, "away");
    assert.match(error.message, /the connection ended/);
  }
  await usage.close();
  assert.equal(proxy.connections, 1);
});

test("SharedUsage gives up on a server that falls silent, and on a signal at once", async () => {
  await using own = await startCluster();
  const url = await own.createDatabase();
  const ending = new AbortController();
  const patient = await connect(url, { signal: ending.signal });
  const impatient = await connect(url, { timeoutMs: 100 });
  own.freeze();
  const error = await rejection(impatient.insert(stored([usageRow()], INSTANCE)));
  assert.equal(error.problem, "away");
  assert.match(error.message, /it did not answer in time$/);
  assert.match((await rejection(impatient.insert([]))).message, /the connection ended/, "it is over for good");
  const waiting = rejection(patient.insert(stored([usageRow()], INSTANCE)));
  ending.abort();
  await waiting;
  await Promise.all([patient.close(), impatient.close()]);
  own.thaw();
  await using(url, async (usage) => assert.deepEqual(await allRows(usage), []));
});

test("connectPostgres() survives a connection that ends anywhere while the schema is created", async () => {
  await using proxy = await startTcpProxy(cluster.port);
  const direct = await cluster.createDatabase();
  const url = changed(direct, { host: `127.0.0.1:${proxy.port}` }) + "?sslmode=disable";
  await using(url, () => Promise.resolve());
  const whole = { ...proxy.passed };
  for (const direction of ["up", "down"] as const) {
    for (let tenths = 0; tenths < 10; tenths++) {
      await cluster.query(direct, "DROP TABLE token_usage");
      proxy.cutAfter(direction, Math.floor(whole[direction] * tenths / 10), tenths % 2 ? "reset" : "end");
      const error = await connectError(url);
      assert.ok(proxy.hasCut);
      assert.match(error.message, /the connection ended \((CONNECTION_CLOSED|ECONNRESET|EPIPE)\)$/, shownOf(error));
      await using(url, (usage) => usage.insert(stored([usageRow()], INSTANCE)));
    }
  }
});
