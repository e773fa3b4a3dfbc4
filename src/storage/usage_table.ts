import { setImmediate } from "node:timers/promises";
import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import {
  explaining,
  inTransaction,
  openDatabase,
  type OpenDatabaseOptions,
  queryValue,
  StorageError,
} from "./sqlite.ts";
import { finishSummary } from "./summary.ts";
import { Tally } from "./tally.ts";
import {
  type LocalUsage,
  type StoredUsageRow,
  USAGE_COLUMNS,
  type UsageQuery,
  type UsageRow,
  type UsageSummary,
} from "./usage.ts";

/** Rows that wait to be shared, and the mark that says they were. */
export interface Batch {
  readonly rows: readonly StoredUsageRow[];
  readonly lastSeq: number;
}

const INSERT = `INSERT INTO token_usage (${USAGE_COLUMNS.join(", ")}) VALUES (${
  USAGE_COLUMNS.map(() => "?").join(", ")
})
  ON CONFLICT (id) DO NOTHING`;

/** Rows read at once: what is read in one go blocks everything else for about 10 ms. */
const PAGE = 10_000;

/**
 * The local table `token_usage`. Everything is synchronous, as SQLite is, and throws `StorageError`; what reads many
 * rows lets other work go on between its pages.
 */
export class UsageTable implements LocalUsage, Disposable {
  readonly #db: DatabaseSync;
  readonly #path: string;
  readonly #insert: StatementSync;
  /** Which file was opened, as the file system tells files apart; null where it does not. */
  readonly #inode: number | null;
  readonly instanceId: string;

