/**
 * Adds rows to a pending file, as other processes do at the same time: `pending_writer.ts FOLDER COUNT`. Prints `ready`,
 * waits for a line, and prints the ids it has added as JSON.
 */
import { StorageError } from "../../src/storage/sqlite.ts";
import { storeIn } from "../support/local_store.ts";
import { usageRow } from "../support/usage_rows.ts";

const [folder = "", count = "0"] = Deno.args;
const { pending } = storeIn(folder);
const rows = Array.from({ length: Number(count) }, () => usageRow());
console.log("ready");
await Deno.stdin.read(new Uint8Array(10));
for (const row of rows) {
  for (let added = false; !added;) {
    try {
      pending.append([row]);
      added = true;
    } catch (error) {
      if (!(error instanceof StorageError) || error.problem !== "busy") throw error;
    }
  }
}
console.log(JSON.stringify(rows.map(({ id }) => id)));
