import assert from "node:assert/strict";
import { judgeGrowth, type Sample, slopeOf } from "./trend.ts";

/** Samples at 0, 1, 2, … */
function samplesOf(values: readonly number[]): Sample[] {
  return values.map((value, at) => ({ at, value }));
}

/** The same on every run: spread over 0 to 1. */
function noise(count: number): number[] {
  return Array.from({ length: count }, (_, index) => (index * 7919 % 101) / 101);
}

Deno.test("slopeOf() is that of the line through the samples, in the unit that is asked for", () => {
  assert.equal(slopeOf(samplesOf([3, 5, 7, 9])), 2);
  assert.equal(slopeOf([{ at: 1000, value: 50 }, { at: 3000, value: 54 }], 1000), 2);
  // The line through these by least squares is y = 1.4 x + 3.5 - 1.4 * 2.5 (a textbook's example).
  assert.ok(Math.abs(slopeOf([6, 5, 7, 10].map((value, index) => ({ at: index + 1, value }))) - 1.4) < 1e-12);
  assert.ok(Number.isNaN(slopeOf(samplesOf([1]))));
});

Deno.test("judgeGrowth() tells a leak from warm-up, noise and one odd sample", () => {
  const count = 40;
  const level = noise(count).map((odd) => 100 + 8 * odd);
  const warmUp = level.map((value, at) => value - 60 * Math.exp(-at / 4));
  const odd = level.map((value, at) => at === count - 1 ? value + 60 : value);
  const leak = level.map((value, at) => value + at);
  const late = level.map((value, at) => value + Math.max(0, at - 20) * 1.5);
  const verdictOn = (values: readonly number[]) => judgeGrowth(samplesOf(values), 10).verdict;
  assert.deepEqual([level, warmUp, odd, leak, late].map(verdictOn), ["ok", "ok", "ok", "grows", "grows"]);
  assert.ok(slopeOf(samplesOf(odd.slice(20))) * 19 > 10, "the line alone would have taken the odd sample for growth");
  const { growth } = judgeGrowth(samplesOf(leak), 10);
  assert.ok(growth > 12 && growth < 24, `it grew by about 19, and ${growth} was found`);
});

Deno.test("judgeGrowth() says so when there is too little to judge by", () => {
  for (const few of [[], [1], [1, 2, 3]]) {
    assert.equal(judgeGrowth(samplesOf(few), 1).verdict, "too few samples");
  }
});
