/**
 * Learns a file as another process does: `learner.ts DATABASE NAME FILE`. Prints `ready`, waits for a line, and prints
 * what came of it as JSON; as its outcome, if need be, why the database refused it.
 */
import { NEVER, openMemoryTable } from "../support/memory_store.ts";
import { learnDocument } from "../../src/memory/learn.ts";
import { StorageError } from "../../src/storage/sqlite.ts";

const [database = "", name = "", file = ""] = Deno.args;
using table = openMemoryTable(database, { busyTimeoutMs: 60_000 });
const document = { name, text: Deno.readTextFileSync(file), atMs: 1 };
console.log("ready");
await Deno.stdin.read(new Uint8Array(10));
try {
  console.log(JSON.stringify(await learnDocument(table, document, { signal: NEVER })));
} catch (error) {
  if (!(error instanceof StorageError)) throw error;
  console.log(JSON.stringify({ outcome: error.problem }));
}
