/**
 * Records rows in a folder that is mounted read-only: `read_only.ts FOLDER FATE`. With FATE `writable` it becomes
 * writable while rows are recorded, with `read-only` it never does. Prints what came of it as JSON.
 */
import { AgentError } from "../../src/core/errors.ts";
import type { RecorderStatus } from "../../src/storage/recorder.ts";
import { allRows, openTable, storeIn, until, watchRecorder } from "../support/local_store.ts";
import { usageRow } from "../support/usage_rows.ts";

/** What is printed. */
export interface ReadOnlyReport {
  /** What opening the table by itself says. */
  readonly refusal: { readonly message: string; readonly remedy: string | undefined; readonly exitCode: number };
  readonly recorded: string[];
  /** While nothing could be written. */
  readonly status: RecorderStatus;
  readonly warnings: string[];
  /** In the table at the very end. */
  readonly found: string[];
}

if (import.meta.main) {
  const [folder = "", fate = ""] = Deno.args;
  const store = storeIn(folder);
  const rows = Array.from({ length: 10 }, () => usageRow());
  {
    using table = openTable(store.database);
    table.insertAll(rows.slice(0, 3));
  }
  remount(folder, "ro");
  const refusal = refusalOf(() => openTable(store.database));
  const watched = watchRecorder(store);
  for (const row of rows.slice(3)) watched.recorder.record(row);
  const { status } = watched.recorder;
  if (fate === "writable") {
    remount(folder, "rw");
    await until(() => watched.recorder.status.state === "ok");
  }
  watched[Symbol.dispose]();
  if (fate !== "writable") remount(folder, "rw");
  using table = openTable(store.database);
  const found = (await allRows(table)).map(({ id }) => id);
  const { warnings } = watched;
  console.log(JSON.stringify({ refusal, recorded: rows.map(({ id }) => id), status, warnings, found }));
}

function remount(folder: string, how: "ro" | "rw"): void {
  const { success, stderr } = new Deno.Command("mount", { args: ["-o", `remount,${how}`, folder] }).outputSync();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}

function refusalOf(action: () => unknown): ReadOnlyReport["refusal"] {
  try {
    action();
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    const { message, remedy, exitCode } = error;
    return { message, remedy, exitCode };
  }
  throw new Error("It was opened");
}
