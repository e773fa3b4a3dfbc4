import assert from "node:assert/strict";
import fc from "fast-check";
import { CodeIndex, codeOf } from "../../src/memory/code_index.ts";
import { createRandom } from "../support/random.ts";
import { randomVector } from "../support/random_vectors.ts";

interface Entry {
  readonly id: number;
  readonly scope: string;
  readonly code: Uint32Array;
}

/** Bits that differ, counted one by one. */
function distance(one: Uint32Array, other: Uint32Array): number {
  let bits = 0;
  one.forEach((word, at) => {
    for (let bit = 0; bit < 32; bit++) bits += ((word ^ (other[at] ?? 0)) >>> bit) & 1;
  });
  return bits;
}

/** Distances of the nearest, by looking at every one. */
function bruteForce(entries: readonly Entry[], code: Uint32Array, scopes: readonly string[], count: number): number[] {
  return entries.filter(({ scope }) => scopes.includes(scope)).map((each) => distance(each.code, code))
    .toSorted((one, other) => one - other).slice(0, count);
}

function fill(entries: readonly Entry[], dimensions: number): CodeIndex {
  const index = new CodeIndex(dimensions);
  for (const { id, scope, code } of entries) index.add(id, scope, code);
  return index;
}

const word = fc.integer({ min: 0, max: 0xffffffff });

Deno.test("CodeIndex.nearest() finds the same as looking at every code", () => {
  const cases = fc.integer({ min: 1, max: 5 }).chain((words) => {
    const code = fc.array(word, { minLength: words, maxLength: words }).map((each) => Uint32Array.from(each));
    const entry = fc.record({ code, scope: fc.constantFrom("", "c1", "c2") });
    return fc.record({
      words: fc.constant(words),
      code,
      entries: fc.array(entry, { maxLength: 60 }),
      scopes: fc.subarray(["", "c1", "c2", "unknown"]),
      count: fc.integer({ min: 0, max: 70 }),
    });
  });
  fc.assert(fc.property(cases, ({ words, code, entries, scopes, count }) => {
    const numbered = entries.map((entry, id) => ({ ...entry, id }));
    const found = fill(numbered, words * 32).nearest(code, scopes, count);
    assert.deepEqual(found.map((each) => each.distance), bruteForce(numbered, code, scopes, count));
    assert.equal(new Set(found.map(({ memory_id }) => memory_id)).size, found.length);
    for (const { memory_id, distance: told } of found) {
      const entry = numbered[memory_id] ?? assert.fail();
      assert.ok(scopes.includes(entry.scope));
      assert.equal(told, distance(entry.code, code));
    }
  }));
});

Deno.test("CodeIndex.nearest() finds them among thousands, after the index has grown", () => {
  const random = createRandom(1);
  const dimensions = 100; // the last word of a code is not full
  const entries = Array.from({ length: 5000 }, (_, index) => ({
    id: 1e12 + index, // more than 32 bits
    scope: `c${index % 7}`,
    code: codeOf(Float32Array.from(randomVector(random, dimensions))),
  }));
  const index = fill(entries, dimensions);
  assert.equal(index.size, 5000);
  for (let count = 0; count < 20; count++) {
    const code = codeOf(Float32Array.from(randomVector(random, dimensions)));
    const found = index.nearest(code, ["c1", "c3"], 10);
    assert.deepEqual(found.map((each) => each.distance), bruteForce(entries, code, ["c1", "c3"], 10));
    for (const { memory_id } of found) assert.ok([1, 3].includes((memory_id - 1e12) % 7));
  }
});

Deno.test("codes as far apart as can be are found as well", () => {
  const none = new Uint32Array(24);
  const all = new Uint32Array(24).fill(0xffffffff);
  const index = fill([{ id: 1, scope: "", code: all }], 768);
  assert.deepEqual(index.nearest(none, [""], 5), [{ memory_id: 1, distance: 768 }]);
  assert.deepEqual(index.nearest(all, [""], 5), [{ memory_id: 1, distance: 0 }]);
});

Deno.test("a code of another length is left out, and an empty index finds nothing", () => {
  const index = new CodeIndex(64);
  assert.deepEqual(index.nearest(new Uint32Array(2), [""], 5), []);
  index.add(1, "", new Uint32Array(1));
  index.add(2, "", new Uint32Array(3));
  assert.equal(index.size, 0);
});

Deno.test("a passage has one place in the index: the code that came last counts, in its scope", () => {
  const code = (...bits: number[]) => Uint32Array.from(bits);
  const index = fill([{ id: 1, scope: "a", code: code(0) }, { id: 2, scope: "a", code: code(1) }], 32);
  const { bytes } = index;
  for (let count = 0; count < 3000; count++) index.add(1, "a", code(0b11));
  assert.deepEqual([index.size, index.bytes], [2, bytes]);
  assert.deepEqual(index.nearest(code(0), ["a"], 9), [{ memory_id: 2, distance: 1 }, { memory_id: 1, distance: 2 }]);
  index.add(2, "b", code(0));
  assert.deepEqual(index.nearest(code(0), ["a"], 9), [{ memory_id: 1, distance: 2 }]);
  assert.deepEqual(index.nearest(code(0), ["b"], 9), [{ memory_id: 2, distance: 0 }]);
});

Deno.test("codeOf() sets the bits of what is positive", () => {
  assert.deepEqual([...codeOf(new Float32Array([1, 0, -1, 0.1, NaN]))], [0b01001]);
  const vector = new Float32Array(70);
  vector[31] = vector[32] = vector[69] = 1;
  assert.deepEqual([...codeOf(vector)], [0x80000000, 1, 0b100000]);
  assert.equal(codeOf(new Float32Array(0)).length, 0);
});

Deno.test("100,000 codes of 768 dimensions take up at most 60 MB", () => {
  const index = new CodeIndex(768);
  const code = new Uint32Array(24);
  for (let id = 0; id < 100_000; id++) index.add(id, "", code);
  assert.ok(index.bytes <= 60e6, `${index.bytes} bytes`);
  assert.ok(index.bytes >= 100_000 * 96);
});
