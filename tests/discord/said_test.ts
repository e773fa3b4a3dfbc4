import assert from "node:assert/strict";
import { whatIsSaid } from "../../src/discord/said.ts";

const ROWS: readonly [what: string, content: string, text: string, hasCode: boolean][] = [
  ["plain text", "one\ntwo", "one\ntwo", false],
  ["nothing", "", "", false],
  ["code in a line", "a `b` c", "a   c", true],
  ["code in two backticks", "a ``b ` c`` d", "a   d", true],
  ["a block", "a ```\nb\n``` c", "a   c", true],
  ["a block with a language", "```ts\nb\n```\nc", " \nc", true],
  ["a block on one line", "a ```b``` c", "a   c", true],
  ["a block with backticks in it", "```a `b` ``c`` d``` e", "  e", true],
  ["a block that longer ticks close", "```a````b", " b", true],
  ["code over several lines", "`a\nb` c", "  c", true],
  ["one backtick alone", "it`s here", "it`s here", false],
  ["backticks that do not match", "a ``b` c", "a ``b` c", false],
  ["a block that nothing closes", "```a `b`", "```a  ", true],
  ["escaped backticks", "\\`a\\`", "\\`a\\`", false],
  ["an escaped backtick before two", "\\```a`` b", "\\`  b", true],
  ["a backslash within code", "`a\\` b", "  b", true],
  ["an escaped backslash before code", "\\\\`a` b", "\\\\  b", true],
  ["a quote", "> a\nb", "\nb", false],
  ["a quote after text", "a\n> b\nc", "a\n\nc", false],
  ["quotes in a row", "> a\n> b\nc", "\n\nc", false],
  ["a quote of all that follows", "a\n>>> b\nc", "a\n", false],
  ["an indented quote", "  > a\nb", "\nb", false],
  ["a quote at the end", "a\n> b", "a\n", false],
  ["a mark without a blank", ">a\n>>b\n>>>c", ">a\n>>b\n>>>c", false],
  ["a mark amid a line", "a > b", "a > b", false],
  ["an escaped mark", "\\> a", "\\> a", false],
  ["a quoted block that nothing closes", "> ```\na\n```", "\na\n```", false],
  ["a quote within a block", "```\n> a\n``` b", "  b", true],
  ["a backtick in a quote that closes nothing outside", "> `\na ` b", "\na ` b", false],
  ["two pieces of code", "`a` `b` c", "    c", true],
  ["a Windows line end after a quote", "> a\r\nb", "\nb", false],
];

Deno.test("whatIsSaid() leaves out code and quotes, as Discord shows them", () => {
  for (const [what, content, text, hasCode] of ROWS) assert.deepEqual(whatIsSaid(content), { text, hasCode }, what);
});
