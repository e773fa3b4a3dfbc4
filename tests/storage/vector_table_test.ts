import assert from "node:assert/strict";
import { codeOf } from "../../src/memory/code_index.ts";
import { unitVector } from "../../src/memory/vector_search.ts";
import type { Unembedded } from "../../src/storage/memory.ts";
import type { MemoryTable } from "../../src/storage/memory_table.ts";
import { scopeOf } from "../../src/storage/scope.ts";
import { addExchange, countVectors, createTable, giveVectors, openMemoryTable } from "../support/memory_store.ts";
import { createRandom } from "../support/random.ts";
import { randomVector } from "../support/random_vectors.ts";

const MODEL = "ollama/embeddinggemma";

function addMany(table: MemoryTable, count: number, name = "many"): readonly number[] {
  const passages = Array.from(
    { length: count },
    (_, index) => ({ heading: "", text: `text ${index}`, hash: `${index}` }),
  );
  return table.addPassages(table.beginSource(name), passages, 1);
}

function vectors(ids: readonly number[], dimensions = 8): Map<number, number[]> {
  const random = createRandom(ids.length);
  return new Map(ids.map((id) => [id, randomVector(random, dimensions)]));
}

Deno.test("VectorTable.exact() gives vectors as they were put, and the codes that go with them", async () => {
  await using made = await createTable();
  const { table } = made;
  const ids = addMany(table, 20);
  const put = vectors(ids, 100);
  giveVectors(table, MODEL, put);
  const found = table.vectors.exact(table.vectors.modelId(MODEL, 100), [...ids, 999]);
  assert.equal(found.size, ids.length);
  for (const [id, values] of put) assert.deepEqual(found.get(id), unitVector(values));
  const codes = table.vectors.codesAfter(table.vectors.modelId(MODEL, 100), 0, 100);
  assert.deepEqual(codes.map(({ memory_id }) => memory_id), ids);
  for (const { memory_id, code } of codes) {
    assert.deepEqual(code, codeOf(unitVector(put.get(memory_id) ?? []) ?? assert.fail()));
  }
});

Deno.test("a vector that is part of a larger buffer is put without its neighbours", async () => {
  await using made = await createTable();
  const { table } = made;
  const [memory_id = 0] = addMany(table, 1);
  const [vector, code] = [new Float32Array([9, 1, 0, 9]).subarray(1, 3), new Uint32Array([7, 1, 7]).subarray(1, 2)];
  table.vectors.put(table.vectors.modelId(MODEL, 2), [{ memory_id, vector, code }]);
  assert.deepEqual(table.vectors.exact(1, [memory_id]).get(memory_id), new Float32Array([1, 0]));
  assert.deepEqual(table.vectors.codesAfter(1, 0, 9).map((each) => [...each.code]), [[1]]);
});

Deno.test("VectorTable.modelId() tells models and lengths apart, and stays the same for good", async () => {
  await using made = await createTable();
  const { table, folder } = made;
  using other = openMemoryTable(folder.database);
  const id = table.vectors.modelId(MODEL, 768);
  assert.equal(other.vectors.modelId(MODEL, 768), id);
  const all = [id, other.vectors.modelId(MODEL, 256), table.vectors.modelId("ollama/other", 768)];
  assert.equal(new Set(all).size, 3);
  assert.equal(table.vectors.modelId(MODEL, 768), id);
});

Deno.test("VectorTable.dimensionsOf() is the length of the vectors that came last", async () => {
  await using made = await createTable();
  const { table } = made;
  const ids = addMany(table, 1);
  assert.equal(table.vectors.dimensionsOf(MODEL), undefined);
  giveVectors(table, MODEL, vectors(ids, 768));
  assert.equal(table.vectors.dimensionsOf(MODEL), 768);
  giveVectors(table, MODEL, vectors(ids, 256));
  assert.equal(table.vectors.dimensionsOf(MODEL), 256);
  giveVectors(table, "another/model", vectors(ids, 32));
  assert.equal(table.vectors.dimensionsOf(MODEL), 256);
});

Deno.test("VectorTable.dimensionsOf() follows a model whose vectors become as long as they once were", async () => {
  await using made = await createTable();
  const { table } = made;
  const ids = addMany(table, 1);
  for (const dimensions of [768, 256, 768]) giveVectors(table, MODEL, vectors(ids, dimensions));
  assert.equal(table.vectors.dimensionsOf(MODEL), 768);
});

Deno.test("VectorTable.missing() gives every passage without a vector of that model once, by id", async () => {
  await using made = await createTable();
  const { table } = made;
  const ids = addMany(table, 30);
  addExchange(table, { conversation_id: "c", user_id: null, text: "said", at_ms: 1 });
  const all = [...ids, Math.max(...ids) + 1];
  const without = (ref: string, after = 0, limit = 100) =>
    table.vectors.missing(table.vectors.modelId(ref, 8), after, limit).passages.map(({ id }) => id);
  assert.deepEqual(without(MODEL), all);
  assert.deepEqual(without(MODEL, ids[4], 3), ids.slice(5, 8));
  giveVectors(table, MODEL, vectors(ids.slice(3, 20)));
  assert.deepEqual(without(MODEL), [...all.slice(0, 3), ...all.slice(20)]);
  assert.deepEqual(without("another/model"), all);
  assert.deepEqual(without(MODEL, all.at(-1)), []);
  giveVectors(table, MODEL, vectors(all));
  assert.deepEqual(without(MODEL), []);
});

