import assert from "node:assert/strict";
import { largestRise, measureScaling, type ScalingOptions } from "./scaling.ts";

/** The figure of work that takes so long; nothing is timed. */
function scalingOf(times: (size: number) => number, more: Partial<ScalingOptions> = {}) {
  const measure = (size: number) => Promise.resolve(times(size));
  return measureScaling({ what: "work", sizes: [10, 100, 1000], costOf: "each", mostTimes: 1.5, measure, ...more });
}

Deno.test("measureScaling() lets linear work pass and shows quadratic work", async () => {
  const linear = await scalingOf((size) => 2 * size);
  assert.deepEqual([linear.what, linear.value, linear.unit], ["growth, work", 1, "× for each"]);
  assert.match(linear.note ?? "", /^1\.0 → 10 → 100 times; 20\.0 ms, 200 ms, 2\.00 s;/);
  assert.equal((await scalingOf((size) => size ** 2)).value, 100);
});

Deno.test("measureScaling() sees a rise that what every call costs would hide", async () => {
  const { value } = await scalingOf((size) => 100_000 + size ** 2); // for each: 10,010, 1,100, 1,100
  assert.equal(value, 1);
  assert.ok((await scalingOf((size) => 1000 + size ** 2)).value > 9, "for each: 110, 110, 1,001");
});

Deno.test("measureScaling() of the whole wants it to cost the same however many there are", async () => {
  assert.equal((await scalingOf(() => 7, { costOf: "whole" })).value, 1);
  const linear = await scalingOf((size) => size, { costOf: "whole" });
  assert.deepEqual([linear.value, linear.unit], [100, "× in all"]);
});

Deno.test("measureScaling() takes medians, in turns, without the first round, with the direct call beside it", async () => {
  const asked: string[] = [];
  const slow = new Set([0, 4, 5]); // the first of six, which does not count, and two of the others
  const counts = new Map<number, number>();
  const figure = await scalingOf((size) => {
    const count = counts.get(size) ?? 0;
    counts.set(size, count + 1);
    asked.push(`${size}`);
    return slow.has(count) && size === 1000 ? 1e9 : size;
  }, {
    rounds: 5,
    direct: (size) => {
      asked.push(`direct ${size}`);
      return Promise.resolve(size ** 2);
    },
  });
  assert.equal(figure.value, 1);
  assert.equal(figure.direct, 100);
  assert.deepEqual(asked.slice(0, 6), ["10", "100", "1000", "direct 10", "direct 100", "direct 1000"]);
  assert.deepEqual(asked.slice(6, 9), ["1000", "100", "10"]);
  assert.equal(asked.length, 6 * 2 * 3);
});

Deno.test("measureScaling() with the same work repeats the smaller sizes and gives the mean of a round", async () => {
  const counts = new Map<number, number>();
  const { note } = await scalingOf((size) => {
    counts.set(size, (counts.get(size) ?? 0) + 1);
    return size;
  }, { rounds: 1, sameWork: true });
  assert.deepEqual([...counts].sort(), [[10, 200], [100, 20], [1000, 2]]);
  assert.match(note ?? "", /; 10\.0 ms, 100 ms, 1\.00 s;/);
});

Deno.test("largestRise() compares every cost with every later one", () => {
  assert.equal(largestRise([4, 1, 3]), 3);
  assert.equal(largestRise([4, 2, 1]), 0.5);
});
