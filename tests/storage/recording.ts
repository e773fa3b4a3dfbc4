/**
 * Records rows and says how it went: `recording.ts FOLDER COUNT`. Prints, as JSON, the ids, the state of the recorder
 * and the warnings; then waits for a line, and ends well.
 */
import { storeIn, watchRecorder } from "../support/local_store.ts";
import { usageRow } from "../support/usage_rows.ts";

const [folder = "", count = "0"] = Deno.args;
using watched = watchRecorder(storeIn(folder));
const rows = Array.from({ length: Number(count) }, () => usageRow());
for (const row of rows) watched.recorder.record(row);
const { recorder: { status }, warnings } = watched;
console.log(JSON.stringify({ ids: rows.map(({ id }) => id), status, warnings }));
await Deno.stdin.read(new Uint8Array(10));
