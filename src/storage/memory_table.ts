import type { DatabaseSync, StatementSync } from "node:sqlite";
import { setTimeout } from "node:timers/promises";
import type {
  Episode,
  Forgettable,
  Forgotten,
  KeptConversation,
  Marks,
  MemoryKind,
  MemoryStats,
  MemoryStore,
  MemoryStoreOptions,
  NewPassage,
  Passage,
  Realm,
  Source,
  Term,
  TextMatch,
} from "./memory.ts";
import { MEMORY_ID, MEMORY_MIGRATIONS } from "./memory_schema.ts";
import { scopeOf } from "./scope.ts";
import { Statements } from "./statements.ts";
import { TextIndex } from "./text_index.ts";
import {
  explaining,
  inTransaction,
  openDatabase,
  type OpenDatabaseOptions,
  queryValue,
  StorageError,
} from "./sqlite.ts";
import { VectorTable } from "./vector_table.ts";

/** More rows than these are not erased from the indexes one by one, which takes some milliseconds each. */
const DELETED_SINGLY = 100;
/** Rows deleted in one go, singly and otherwise; other work goes on in between. */
const DELETED_AT_ONCE = { singly: 10, otherwise: 100 };
/** Between two batches whatever else waits is done, which takes more than one turn of the event loop, in milliseconds. */
const BREATH_MS = 5;
/** How often, and with which pause in milliseconds, the file beside the database is tried to be emptied. */
const ERASE = { tries: 20, pauseMs: 100 };

const INSERT_INTO =
  "INSERT INTO memories (kind, source_id, conversation_id, user_id, scope, heading, text, hash, at_ms)";
const PASSAGES = `SELECT m.id, m.kind, m.heading, m.text, m.at_ms, coalesce(s.name, m.conversation_id) AS source
  FROM memories m LEFT JOIN sources s ON s.id = m.source_id WHERE m.id IN (SELECT value FROM json_each(?))`;

/** `memory.db`: passages with their full-text index, exchanges, and vectors. */
export class MemoryTable implements MemoryStore, Disposable {
  readonly path: string;
  readonly vectors: VectorTable;
  readonly #db: DatabaseSync;
  readonly #statements: Statements;
  readonly #index: TextIndex;

