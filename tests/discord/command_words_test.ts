import assert from "node:assert/strict";
import { readCommand, readMinutes, type TypedCommand } from "../../src/discord/command_words.ts";

Deno.test("readCommand() knows its words in both languages, with and without accents, in any case", () => {
  const cases: [content: string, command: TypedCommand][] = [
    ["!full ¿qué tal?", { name: "full", rest: "¿qué tal?" }],
    ["!memory tomates", { name: "memory", rest: "tomates" }],
    ["!memoria  dos\nlíneas ", { name: "memory", rest: "dos\nlíneas" }],
    ["!reset", { name: "reset", rest: "" }],
    ["!Nueva", { name: "reset", rest: "" }],
    ["!NEW ", { name: "reset", rest: "" }],
    ["!who", { name: "who", rest: "" }],
    ["!quién", { name: "who", rest: "" }],
    ["!quie\u0301n", { name: "who", rest: "" }],
    ["  !ayuda", { name: "help", rest: "" }],
    ["!estado", { name: "status", rest: "" }],
    ["!forget me", { name: "forget", rest: "" }],
    ["!FORGET ME", { name: "forget", rest: "" }],
    ["!olvídame", { name: "forget", rest: "" }],
    ["!silencio 10", { name: "mute", rest: "10" }],
  ];
  for (const [content, command] of cases) assert.deepEqual(readCommand(content), command, content);
});

Deno.test("readCommand() takes nothing else for a command, and forgets nobody by accident", () => {
  const cases = [
    "",
    "!",
    "!!reset",
    "! reset",
    "reset",
    "!resets",
    "!resetall now",
    "say !reset",
    "`!reset`",
    "!constructor",
  ];
  const accidents = ["!forget", "!forget him", "!forget me not", "!olvídame ya"];
  const hostile = [`!${"a".repeat(100_000)}`, `${" ".repeat(100_000)}!reset`, `!reset${"\u0301".repeat(100_000)}`];
  for (const content of [...cases, ...accidents, ...hostile]) {
    assert.equal(readCommand(content), undefined, content.slice(0, 40));
  }
});

Deno.test("readMinutes() reads minutes, half an hour by default, a day at most", () => {
  const cases: [rest: string, minutes: number | undefined][] = [
    ["", 30],
    ["5", 5],
    ["10 min", 10],
    ["90m", 90],
    ["20 minutos", 20],
    ["99999", 1440],
    ["0", undefined],
    ["-5", undefined],
    ["1.5", undefined],
    ["an hour", undefined],
  ];
  for (const [rest, minutes] of cases) assert.equal(readMinutes(rest), minutes, rest);
});
