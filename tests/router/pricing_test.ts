import assert from "node:assert/strict";
import type { Usage } from "../../src/core/types.ts";
import { costOf } from "../../src/router/pricing.ts";

function usage(input: number, output: number, cached_input = 0, reasoning = 0): Usage {
  return { input, cached_input, output, reasoning, total: input + output, source: "provider", raw: null };
}

/** Sums of binary fractions: equal up to a millionth of a cent. */
function assertUsd(actual: number | null, expected: number): void {
  assert.ok(actual !== null && Math.abs(actual - expected) < 1e-8, `${actual} USD instead of ${expected}`);
}

Deno.test("costOf() multiplies millions of tokens with the price of each kind", () => {
  assertUsd(costOf(usage(1_000_000, 0), { input: 0.15, output: 0.6 }), 0.15);
  assertUsd(costOf(usage(0, 1_000_000), { input: 0.15, output: 0.6 }), 0.6);
  assertUsd(costOf(usage(2_000, 500), { input: 0.15, output: 0.6 }), 0.0006);
});

Deno.test("costOf() counts a cached token once, at its own price", () => {
  const price = { input: 0.15, cached_input: 0.075, output: 0.6 };
  assertUsd(costOf(usage(1_000_000, 0, 400_000), price), 0.09 + 0.03);
  assertUsd(costOf(usage(1_000_000, 0, 1_000_000), price), 0.075);
});

Deno.test("costOf() bills cached tokens as input when they have no price of their own", () => {
  assertUsd(costOf(usage(1_000_000, 0, 400_000), { input: 0.15, output: 0.6 }), 0.15);
});

Deno.test("costOf() counts reasoning as the output it is a part of", () => {
  assertUsd(costOf(usage(0, 1_000_000, 0, 900_000), { input: 1, output: 0.6 }), 0.6);
});

Deno.test("costOf() never bills less than nothing when more is said to be cached than was sent", () => {
  assertUsd(costOf(usage(100, 0, 1_000_000), { input: 1, cached_input: 0.5, output: 1 }), 0.00005);
});

Deno.test("costOf() is zero for a model that costs nothing", () => {
  assert.equal(costOf(usage(5_000, 5_000, 100, 100), { input: 0, output: 0 }), 0);
});

Deno.test("costOf() of an unknown price is unknown, whatever was used", () => {
  assert.equal(costOf(usage(10, 10), null), null);
  assert.equal(costOf(usage(0, 0), null), null);
});
