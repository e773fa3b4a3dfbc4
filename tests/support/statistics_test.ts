import assert from "node:assert/strict";
import { median, quantile } from "./statistics.ts";

Deno.test("median() of odd, even and no numbers", () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 2, 3]), 2.5);
  assert.ok(Number.isNaN(median([])));
});

Deno.test("quantile() lies between two numbers where none stands there", () => {
  assert.deepEqual([0, 0.25, 0.5, 1].map((share) => quantile([9, 1, 5, 3], share)), [1, 2.5, 4, 9]);
});
