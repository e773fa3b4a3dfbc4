/**
 * Begins to forget a source and ends before it is done, as by a power cut: `forgetter.ts DATABASE SOURCE`. The first
 * passages are gone by then.
 */
import { openMemoryTable } from "../support/memory_store.ts";

const [database = "", source = ""] = Deno.args;
const table = openMemoryTable(database);
table.forget({ source }).catch(() => {});
Deno.kill(Deno.pid, "SIGKILL");
