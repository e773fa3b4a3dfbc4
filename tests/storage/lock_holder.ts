/**
 * A program that holds something others want, until it is told a line: `lock_holder.ts HOW FILE`. Prints `held`, and
 * `free` when it has let go; a line with a number makes it hold on for that many milliseconds more.
 */
import { DatabaseSync } from "node:sqlite";

/** What can be held. */
const HOLD: Readonly<Record<string, (path: string) => () => void>> = {
  /** The database for writing, as every program that writes does. */
  write: (path) => holdDatabase(path, "BEGIN IMMEDIATE"),
  /** The database for everything, reading included. */
  everything: (path) => holdDatabase(path, "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; PRAGMA user_version"),
  /** What the database holds now, as a program does that reads at length. */
  read: (path) => holdDatabase(path, "BEGIN; SELECT count(*) FROM sqlite_schema"),
  /** A connection that does nothing. */
  connection: (path) => holdDatabase(path, "SELECT count(*) FROM sqlite_schema"),
  /** The lock of the operating system on a file. */
  file(path) {
    const file = Deno.openSync(path, { write: true, create: true });
    file.lockSync(true);
    return () => file.close();
  },
};

function holdDatabase(path: string, sql: string): () => void {
  const db = new DatabaseSync(path, { timeout: 10_000 });
  db.exec(sql);
  return () => db.close();
}

const [how = "", path = ""] = Deno.args;
const release = HOLD[how]?.(path);
if (!release) throw new Error(`Nothing is called ${how}`);
console.log("held");
const told = new Uint8Array(100);
const length = await Deno.stdin.read(told) ?? 0;
const wait = Number(new TextDecoder().decode(told.subarray(0, length)));
await new Promise((resolve) => setTimeout(resolve, wait));
release();
console.log("free");
