/**
 * Records rows on a disk that gets full and has room again, and prints what came of it as JSON: `full_disk.ts FOLDER
 * BEFORE LEFT`. BEFORE rows are recorded while there is room; LEFT bytes stay free when there is none.
 */
import { allRows, openTable, storeIn, until, watchRecorder } from "../support/local_store.ts";
import type { RecorderStatus } from "../../src/storage/recorder.ts";
import { usageRow } from "../support/usage_rows.ts";

/** What is printed. */
export interface FullDiskReport {
  readonly recorded: string[];
  /** While the disk was full. */
  readonly status: RecorderStatus;
  readonly warnings: string[];
  /** In the table at the very end. */
  readonly found: string[];
  readonly files: string[];
}

if (import.meta.main) {
  const [folder = "", before = "0", left = "0"] = Deno.args;
  const store = storeIn(folder);
  const recorded: string[] = [];
  const watched = watchRecorder(store);
  const record = (count: number) => {
    for (; count > 0; count--) {
      const row = usageRow();
      recorded.push(row.id);
      watched.recorder.record(row);
    }
  };
  record(Number(before));
  const ballast = `${folder}/ballast`;
  fill(ballast, Number(left));
  record(100);
  const { status } = watched.recorder;
  Deno.removeSync(ballast);
  await until(() => watched.recorder.status.state === "ok");
  record(5);
  watched[Symbol.dispose]();
  using table = openTable(store.database);
  const found = (await allRows(table)).map(({ id }) => id);
  const { warnings } = watched;
  console.log(JSON.stringify({ recorded, status, warnings, found, files: store.files() }));
}

/** Fills the disk but for `left` bytes. */
export function fill(ballast: string, left: number): void {
  using file = Deno.openSync(ballast, { write: true, create: true });
  const piece = new Uint8Array(512);
  let size = 0;
  try {
    for (;;) size += file.writeSync(piece);
  } catch {
    file.truncateSync(Math.max(0, size - left));
  }
}
