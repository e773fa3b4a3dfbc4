import { dirname } from "node:path";
import { requirePlainFile } from "../core/file_lock.ts";
import { StorageError } from "./sqlite.ts";
import type { UsageRow } from "./usage.ts";

/** What a look through the file came to. */
export interface Drained {
  readonly rows: number;
  /** Lines that are no rows: torn by a power cut, or written by somebody else. They are dropped. */
  readonly unreadable: number;
}

/**
 * Rows that the database could not take, in a file of one JSON object a line, until it can. Several processes may use
 * one file at once; none of them ever waits for another.
 */
export class PendingFile {
  constructor(readonly path: string) {}

  /** True when there may be rows in it. */
  get waiting(): boolean {
    try {
      return Deno.statSync(this.path).size > 0;
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
    this.#locked((file) => {
      const end = file.seekSync(0, Deno.SeekMode.End);
      // A line begins with its line break, so that a line torn by a power cut spoils no other.
      const bytes = new TextEncoder().encode(rows.map((row) => `\n${JSON.stringify(row)}`).join(""));
      try {
        for (let written = 0; written < bytes.length;) written += file.writeSync(bytes.subarray(written));
      } catch (error) {
        file.truncateSync(end);
        throw error;
      }
    });
  }

  /**
   * Hands all rows to `take` and empties the file when that has returned: a crash between the two makes them come
   * twice, never not at all.
   * @throws whatever reading or `take` throws; StorageError `busy` when another process is at work on the file
   */
  drain(take: (rows: readonly UsageRow[]) => void): Drained {
    if (!this.waiting) return { rows: 0, unreadable: 0 };
    return this.#locked((file) => {
      const lines = Deno.readTextFileSync(this.path).split("\n").filter((line) => line !== "");
      const rows = lines.map(parseRow).filter((row) => row !== undefined);
      if (rows.length > 0) take(rows);
      file.truncateSync(0);
      return { rows: rows.length, unreadable: lines.length - rows.length };
    });
  }

  #locked<T>(action: (file: Deno.FsFile) => T): T {
    requirePlainFile(this.path);
    const file = Deno.openSync(this.path, { read: true, write: true, create: true, mode: 0o600 });
    try {
      if (!file.tryLockSync(true)) throw new StorageError("busy", this.path);
      return action(file);
    } finally {
      file.close();
    }
  }
}

/** The values of the columns that must not be null. What else is wrong with a row the database says. */
const REQUIRED = ["id", "role", "profile", "provider", "model", "source", "outcome"] as const;
const COUNTS = [
  "at_ms",
  "input_tokens",
  "cached_input_tokens",
  "output_tokens",
  "reasoning_tokens",
  "total_tokens",
  "latency_ms",
  "chain_position",
] as const;

function parseRow(line: string): UsageRow | undefined {
  let row: Partial<UsageRow> | null;
  try {
    row = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof row !== "object" || row === null) return undefined;
  const { fallback, cost_usd, first_token_ms, conversation_id, error_kind } = row;
  const valid = REQUIRED.every((name) => typeof row[name] === "string") &&
    COUNTS.every((name) => Number.isSafeInteger(row[name])) && typeof fallback === "boolean" &&
    isNullOr("number", cost_usd) && (first_token_ms === null || Number.isSafeInteger(first_token_ms)) &&
    isNullOr("string", conversation_id) && isNullOr("string", error_kind);
  return valid ? row as UsageRow : undefined;
}

function isNullOr(type: "string" | "number", value: unknown): boolean {
  return value === null || typeof value === type;
}
