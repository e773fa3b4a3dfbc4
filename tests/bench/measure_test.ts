import assert from "node:assert/strict";
import { format, formatMs, isReached, type PartFigure, renderTable, spreadOf } from "./measure.ts";

Deno.test("spreadOf() is half the notch of a box plot", () => {
  assert.equal(spreadOf([5, 5, 5, 5]), 0);
  assert.equal(spreadOf([0, 1, 2, 3, 4, 5, 6, 7, 8]), 1.57 * 4 / 3, "quartiles 2 and 6, nine values");
});

Deno.test("isReached() knows both directions, and reaches no bound without a value", () => {
  const bound = (kind: "at most" | "at least") => ({ kind, value: 10 });
  assert.deepEqual([9, 10, 11, NaN].map((value) => isReached({ value, bound: bound("at most") })), [
    true,
    true,
    false,
    false,
  ]);
  assert.deepEqual([9, 10, 11, NaN].map((value) => isReached({ value, bound: bound("at least") })), [
    false,
    true,
    true,
    false,
  ]);
});

Deno.test("renderTable() puts part, value, direct call, bound and note side by side", () => {
  const figures: PartFigure[] = [
    { part: "router", what: "added", value: 0.0612, unit: "ms", bound: { kind: "at most", value: 0.3 }, direct: 0.53 },
    { part: "api", what: "requests", value: 2500, unit: "/s", bound: { kind: "at least", value: 3000 }, note: "µs" },
  ];
  assert.equal(
    renderTable(figures),
    [
      "part    figure    measured  direct call  wanted                   note",
      "router  added     0.061 ms  0.530        at most 0.300   reached",
      "api     requests  2,500 /s               at least 3,000  MISSED   µs\n",
    ].join("\n"),
  );
});

Deno.test("format() and formatMs() write numbers as short as they can be read", () => {
  assert.deepEqual([0.01234, 12.34, 12_345.6, -0.5, NaN].map(format), [
    "0.012",
    "12.3",
    "12,346",
    "-0.500",
    "not measured",
  ]);
  assert.deepEqual([0.0314, 0.5, 3.123, 999, 1200].map(formatMs), ["31.4 µs", "500 µs", "3.12 ms", "999 ms", "1.20 s"]);
});
