/**
 * Damages a database that another process is using: `spoiler.ts FILE WHAT`, with WHAT `indexes` or `middle`. A process
 * of its own, because closing the file takes away whatever locks SQLite holds on it in the same process.
 */
import { DatabaseSync } from "node:sqlite";

const PAGE_BYTES = 4096;
/** How pages of indexes begin (sqlite.org/fileformat.html, "B-tree Pages"): interior and leaf. */
const INDEX_PAGES = [0x02, 0x0a];

/** Spoils the head of every page of an index, so that no row can be added. */
export function spoilIndex(database: string): void {
  const bytes = Deno.readFileSync(database);
  for (let at = PAGE_BYTES; at < bytes.length; at += PAGE_BYTES) {
    if (INDEX_PAGES.includes(bytes[at] ?? 0)) bytes.fill(0x5a, at, at + 8);
  }
  Deno.writeFileSync(database, bytes);
}

/** Spoils a page in the middle, which nobody needs who adds a row. */
function spoilMiddle(database: string): void {
  const bytes = Deno.readFileSync(database);
  const at = (bytes.length / PAGE_BYTES >> 1) * PAGE_BYTES;
  Deno.writeFileSync(database, bytes.fill(0x5a, at, at + PAGE_BYTES));
}

if (import.meta.main) {
  const [path = "", what = ""] = Deno.args;
  const db = new DatabaseSync(path);
  db.exec("CREATE TABLE other (id TEXT)"); // whoever has read the file forgets it
  db.exec("PRAGMA wal_checkpoint(TRUNCATE)"); // or the pages in the -wal would count
  db.close();
  if (what === "indexes") spoilIndex(path);
  else spoilMiddle(path);
}
