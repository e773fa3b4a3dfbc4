import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";

/** Statements of one connection, each prepared once. Throws what SQLite throws. */
export class Statements {
  readonly #db: DatabaseSync;
  readonly #prepared = new Map<string, StatementSync>();

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  prepare(sql: string): StatementSync {
    const known = this.#prepared.get(sql);
    if (known) return known;
    const prepared = this.#db.prepare(sql);
    this.#prepared.set(sql, prepared);
    return prepared;
  }

  /** The first value of the first row; undefined when there is none. */
  value(sql: string, ...values: SQLInputValue[]): unknown {
    return Object.values(this.prepare(sql).get(...values) ?? {})[0];
  }

  /** The same where it is a number. */
  count(sql: string, ...values: SQLInputValue[]): number {
    return Number(this.value(sql, ...values));
  }
}
