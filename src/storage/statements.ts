import type { DatabaseSync, StatementSync } from "node:sqlite";

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

  /** The first value of the first row, which is a number. */
  count(sql: string): number {
    return Number(Object.values(this.prepare(sql).get() ?? {})[0]);
  }
}
