import type { DatabaseSync } from "node:sqlite";
import type { Missing, NewVector, StoredCode, VectorStore } from "./memory.ts";
import { explaining, inTransaction } from "./sqlite.ts";
import type { Statements } from "./statements.ts";

const PUT_CODE = `INSERT OR REPLACE INTO vector_codes (memory_id, model_id, scope, code)
  SELECT id, ?, scope, ? FROM memories WHERE id = ?`;
const PUT_VECTOR =
  `INSERT OR REPLACE INTO vectors (memory_id, model_id, vector) SELECT id, ?, ? FROM memories WHERE id = ?`;

const NEXT_USE = "(SELECT coalesce(max(used), 0) + 1 FROM vector_models)";

/** Ids that are looked through for missing vectors at once: some 5 ms. */
const WINDOW = 2000;
/** Models whose vectors are kept: who changes back and forth waits once only. */
const MODELS_KEPT = 2;

/** The tables of vectors, on the connection of the memory they belong to. */
export class VectorTable implements VectorStore {
  readonly #db: DatabaseSync;
  readonly #statements: Statements;
  readonly #path: string;

  constructor(db: DatabaseSync, statements: Statements, path: string) {
    this.#db = db;
    this.#statements = statements;
    this.#path = path;
  }

  modelId(ref: string, dimensions: number): number {
    return explaining(this.#path, () => {
      const find = "SELECT id FROM vector_models WHERE ref = ? AND dimensions = ?";
      const found = this.#statements.value(find, ref, dimensions);
      if (found !== undefined) return Number(found);
      this.#statements.prepare(`INSERT OR IGNORE INTO vector_models (ref, dimensions, used) SELECT ?, ?, ${NEXT_USE}`)
        .run(ref, dimensions);
      return Number(this.#statements.value(find, ref, dimensions));
    });
  }

  dimensionsOf(ref: string): number | undefined {
    return explaining(this.#path, () => {
      const find = "SELECT dimensions FROM vector_models WHERE ref = ? ORDER BY used DESC LIMIT 1";
      const found = this.#statements.value(find, ref);
      return found === undefined ? undefined : Number(found);
    });
  }

  missing(modelId: number, afterId: number, limit: number): Missing {
    return explaining(this.#path, () => {
      const last = Number(this.#statements.value("SELECT coalesce(max(id), 0) FROM memories"));
      const to = Math.min(last, afterId + WINDOW);
      const passages = this.#statements.prepare(
        `SELECT id, heading, text FROM memories m WHERE id > ? AND id <= ? AND NOT EXISTS
          (SELECT 1 FROM vector_codes v WHERE v.memory_id = m.id AND v.model_id = ?) ORDER BY id LIMIT ?`,
      ).all(afterId, to, modelId, limit)
        .map((row) => ({ id: Number(row.id), heading: String(row.heading), text: String(row.text) }));
      const lookedTo = passages.length === limit ? passages.at(-1)?.id ?? to : to;
      return { passages, lookedTo, over: lookedTo >= last };
    });
  }

  put(modelId: number, vectors: readonly NewVector[]): void {
    explaining(this.#path, () => {
      const [putCode, putVector] = [this.#statements.prepare(PUT_CODE), this.#statements.prepare(PUT_VECTOR)];
      inTransaction(this.#db, () => {
        this.#statements.prepare(`UPDATE vector_models SET used = ${NEXT_USE} WHERE id = ?`).run(modelId);
        for (const { memory_id, vector, code } of vectors) {
          putCode.run(modelId, bytesOf(code), memory_id);
          putVector.run(modelId, bytesOf(vector), memory_id);
        }
      });
    });
  }

  keepInUse(modelId: number): void {
    explaining(this.#path, () =>
      inTransaction(this.#db, () => {
        this.#statements.prepare(`UPDATE vector_models SET used = ${NEXT_USE} WHERE id = ?`).run(modelId);
        this.#statements.prepare(
          `DELETE FROM vector_models WHERE id NOT IN
            (SELECT id FROM vector_models ORDER BY used DESC LIMIT ?)`,
        ).run(MODELS_KEPT);
      }));
  }

  codesAfter(modelId: number, seq: number, limit: number): readonly StoredCode[] {
    return explaining(this.#path, () =>
      this.#statements.prepare(
        "SELECT seq, memory_id, scope, code FROM vector_codes WHERE seq > ? AND model_id = ? ORDER BY seq LIMIT ?",
      ).all(seq, modelId, limit).map((row) => ({
        seq: Number(row.seq),
        memory_id: Number(row.memory_id),
        scope: String(row.scope),
        code: toCode(row.code),
      })));
  }

  exact(modelId: number, ids: readonly number[]): ReadonlyMap<number, Float32Array> {
    return explaining(this.#path, () => {
      const rows = this.#statements.prepare(
        "SELECT memory_id, vector FROM vectors WHERE model_id = ? AND memory_id IN (SELECT value FROM json_each(?))",
      ).all(modelId, JSON.stringify(ids));
      return new Map(rows.map((row) => [Number(row.memory_id), toFloats(row.vector)]));
    });
  }
}

function bytesOf(numbers: Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
}

/** Bytes of SQLite's as numbers are read: as they lie there where that is possible, which it nearly always is. */
function wordsOf(
  value: unknown,
): { readonly buffer: ArrayBufferLike; readonly offset: number; readonly count: number } {
  if (!(value instanceof Uint8Array)) return { buffer: new ArrayBuffer(0), offset: 0, count: 0 };
  const { buffer, byteOffset: offset } = value.byteOffset % 4 === 0 ? value : value.slice();
  return { buffer, offset, count: value.byteLength >>> 2 };
}

function toFloats(value: unknown): Float32Array {
  const { buffer, offset, count } = wordsOf(value);
  return new Float32Array(buffer, offset, count);
}

function toCode(value: unknown): Uint32Array {
  const { buffer, offset, count } = wordsOf(value);
  return new Uint32Array(buffer, offset, count);
}
