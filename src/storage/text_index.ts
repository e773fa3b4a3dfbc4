import type { MemoryKind, Realm, Term, TextMatch } from "./memory.ts";
import { scopeOf } from "./scope.ts";
import type { Statements } from "./statements.ts";

const TABLES = ["learned_fts", "episodes_fts"];
/** Pages of an index merged in one go: some 20 ms. */
const MERGED_PAGES = 200;

/** The full-text indexes, on the connection of the memory they belong to. Throws what SQLite throws. */
export class TextIndex {
  readonly #statements: Statements;

  constructor(statements: Statements) {
    this.#statements = statements;
  }

  /** How many passages contain the word; `most` when there are as many or more. */
  count(realm: Realm, term: Term, most: number): number {
    const table = tableOf(realm.kind);
    const counted = this.#statements.prepare(
      `SELECT count(*) AS n FROM (SELECT 1 FROM ${table} WHERE ${table} MATCH ? LIMIT ?)`,
    ).get(expressionOf(realm, [term]), most);
    return Number(counted?.n);
  }

  /** Passages that contain at least one of the words, best first. */
  match(realm: Realm, terms: readonly Term[], limit: number): readonly TextMatch[] {
    if (terms.length === 0) return [];
    const table = tableOf(realm.kind);
    // Words of a heading count double; where a conversation stands nothing does.
    const weights = realm.kind === "learned_knowledge" ? "2.0, 1.0" : "0.0, 1.0";
    return this.#statements.prepare(
      `SELECT rowid AS id, -rank AS score FROM ${table}
        WHERE ${table} MATCH ? AND rank MATCH 'bm25(${weights})' ORDER BY rank LIMIT ?`,
    ).all(expressionOf(realm, terms), limit).map(({ id, score }) => ({ id: Number(id), score: Number(score) }))
      .toSorted((one, other) => other.score - one.score || other.id - one.id); // the newer of equals first
  }

  /** How many passages there are. The index keeps one short row of each, which is quicker to count than they are. */
  size(kind: MemoryKind): number {
    return this.#statements.count(`SELECT count(*) FROM ${tableOf(kind)}_docsize`);
  }

  /** Whether what is deleted is erased from the indexes at once, or in the end by `tidyUp`. Within a transaction. */
  setTidy(tidy: boolean): void {
    for (const table of TABLES) {
      // FTS5 takes whole numbers only, and what is bound is a REAL.
      this.#statements.prepare(`INSERT INTO ${table} (${table}, rank) VALUES ('secure-delete', ${tidy ? 1 : 0})`).run();
    }
    this.#statements.prepare("UPDATE marks SET untidy = ?").run(tidy ? 0 : 1);
  }

  /** True when words of deleted passages may still be in the indexes. */
  get untidy(): boolean {
    return this.#statements.count("SELECT untidy FROM marks") === 1;
  }

  /** Merges each index into one piece, which drops what was deleted, a step at a time (sqlite.org/fts5.html, 6.8). */
  *tidyUp(): Generator<void, void, void> {
    for (const table of TABLES) {
      for (let pages = -MERGED_PAGES;; pages = MERGED_PAGES) {
        const before = this.#changes;
        this.#statements.prepare(`INSERT INTO ${table} (${table}, rank) VALUES ('merge', ${pages})`).run();
        if (this.#changes - before < 2) break;
        yield;
      }
    }
  }

  get #changes(): number {
    return this.#statements.count("SELECT total_changes()");
  }
}

function tableOf(kind: MemoryKind): string {
  return kind === "episodic" ? "episodes_fts" : "learned_fts";
}

/** An FTS5 query: any of the words, within the realm. */
function expressionOf(realm: Realm, terms: readonly Term[]): string {
  const words = terms.flatMap(({ stem, prefix, forms }) => [`"${stem}"${prefix ? " *" : ""}`, ...forms.map(quote)])
    .join(" OR ");
  if (realm.kind === "learned_knowledge") return words;
  return `scope : "${scopeOf(realm)}" AND text : (${words})`;
}

function quote(word: string): string {
  return `"${word}"`;
}
