import assert from "node:assert/strict";
import { checkOptions, draftOf, hasContent, type PostOptions, skipOf, timeoutOf } from "../../src/cli/post_options.ts";
import { AgentError } from "../../src/core/errors.ts";
import { parseColor } from "../../src/discord/colors.ts";

function usageOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    assert.ok(error instanceof AgentError, Deno.inspect(error));
    assert.equal(error.exitCode, 64);
    return error.message;
  }
  return assert.fail("it should be refused");
}

const embedOf = (options: PostOptions, text?: string) => draftOf(options, text, []).embed;

Deno.test("checkOptions() refuses options that contradict each other, and names both", () => {
  const cases: [options: PostOptions, text: string | undefined, words: RegExp][] = [
    [{ json: "f" }, "x", /A text and --json/],
    [{ json: "f", title: "t" }, undefined, /--json and --title .* the payload says it all/],
    [{ json: "f", ping: ["users"] }, undefined, /--json and --ping/],
    [{ json: "f", username: "u" }, undefined, /--json and --username/],
    [{ file: "f" }, "x", /A text and --file/],
    [{ delete: "1" }, "x", /A text and --delete/],
    [{ delete: "1", edit: "2" }, undefined, /--delete and --edit/],
    [{ delete: "1", attach: ["f"] }, undefined, /--delete and --attach/],
    [{ edit: "1", username: "u" }, "x", /--edit and --username .* cannot be changed/],
    [{ edit: "1", silent: true }, "x", /--edit and --silent/],
    [{ edit: "1", skipParts: "1" }, "x", /--edit and --skip-parts/],
    [{ threadId: "1", threadName: "t" }, "x", /--thread-id and --thread-name/],
    [{ suppressEmbeds: true, embed: true }, "x", /--suppress-embeds and --embed .* hide/],
    [{ embed: true, description: "d" }, "x", /With --embed the text is the description/],
    [{ embed: true, description: "d", file: "f" }, undefined, /With --embed the text is the description/],
    [{ color: "red" }, "x", /--color is the colour of an embed/],
    [{ authorUrl: "https://x" }, "x", /--author-url needs --author/],
    [{ authorIcon: "https://x" }, "x", /--author-icon needs --author/],
    [{ footerIcon: "https://x" }, "x", /--footer-icon needs --footer/],
  ];
  for (const [options, text, words] of cases) assert.match(usageOf(() => checkOptions(options, text)), words);
});

Deno.test("checkOptions() lets pass what belongs together", () => {
  const cases: [options: PostOptions, text: string | undefined][] = [
    [{}, "x"],
    [{ json: "f", attach: ["a"], threadId: "1", dryRun: true }, undefined],
    [{ json: "f", edit: "1" }, undefined],
    [{ delete: "1", threadId: "2", timeout: "5", jsonOutput: true }, undefined],
    [{ edit: "1", suppressEmbeds: true }, undefined],
    [{ embed: true, description: "d", color: "red" }, undefined],
    [{ title: "t", description: "d", color: "red" }, "x"],
    [{ author: "a", authorUrl: "https://x", footer: "f", footerIcon: "https://x" }, "x"],
  ];
  for (const [options, text] of cases) checkOptions(options, text);
});

Deno.test("hasContent() knows when nothing needs to be read", () => {
  const yes: PostOptions[] = [{ title: "t" }, { attach: ["f"] }, { json: "f" }, { delete: "1" }, {
    embed: true,
    description: "d",
  }, {
    edit: "1",
    suppressEmbeds: true,
  }];
  for (const options of yes) assert.equal(hasContent(options), true, JSON.stringify(options));
  for (const options of [{}, { embed: true, title: "t" }, { edit: "1" }, { silent: true }] as PostOptions[]) {
    assert.equal(hasContent(options), false, JSON.stringify(options));
  }
});

