import type { DatabaseSync } from "node:sqlite";

/** One step of the local schema. Never changed once released: the next step is a new one. */
export type Migration = (db: DatabaseSync) => void;

/** The local schema, step by step; the version of a file is the number of steps it has seen. */
export const MIGRATIONS: readonly Migration[] = [
  (db) => {
    // `seq` never repeats: it orders the rows for the outbox, whatever the clock does and whatever is pruned.
    db.exec(`
      CREATE TABLE token_usage (
        seq                 INTEGER PRIMARY KEY AUTOINCREMENT,
        id                  TEXT NOT NULL UNIQUE,
        at_ms               INTEGER NOT NULL,
        conversation_id     TEXT,
        role                TEXT NOT NULL,
        profile             TEXT NOT NULL,
        provider            TEXT NOT NULL,
        model               TEXT NOT NULL,
        input_tokens        INTEGER NOT NULL,
        cached_input_tokens INTEGER NOT NULL,
        output_tokens       INTEGER NOT NULL,
        reasoning_tokens    INTEGER NOT NULL,
        total_tokens        INTEGER NOT NULL,
        source              TEXT NOT NULL,
        cost_usd            REAL,
        latency_ms          INTEGER NOT NULL,
        first_token_ms      INTEGER,
        outcome             TEXT NOT NULL,
        error_kind          TEXT,
        fallback            INTEGER NOT NULL,
        chain_position      INTEGER NOT NULL
      ) STRICT;
      -- How far the rows have been confirmed by each shared database.
      CREATE TABLE outbox (
        store_id     TEXT PRIMARY KEY NOT NULL,
        sent_seq     INTEGER NOT NULL,
        confirmed_ms INTEGER NOT NULL
      ) STRICT;
      -- Rows a shared database would not take, to be tried again.
      CREATE TABLE refused (
        store_id TEXT NOT NULL,
        id       TEXT NOT NULL,
        PRIMARY KEY (store_id, id)
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE installation (
        id TEXT PRIMARY KEY NOT NULL
      ) STRICT;`);
    db.prepare("INSERT INTO installation (id) VALUES (?)").run(crypto.randomUUID());
  },
];
