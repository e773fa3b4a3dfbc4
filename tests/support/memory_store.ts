/** The memory's database as tests use it: a folder of its own, the table in it, and ways to fill and search it. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { DatabaseSync } from "node:sqlite";
import { codeOf } from "../../src/memory/code_index.ts";
import { learnDocument, type Learned, type LearnOptions } from "../../src/memory/learn.ts";
import { MemorySearch, type SearchQuery } from "../../src/memory/search.ts";
import { unitVector } from "../../src/memory/vector_search.ts";
import type { Episode, MemoryStore, MemoryStoreOptions, Realm } from "../../src/storage/memory.ts";
import { MemoryTable } from "../../src/storage/memory_table.ts";
import { queryValue } from "../../src/storage/sqlite.ts";
import { createFolder } from "./program.ts";

export const LEARNED: Realm = { kind: "learned_knowledge" };

/** Never aborts. */
export const NEVER: AbortSignal = new AbortController().signal;

export interface MemoryFolder extends AsyncDisposable {
  readonly path: string;
  readonly database: string;
}

/** A data folder, removed again at the end of the test. */
export async function createMemoryFolder(): Promise<MemoryFolder> {
  const { path, [Symbol.asyncDispose]: remove } = await createFolder();
  return { path, database: `${path}/memory.db`, [Symbol.asyncDispose]: remove };
}

/** The table; the test fails when the file turns out damaged, unless it wants to be told. */
export function openMemoryTable(path: string, options: Partial<MemoryStoreOptions> = {}): MemoryTable {
  return new MemoryTable({
    path,
    busyTimeoutMs: 0,
    onSetAside: (aside) => assert.fail(`it was set aside as ${aside}`),
    ...options,
  });
}

/** A table in a folder of its own. */
export interface TestTable extends AsyncDisposable {
  readonly folder: MemoryFolder;
  readonly table: MemoryTable;
}

export async function createTable(): Promise<TestTable> {
  const folder = await createMemoryFolder();
  const table = openMemoryTable(folder.database);
  return {
    folder,
    table,
    async [Symbol.asyncDispose]() {
      table[Symbol.dispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

export async function teach(
  store: MemoryStore,
  name: string,
  text: string,
  options: Partial<LearnOptions> = {},
): Promise<Learned> {
  return await learnDocument(store, { name, text, atMs: 1000 }, { signal: NEVER, ...options });
}

/** Sources of what is found, best first. */
export function sourcesFound(store: MemoryStore, text: string, query: Partial<SearchQuery> = {}): string[] {
  return new MemorySearch(store).search({ text, realms: [LEARNED], limit: 10, ...query })
    .map(({ passage }) => passage.source);
}

/** The texts of a source, in the order they came. */
export function textsOf(store: MemoryStore, name: string): string[] {
  const source = store.source(name) ?? assert.fail(`${name} is not there`);
  const ids = [...store.hashesOf(source).values()].toSorted((one, other) => one - other);
  const passages = store.passages(ids);
  return ids.map((id) => passages.get(id)?.text ?? assert.fail(`passage ${id} is not there`));
}

/** Gives passages vectors as the keeper does. */
export function giveVectors(store: MemoryStore, ref: string, vectors: ReadonlyMap<number, readonly number[]>): void {
  const made = [...vectors].map(([memory_id, values]) => {
    const vector = unitVector(values) ?? assert.fail("no vector");
    return { memory_id, vector, code: codeOf(vector) };
  });
  const [first] = made;
  if (first) store.vectors.put(store.vectors.modelId(ref, first.vector.length), made);
}

/** Keeps an exchange now, whatever was forgotten before. */
export function addExchange(store: MemoryStore, episode: Episode): void {
  store.addEpisode(episode, store.marks.forgotten);
}

/** How many passages have a vector, in both tables, of that model and length. */
export function countVectors({ path }: MemoryStore, ref: string, dimensions: number): number {
  const db = new DatabaseSync(path, { readOnly: true });
  try {
    const [codes = -1, vectors = -2] = ["vector_codes", "vectors"].map((table) =>
      Number(queryValue(
        db,
        `SELECT count(*) FROM ${table} JOIN vector_models m ON m.id = model_id WHERE m.ref = ? AND m.dimensions = ?`,
        ref,
        dimensions,
      ))
    );
    assert.equal(codes, vectors, "a code without its vector, or the other way round");
    return vectors;
  } finally {
    db.close();
  }
}

/** Which of the database's files hold these bytes. */
export function filesWith(database: string, wanted: string | Uint8Array): string[] {
  return ["", "-wal", "-shm"].filter((suffix) => {
    try {
      return Buffer.from(Deno.readFileSync(database + suffix)).includes(wanted);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return false;
      throw error;
    }
  }).map((suffix) => `memory.db${suffix}`);
}
