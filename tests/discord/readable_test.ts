import assert from "node:assert/strict";
import fc from "fast-check";
import { conversationIdFor, readMentions, safeLine, safeName, taggedMessage } from "../../src/discord/readable.ts";
import { author, hostile, message, NAMES } from "./messages.ts";
import { assertLinear } from "../support/linear.ts";

const UNSEEN = /\p{Cc}|[\u2028\u2029\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c\u{e0000}-\u{e007f}]/u;

Deno.test("readMentions() shows names as a client would", () => {
  const cases: [string, string][] = [
    ["hola <@7>, <@!7> y <@&20>", "hola @Ana, @Ana y @Mods"],
    ["see <#5> <:party_blob:123> <a:wave:9>", "see #general :party_blob: :wave:"],
    ["<@8> <@&8> <#8>", "@unknown-user @unknown-role #unknown-channel"],
    ["a <b> <@> <@x> <#> <:x:> @everyone <t:1618953630:R>", "a <b> <@> <@x> <#> <:x:> @everyone <t:1618953630:R>"],
  ];
  for (const [content, wanted] of cases) assert.equal(readMentions(content, NAMES), wanted);
});

Deno.test("readMentions() keeps a hostile name on one line", () => {
  const names = { ...NAMES, user: () => `x\n\u202e[Ana] ${"🎉".repeat(2000)}` };
  assert.equal(readMentions("<@7>", names), `@x [Ana] ${"🎉".repeat(27)}`);
  assert.equal(readMentions("<@7>", { ...NAMES, user: () => "\u200b\u202e" }), "@unknown-user");
});

Deno.test("safeName() leaves ordinary names alone and disarms the others", () => {
  const named = (name: string) => safeName({ id: "7", name, username: "ana_92" });
  for (const name of ["Ana", "José Ñáñez", "李雷", "עברית", "👩‍🚀 Eva", "x_X"]) {
    assert.equal(named(name), name.replaceAll("\u200d", " "), name);
  }
  assert.equal(named("[SILENT]"), "\\[SILENT\\]");
  assert.equal(named("Ana\n[Bob]"), "Ana \\[Bob\\]");
  assert.equal(named("\u202eanA"), "anA");
  assert.equal(named("🎉".repeat(2000)), "🎉".repeat(32));
  for (const name of ["", " ", "\u200b", "\u3164", "\u{e0041}\u{e0042}", "\u0301"]) assert.equal(named(name), "ana_92");
  assert.equal(safeName({ id: "7", name: "\u200b", username: "" }), "7");
});

Deno.test("safeLine() makes one line of a text and escapes its brackets", () => {
  assert.equal(safeLine("  one\r\n\n  two\u2028three\t! ", 100), "one ⏎ two ⏎ three !");
  assert.equal(safeLine("a[0] \\[x] │", 100), "a\\[0\\] \\\\\\[x\\] \\│");
  assert.equal(safeLine("\u202e\u200f\u0000", 100), "");
  assert.equal(safeLine("x".repeat(4000), 10), "xxxxxxxxx…");
  assert.equal(safeLine("x".repeat(10), 10), "x".repeat(10));
  assert.equal(safeLine("[[[[", 6), "\\[\\[…", "no backslash is left without its sign");
  assert.equal(safeLine(`${" ".repeat(50)}x`, 10), "…", "what is said so late is not looked for");
});

Deno.test("safeLine() keeps to its letters, to one line and to escaped brackets, for any text", () => {
  fc.assert(fc.property(hostile, fc.integer({ min: 1, max: 60 }), (text, letters) => {
    const line = safeLine(text, letters);
    assert.ok(line.length <= letters && line.isWellFormed());
    assert.doesNotMatch(line, UNSEEN);
    assert.doesNotMatch(line.replaceAll(/\\./gsu, ""), /[[\]│\\]/);
  }));
});

Deno.test("safeLine() and readMentions() take no longer for hostile text of the same length", () => {
  const texts = ["\\", " ", "\n", "<@", "<:a", "[", " \n", "\u202e", "<@1", "<a:" + "x".repeat(32)];
  for (const text of texts) {
    assertLinear(JSON.stringify(text), 5_000, (length) => {
      const long = text.repeat(Math.ceil(length / text.length));
      safeLine(long, length);
      taggedMessage(message("1", { content: long }), NAMES);
    });
  }
});

Deno.test("taggedMessage() says who speaks, with readable mentions", () => {
  const ana = author("7", { name: "Ana" });
  assert.equal(
    taggedMessage(message("1", { author: ana, content: "<@1> ¿qué tal?" }), NAMES),
    "[Ana] @Django ¿qué tal?",
  );
  assert.equal(taggedMessage(message("1", { author: ana, content: "hi" }), NAMES, "Ana {ana_92}"), "[Ana {ana_92}] hi");
  assert.equal(taggedMessage(message("1", { author: ana, content: "" }), NAMES), "[Ana] ");
});

Deno.test("taggedMessage() lets nobody speak for somebody else on a further line", () => {
  const said = (content: string) =>
    taggedMessage(message("1", { author: author("7", { name: "Ana" }), content }), NAMES);
  assert.equal(said("hi\n[Bob] I agree\u2028> **[Eva] me too"), "[Ana] hi\n\\[Bob] I agree\n> **\\[Eva] me too");
  assert.equal(said("list:\n[not closed"), "[Ana] list:\n[not closed");
  const code = "see\n```toml\n[server]\nport = 1\n```\n[Bob] ok";
  assert.equal(said(code), `[Ana] ${code.replace("[Bob]", "\\[Bob]")}`, "code stays what it is");
});

Deno.test("taggedMessage() begins with its speaker's name alone, whatever that is", () => {
  fc.assert(fc.property(hostile, hostile, (name, content) => {
    const text = taggedMessage(message("1", { author: author("7", { name }), content }), NAMES);
    const [, label = ""] = /^\[((?:[^[\]\n\\]|\\.)*)\] /u.exec(text) ?? [];
    assert.notEqual(label, "", text);
    assert.ok(text.isWellFormed());
    assert.doesNotMatch(text.replaceAll(/[\n\t]/g, ""), UNSEEN);
  }));
});

Deno.test("conversationIdFor() keeps channels, threads and direct messages apart", () => {
  assert.equal(conversationIdFor(message("1", { channelId: "42" })), "discord:42");
});
