/** An upgrade that is cut short within its second step: `upgrade_crasher.ts FILE`. Prints `within`, waits to be killed. */
import { MIGRATIONS } from "../../src/storage/migrations.ts";
import { openDatabase } from "../../src/storage/sqlite.ts";

const [path = ""] = Deno.args;
openDatabase({
  path,
  busyTimeoutMs: 0,
  onSetAside: (aside) => console.log(`set aside as ${aside}`),
  migrations: [
    ...MIGRATIONS,
    (db) => db.exec("CREATE TABLE first_step (id TEXT)"),
    (db) => {
      db.exec("PRAGMA cache_size = 1; UPDATE token_usage SET latency_ms = 7"); // spills into the file at once
      console.log("within");
      Deno.stdin.readSync(new Uint8Array(1));
    },
  ],
});
