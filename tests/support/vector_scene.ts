/** A keeper of vectors at work on a memory of its own, with a model that stands in for a real one. */
import { NoAnswerError } from "../../src/core/errors.ts";
import type { ErrorKind } from "../../src/core/types.ts";
import { VectorKeeper } from "../../src/memory/vector_keeper.ts";
import type { MemoryTable } from "../../src/storage/memory_table.ts";
import { countVectors, createTable, type TestTable } from "./memory_store.ts";
import { TrigramEmbedder } from "./trigram_embedder.ts";

export function failure(kind: ErrorKind): NoAnswerError {
  return new NoAnswerError(kind, { kind, attempts: [] });
}

/** How many passages have a vector of that model. */
export function countOf(table: MemoryTable, ref = "fake/trigrams", dimensions = 256): number {
  return countVectors(table, ref, dimensions);
}

/** For failures that nobody but the router is to tell of. */
export function unexpected(error: unknown): void {
  throw error;
}

export interface Scene extends TestTable {
  readonly embedder: TrigramEmbedder;
  readonly keeper: VectorKeeper;
}

export async function createScene(): Promise<Scene> {
  const made = await createTable();
  const embedder = new TrigramEmbedder();
  return { ...made, embedder, keeper: new VectorKeeper({ store: () => made.table, embedder, onFailure: unexpected }) };
}
