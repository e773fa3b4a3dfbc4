/** The sender against a real server to which everything happens that can. */
import assert from "node:assert/strict";
import { type Cluster, postgresMissing, startCluster } from "../support/postgres.ts";
import { changed, connect, until } from "../support/shared_store.ts";
import { skipped } from "../support/skipped.ts";
import { startTcpProxy } from "../support/tcp_proxy.ts";
import { usageRow, variedRows } from "../support/usage_rows.ts";
import { createStation, idsOf, settled, sharedIds, storeIdOf } from "./station.ts";

let cluster: Cluster;
const ignore = skipped(postgresMissing);
Deno.test.beforeAll(async () => {
  if (!ignore) cluster = await startCluster();
});
Deno.test.afterAll(async () => await cluster?.[Symbol.asyncDispose]());

/** A test with a database of the server that all of them share. */
function test(name: string, fn: (url: string) => Promise<void>): void {
  Deno.test({ name, ignore, fn: async () => await fn(await cluster.createDatabase()) });
}

/** A test with a server of its own, which it may stop. */
function testAlone(name: string, fn: (own: Cluster, url: string) => Promise<void>): void {
  Deno.test({
    name,
    ignore,
    async fn() {
      await using own = await startCluster();
      await fn(own, await own.createDatabase());
    },
  });
}

test("Sender brings everything to the server once, in order, and marks it for good", async (url) => {
  await using station = await createStation({ url });
  const rows = variedRows(1700);
  station.add(rows);
  await settled(cluster, url, station, rows);
  assert.deepEqual(station.sizes, [500, 500, 500, 200]);
  assert.deepEqual(await sharedIds(cluster, url), idsOf(rows));
  const more = variedRows(3);
  station.add(more);
  await settled(cluster, url, station, [...rows, ...more]);
  await station.sender.stop(1000);

  await using later = await createStation({ url, folder: station.folder });
  const last = usageRow();
  later.add([last]);
  await settled(cluster, url, later, [...rows, ...more, last]);
  assert.deepEqual(later.sizes, [1], "what was confirmed is not sent again");
  assert.deepEqual([...station.warnings, ...later.warnings], []);
});

testAlone("Sender catches up when the server was stopped before, meanwhile, or crashed", async (own, url) => {
  await own.stop("fast");
  await using station = await createStation({ url });
  const rows = variedRows(2500);
  station.add(rows);
  await until(() => station.tries > 2);
  assert.equal(station.sender.status.state, "away");
  await own.start();
  await settled(own, url, station, rows);
  for (const how of ["fast", "kill"] as const) {
    const more = variedRows(2500);
    rows.push(...more);
    const sent = station.sizes.length;
    station.add(more);
    await until(() => station.sizes.length > sent + 1);
    await own.stop(how);
    const tries = station.tries;
    await until(() => station.tries > tries + 1);
    await own.start();
    await settled(own, url, station, rows);
  }
  assert.deepEqual(station.warnings, [], "this passes by itself");
  assert.equal(station.notes.at(-1), "Usage is shared again");
});

testAlone("Sender waits while the server is read-only, table or not, and catches up", async (own, url) => {
  const set = async (state: "on" | "off") => {
    await own.query(url, `ALTER SYSTEM SET default_transaction_read_only = ${state}`);
    await own.query(url, "SELECT pg_reload_conf()");
    await until(async () => (await own.query(url, "SHOW transaction_read_only"))[0]?.transaction_read_only === state);
  };
  await using station = await createStation({ url });
  const isReadOnly = () => /it is read-only for the moment$/.test(station.sender.status.problem ?? "");
  const rows = variedRows(600);
  await set("on");
  station.add(rows);
  await until(isReadOnly);
  await set("off");
  await settled(own, url, station, rows);
  await set("on");
  const more = variedRows(600);
  station.add(more); // over the connection that is open
  await until(isReadOnly);
  await set("off");
  await settled(own, url, station, [...rows, ...more]);
  assert.deepEqual(station.warnings, []);
});

/** Where the connection is cut while a batch is under way: direction, place, and whether the server has it then. */
const CUTS = [
  ["up", () => 0, false],
  ["up", () => 1, false],
  ["up", (whole: number) => whole >> 1, false],
  ["up", (whole: number) => whole - 6, false],
  ["up", (whole: number) => whole - 1, false],
  ["down", () => 0, false],
  ["down", () => 1, false],
  ["down", (whole: number) => whole - 7, true],
  ["down", (whole: number) => whole - 1, true],
] as const;

for (const how of ["reset", "end"] as const) {
  test(`Sender doubles nothing when the connection is cut (${how}) anywhere in a batch`, async (url) => {
    await using proxy = await startTcpProxy(cluster.port);
    let there: string[] = [];
    await using station = await createStation({
      url: `${changed(url, { host: `127.0.0.1:${proxy.port}` })}?sslmode=disable`,
      beforeTry: async () => void (there = await sharedIds(cluster, url)),
    });
    const batch = () => Array.from({ length: 300 }, () => usageRow()); // as many bytes every time
    const rows = batch();
    station.add(rows);
    await settled(cluster, url, station, rows);
    const before = { ...proxy.passed };
    rows.push(...batch());
    station.add(rows.slice(300));
    await settled(cluster, url, station, rows);
    const whole = { up: proxy.passed.up - before.up, down: proxy.passed.down - before.down };

    for (const [direction, place, committed] of CUTS) {
      const more = batch();
      const tries = station.tries;
      proxy.cutAfter(direction, place(whole[direction]), how);
      station.add(more);
      await until(() => proxy.hasCut && station.tries > tries && there.length >= rows.length);
      const label = `${direction} ${place(whole[direction])}`;
      await settled(cluster, url, station, [...rows, ...more]);
      assert.equal(there.length, rows.length + (committed ? more.length : 0), label);
      rows.push(...more);
    }
    assert.deepEqual(station.warnings, []);
  });
}

