import assert from "node:assert/strict";
import { unitVector, VectorSearch } from "../../src/memory/vector_search.ts";
import type { Realm } from "../../src/storage/memory.ts";
import type { MemoryTable } from "../../src/storage/memory_table.ts";
import { addExchange, createTable, giveVectors, LEARNED, openMemoryTable } from "../support/memory_store.ts";
import { createRandom } from "../support/random.ts";
import { nearby, randomVector } from "../support/random_vectors.ts";

const MODEL = "fake/model";

function add(table: MemoryTable, vectors: readonly (readonly number[])[], name = "a", ref = MODEL): readonly number[] {
  const first = table.size("learned_knowledge");
  const passages = vectors.map((_, index) => ({
    heading: "",
    text: `text ${first + index}`,
    hash: `${first + index}`,
  }));
  const ids = table.addPassages(table.beginSource(name), passages, 1);
  giveVectors(table, ref, new Map(ids.map((id, index) => [id, vectors[index] ?? []])));
  return ids;
}

function unit(values: readonly number[]): Float32Array {
  return unitVector(values) ?? assert.fail("no vector");
}

function nearest(search: VectorSearch, values: readonly number[], realms: readonly Realm[] = [LEARNED], count = 5) {
  return search.nearest(MODEL, unit(values), realms, count).map(({ id }) => id);
}

function cosine(one: Float32Array, other: Float32Array): number {
  let sum = 0;
  for (let at = 0; at < one.length; at++) sum += (one[at] ?? 0) * (other[at] ?? 0);
  return sum;
}

/** The ids of the nearest, by looking at every vector. */
function exactly(vectors: ReadonlyMap<number, Float32Array>, asked: Float32Array, count: number): number[] {
  return [...vectors].map(([id, vector]) => ({ id, near: cosine(vector, asked) }))
    .toSorted((one, other) => other.near - one.near).slice(0, count).map(({ id }) => id);
}

Deno.test("VectorSearch.nearest() finds the exact top 5 of clustered vectors in at least 95 % of cases", async () => {
  await using made = await createTable();
  const { table } = made;
  const random = createRandom(5);
  const centres = Array.from({ length: 100 }, () => randomVector(random, 768));
  const vectors = Array.from({ length: 2000 }, (_, index) => nearby(centres[index % 100] ?? [], 0.9, random));
  const ids = add(table, vectors);
  const exact = new Map(ids.map((id, index) => [id, unit(vectors[index] ?? [])]));
  const search = new VectorSearch(table);
  const [cases, count] = [100, 5];
  let same = 0;
  for (let index = 0; index < cases; index++) {
    const asked = nearby(centres[index] ?? [], 0.7, random);
    const expected = exactly(exact, unit(asked), count);
    if (JSON.stringify(nearest(search, asked)) === JSON.stringify(expected)) same++;
  }
  assert.ok(same >= 0.95 * cases, `${same} of ${cases}`);
});

Deno.test("VectorSearch.nearest() tells the cosine, nearest first", async () => {
  await using made = await createTable();
  const { table } = made;
  const ids = add(table, [[1, 0], [1, 1], [0, 1], [-1, 0]]);
  const found = new VectorSearch(table).nearest(MODEL, unit([1, 0]), [LEARNED], 4);
  assert.deepEqual(found.map(({ id }) => id), ids);
  [1, Math.SQRT1_2, 0, -1].forEach((expected, at) => {
    assert.ok(Math.abs((found[at]?.cosine ?? NaN) - expected) < 1e-6);
  });
  assert.equal(nearest(new VectorSearch(table), [1, 0], [LEARNED], 2).length, 2);
});

Deno.test("an exchange is never near to what is asked in another conversation", async () => {
  await using made = await createTable();
  const { table } = made;
  const [learned = 0] = add(table, [[0, 1]]);
  for (const conversation_id of ["c1", "c2"]) {
    addExchange(table, { conversation_id, user_id: null, text: "said", at_ms: 1 });
  }
  const [one, two] = [learned + 1, learned + 2];
  giveVectors(table, MODEL, new Map([[one, [1, 0]], [two, [1, 0.1]]]));
  const search = new VectorSearch(table);
  const conversation = (conversation_id: string): Realm => ({ kind: "episodic", conversation_id });
  assert.deepEqual(nearest(search, [1, 0], [conversation("c1")]), [one]);
  assert.deepEqual(nearest(search, [1, 0], [conversation("c2"), LEARNED]), [two, learned]);
  assert.deepEqual(nearest(search, [1, 0], [conversation("c3")]), []);
  assert.deepEqual(nearest(search, [1, 0], [LEARNED]), [learned]);
  assert.deepEqual(nearest(search, [1, 0], []), []);
});

