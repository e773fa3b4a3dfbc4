import assert from "node:assert/strict";
import { createLog, LOG_LEVELS, type LogLevel } from "../../src/core/log.ts";

/** The lines a log of this level writes when every level says something. */
function linesAt(level?: LogLevel): string[] {
  const lines: string[] = [];
  const log = createLog({ ...(level && { level }), write: (line) => lines.push(line) });
  for (const name of LOG_LEVELS) log[name](`this is ${name}`);
  return lines;
}

Deno.test("createLog() writes its own level and what is more important", () => {
  const all = ["error this is error", "warn  this is warn", "info  this is info", "debug this is debug"];
  for (const [index, level] of LOG_LEVELS.entries()) assert.deepEqual(linesAt(level), all.slice(0, index + 1));
});

Deno.test("createLog() writes warnings and errors unless told otherwise", () => {
  assert.deepEqual(linesAt(), linesAt("warn"));
});

Deno.test("createLog() keeps the lines of one message together", () => {
  const lines: string[] = [];
  createLog({ write: (line) => lines.push(line) }).warn("refused:\nprofile: there is none\nchain: empty");
  assert.deepEqual(lines, ["warn  refused:\n      profile: there is none\n      chain: empty"]);
});
