/**
 * Opens databases that do not exist yet, as another process does at the same time, and adds rows to each:
 * `fresh_opener.ts FOLDER FILES ROWS`. Prints `ready`, waits for a line, and prints the installations as JSON.
 */
import { StorageError } from "../../src/storage/sqlite.ts";
import { UsageTable } from "../../src/storage/usage_table.ts";
import { openTable } from "../support/local_store.ts";
import { usageRow } from "../support/usage_rows.ts";

const [folder = "", files = "0", rows = "0"] = Deno.args;
console.log("ready");
await Deno.stdin.read(new Uint8Array(10));
const installations = Array.from({ length: Number(files) }, (_, index) => {
  const table = openPatiently(`${folder}/${index}.db`);
  for (let count = 0; count < Number(rows); count++) table.insert(usageRow());
  const { instanceId } = table;
  table[Symbol.dispose]();
  return instanceId;
});
console.log(JSON.stringify(installations));

/** Opening never waits for somebody else who is at it. */
function openPatiently(path: string): UsageTable {
  for (;;) {
    try {
      return openTable(path, { busyTimeoutMs: 60_000 });
    } catch (error) {
      if (!(error instanceof StorageError) || error.problem !== "busy") throw error;
    }
  }
}
