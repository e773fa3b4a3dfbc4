import assert from "node:assert/strict";
import { compareFigures, renderComparison } from "./compare.ts";
import { parseReport, type Report, type ReportFigure } from "./report.ts";

const AT = "2026-11-29T10:00:00.000Z";
const BOUND = { kind: "at most", value: 10 } as const;

function figure(what: string, value: number, more: Partial<ReportFigure> = {}): ReportFigure {
  return { part: "router", what, value, unit: "ms", bound: BOUND, spread: 0.01, ...more };
}

function report(...figures: ReportFigure[]): Report {
  return { machine: "2 processors", at: AT, figures };
}

/** What is said of a value that was `old`. */
function verdict(old: number, now: number, more: Partial<ReportFigure> = {}): string | undefined {
  return compareFigures(report(figure("x", old, more)), report(figure("x", now, more)))[0]?.verdict;
}

Deno.test("a change counts when it is more than a tenth, in the direction of the bound", () => {
  assert.equal(verdict(8, 8.7), "as before");
  assert.equal(verdict(8, 8.9), "WORSE");
  assert.equal(verdict(8, 7.1), "better");
  const atLeast = { bound: { kind: "at least", value: 10 } } as const;
  assert.equal(verdict(8, 8.9, atLeast), "better");
  assert.equal(verdict(8, 7.1, atLeast), "WORSE");
});

Deno.test("a change that chance explains does not count, and without a spread a quarter does", () => {
  assert.equal(verdict(8, 9.9, { spread: 1.4 }), "as before");
  assert.equal(verdict(8, 10.1, { spread: 1.4 }), "WORSE");
  for (const spread of [undefined, NaN]) {
    assert.equal(verdict(8, 9.9, { spread }), "as before");
    assert.equal(verdict(8, 10.1, { spread }), "WORSE");
  }
});

Deno.test("many per cent of nearly nothing do not count, nor do those of zero and less", () => {
  assert.equal(verdict(0.1, 0.55), "as before");
  assert.equal(verdict(0.1, 0.65), "WORSE");
  assert.equal(verdict(-0.2, 0.2), "as before");
  assert.equal(verdict(0, 1), "WORSE");
});

Deno.test("what only one of the runs has is new or missing, what was not measured is not compared", () => {
  const old = report(figure("both", 1), figure("gone", 1), figure("NaN", NaN), figure("unit", 1));
  const now = report(figure("both", 1), figure("fresh", 1), figure("NaN", 1), figure("unit", 1, { unit: "s" }));
  assert.deepEqual(compareFigures(old, now).map(({ what, verdict }) => [what, verdict]), [
    ["both", "as before"],
    ["fresh", "new"],
    ["NaN", "not comparable"],
    ["unit", "not comparable"],
    ["gone", "missing"],
  ]);
});

Deno.test("figures of parts that were not run are not missing", () => {
  const old = report(figure("a", 1), figure("b", 1), figure("page", 1, { part: "page" }));
  const compared = compareFigures(old, report(figure("a", 1)));
  assert.deepEqual(compared.map(({ what }) => what), ["a", "b"]);
});

Deno.test("figures of the same name in two parts are two figures", () => {
  const run = (router: number, page: number) =>
    report(figure("memory", router, { direct: router }), figure("memory", page, { part: "page", direct: page }));
  const compared = compareFigures(run(1, 9), run(1, 5));
  assert.deepEqual(compared.map(({ part, verdict }) => [part, verdict]), [["router", "as before"], ["page", "better"]]);
  assert.doesNotMatch(renderComparison(run(1, 9), run(1, 9)), /Warning/, "nor are their direct calls mixed up");
});

Deno.test("renderComparison() shows old, new and change, counts, and names another machine and missed bounds", () => {
  const old = { ...report(figure("slow", 8), figure("same", 8), figure("zero", 0)), machine: "64 processors" };
  const text = renderComparison(old, report(figure("slow", 12), figure("same", 7.84), figure("zero", 0.1)));
  assert.match(text, /^Compared with the run of 2026-11-29T10:00:00\.000Z\nWarning: that was another machine: 64 proc/);
  assert.match(text, /^router +slow +8\.000 ms +12\.0 ms +\+50 % +WORSE, MISSED now$/m);
  assert.match(text, /^router +same +8\.000 ms +7\.840 ms +−2\.0 % +as before$/m);
  assert.match(text, /^router +zero +0\.000 ms +0\.100 ms +as before$/m);
  assert.match(text, /^1 WORSE, 2 as before\. /m);
  assert.doesNotMatch(renderComparison(report(figure("x", 1)), report(figure("x", 1))), /Warning/);
});

Deno.test("renderComparison() says when the machine itself was slower or quicker, which the direct calls tell", () => {
  const run = (...times: number[]) =>
    report(
      figure("waits", 1, { direct: times[0] }),
      figure("rate", 1, { unit: "calls/s", direct: 600 / (times[1] ?? NaN) }),
      figure("other", 1, { unit: "MB", direct: 99 * (times[2] ?? NaN) }),
      figure("none", 1),
    );
  const warning = (then: Report, now: Report) => /^Warning: (.*)$/m.exec(renderComparison(then, now))?.[1];
  assert.equal(warning(run(1, 1, 1), run(1.1, 1.2, 9)), undefined);
  assert.equal(
    warning(run(1, 1, 1), run(2, 3, 1)),
    "the direct calls take 2.50 times as long as then, so may the rest.",
  );
  assert.match(warning(run(2, 2, 2), run(1, 1, 1)) ?? "", /take 0\.50 times/);
  assert.equal(warning(report(figure("waits", 1)), run(9, 9, 9)), undefined, "that run has no direct calls");
});

Deno.test("a value of many times the old one is told as such", () => {
  const text = renderComparison(report(figure("x", 0.004)), report(figure("x", 8)));
  assert.match(text, / × 2,000 +WORSE$/m);
});

Deno.test("parseReport() reads the JSON alone, or everything that a run has printed", () => {
  const { spread: _, ...once } = figure("x", 1); // was measured once
  const line = JSON.stringify({ ...report(once), figures: [{ ...once, note: "n" }, { ...once, value: null }] });
  for (const text of [line, `2 processors\n\npart  figure\n\n${line}\n`]) {
    const { figures } = parseReport(text);
    assert.equal(figures[0]?.value, 1);
    assert.ok(Number.isNaN(figures[1]?.value), "what was not measured");
  }
});

Deno.test("parseReport() says what is wrong with anything else", () => {
  const broken = { ...report(figure("x", 1)), figures: [{ ...figure("x", 1), value: "fast" }] };
  assert.throws(() => parseReport(""), /not JSON, and neither is its last line/);
  assert.throws(() => parseReport("[]"), /not a report of this benchmark/);
  assert.throws(() => parseReport(JSON.stringify(broken)), /figures\[0\]\.value: /);
  assert.deepEqual(
    parseReport(JSON.stringify({ ...report(figure("x", 1)), figures: [] })).figures,
    [],
    "a run whose parts were all left out",
  );
  assert.throws(
    () => parseReport(JSON.stringify({ ...report(figure("x", 1)), machine: "a\u001b[2J" })),
    /machine: one line of text/,
  );
  const { part: _, ...stray } = figure("x", 1);
  assert.throws(() => parseReport(JSON.stringify({ ...broken, figures: [stray] })), /figures\[0\]\.part: /);
});