test("Sender carries on whenever somebody ends its session", async (url) => {
  await using station = await createStation({ url });
  const rows = variedRows(8000);
  station.add(rows);
  for (let round = 1; round <= 6; round++) {
    await until(() => station.sizes.length > round);
    await cluster.query(
      url,
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE datname = current_database() AND application_name = 'django-agent'`,
    );
  }
  await settled(cluster, url, station, rows);
  assert.ok(station.tries > 1);
  assert.deepEqual(station.warnings, []);
});

test("Sender creates a table anew that was dropped, and sends every row again, old ones too", async (url) => {
  await using station = await createStation({ url });
  const rows = variedRows(700);
  station.add(rows);
  await settled(cluster, url, station, rows);
  for (let round = 0; round < 2; round++) {
    const before = await storeIdOf(cluster, url);
    await cluster.query(url, "DROP TABLE token_usage");
    const more = variedRows(20);
    station.add(more);
    rows.push(...more);
    await settled(cluster, url, station, rows);
    assert.notEqual(await storeIdOf(cluster, url), before);
  }
  assert.deepEqual(station.warnings, []);
});

test("Sender sends every row again when another installation created the table anew", async (url) => {
  await using station = await createStation({ url });
  const rows = variedRows(700);
  station.add(rows);
  await settled(cluster, url, station, rows);
  await cluster.query(url, "DROP TABLE token_usage");
  await (await connect(url)).close();
  assert.deepEqual(await sharedIds(cluster, url), []);
  const [last] = variedRows(1);
  assert.ok(last);
  station.add([last]); // over the connection that knew the old table
  await settled(cluster, url, station, [...rows, last]);
  assert.equal(station.tries, 2);
});

testAlone("Sender gives up on a server that falls silent, and doubles nothing when it wakes", async (own, url) => {
  await using station = await createStation({ url, timeoutMs: 150 });
  const rows = variedRows(100);
  station.add(rows);
  await settled(own, url, station, rows);
  for (let round = 0; round < 2; round++) {
    const more = variedRows(900);
    own.freeze();
    const tries = station.tries;
    station.add(more);
    await until(() => station.tries > tries + 1);
    assert.match(station.sender.status.problem ?? "", /it did not answer in time$/);
    own.thaw();
    rows.push(...more);
    await settled(own, url, station, rows);
  }
  assert.deepEqual(station.warnings, []);
});

testAlone(
  "Sender.stop() comes back although the server is silent, and the next one sends the rest",
  async (own, url) => {
    await using station = await createStation({ url });
    const rows = variedRows(50);
    station.add(rows.slice(0, 10));
    await settled(own, url, station, rows.slice(0, 10));
    own.freeze();
    station.add(rows.slice(10));
    await station.sender.stop(50);
    await using silent = await createStation({ url, folder: station.folder });
    silent.sender.notify(); // this one has not even connected
    await until(() => silent.tries > 0);
    await silent.sender.stop(50);
    own.thaw();
    await using later = await createStation({ url, folder: station.folder });
    later.sender.notify();
    await settled(own, url, later, rows);
  },
);

test("Sender is not held up by a row that a new constraint refuses, and tells of it once", async (url) => {
  await using station = await createStation({ url });
  const first = variedRows(10);
  station.add(first);
  await settled(cluster, url, station, first);
  await cluster.query(url, "ALTER TABLE token_usage ADD CHECK (model <> 'forbidden')");
  const rows = variedRows(1200).map((row, index) => index % 500 === 123 ? { ...row, model: "forbidden" } : row);
  station.add(rows);
  const wanted = [...first, ...rows.filter(({ model }) => model !== "forbidden")];
  await settled(cluster, url, station, wanted);
  const more = [usageRow({ model: "forbidden" }), usageRow()];
  station.add(more);
  await settled(cluster, url, station, [...wanted, ...more.slice(1)]);
  assert.equal(station.warnings.length, 1);
  assert.match(
    station.warnings[0] ?? "",
    /it refuses a row \(23514\); it stays on this machine and is tried again later$/,
  );
  assert.equal(station.tries, 1);
});

test("Senders of several data folders share one table", async (url) => {
  await using here = await createStation({ url });
  await using there = await createStation({ url });
  const [rows, others] = [variedRows(2000), variedRows(1500)];
  here.add(rows);
  there.add(others);
  await settled(cluster, url, here, [...rows, ...others]);
  for (const [station, own] of [[here, rows], [there, others]] as const) {
    const found = await cluster.query<{ id: string }>(
      url,
      `SELECT id FROM token_usage WHERE instance_id = '${station.table.instanceId}'`,
    );
    assert.deepEqual(found.map(({ id }) => id).sort(), idsOf(own).sort());
  }
});

test("Senders of one data folder double nothing and leave nothing out", async (url) => {
  await using first = await createStation({ url });
  await using second = await createStation({ url, folder: first.folder });
  const rows = variedRows(3000);
  for (let at = 0; at < rows.length; at += 300) {
    (at % 600 === 0 ? first : second).add(rows.slice(at, at + 300));
    first.sender.notify();
    second.sender.notify();
    await until(() => first.sizes.length + second.sizes.length > at / 300);
  }
  await settled(cluster, url, first, rows);
  assert.ok(first.sizes.length > 0 && second.sizes.length > 0);
  assert.deepEqual([...first.warnings, ...second.warnings], []);
});