  /** @throws StorageError */
  constructor(options: MemoryStoreOptions) {
    this.path = options.path;
    this.#db = openPatiently({ ...options, migrations: MEMORY_MIGRATIONS, applicationId: MEMORY_ID });
    this.#statements = new Statements(this.#db);
    this.#index = new TextIndex(this.#statements);
    try {
      // What is deleted is overwritten, not only unlinked (sqlite.org/pragma.html#pragma_secure_delete).
      explaining(this.path, () => queryValue(this.#db, "PRAGMA secure_delete = ON"));
      this.vectors = new VectorTable(this.#db, this.#statements, this.path);
      this.#finishTidyingUp();
    } catch (error) {
      this.#db.close();
      throw error;
    }
  }

  [Symbol.dispose](): void {
    this.#db.close();
  }

  get revision(): string {
    return explaining(this.path, () => {
      const others = this.#statements.count("PRAGMA data_version");
      return `${others}.${this.#statements.count("SELECT total_changes()")}`;
    });
  }

  get marks(): Marks {
    return explaining(this.path, () => {
      const row = this.#prepare("SELECT deletions, forgotten FROM marks").get();
      return { deletions: Number(row?.deletions), forgotten: Number(row?.forgotten) };
    });
  }

  count(realm: Realm, term: Term, most: number): number {
    return explaining(this.path, () => this.#index.count(realm, term, most));
  }

  match(realm: Realm, terms: readonly Term[], limit: number): readonly TextMatch[] {
    return explaining(this.path, () => this.#index.match(realm, terms, limit));
  }

  passages(ids: readonly number[]): ReadonlyMap<number, Passage> {
    return explaining(this.path, () => {
      const rows = this.#prepare(PASSAGES).all(JSON.stringify(ids));
      return new Map(rows.map((row) => [Number(row.id), {
        id: Number(row.id),
        kind: row.kind === "episodic" ? "episodic" as const : "learned_knowledge" as const,
        source: String(row.source),
        heading: String(row.heading),
        text: String(row.text),
        at_ms: Number(row.at_ms),
      }]));
    });
  }

  size(kind: MemoryKind): number {
    return explaining(this.path, () => this.#index.size(kind));
  }

  addEpisode({ conversation_id, user_id, text, at_ms }: Episode, forgotten: number): void {
    const scope = scopeOf({ kind: "episodic", conversation_id });
    explaining(this.path, () => {
      this.#prepare(`${INSERT_INTO} SELECT ?, ?, ?, ?, ?, ?, ?, ?, ? FROM marks WHERE forgotten = ?`)
        .run("episodic", null, conversation_id, user_id, scope, "", text.replaceAll("\0", " "), "", at_ms, forgotten);
    });
  }

  source(name: string): Source | undefined {
    return this.#findSource("SELECT id, name, hash FROM sources WHERE name = ?", name);
  }

  beginSource(name: string): Source {
    return explaining(this.path, () => {
      this.#prepare("INSERT INTO sources (name) VALUES (?) ON CONFLICT (name) DO UPDATE SET hash = NULL").run(name);
      const source = this.source(name);
      if (!source) throw new Error("A source that was just written is not there");
      return source;
    });
  }

  hashesOf({ id }: Source): ReadonlyMap<string, number> {
    return explaining(this.path, () => {
      const rows = this.#prepare("SELECT id, hash FROM memories WHERE source_id = ?").all(id);
      return new Map(rows.map((row) => [String(row.hash), Number(row.id)]));
    });
  }

  addPassages({ id }: Source, passages: readonly NewPassage[], atMs: number): readonly number[] {
    return explaining(this.path, () => {
      // Another program may just be learning the same.
      const insert = this.#prepare(`${INSERT_INTO} VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`);
      return inTransaction(this.#db, () => {
        const added = passages.flatMap(({ heading, text, hash }) => {
          const { changes, lastInsertRowid } = insert.run(
            ...["learned_knowledge", id, null, null, "", heading, text, hash, atMs],
          );
          return changes ? [Number(lastInsertRowid)] : [];
        });
        // Somebody else has completed another text of that name: nothing strange comes into it.
        const open = this.#prepare("SELECT 1 FROM sources WHERE id = ? AND hash IS NULL").get(id);
        if (added.length > 0 && !open) throw new StorageError("changed", this.path);
        return added;
      });
    });
  }

  async completeSource(source: Source, hash: string, kept: ReadonlySet<string>): Promise<void> {
    this.#requireWhole(source, kept); // before anything of somebody else's is deleted
    const gone = [...this.hashesOf(source)].flatMap(([each, id]) => kept.has(each) ? [] : [id]);
    if (gone.length > 0) await this.#deleteAll(gone, { forgotten: false });
    explaining(this.path, () =>
      inTransaction(this.#db, () => {
        this.#requireWhole(source, kept, kept.size); // and nothing else
        this.#prepare("UPDATE sources SET hash = ? WHERE id = ?").run(hash, source.id);
      }));
  }

  /** Whoever learns the same name meanwhile, or forgets it, adds passages or takes them away. */
  #requireWhole(source: Source, kept: ReadonlySet<string>, most = Infinity): void {
    const there = this.hashesOf(source);
    if (there.size <= most && [...kept].every((each) => there.has(each))) return;
    throw new StorageError("changed", this.path);
  }

  async deletePassage(id: number): Promise<boolean> {
    const row = explaining(
      this.path,
      () => this.#prepare("SELECT source_id FROM memories WHERE id = ? AND kind = 'learned_knowledge'").get(id),
    );
    if (!row) return false;
    await this.#deleteAll([id], { forgotten: false });
    explaining(this.path, () =>
      this.#prepare(
        `DELETE FROM sources WHERE id = ? AND hash IS NOT NULL
          AND NOT EXISTS (SELECT 1 FROM memories WHERE source_id = sources.id)`,
      ).run(Number(row.source_id)));
    return true;
  }

  async forget(what: Forgettable): Promise<Forgotten> {
    if ("all" in what) {
      const { passages, sources } = this.#forgetAll();
      return { passages, sources, erased: await this.#erase() };
    }
    const ids = this.#idsOf(what);
    const erased = await this.#deleteAll(ids, { forgotten: !("source" in what) });
    if (!("source" in what)) return { passages: ids.length, sources: 0, erased };
    const { changes } = explaining(
      this.path,
      () => this.#prepare("DELETE FROM sources WHERE name = ?").run(what.source),
    );
    return { passages: ids.length, sources: Number(changes), erased: await this.#erase() };
  }

  sources(): readonly Source[] {
    return explaining(
      this.path,
      () => this.#prepare("SELECT id, name, hash FROM sources ORDER BY name").all().map(toSource),
    );
  }

  conversations(limit: number): readonly KeptConversation[] {
    return explaining(this.path, () =>
      this.#prepare(
        `SELECT conversation_id AS id, count(*) AS exchanges, max(at_ms) AS last_ms FROM memories
          WHERE conversation_id IS NOT NULL GROUP BY conversation_id ORDER BY last_ms DESC LIMIT ?`,
      ).all(limit).map((row) => ({
        id: String(row.id),
        exchanges: Number(row.exchanges),
        last_ms: Number(row.last_ms),
      })));
  }

  stats(): MemoryStats {
    return {
      sources: this.#countOf("SELECT count(*) FROM sources"),
      learned_passages: this.size("learned_knowledge"),
      episodes: this.size("episodic"),
      vectors: this.#countOf("SELECT count(DISTINCT memory_id) FROM vector_codes"),
      file_bytes: this.#countOf("PRAGMA page_count") * this.#countOf("PRAGMA page_size"),
    };
  }

  #idsOf(what: Exclude<Forgettable, { all: true }>): number[] {
    const [condition, value] = "source" in what
      ? ["source_id = (SELECT id FROM sources WHERE name = ?)", what.source]
      : "user_id" in what
      ? ["user_id = ?", what.user_id]
      : ["conversation_id = ?", what.conversation_id];
    return explaining(
      this.path,
      () => this.#prepare(`SELECT id FROM memories WHERE ${condition}`).all(value).map(({ id }) => Number(id)),
    );
  }

  /**
   * Deletes passages and erases what is left of them. Every program is told before the first is gone, and again when the
   * last one is. False when the erasing has to wait for another program.
   */
  async #deleteAll(ids: readonly number[], { forgotten }: { readonly forgotten: boolean }): Promise<boolean> {
    explaining(this.path, () =>
      inTransaction(this.#db, () => {
        // Erased one by one from the index, thousands would take minutes: it is cleaned as a whole afterwards.
        if (ids.length > DELETED_SINGLY) this.#index.setTidy(false);
        this.#mark(forgotten);
      }));
    const size = ids.length > DELETED_SINGLY ? DELETED_AT_ONCE.otherwise : DELETED_AT_ONCE.singly;
    for (let from = 0; from < ids.length; from += size) {
      explaining(this.path, () =>
        inTransaction(this.#db, () => {
          const batch = JSON.stringify(ids.slice(from, from + size));
          this.#prepare("DELETE FROM memories WHERE id IN (SELECT value FROM json_each(?))").run(batch);
        }));
      await setTimeout(BREATH_MS);
    }
    return await this.#erase(); // what an earlier one had to leave as well
  }

  /** Whoever keeps a part of the memory in mind learns of it by this. */
  #mark(forgotten: boolean): void {
    this.#prepare("UPDATE marks SET deletions = deletions + 1, forgotten = forgotten + ?").run(forgotten ? 1 : 0);
  }

  /** A program that deleted may have ended before it had tidied up; or it is at it, and nothing is left to do here. */
  #finishTidyingUp(): void {
    try {
      if (!explaining(this.path, () => this.#index.untidy)) return;
      for (const _ of this.#tidyUp());
      explaining(this.path, () => this.#emptyLog());
    } catch (error) {
      if (!(error instanceof StorageError) || error.problem !== "busy") throw error;
    }
  }

  *#tidyUp(): Generator<void, void, void> {
    if (!explaining(this.path, () => this.#index.untidy)) return;
    const steps = this.#index.tidyUp();
    while (!explaining(this.path, () => steps.next()).done) yield;
    explaining(this.path, () => inTransaction(this.#db, () => this.#index.setTidy(true)));
  }

  /** The indexes can be emptied as a whole. */
  #forgetAll(): { readonly passages: number; readonly sources: number } {
    return explaining(this.path, () =>
      inTransaction(this.#db, () => {
        const passages = this.#countOf("SELECT count(*) FROM memories");
        const sources = this.#countOf("SELECT count(*) FROM sources");
        const triggers = this.#db.prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").all();
        for (const { name } of triggers) this.#db.exec(`DROP TRIGGER "${name}"`);
        this.#db.exec(`
          INSERT INTO learned_fts (learned_fts) VALUES ('delete-all');
          INSERT INTO episodes_fts (episodes_fts) VALUES ('delete-all');
          DELETE FROM vectors; DELETE FROM vector_codes; DELETE FROM memories; DELETE FROM sources;`);
        for (const { sql } of triggers) this.#db.exec(String(sql));
        this.#mark(true);
        return { passages, sources };
      }));
  }

  /**
   * Erases what is left of what was deleted: in the indexes, and in the write-ahead log, which holds the old pages until
   * it is emptied. False when somebody reads at the moment and that has to wait.
   */
  async #erase(): Promise<boolean> {
    for (const _ of this.#tidyUp()) await setTimeout(BREATH_MS);
    explaining(this.path, () => this.#mark(false)); // those who have looked meanwhile look again
    explaining(this.path, () => this.#db.prepare("PRAGMA incremental_vacuum").all()); // one page a row
    for (let tries = 0; tries < ERASE.tries; tries++) {
      if (explaining(this.path, () => this.#emptyLog())) return true;
      await setTimeout(ERASE.pauseMs);
    }
    return false;
  }

  /** False while somebody reads; does not wait for them. */
  #emptyLog(): boolean {
    const patience = this.#countOf("PRAGMA busy_timeout");
    queryValue(this.#db, "PRAGMA busy_timeout = 0");
    try {
      return queryValue(this.#db, "PRAGMA wal_checkpoint(TRUNCATE)") === 0;
    } finally {
      queryValue(this.#db, `PRAGMA busy_timeout = ${patience}`);
    }
  }

  #findSource(sql: string, value: string): Source | undefined {
    return explaining(this.path, () => {
      const row = this.#prepare(sql).get(value);
      return row && toSource(row);
    });
  }

  #countOf(sql: string): number {
    return explaining(this.path, () => this.#statements.count(sql));
  }

  #prepare(sql: string): StatementSync {
    return this.#statements.prepare(sql);
  }
}

/** Somebody else may just be opening it too, which takes a moment. */
function openPatiently(options: OpenDatabaseOptions): DatabaseSync {
  const giveUpAt = performance.now() + options.busyTimeoutMs;
  for (;;) {
    try {
      return openDatabase(options);
    } catch (error) {
      const busy = error instanceof StorageError && error.problem === "busy";
      if (!busy || performance.now() >= giveUpAt) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, OPEN_PAUSE_MS);
    }
  }
}

/** How often it is tried to open what somebody else is opening, in milliseconds. */
const OPEN_PAUSE_MS = 10;

function toSource(row: Record<string, unknown>): Source {
  return { id: Number(row.id), name: String(row.name), hash: row.hash === null ? null : String(row.hash) };
}
