import type { MemoryStore, Realm } from "../storage/memory.ts";
import { scopeOf } from "../storage/scope.ts";
import { CodeIndex, codeOf } from "./code_index.ts";

/** A passage whose vector is near. */
export interface VectorMatch {
  readonly id: number;
  /** Cosine of the angle between the two vectors, from -1 to 1. */
  readonly cosine: number;
}

/** Vectors looked at exactly for each match that is wanted: their codes alone err by a few places. */
const OVERSAMPLING = 4;
/** Codes loaded in one go. */
const PAGE = 5000;

interface Loaded {
  readonly modelId: number;
  readonly index: CodeIndex;
  /** The newest code in it. */
  seq: number;
  /** Of the database, when it was last looked at. */
  revision: string;
  readonly deletions: number;
}

/**
 * Nearest passages by vector: codes in memory choose, the vectors themselves, read from the database, decide. Follows
 * what any program adds to the database or deletes from it.
 */
export class VectorSearch {
  readonly #store: MemoryStore;
  #loaded: Loaded | undefined;

  constructor(store: MemoryStore) {
    this.#store = store;
  }

  /** Bytes its codes take up in memory. */
  get bytes(): number {
    return this.#loaded?.index.bytes ?? 0;
  }

  /**
   * The passages of some realms nearest to `vector`, nearest first.
   * @param ref the model that made `vector`; passages of another model are not compared
   */
  nearest(ref: string, vector: Float32Array, realms: readonly Realm[], count: number): VectorMatch[] {
    const index = this.#indexFor(ref, vector.length);
    if (!index || index.size === 0) return [];
    const near = index.nearest(codeOf(vector), realms.map(scopeOf), count * OVERSAMPLING);
    return this.compare(ref, vector, near.map(({ memory_id }) => memory_id)).slice(0, count);
  }

  /** How near some passages are, nearest first; those without a vector of that model are left out. */
  compare(ref: string, vector: Float32Array, ids: readonly number[]): VectorMatch[] {
    const { vectors } = this.#store;
    if (ids.length === 0 || vectors.dimensionsOf(ref) !== vector.length) return [];
    const found = vectors.exact(vectors.modelId(ref, vector.length), ids);
    return [...found].map(([id, other]) => ({ id, cosine: cosineOf(vector, other) }))
      .toSorted((one, other) => other.cosine - one.cosine);
  }

  #indexFor(ref: string, dimensions: number): CodeIndex | undefined {
    const { vectors, revision, marks: { deletions } } = this.#store;
    if (vectors.dimensionsOf(ref) !== dimensions) return undefined;
    const modelId = vectors.modelId(ref, dimensions);
    const known = this.#loaded;
    const fits = known?.modelId === modelId && known.deletions === deletions;
    const loaded = fits ? known : { modelId, index: new CodeIndex(dimensions), seq: 0, revision: "", deletions };
    if (loaded.revision !== revision) this.#follow(loaded);
    loaded.revision = revision;
    this.#loaded = loaded;
    return loaded.index;
  }

  #follow(loaded: Loaded): void {
    for (;;) {
      const page = this.#store.vectors.codesAfter(loaded.modelId, loaded.seq, PAGE);
      for (const { memory_id, scope, code, seq } of page) {
        loaded.index.add(memory_id, scope, code);
        loaded.seq = seq;
      }
      if (page.length < PAGE) return;
    }
  }
}

/** Of two vectors of length 1; as far as the shorter one goes. */
function cosineOf(one: Float32Array, other: Float32Array): number {
  let sum = 0;
  for (let at = 0; at < one.length; at++) sum += (one[at] ?? 0) * (other[at] ?? 0);
  return sum;
}

/** A vector of length 1 in the same direction; undefined when there is none: all zero, not finite, or empty. */
export function unitVector(values: readonly number[]): Float32Array<ArrayBuffer> | undefined {
  const length = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
  if (!(length > 0) || !Number.isFinite(length)) return undefined;
  return Float32Array.from(values, (value) => value / length);
}
