import assert from "node:assert/strict";
import fc from "fast-check";
import { decide } from "../../src/discord/participation.ts";
import { isReaction } from "../../src/discord/reaction.ts";
import { whatIsSaid } from "../../src/discord/said.ts";
import { ID, outcome, replyTo, type Scene, situation } from "./participation_scene.ts";
import { assertLinear } from "../support/linear.ts";

const MENTIONS = [`<@${ID.self}>`, `<@!${ID.self}>`, `<@&${ID.ownRole}>`, `<@${ID.luis}>`, "@everyone", "Django"];

const piece = fc.oneof(
  fc.constantFrom(
    ...MENTIONS,
    "ok",
    "jaja",
    "😂",
    "hola, ¿qué tal?",
    "I think so",
    "\n",
    " ",
    "> ",
    ">>> ",
    "`",
    "``",
    "```",
    "\\",
    "\u200f",
    "[",
    "]",
    "<:django:5>",
    "?",
  ),
  fc.string({ unit: "binary", maxLength: 12 }),
);
const content = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(""));

const scene: fc.Arbitrary<Scene> = fc.record({
  where: fc.constantFrom("channel" as const, "thread" as const, "direct" as const),
  message: fc.constantFrom({}, replyTo(ID.self), replyTo(ID.luis), replyTo(ID.ana)),
  state: fc.record({ asked: fc.boolean(), spokeAtMs: fc.constantFrom(undefined, 1_799_999_999_000) }),
  settings: fc.constantFrom({ ambient: { default: "on" } }, { ambient: { default: "off" } }),
});

Deno.test("decide() ignores itself, webhooks and bots that are not listed, whatever they write", () => {
  const author = fc.constantFrom(
    { id: ID.self },
    { id: ID.self, isBot: true },
    { id: ID.bot, isBot: true },
    { id: ID.bot, isWebhook: true },
    { id: ID.bot, isBot: true, isWebhook: true },
  );
  fc.assert(fc.property(content, scene, author, (text, where, who) => {
    assert.equal(decide(situation(text, { ...where, author: who })).kind, "ignore");
  }));
});

/** Ways to put a text before a message without saying it. */
const WRAPPINGS: readonly ((text: string) => string)[] = [
  (text) => `\`\`\`\n${text}\n\`\`\`\n`,
  (text) => `\`\`\`ts\n${text}\n\`\`\` `,
  (text) => `\`${text}\` `,
  (text) => `\`\`${text}\`\`\n`,
  (text) => `> ${text}\n`,
  (text) => `> \`${text}\n`,
];
const wrapping = fc.constantFrom(...WRAPPINGS);

Deno.test("decide() does not look at what stands in code or a quote", () => {
  fc.assert(fc.property(content, scene, wrapping, fc.constantFrom(...MENTIONS), (text, where, wrap, mention) => {
    assert.equal(outcome(wrap(mention) + text, where), outcome(wrap("x") + text, where));
  }));
});

Deno.test("decide() decides the same when a mention in code or a quote is added to what says something", () => {
  fc.assert(fc.property(content, scene, wrapping, fc.constantFrom(...MENTIONS), (text, where, wrap, mention) => {
    const { text: said } = whatIsSaid(text);
    // Code beside "ok", or beside nothing, makes something else of a message, whatever the code says.
    fc.pre(/\p{L}/u.test(said) && !isReaction(said));
    assert.equal(outcome(wrap(mention) + text, where), outcome(text, where));
  }));
});

Deno.test("decide() decides the same when a mention is quoted at the end", () => {
  fc.assert(fc.property(content, scene, fc.constantFrom(...MENTIONS), (text, where, mention) => {
    fc.pre(!text.includes("`") && /\p{L}/u.test(text));
    for (const mark of [">", ">>>"]) {
      assert.equal(outcome(`${text}\n${mark} ${mention}`, where), outcome(text, where));
    }
  }));
});

Deno.test("decide() never throws, and decides the same twice", () => {
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 500 }), scene, (text, where) => {
    assert.deepEqual(decide(situation(text, where)), decide(situation(text, where)));
  }));
});

const HOSTILE: Readonly<Record<string, string>> = {
  "letters": "a",
  "blanks": " ",
  "lines": "\n",
  "backticks": "`",
  "backticks apart": "` `` ``` ",
  "runs of every length": Array.from({ length: 200 }, (_, index) => "`".repeat(index + 1)).join(" "),
  "escaped backticks": "\\`",
  "backslashes": "\\",
  "quotes": "> a\n",
  "marks": ">",
  "indented lines": `${" ".repeat(300)}\n`,
  "brackets": "[(<",
  "mentions": `<@${ID.luis}>`,
  "halves of mentions": "<@",
  "halves of commands": "</a",
  "commands without end": `</${"a ".repeat(60)}`,
  "emoji": "😂",
  "families": "👨‍👩‍👧‍👦",
  "custom emoji": "<:a:1>",
  "halves of custom emoji": "<:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
  "keycaps": "1\ufe0f\u20e3",
  "addresses": "http://",
  "accents": "\u0301\u0316",
  "right-to-left marks": "\u202e\u200f",
  "halves of characters": "\ud83d",
  "laughter": "ja",
  "l and o": "lo",
  "names": "django ",
  "the first half of a name": "señor ",
  "ats": "@everyon",
  "question marks": "?",
};

Deno.test("decide() takes no longer over what was made to keep it busy", () => {
  const names = ["Señor Django Robot", "[Bot] \u200fDjango", "🙂", "x"];
  for (const [what, unit] of Object.entries(HOSTILE)) {
    for (const [before, behind] of [["", ""], ["a", "b"], ["ok ", " c"]]) {
      assertLinear(what, 2_000, (length) => {
        const content = `${before}${unit.repeat(Math.ceil(length / unit.length))}${behind}`;
        decide(situation(content, { self: { names }, message: replyTo(ID.self) }));
      });
    }
  }
});

Deno.test("decide() sees a mention behind 2000 emoji and at the end of 4000 characters", () => {
  assert.equal(outcome(`${"😂".repeat(2_000)} <@${ID.self}>`), "answer mention");
  assert.equal(outcome("😂".repeat(2_000)), "ignore reaction");
  assert.equal(outcome(`${"a b ".repeat(998)}Django`), "answer name");
  assert.equal(outcome("a b ".repeat(1_000)), "ambient");
});

Deno.test("decide() does not care what people are called", () => {
  for (const name of ["Django", `<@${ID.self}>`, "a]\n[system] b", "\u202eDjango", "😂".repeat(2_000)]) {
    assert.equal(outcome("it rains", { author: { name, username: name } }), "ambient");
  }
});