Deno.test("VectorSearch follows what another connection adds, replaces and deletes", async () => {
  await using made = await createTable();
  const { table, folder } = made;
  using other = openMemoryTable(folder.database);
  const search = new VectorSearch(table);
  const [first = 0] = add(table, [[1, 0, 0]]);
  assert.deepEqual(nearest(search, [1, 0, 0]), [first]);
  const [second = 0, third = 0] = add(other, [[1, 0.1, 0], [1, 0.2, 0]]);
  assert.deepEqual(nearest(search, [1, 0, 0]), [first, second, third]);
  giveVectors(other, MODEL, new Map([[first, [0, 0, 1]]]));
  assert.deepEqual(nearest(search, [1, 0, 0], [LEARNED], 2), [second, third]);
  await other.deletePassage(second);
  assert.deepEqual(nearest(search, [1, 0, 0]), [third, first]);
  await other.forget({ all: true });
  assert.deepEqual(nearest(search, [1, 0, 0]), []);
  assert.deepEqual(nearest(search, [1, 0, 0]), []);
  const [fourth] = add(other, [[1, 0, 0]]);
  assert.deepEqual(nearest(search, [1, 0, 0]), [fourth]);
});

Deno.test("what another connection deletes takes nobody's place", async () => {
  await using made = await createTable();
  const { table, folder } = made;
  using other = openMemoryTable(folder.database);
  const search = new VectorSearch(table);
  add(table, Array.from({ length: 60 }, (_, index) => [1, index / 1000]), "near");
  const far = add(table, Array.from({ length: 5 }, (_, index) => [-1, 1 + index]), "far");
  assert.equal(nearest(search, [1, 0]).length, 5);
  await other.forget({ source: "near" });
  assert.deepEqual(nearest(search, [1, 0]).toSorted(), far.toSorted());
});

Deno.test("VectorSearch finds as much when every vector has been put again and again", async () => {
  await using made = await createTable();
  const { table } = made;
  const random = createRandom(8);
  const vectors = Array.from({ length: 60 }, () => randomVector(random, 64));
  const ids = add(table, vectors);
  const search = new VectorSearch(table);
  const asked = vectors[0] ?? [];
  const before = [nearest(search, asked), search.bytes];
  for (let count = 0; count < 30; count++) {
    giveVectors(table, MODEL, new Map(ids.map((id, at) => [id, vectors[at] ?? []])));
    nearest(search, asked);
  }
  assert.deepEqual([nearest(search, asked), search.bytes], before);
});

Deno.test("VectorSearch compares with no vector of another model or of another length", async () => {
  await using made = await createTable();
  const { table } = made;
  const search = new VectorSearch(table);
  const [mine = 0] = add(table, [[0, 1]]);
  add(table, [[1, 0]], "b", "another/model");
  assert.deepEqual(nearest(search, [1, 0]), [mine]);
  assert.deepEqual(nearest(search, [1, 0, 0]), []);
  assert.deepEqual(search.nearest("unknown/model", unit([1, 0]), [LEARNED], 5), []);
  assert.deepEqual(nearest(search, [1, 0]), [mine]); // and works on
  const [longer = 0] = add(table, [[1, 0, 0]], "c");
  assert.deepEqual(nearest(search, [1, 0, 0]), [longer]);
  assert.deepEqual(nearest(search, [1, 0]), []);
});

Deno.test("VectorSearch goes on after a model has been away and is back", async () => {
  await using made = await createTable();
  const { table } = made;
  const search = new VectorSearch(table);
  const [first = 0, second = 0] = add(table, [[1, 0], [1, 0.5]]);
  assert.deepEqual(nearest(search, [1, 0]), [first, second]);
  const [third = 0] = add(table, [[1, 0.2]], "b", "another/model");
  giveVectors(table, "another/model", new Map([[first, [-1, 0]], [second, [1, 0]]]));
  const others = search.nearest("another/model", unit([1, 0]), [LEARNED], 5);
  assert.deepEqual(others.map(({ id }) => id), [second, third, first]);
  assert.deepEqual(nearest(search, [1, 0]), [first, second]); // the other's vectors are not compared
  giveVectors(table, MODEL, new Map([[third, [1, 0.2]]]));
  assert.deepEqual(nearest(search, [1, 0]), [first, third, second]);
});

Deno.test("unitVector() gives vectors of length 1, and none where there is no direction", () => {
  assert.deepEqual(unitVector([3, 4]), new Float32Array([0.6, 0.8]));
  for (const values of [[], [0, 0], [NaN, 1], [Infinity, 1], [1e200, 1e200]]) {
    const vector = unitVector(values);
    if (vector) assert.ok(Math.abs(cosine(vector, vector) - 1) < 1e-5, `${values}`);
    else assert.ok(values[0] !== 1);
  }
  assert.equal(unitVector([]), undefined);
  assert.equal(unitVector([0, 0]), undefined);
  assert.equal(unitVector([NaN, 1]), undefined);
});
