/** Upgrades a database on a disk without room for its copy, then with room: `upgrade_on_full_disk.ts FOLDER`. */
import { MIGRATIONS } from "../../src/storage/migrations.ts";
import { StorageError } from "../../src/storage/sqlite.ts";
import { openTable, storeIn } from "../support/local_store.ts";
import { variedRows } from "../support/usage_rows.ts";
import { fill } from "./full_disk.ts";

const [folder = ""] = Deno.args;
const { database, files } = storeIn(folder);
const migrations = [...MIGRATIONS, () => {}];
{
  using table = openTable(database);
  table.insertAll(variedRows(1000));
}
const ballast = `${folder}/ballast`;
fill(ballast, 100_000); // less than the file has
const problems: (string | undefined)[] = [];
for (let count = 0; count < 2; count++) {
  try {
    openTable(database, { migrations })[Symbol.dispose]();
    problems.push(undefined);
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
    problems.push(error.problem);
  }
}
const whileFull = files();
Deno.removeSync(ballast);
using table = openTable(database, { migrations });
console.log(JSON.stringify({ problems, whileFull, afterwards: files(), count: table.count }));
