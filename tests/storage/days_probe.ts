/**
 * What the days are in the time zone this process was started in: reads from its command line, as JSON, `now`, how many
 * `days`, and `moments`; prints the starts of the days, their names, and a summary by day of a call at each moment.
 */
import { formatDay, localDayStarts } from "../../src/storage/summary.ts";
import { createStore, openTable } from "../support/local_store.ts";
import { usageRow } from "../support/usage_rows.ts";

const { now, days, moments }: { now: string; days: number; moments: string[] } = JSON.parse(Deno.args[0] ?? "");
const dayStarts = localDayStarts(days, new Date(now));
await using store = await createStore();
using table = openTable(store.database);
table.insertAll(moments.map((moment) => usageRow({ at_ms: Date.parse(moment) })));
const { groups } = await table.summarize({ by: "day", dayStarts });
console.log(JSON.stringify({
  starts: dayStarts.map((start) => new Date(start).toISOString()),
  names: dayStarts.map(formatDay),
  calls: groups.map(({ key, calls }) => [key, calls]),
}));
