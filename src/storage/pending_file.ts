import { basename, dirname, join } from "node:path";
import { requirePlainFile } from "../core/file_lock.ts";
import { StorageError } from "./sqlite.ts";
import { USAGE_OUTCOMES, type UsageRow } from "./usage.ts";

/** What a look through the files came to. */
export interface Drained {
  readonly rows: number;
  /** Where lines went that are no rows: torn by a power cut, or written by somebody else. */
  readonly aside: readonly string[];
}

/**
 * Rows that the database could not take, in a file of one JSON object a line, until it can. Several processes may use
 * one file at once; none of them ever waits for another: whoever cannot wait finds a place of its own beside it.
 */
export class PendingFile {
  constructor(readonly path: string) {}

  /** True when there may be rows in it, or beside it. */
  get waiting(): boolean {
    try {
      return this.#files().some((path) => Deno.statSync(path).size > 0);
    } catch {
      return false;
    }
  }

  /**
   * Adds rows: all of them or none.
   * @throws whatever writing throws; StorageError `busy` when another process is at work on the file
   */
  append(rows: readonly UsageRow[]): void {
    Deno.mkdirSync(dirname(this.path), { recursive: true });
    locked(this.path, { create: true }, (file) => {
      const end = file.seekSync(0, Deno.SeekMode.End);
      const bytes = encode(rows);
      try {
        for (let written = 0; written < bytes.length;) written += file.writeSync(bytes.subarray(written));
      } catch (error) {
        file.truncateSync(end);
        throw error;
      }
    });
  }

  /**
   * Writes rows into a new file beside this one, for a process that ends while another is at work here.
   * @throws whatever writing throws
   */
  appendAside(rows: readonly UsageRow[]): void {
    const path = this.path.replace(/(\.jsonl)?$/, `-${crypto.randomUUID()}$1`);
    Deno.writeFileSync(`${path}.new`, encode(rows), { createNew: true, mode: 0o600 });
    Deno.renameSync(`${path}.new`, path); // nobody sees half of it
  }

  /**
   * Hands all rows to `take`, file by file, and empties each when that has returned: a crash between the two makes them
   * come twice, never not at all. Lines that are no rows are set aside.
   * @throws whatever reading or `take` throws; StorageError `busy` when another process is at work on a file
   */
  drain(take: (rows: readonly UsageRow[]) => void): Drained {
    const found = { rows: 0, aside: [] as string[] };
    for (const path of this.#files()) {
      locked(path, { create: false }, (file) => {
        const lines = Deno.readTextFileSync(path).split("\n").filter((line) => line !== "");
        const read = lines.map((line) => ({ line, row: parseRow(line) }));
        const rows = read.flatMap(({ row }) => row ?? []);
        if (rows.length > 0) take(rows);
        found.rows += rows.length;
        const unreadable = read.filter(({ row }) => row === undefined).map(({ line }) => `${line}\n`);
        if (unreadable.length > 0) found.aside.push(setLinesAside(path, unreadable.join("")));
        if (path === this.path) file.truncateSync(0);
        else Deno.removeSync(path);
      });
    }
    return found;
  }

  /** The file, if it is there, and those beside it. */
  #files(): string[] {
    const [folder, name] = [dirname(this.path), basename(this.path, ".jsonl")];
    const isOurs = (file: string) =>
      file.startsWith(name) && /^(-[0-9a-f-]{36})?\.jsonl$/.test(file.slice(name.length));
    try {
      return [...Deno.readDirSync(folder)].map(({ name: file }) => file).filter(isOurs).sort()
        .map((file) => join(folder, file));
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return [];
      throw error;
    }
  }
}

/** A line begins with its line break, so that a line torn by a power cut spoils no other. */
function encode(rows: readonly UsageRow[]): Uint8Array {
  return new TextEncoder().encode(rows.map((row) => `\n${JSON.stringify(row)}`).join(""));
}

function setLinesAside(path: string, lines: string): string {
  const aside = `${path}.damaged-${new Date().toISOString().replaceAll(":", "-")}`;
  Deno.writeTextFileSync(aside, lines, { append: true, mode: 0o600 });
  return aside;
}

function locked<T>(path: string, { create }: { readonly create: boolean }, action: (file: Deno.FsFile) => T): T {
  requirePlainFile(path);
  // Not `using`: see src/README.md, decisions.
  const file = Deno.openSync(path, { read: true, write: true, create, mode: 0o600 });
  try {
    if (!file.tryLockSync(true)) throw new StorageError("busy", path);
    return action(file);
  } finally {
    file.close();
  }
}

/**
 * Brings what waits into the table. Trouble with the file is told and leaves the table in use.
 * @returns how many rows came in
 * @throws StorageError when the table cannot take them
 */
export function bringIn(
  pending: PendingFile,
  table: { insertAll(rows: readonly UsageRow[]): void },
  warn: (message: string, remedy: string) => void,
): number {
  try {
    const { rows, aside } = pending.drain((waiting) => table.insertAll(waiting));
    for (const path of aside) warn(`Some lines of ${pending.path} were no usage`, `They are now in ${path}.`);
    return rows;
  } catch (error) {
    if (error instanceof StorageError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    warn(
      `Cannot read ${pending.path}: ${reason}`,
      "Usage may wait in it: make it a plain file that you can read and write.",
    );
    return 0;
  }
}

const TEXTS = ["id", "role", "profile", "provider", "model"] as const;
const COUNTS = [
  "input_tokens",
  "cached_input_tokens",
  "output_tokens",
  "reasoning_tokens",
  "total_tokens",
  "latency_ms",
  "chain_position",
] as const;
const SOURCES: readonly unknown[] = ["provider", "estimated", "none"];
const OUTCOMES: readonly unknown[] = USAGE_OUTCOMES;
/** The last moment a Date can be, in epoch milliseconds. */
const LAST_MOMENT = 8.64e15;

function parseRow(line: string): UsageRow | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isUsageRow(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Whether every value is one that the table and whoever reads it can do something with. */
function isUsageRow(value: unknown): value is UsageRow {
  if (typeof value !== "object" || value === null) return false;
  const row: Partial<Record<keyof UsageRow, unknown>> = value;
  return TEXTS.every((name) => typeof row[name] === "string") && COUNTS.every((name) => isCount(row[name])) &&
    Number.isSafeInteger(row.at_ms) && Math.abs(Number(row.at_ms)) <= LAST_MOMENT &&
    (row.first_token_ms === null || isCount(row.first_token_ms)) &&
    (row.cost_usd === null || typeof row.cost_usd === "number") &&
    SOURCES.includes(row.source) && OUTCOMES.includes(row.outcome) && typeof row.fallback === "boolean" &&
    (row.conversation_id === null || typeof row.conversation_id === "string") &&
    (row.error_kind === null || typeof row.error_kind === "string");
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}
