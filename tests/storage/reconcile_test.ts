/** What a shared database confirmed once and has no more, and what it would not take. */
import assert from "node:assert/strict";
import { type Cluster, postgresMissing, startCluster } from "../support/postgres.ts";
import { skipped } from "../support/skipped.ts";
import { usageRow, variedRows } from "../support/usage_rows.ts";
import { createStation, idsOf, settled, sharedIds, storeIdOf } from "./station.ts";

let cluster: Cluster;
const ignore = skipped(postgresMissing);
Deno.test.beforeAll(async () => {
  if (!ignore) cluster = await startCluster();
});
Deno.test.afterAll(async () => await cluster?.[Symbol.asyncDispose]());

function test(name: string, fn: (url: string) => Promise<void>): void {
  Deno.test({ name, ignore, fn: async () => await fn(await cluster.createDatabase()) });
}

for (
  const [what, sql] of [
    ["emptied", "TRUNCATE token_usage"],
    [
      "put back from an older backup",
      "DELETE FROM token_usage WHERE id IN (SELECT id FROM token_usage ORDER BY at DESC LIMIT 300)",
    ],
  ] as const
) {
  test(`a table that was ${what} gets everything again from the next connection on`, async (url) => {
    await using before = await createStation({ url });
    const rows = variedRows(1000);
    before.add(rows);
    await settled(cluster, url, before, rows);
    await before.sender.stop(1000);
    await cluster.query(url, sql);
    await using after = await createStation({ url, folder: before.folder });
    const last = usageRow();
    after.add([last]);
    await settled(cluster, url, after, [...rows, last]);
    assert.match(after.notes.join("\n"), /lacks rows it had confirmed; everything is sent to it again/);
    assert.deepEqual((await sharedIds(cluster, url)).toSorted(), idsOf([...rows, last]).toSorted());
  });
}

test("what was pruned here is not missed there", async (url) => {
  await using before = await createStation({ url });
  const old = variedRows(50).map((row) => ({ ...row, at_ms: Date.now() - 1e10 }));
  before.add([...old, usageRow()]);
  await settled(cluster, url, before, await sharedAll(before));
  await before.sender.stop(1000);
  assert.deepEqual(before.table.prune(Date.now() - 1e9, true), { deleted: 50, kept: 0 });
  await using after = await createStation({ url, folder: before.folder });
  after.add([usageRow()]);
  while (after.table.countUnshared() > 0) await new Promise((resolve) => setTimeout(resolve, 1));
  assert.deepEqual(after.sizes, [1]);
  assert.deepEqual(after.notes, []);
});

test("a row that was refused counts as unshared, is kept by prune, and comes in once the server takes it", async (url) => {
  await using before = await createStation({ url });
  const first = usageRow();
  before.add([first]);
  await settled(cluster, url, before, [first]);
  await cluster.query(url, "ALTER TABLE token_usage ADD CONSTRAINT nope CHECK (model <> 'forbidden')");
  const forbidden = usageRow({ model: "forbidden", at_ms: Date.now() - 1e10 });
  const fine = usageRow();
  before.add([forbidden, fine]);
  while (!(await sharedIds(cluster, url)).includes(fine.id)) await new Promise((resolve) => setTimeout(resolve, 1));
  await before.sender.stop(1000);
  const storeId = await storeIdOf(cluster, url);
  assert.deepEqual([before.table.countUnshared(), before.table.countUnshared(storeId)], [1, 1]);
  assert.deepEqual(before.table.prune(Date.now() - 1e9, true), { deleted: 0, kept: 1 });

  await cluster.query(url, "ALTER TABLE token_usage DROP CONSTRAINT nope");
  await using after = await createStation({ url, folder: before.folder });
  const last = usageRow();
  after.add([last]);
  await settled(cluster, url, after, [first, fine, forbidden, last]);
  assert.equal(after.table.countUnshared(storeId), 0);
  assert.deepEqual(after.warnings, []);
});

/** Every row of the station's own table. */
async function sharedAll({ table }: Awaited<ReturnType<typeof createStation>>) {
  const rows = [];
  for await (const page of table.rows(0)) rows.push(...page);
  return rows;
}
