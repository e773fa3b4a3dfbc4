import type { DatabaseSync } from "node:sqlite";
import type { NewVector, StoredCode, Unembedded, VectorStore } from "./memory.ts";
import { explaining, inTransaction, queryValue } from "./sqlite.ts";

const PUT_CODE = `INSERT OR REPLACE INTO vector_codes (memory_id, model_id, scope, code)
  SELECT id, ?, scope, ? FROM memories WHERE id = ?`;
const PUT_VECTOR = `INSERT OR REPLACE INTO vectors (memory_id, vector) SELECT id, ? FROM memories WHERE id = ?`;

/** Ids that are looked through for missing vectors at once. */
const WINDOW = 2000;

/** The tables of vectors, on the connection of the memory they belong to. */
export class VectorTable implements VectorStore {
  readonly #db: DatabaseSync;
  readonly #path: string;

  constructor(db: DatabaseSync, path: string) {
    this.#db = db;
    this.#path = path;
  }

  modelId(ref: string, dimensions: number): number {
    return explaining(this.#path, () => {
      const found = queryValue(
        this.#db,
        "SELECT id FROM vector_models WHERE ref = ? AND dimensions = ?",
        ref,
        dimensions,
      );
      if (found !== undefined) return Number(found);
      this.#db.prepare("INSERT INTO vector_models (ref, dimensions) VALUES (?, ?)").run(ref, dimensions);
      return Number(queryValue(this.#db, "SELECT last_insert_rowid()"));
    });
  }

  dimensionsOf(ref: string): number | undefined {
    return explaining(this.#path, () => {
      const found = queryValue(
        this.#db,
        "SELECT dimensions FROM vector_models WHERE ref = ? ORDER BY id DESC LIMIT 1",
        ref,
      );
      return found === undefined ? undefined : Number(found);
    });
  }

  missing(modelId: number, afterId: number, limit: number): readonly Unembedded[] {
    return explaining(this.#path, () => {
      const last = Number(queryValue(this.#db, "SELECT coalesce(max(id), 0) FROM memories"));
      const look = this.#db.prepare(
        `SELECT id, heading, text FROM memories m WHERE id > ? AND id <= ? AND NOT EXISTS
          (SELECT 1 FROM vector_codes v WHERE v.memory_id = m.id AND v.model_id = ?) ORDER BY id LIMIT ?`,
      );
      for (let from = afterId; from < last; from += WINDOW) {
        const rows = look.all(from, from + WINDOW, modelId, limit);
        if (rows.length > 0) {
          return rows.map((row) => ({ id: Number(row.id), heading: String(row.heading), text: String(row.text) }));
        }
      }
      return [];
    });
  }

  put(modelId: number, vectors: readonly NewVector[]): void {
    explaining(this.#path, () => {
      const [putCode, putVector] = [this.#db.prepare(PUT_CODE), this.#db.prepare(PUT_VECTOR)];
      inTransaction(this.#db, () => {
        for (const { memory_id, vector, code } of vectors) {
          putCode.run(modelId, bytesOf(code), memory_id);
          putVector.run(bytesOf(vector), memory_id);
        }
      });
    });
  }

  codesAfter(modelId: number, seq: number, limit: number): readonly StoredCode[] {
    return explaining(this.#path, () =>
      this.#db.prepare(
        "SELECT seq, memory_id, scope, code FROM vector_codes WHERE seq > ? AND model_id = ? ORDER BY seq LIMIT ?",
      ).all(seq, modelId, limit).map((row) => ({
        seq: Number(row.seq),
        memory_id: Number(row.memory_id),
        scope: String(row.scope),
        code: new Uint32Array(alignedBuffer(row.code)),
      })));
  }

  count(modelId: number): number {
    return explaining(
      this.#path,
      () => Number(queryValue(this.#db, "SELECT count(*) FROM vector_codes WHERE model_id = ?", modelId)),
    );
  }

  exact(ids: readonly number[]): ReadonlyMap<number, Float32Array> {
    return explaining(this.#path, () => {
      const rows = this.#db.prepare(
        "SELECT memory_id, vector FROM vectors WHERE memory_id IN (SELECT value FROM json_each(?))",
      ).all(JSON.stringify(ids));
      return new Map(rows.map((row) => [Number(row.memory_id), new Float32Array(alignedBuffer(row.vector))]));
    });
  }
}

function bytesOf(numbers: Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
}

/** SQLite's bytes may begin anywhere in a buffer; numbers may not. */
function alignedBuffer(value: unknown): ArrayBuffer {
  if (!(value instanceof Uint8Array)) return new ArrayBuffer(0);
  return value.slice().buffer as ArrayBuffer;
}
