import assert from "node:assert/strict";
import { cutText, formatBytes, formatDuration, formatWait, printable } from "../../src/core/format.ts";

Deno.test("formatDuration() is as exact as a person cares", () => {
  const cases = [[0, "0 ms"], [0.04, "0 ms"], [4.23, "4.2 ms"], [20, "20 ms"], [999.4, "999 ms"], [
    999.6,
    "1 s",
  ]] as const;
  for (const [ms, wanted] of [...cases, [1254, "1.25 s"], [12_340, "12.3 s"], [300_000, "300 s"]] as const) {
    assert.equal(formatDuration(ms), wanted);
  }
});

Deno.test("formatWait() never promises less than the wait", () => {
  assert.deepEqual([0, 1, 1000, 1001].map(formatWait), ["0 s", "1 s", "1 s", "2 s"]);
});

Deno.test("formatBytes() takes the unit that fits", () => {
  const sizes = [0, 1, 1023, 1024, 1536, 1024 ** 2, 3.4 * 1024 ** 3, 1024 ** 5];
  assert.deepEqual(
    sizes.map(formatBytes),
    ["0 B", "1 B", "1023 B", "1.0 KiB", "1.5 KiB", "1.0 MiB", "3.4 GiB", "1024.0 TiB"],
  );
});

Deno.test("printable() keeps text of every language, tabs and newlines", () => {
  const text = "Hola, ¿qué tal?\n\t日本語 👩‍🚀 עברית e\u0301";
  assert.equal(printable(text), text);
});

Deno.test("printable() takes away what could drive a terminal", () => {
  const cases: [string, string][] = [
    ["\u001b[31mred\u001b[0m", "[31mred[0m"],
    ["\u001b]0;new title\u0007", "]0;new title"],
    ["\u009b2J cleared", "2J cleared"],
    ["hidden\rshown", "hiddenshown"],
    ["a\b\bxx\u007f\u0000", "axx"],
    ["txt.\u202egpj\u2066", "txt.gpj"],
  ];
  for (const [text, wanted] of cases) assert.equal(printable(text), wanted);
});

Deno.test("cutText() never cuts a letter in two", () => {
  assert.equal(cutText("abc", 5), "abc");
  assert.equal(cutText("abc", 2), "ab");
  assert.equal(cutText("a🎸b", 2), "a");
  assert.equal(cutText("a🎸b", 3), "a🎸");
});