Deno.test("parseColor() reads hex with # or 0x, long or short, and names", () => {
  const cases: [text: string, color: number | undefined][] = [
    ["#5865F2", 0x5865f2],
    ["0x5865f2", 0x5865f2],
    ["#fa0", 0xffaa00],
    [" Green ", 0x57f287],
    ["blurple", 0x5865f2],
    ["black", 1],
    ["#000", 1],
    ["5865F2", undefined],
    ["#12345", undefined],
    ["#gggggg", undefined],
    ["constructor", undefined],
    ["", undefined],
  ];
  for (const [text, color] of cases) assert.equal(parseColor(text), color, text);
});

Deno.test("draftOf() gives an embed Discord's own colour unless told otherwise", () => {
  assert.equal(embedOf({ title: "t" })?.color, 0x5865f2);
  assert.equal(embedOf({ title: "t", color: "red" })?.color, 0xed4245);
  assert.match(usageOf(() => embedOf({ title: "t", color: "reddish" })), /--color is no colour/);
});

Deno.test("draftOf() splits fields at |, and leaves \\| alone", () => {
  const cases: [text: string, field: object][] = [
    ["a|b", { name: "a", value: "b" }],
    [" a | b ", { name: "a", value: "b" }],
    ["a|b|inline", { name: "a", value: "b", inline: true }],
    ["a|b|INLINE", { name: "a", value: "b", inline: true }],
    ["a|inline", { name: "a", value: "inline" }],
    ["a|b|c", { name: "a", value: "b|c" }],
    ["a\\|b|c\\|d", { name: "a|b", value: "c|d" }],
    ["a|", { name: "a", value: "" }],
  ];
  for (const [text, field] of cases) assert.deepEqual(embedOf({ field: [text] })?.fields, [field], text);
  assert.match(usageOf(() => embedOf({ field: ["a"] })), /A --field has no value/);
});

Deno.test("draftOf() reads times as ISO 8601 has them, and now", () => {
  assert.equal(embedOf({ timestamp: "2026-01-31" })?.timestamp, new Date(2026, 0, 31).toISOString());
  assert.equal(embedOf({ timestamp: "2026-01-31T12:30" })?.timestamp, new Date(2026, 0, 31, 12, 30).toISOString());
  assert.equal(embedOf({ timestamp: "2026-01-31T12:00:00+02:00" })?.timestamp, "2026-01-31T10:00:00.000Z");
  for (const now of [true, "now"] as const) {
    assert.match(embedOf({ timestamp: now })?.timestamp ?? "", /^\d{4}-.*Z$/);
  }
  for (const text of ["", "tomorrow", "5", "2026-13-40", "2026-02-30", "2026-02-29T12:00Z"]) {
    assert.match(usageOf(() => embedOf({ timestamp: text })), /no time/, text);
  }
});

Deno.test("draftOf() lets ping only whom --ping names", () => {
  const mentionsOf = (...ping: string[]) => draftOf({ ping }, "x", []).common.allowed_mentions;
  assert.deepEqual(mentionsOf(), { parse: [] });
  assert.deepEqual(mentionsOf("everyone", "users", "5"), { parse: ["users", "everyone"], roles: ["5"] });
  assert.deepEqual(mentionsOf("5", "5", "6"), { parse: [], users: ["5", "6"], roles: ["5", "6"] });
  for (const who of ["here", "@everyone", "<@5>", ""]) {
    assert.match(usageOf(() => mentionsOf(who)), /--ping is not/, who);
  }
});

Deno.test("skipOf() and timeoutOf() take numbers and nothing else", () => {
  assert.deepEqual([skipOf({}), skipOf({ skipParts: "0" }), skipOf({ skipParts: "12" })], [0, 0, 12]);
  for (const skipParts of ["", "-1", "1.5", "x", "1e3"]) {
    assert.match(usageOf(() => skipOf({ skipParts })), /whole number/);
  }
  assert.match(usageOf(() => skipOf({ skipParts: "1", threadName: "t" })), /--thread-name begins another/);
  assert.deepEqual([timeoutOf({}), timeoutOf({ timeout: "0.5" })], [undefined, 500]);
  for (const timeout of ["", "0", "-1", "x", "Infinity", "86401"]) {
    assert.match(usageOf(() => timeoutOf({ timeout })), /number of seconds/, timeout);
  }
});
