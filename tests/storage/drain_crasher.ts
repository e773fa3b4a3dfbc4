/** Brings what waits into the table and is killed before the file is emptied: `drain_crasher.ts FOLDER`. */
import { openTable, storeIn } from "../support/local_store.ts";

const { database, pending } = storeIn(Deno.args[0] ?? "");
using table = openTable(database);
pending.drain((rows) => {
  table.insertAll(rows);
  Deno.kill(Deno.pid, "SIGKILL");
  while (true); // until it arrives
});
