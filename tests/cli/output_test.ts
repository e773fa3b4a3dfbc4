import assert from "node:assert/strict";
import { paint, table } from "../../src/cli/output.ts";

/** As it looks on a screen: the test may run in a terminal, where headings are bold. */
function lines(rows: readonly (readonly string[])[]): string[] {
  return table(rows).replace(/\p{Cc}\[\d+m/gu, "").split("\n");
}

Deno.test("table() makes columns as wide as their widest cell, without blanks at the end", () => {
  const rows = [["model", "context", "state"], ["ollama/llama3.2", "8192", "ready"], ["x", "", ""]];
  assert.deepEqual(lines(rows), [
    "model            context  state",
    "ollama/llama3.2  8192     ready",
    "x",
    "",
  ]);
});

Deno.test("table() fills a row that is too short", () => {
  assert.deepEqual(lines([["a", "b"], ["long"]]), ["a     b", "long", ""]);
  assert.deepEqual(lines([["a", "b"]]), ["a  b", ""]);
});

Deno.test("table() does not count colours as columns", () => {
  const green = "\u001b[32myes\u001b[39m";
  assert.deepEqual(lines([["may", "why"], [green, "x"], ["no", "y"]]), ["may  why", "yes  x", "no   y", ""]);
});

Deno.test("table() counts what a terminal shows: two columns for wide letters, none for accents on their own", () => {
  const rows = [["profile", "x"], ["日本語", "x"], ["한국", "x"], ["👍", "x"], ["e\u0301", "x"], ["ＡＢ", "x"]];
  assert.deepEqual(lines(rows), [
    "profile  x",
    "日本語   x",
    "한국     x",
    "👍       x",
    "e\u0301        x",
    "ＡＢ     x",
    "",
  ]);
});

Deno.test("paint colours on a terminal alone, and never with NO_COLOR", () => {
  const coloured = Deno.stdout.isTerminal() && !Deno.noColor;
  for (const [name, colour] of Object.entries(paint)) assert.equal(colour("x") !== "x", coloured, name);
});
