import assert from "node:assert/strict";
import fc from "fast-check";
import { COMMAND_HELP, type LineCommand, parseLine, parseMode } from "../../src/cli/conversation_command.ts";

Deno.test("parseLine() takes a line as it is for a message", () => {
  for (const line of ["hola", "  hola  ", " /quit", "a /mode 1", "\t/reset", "¿/sources?", "-", "\\quit"]) {
    assert.deepEqual(parseLine(line), { type: "say", message: line });
  }
});

Deno.test("parseLine() reads the commands, in capitals and with blanks around them too", () => {
  for (const type of ["reset", "sources", "quit", "help"] as const) {
    for (const line of [`/${type}`, `/${type}  `, `/${type.toUpperCase()}`, `/${type}\t`]) {
      assert.deepEqual(parseLine(line), { type }, line);
    }
  }
});

Deno.test("parseLine() reads the modes there are and says how to write one", () => {
  for (const mode of [1, 2, 3] as const) {
    for (const line of [`/mode ${mode}`, `/mode   ${mode} `, `/MODE\t${mode}`]) {
      assert.deepEqual(parseLine(line), { type: "mode", mode }, line);
    }
  }
  for (const line of ["/mode", "/mode ", "/mode 0", "/mode 4", "/mode 1.0", "/mode 01", "/mode two", "/mode -1"]) {
    assert.deepEqual(parseLine(line), { type: "unknown", problem: "Write /mode 1, /mode 2 or /mode 3." }, line);
  }
});

Deno.test("parseLine() does not obey a command that goes on with something it does not know", () => {
  // Whoever writes "/reset my password, please" wants to say it, and not to lose what was said.
  for (const line of ["/reset my password, please", "/quit smoking", "/sources of energy", "/mode 1 2", "/help me"]) {
    assert.equal(parseLine(line).type, "unknown", line);
  }
});

Deno.test("parseLine() lets two slashes say what begins with one", () => {
  assert.deepEqual(parseLine("//quit"), { type: "say", message: "/quit" });
  assert.deepEqual(parseLine("///"), { type: "say", message: "//" });
  assert.deepEqual(parseLine("// comment "), { type: "say", message: "/ comment " });
});

Deno.test("parseLine() takes a blank line for nothing", () => {
  for (const line of ["", " ", "\t", "\u00a0", "\r", "\u2003"]) assert.deepEqual(parseLine(line), { type: "nothing" });
});

Deno.test("parseLine() names a command that there is not, and obeys none that only looks like one", () => {
  for (const line of ["/quiet", "/", "/ quit", "/mode1", "/etc/passwd", "/__proto__", "/constructor", "/ſources"]) {
    const command = parseLine(line);
    assert.equal(command.type, "unknown", line);
    assert.match(textOf(command), /^There is no \/.*; \/help lists what there is\.$/);
  }
  assert.equal(textOf(parseLine("/NoSuch thing")), "There is no /nosuch; /help lists what there is.");
});

function textOf(command: LineCommand): string {
  return command.type === "unknown" ? command.problem : "";
}

Deno.test("parseLine() loses nothing of any message", () => {
  fc.assert(fc.property(fc.string({ unit: "grapheme" }), (text) => {
    const command = parseLine(text);
    if (command.type === "say") assert.ok(command.message === text || `/${command.message}` === text);
    else assert.ok(text.trim() === "" || text.startsWith("/"), text);
    if (text.trim() !== "") assert.deepEqual(parseLine(`//${text}`), { type: "say", message: `/${text}` });
  }));
});

Deno.test("/help names every command that parseLine() obeys", () => {
  for (const [, name = ""] of COMMAND_HELP.matchAll(/^(\/[a-z]+)/gm)) {
    assert.notEqual(parseLine(name === "/mode" ? "/mode 1" : name).type, "unknown", name);
  }
  for (const name of ["/mode 1|2|3", "/sources", "/reset", "/quit", "//"]) assert.ok(COMMAND_HELP.includes(name), name);
});

Deno.test("parseMode() knows 1, 2 and 3 only", () => {
  assert.deepEqual(["1", "2", "3"].map(parseMode), [1, 2, 3]);
  for (const text of ["", "0", "4", " 1", "1 ", "１", "1e0", "NaN"]) assert.equal(parseMode(text), undefined, text);
});
