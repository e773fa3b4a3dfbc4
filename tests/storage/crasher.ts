/** Writes to a database and waits to be killed, so that its -wal stays: `crasher.ts FILE SQL…`. Prints `done`. */
import { DatabaseSync } from "node:sqlite";

const [path = "", ...sql] = Deno.args;
const db = new DatabaseSync(path);
for (const statement of sql) db.exec(statement);
console.log("done");
await Deno.stdin.read(new Uint8Array(1));
db.close();