Deno.test("VectorTable.missing() finds the one passage without a vector among thousands, over gaps of ids too", async () => {
  await using made = await createTable();
  const { table } = made;
  const first = addMany(table, 4500, "first");
  addMany(table, 4500, "second");
  const [last = 0] = addMany(table, 1, "third");
  giveVectors(table, MODEL, vectors(first, 2));
  await table.forget({ source: "second" });
  const model = table.vectors.modelId(MODEL, 2);
  const found: Unembedded[] = [];
  let [after, over, looks] = [0, false, 0];
  while (!over) {
    const look = table.vectors.missing(model, after, 10);
    assert.ok(look.lookedTo > after && ++looks < 100, "it does not get on");
    found.push(...look.passages);
    [after, over] = [look.lookedTo, look.over];
  }
  assert.deepEqual(found, [{ id: last, heading: "", text: "text 0" }]);
  assert.ok(looks > 1, "it looked at everything at once");
});

Deno.test("vectors of a second model stand beside those of the first, and go with their passage", async () => {
  await using made = await createTable();
  const { table } = made;
  const ids = addMany(table, 3);
  const [first = 0, second = 0, third = 0] = ids;
  const put = vectors(ids, 4);
  giveVectors(table, "old/model", put);
  const old = table.vectors.modelId("old/model", 4);
  const codes = table.vectors.codesAfter(old, 0, 9);
  giveVectors(table, MODEL, vectors([first, second], 8));
  assert.deepEqual(table.vectors.codesAfter(old, 0, 9), codes);
  for (const [id, values] of put) assert.deepEqual(table.vectors.exact(old, ids).get(id), unitVector(values));
  assert.deepEqual([...table.vectors.exact(table.vectors.modelId(MODEL, 8), ids).keys()], [first, second]);
  assert.equal(table.stats().vectors, 3); // passages, not vectors
  await table.deletePassage(second);
  giveVectors(table, MODEL, vectors([first, second], 8)); // one of them is late
  assert.deepEqual([countVectors(table, "old/model", 4), countVectors(table, MODEL, 8)], [2, 1]);
  assert.deepEqual([...table.vectors.exact(old, ids).keys()], [first, third]);
});

Deno.test("VectorTable.keepInUse() keeps the two models that were used last", async () => {
  await using made = await createTable();
  const { table } = made;
  const ids = addMany(table, 3);
  const use = (ref: string) => table.vectors.keepInUse(table.vectors.modelId(ref, 4));
  const counts = () => ["m/a", "m/b", "m/c"].map((ref) => countVectors(table, ref, 4));
  for (const ref of ["m/a", "m/b"]) {
    giveVectors(table, ref, vectors(ids, 4));
    use(ref);
  }
  assert.deepEqual(counts(), [3, 3, 0]);
  use("m/a"); // again: b is the older one now
  assert.deepEqual(counts(), [3, 3, 0]);
  giveVectors(table, "m/c", vectors(ids, 4));
  assert.deepEqual(counts(), [3, 3, 3]); // nothing goes before the new one is complete
  use("m/c");
  assert.deepEqual(counts(), [3, 0, 3]);
  assert.deepEqual(table.vectors.missing(table.vectors.modelId("m/b", 4), 0, 9).passages.map(({ id }) => id), ids);
});

Deno.test("VectorTable.codesAfter() goes on where it was, with what was put again last", async () => {
  await using made = await createTable();
  const { table } = made;
  const ids = addMany(table, 10);
  giveVectors(table, MODEL, vectors(ids));
  const model = table.vectors.modelId(MODEL, 8);
  const page = table.vectors.codesAfter(model, 0, 4);
  assert.deepEqual(page.map(({ memory_id }) => memory_id), ids.slice(0, 4));
  giveVectors(table, MODEL, vectors(ids.slice(0, 1)));
  const rest = table.vectors.codesAfter(model, page.at(-1)?.seq ?? 0, 100);
  assert.deepEqual(rest.map(({ memory_id }) => memory_id), [...ids.slice(4), ids[0]]);
  assert.deepEqual(table.vectors.codesAfter(model, rest.at(-1)?.seq ?? 0, 100), []);
  assert.deepEqual(table.vectors.codesAfter(model + 1, 0, 100), []);
});

Deno.test("a code carries the scope of its passage", async () => {
  await using made = await createTable();
  const { table } = made;
  const [id = 0] = addMany(table, 1);
  addExchange(table, { conversation_id: "c1", user_id: null, text: "said", at_ms: 1 });
  giveVectors(table, MODEL, vectors([id, id + 1]));
  const scopes = table.vectors.codesAfter(1, 0, 9).map(({ scope }) => scope);
  assert.deepEqual(scopes, ["", scopeOf({ kind: "episodic", conversation_id: "c1" })]);
});

Deno.test("scopeOf() gives every conversation a word of its own, and what was learned none", () => {
  assert.equal(scopeOf({ kind: "learned_knowledge" }), "");
  const ids = ["", "a", "A", "á", "a ", "*", "c1", "x".repeat(10_000)];
  const scopes = ids.map((conversation_id) => scopeOf({ kind: "episodic", conversation_id }));
  assert.equal(new Set(scopes).size, ids.length);
  for (const scope of scopes) assert.match(scope, /^[a-z][a-z0-9]+$/); // one word for the index, whatever the id
});