  /** @throws StorageError */
  constructor(options: OpenDatabaseOptions) {
    this.#path = options.path;
    this.#db = openDatabase(options);
    try {
      this.#insert = explaining(this.#path, () => this.#db.prepare(INSERT));
      this.instanceId = explaining(this.#path, () => String(queryValue(this.#db, "SELECT id FROM installation")));
      this.#inode = inodeOf(this.#path);
    } catch (error) {
      this.#db.close();
      throw error;
    }
  }

  [Symbol.dispose](): void {
    this.#db.close();
  }

  /** Writes a row; one whose id is there already stays as it is. */
  insert(row: UsageRow): void {
    this.#requireInPlace();
    explaining(this.#path, () => this.#insert.run(...valuesOf(row)));
  }

  /** Writes all of the rows or none. */
  insertAll(rows: readonly UsageRow[]): void {
    this.#requireInPlace();
    explaining(this.#path, () =>
      inTransaction(this.#db, () => {
        for (const row of rows) this.#insert.run(...valuesOf(row));
      }));
  }

  get count(): number {
    return explaining(this.#path, () => Number(queryValue(this.#db, "SELECT count(*) FROM token_usage")));
  }

  async summarize(query: UsageQuery): Promise<UsageSummary> {
    const tally = new Tally(query);
    const columns = tally.columns.join(", ");
    for await (const page of this.#pages(columns, query.dayStarts[0] ?? 0)) {
      for (const row of page) tally.add(row);
    }
    return finishSummary(query, tally.groups(this.instanceId));
  }

  async *rows(sinceMs: number): AsyncGenerator<StoredUsageRow[]> {
    for await (const page of this.#pages(USAGE_COLUMNS.join(", "), sinceMs)) {
      yield page.map((values) => this.#rowOf(values.slice(1)));
    }
  }

  latest(limit: number): StoredUsageRow[] {
    return explaining(
      this.#path,
      () =>
        this.#select(`SELECT ${USAGE_COLUMNS.join(", ")} FROM token_usage ORDER BY seq DESC LIMIT ?`, limit)
          .map((values) => this.#rowOf(values)),
    );
  }

  /** The next rows that `storeId` has not confirmed, oldest first; undefined when there are none. */
  nextBatch(storeId: string, limit: number): Batch | undefined {
    return explaining(this.#path, () => {
      const found = this.#select(
        `SELECT seq, ${USAGE_COLUMNS.join(", ")} FROM token_usage WHERE seq > ? ORDER BY seq LIMIT ?`,
        this.#sentSeq(storeId),
        limit,
      );
      const last = found.at(-1);
      if (!last) return undefined;
      return { rows: found.map(([, ...values]) => this.#rowOf(values)), lastSeq: Number(last[0]) };
    });
  }

  /** Notes that `storeId` has every row up to `lastSeq`, and was the last to confirm, whatever the clock says. */
  confirm(storeId: string, lastSeq: number): void {
    explaining(this.#path, () =>
      queryValue(
        this.#db,
        `INSERT INTO outbox (store_id, sent_seq, confirmed_ms)
         VALUES (?, ?, max(?, (SELECT coalesce(max(confirmed_ms), 0) + 1 FROM outbox WHERE store_id <> ?)))
         ON CONFLICT (store_id)
         DO UPDATE SET sent_seq = max(sent_seq, excluded.sent_seq), confirmed_ms = excluded.confirmed_ms`,
        storeId,
        lastSeq,
        Date.now(),
        storeId,
      ));
  }

  /** Forgets what `storeId` has confirmed: everything is sent to it again. */
  forget(storeId: string): void {
    explaining(this.#path, () => {
      for (const table of ["outbox", "refused"]) {
        queryValue(this.#db, `DELETE FROM ${table} WHERE store_id = ?`, storeId);
      }
    });
  }

  /** Ids of a few rows that `storeId` has confirmed, from the first to the last. */
  sampleConfirmed(storeId: string): string[] {
    return explaining(this.#path, () => {
      const sent = this.#sentSeq(storeId);
      const first = Number(queryValue(this.#db, "SELECT coalesce(min(seq), 0) FROM token_usage"));
      if (sent < first) return []; // nothing has been confirmed, or all of that has been pruned
      const ids = Array.from({ length: SAMPLES }, (_, index) =>
        queryValue(
          this.#db,
          `SELECT id FROM token_usage WHERE seq BETWEEN ? AND ?
           AND id NOT IN (SELECT id FROM refused WHERE store_id = ?) ORDER BY seq DESC LIMIT 1`,
          first,
          first + Math.floor((sent - first) * index / (SAMPLES - 1)),
          storeId,
        ));
      return [...new Set(ids)].filter((id) => typeof id === "string");
    });
  }

  /** Notes which rows `storeId` would not take. */
  refuse(storeId: string, ids: readonly string[]): void {
    explaining(this.#path, () => {
      for (const id of ids) {
        queryValue(this.#db, "INSERT OR IGNORE INTO refused (store_id, id) VALUES (?, ?)", storeId, id);
      }
    });
  }

  /** Rows that `storeId` would not take, as many as are worth trying at once. */
  refusedRows(storeId: string, limit: number): StoredUsageRow[] {
    return explaining(this.#path, () =>
      this.#select(
        `SELECT ${
          USAGE_COLUMNS.join(", ")
        } FROM token_usage WHERE id IN (SELECT id FROM refused WHERE store_id = ?) LIMIT ?`,
        storeId,
        limit,
      ).map((values) => this.#rowOf(values)));
  }

  /** Notes that `storeId` has taken these rows after all. */
  accept(storeId: string, ids: readonly string[]): void {
    explaining(this.#path, () => {
      for (const id of ids) queryValue(this.#db, "DELETE FROM refused WHERE store_id = ? AND id = ?", storeId, id);
    });
  }

  countUnshared(storeId?: string): number {
    return explaining(this.#path, () => {
      const store = storeId ?? queryValue(this.#db, LAST_STORE) ?? "";
      const sent = this.#sentSeq(String(store));
      const waiting = Number(queryValue(this.#db, "SELECT count(*) FROM token_usage WHERE seq > ?", sent));
      return waiting + Number(queryValue(this.#db, "SELECT count(*) FROM refused WHERE store_id = ?", String(store)));
    });
  }

  get shares(): boolean {
    return explaining(this.#path, () => queryValue(this.#db, LAST_STORE) !== undefined);
  }

  prune(beforeMs: number, keepUnshared: boolean): { deleted: number; kept: number } {
    return explaining(this.#path, () => {
      const shared = `seq <= coalesce((SELECT sent_seq FROM outbox WHERE store_id = (${LAST_STORE})), 0)
        AND id NOT IN (SELECT id FROM refused WHERE store_id = (${LAST_STORE}))`;
      const limit = keepUnshared ? `AND ${shared}` : "";
      const result = this.#db.prepare(`DELETE FROM token_usage WHERE at_ms < ? ${limit}`).run(beforeMs);
      queryValue(this.#db, "DELETE FROM refused WHERE id NOT IN (SELECT id FROM token_usage)");
      this.#db.prepare("PRAGMA incremental_vacuum").all();
      const kept = Number(queryValue(this.#db, "SELECT count(*) FROM token_usage WHERE at_ms < ?", beforeMs));
      return { deleted: Number(result.changes), kept };
    });
  }

  check(): void {
    explaining(this.#path, () => {
      const found = queryValue(this.#db, "PRAGMA integrity_check(1)");
      if (found !== "ok") throw new StorageError("damaged", this.#path);
    });
  }

  /** What is written to a file that somebody has moved, deleted or set aside is lost: nobody looks there any more. */
  #requireInPlace(): void {
    if (inodeOf(this.#path) === this.#inode) return;
    throw new StorageError("unusable", this.#path, "it is no longer the file that was opened");
  }

  #sentSeq(storeId: string): number {
    return Number(queryValue(this.#db, "SELECT sent_seq FROM outbox WHERE store_id = ?", storeId) ?? 0);
  }

  /** `seq` and `columns` of every row from `sinceMs` on. Not by an index on the time: one more page a row to write. */
  async *#pages(columns: string, sinceMs: number): AsyncGenerator<Values[]> {
    let after = 0;
    for (;;) {
      const page = explaining(this.#path, () =>
        this.#select(
          `SELECT seq, ${columns} FROM token_usage WHERE seq > ? AND at_ms >= ? ORDER BY seq LIMIT ${PAGE}`,
          after,
          sinceMs,
        ));
      if (page.length > 0) yield page;
      if (page.length < PAGE) return;
      after = Number(page.at(-1)?.[0]);
      await setImmediate(); // other work goes first
    }
  }

  /** Rows as lists of values: half the time of rows as objects. */
  #select(sql: string, ...values: SQLInputValue[]): Values[] {
    const statement = this.#db.prepare(sql) as StatementSync & ReturnsArrays;
    statement.setReturnArrays(true);
    return statement.all(...values) as unknown as Values[];
  }

  #rowOf(values: Values): StoredUsageRow {
    const row = Object.fromEntries(USAGE_COLUMNS.map((column, index) => [column, values[index]]));
    return { ...row, fallback: row.fallback === 1, instance_id: this.instanceId } as unknown as StoredUsageRow;
  }
}

/** The values of a row in the order of the columns that were asked for. */
type Values = (string | number | null)[];

/** What Deno 2.9 has and its types lack. */
interface ReturnsArrays {
  setReturnArrays(enabled: boolean): void;
}

/** The shared database that confirmed last. */
const LAST_STORE = "SELECT store_id FROM outbox ORDER BY confirmed_ms DESC LIMIT 1";

/** Confirmed rows that are looked for in a shared database before what it once confirmed is believed. */
const SAMPLES = 16;

function inodeOf(path: string): number | null {
  try {
    return Deno.statSync(path).ino;
  } catch {
    return -1; // it is gone
  }
}

function valuesOf(row: UsageRow): SQLInputValue[] {
  return USAGE_COLUMNS.map((column) => {
    const value = row[column];
    return typeof value === "boolean" ? Number(value) : value;
  });
}
