import assert from "node:assert/strict";
import { ID, outcome, replyTo, type Scene } from "./participation_scene.ts";

type Row = readonly [content: string, expected: string, scene?: Scene];

function table(rule: string, rows: readonly Row[]): void {
  Deno.test(`decide() ${rule}`, () => {
    for (const [content, expected, scene] of rows) {
      assert.equal(outcome(content, scene), expected, JSON.stringify({ content, ...scene }));
    }
  });
}

const ATTACHMENT = { name: "cat.png", url: "https://cdn.example/cat.png", size: 9, contentType: "image/png" };
const FROM_SELF: Scene = { author: { id: ID.self, isBot: true } };
const FROM_BOT: Scene = { author: { id: ID.bot, isBot: true } };
const FROM_WEBHOOK: Scene = { author: { id: "301", isBot: true, isWebhook: true } };
const DIRECT: Scene = { where: "direct" };
const TO_SELF: Scene = { message: replyTo(ID.self) };
const TO_LUIS: Scene = { message: replyTo(ID.luis) };
const LISTED = { bots: { listed: [ID.bot], answers_in_a_row: 3 } };

table("answers whoever mentions the bot or its role", [
  [`<@${ID.self}>`, "answer mention"],
  [`<@!${ID.self}>`, "answer mention"],
  [`<@&${ID.ownRole}>`, "answer mention"],
  [`<@${ID.self}> ¿qué tal?`, "answer mention"],
  [`what do you think, <@${ID.self}>?`, "answer mention"],
  [`¿y tú,<@${ID.self}>?`, "answer mention"],
  [`**<@${ID.self}>** ||<@${ID.self}>||`, "answer mention"],
  [`<@${ID.luis}> <@${ID.self}> help us both`, "answer mention"],
  [`@everyone <@${ID.self}> is here`, "answer mention"],
  [`<@${ID.self}> ok`, "answer mention"],
  [`<@${ID.self}> 😂`, "answer mention"],
  [`<@${ID.self}> lee esto`, "answer mention", TO_LUIS],
  [`<@${ID.self}> hi`, "answer mention", { settings: { ambient: { default: "off" } } }],
  [`<@${ID.self}> hi`, "answer mention", { where: "thread" }],
  [`<@${ID.self}0> hi`, "ignore to_somebody_else"],
  [`<@ ${ID.self}> hi`, "ambient"],
  [`<@&${ID.ownRole}> hi`, "ignore to_somebody_else", { self: { ownRoleId: undefined } }],
  [`<@${ID.ownRole}> hi`, "ignore to_somebody_else"],
  [`<@&${ID.self}> hi`, "ignore to_somebody_else"],
]);

table("takes no mention from code or a quote", [
  [`how do I write \`<@${ID.self}>\` here`, "ambient"],
  [`see \`\`\`<@${ID.self}>\`\`\` there`, "ambient"],
  [`see \`\`\`\nping <@${ID.self}>\n\`\`\``, "ambient"],
  [`see \`\`\`ts\n"<@${ID.self}>"\n\`\`\` there`, "ambient"],
  [`see \`\`a \` <@${ID.self}>\`\` there`, "ambient"],
  [`> <@${ID.self}> hi\nlook what she wrote`, "ambient"],
  [`look at this\n> hi\n> <@${ID.self}>\nfunny`, "ambient"],
  [`look at this\n>>> hi\n<@${ID.self}>\nfunny`, "ambient"],
  [`mira\n  > <@${ID.self}>`, "ambient"],
  [`\`<@${ID.self}>\` and <@${ID.self}>`, "answer mention"],
  [`> quoted\n<@${ID.self}> what do you say?`, "answer mention"],
  [`a \` alone and <@${ID.self}>`, "answer mention"],
  [`\`\`\`\nnever closed <@${ID.self}>`, "answer mention"],
  [`\\\`<@${ID.self}>\\\``, "answer mention"],
  [`a > <@${ID.self}>`, "answer mention"],
  [`><@${ID.self}>`, "answer mention"],
  [`\`> \`\n<@${ID.self}>`, "answer mention"],
  [`> \`\`\`\n<@${ID.self}>\n\`\`\``, "answer mention"],
]);

table("answers whoever replies to the bot", [
  ["¿por qué?", "answer reply", TO_SELF],
  ["I disagree", "answer reply", TO_SELF],
  ["yes", "answer reply", TO_SELF],
  ["?", "answer reply", TO_SELF],
  ["> what you wrote", "answer reply", TO_SELF],
  [`<@${ID.luis}> look at this answer`, "answer reply", TO_SELF],
  ["", "answer reply", { message: { ...replyTo(ID.self), attachments: [ATTACHMENT] } }],
  ["I disagree", "ignore to_somebody_else", TO_LUIS],
  ["I disagree", "ignore to_somebody_else", { message: replyTo(undefined) }],
  // What it replies to is gone, but the server says whom it notifies.
  ["I disagree", "answer reply", { message: { ...replyTo(undefined), mentionedUserIds: [ID.self] } }],
  ["I disagree", "ignore to_somebody_else", { message: { ...replyTo(undefined), mentionedUserIds: [ID.luis] } }],
]);

const NAMED = (names: readonly string[]): Scene => ({ self: { names } });
table("answers whoever says one of its names", [
  ["Django, what time is it?", "answer name"],
  ["oye django", "answer name"],
  ["DJANGO!!!", "answer name"],
  ["¿Djangó?", "answer name"],
  ["Djang\u006f\u0301, ven", "answer name"],
  ["it is django's turn", "answer name"],
  ["_Django_ **django** @django", "answer name"],
  ["(django)", "answer name"],
  ["\u200fDjango\u200f مرحبا", "answer name"],
  ["Django", "answer name"],
  ["django jaja", "answer name"],
  [`<@${ID.luis}> ask Django`, "answer name"],
  ["ask Django", "answer name", TO_LUIS],
  ["djangología", "ambient"],
  ["mydjango", "ambient"],
  ["Django1", "ambient"],
  ["d j a n g o", "ambient"],
  ["use `django` for that", "ambient"],
  ["```py\nimport django\n``` fails", "ambient"],
  ["> Django said so\nreally?", "ambient"],
  [">>> Django\nDjango", "ambient"],
  ["see https://docs.example.com/django/intro for that", "ambient"],
  ["nice <:django:123456789> picture", "ambient"],
  ["nice <a:django:123456789> picture", "ambient"],
  ["try </django ask:123456789> some day", "ambient"],
  ["hola señor robot, ¿qué tal?", "answer name", NAMED(["Señor Robot"])],
  ["hola senor   ROBOT", "answer name", NAMED(["Señor Robot"])],
  ["hola señor, dijo el robot", "ambient", NAMED(["Señor Robot"])],
  ["señor señor robot", "answer name", NAMED(["Señor Robot"])],
  ["hey [bot] django", "answer name", NAMED(["[Bot] Django"])],
  ["hey bot", "ambient", NAMED(["[Bot] Django"])],
  ["ёжик, привет", "answer name", NAMED(["Ёжик"])],
  ["x2 come here", "answer name", NAMED(["X2"])],
  ["anything at all", "ambient", NAMED([])],
  ["anything [] at all", "ambient", NAMED(["[]", "", "🙂", "\u200f"])],
  ["toString constructor __proto__", "ambient"],
]);

table("answers every direct message but a bare reaction", [
  ["hola", "answer dm", DIRECT],
  ["what is this?", "answer dm", DIRECT],
  ["`code`", "answer dm", DIRECT],
  ["> quote", "answer dm", DIRECT],
  ["`ok`", "answer dm", DIRECT],
  [`<@${ID.luis}> is not here`, "answer dm", DIRECT],
  ["hello", "answer dm", { ...DIRECT, settings: { ambient: { default: "off" } } }],
  ["", "answer dm", { ...DIRECT, message: { attachments: [ATTACHMENT] } }],
  ["lol", "answer dm", { ...DIRECT, message: { attachments: [ATTACHMENT] } }],
  ["jajaja", "ignore reaction", DIRECT],
  ["👍", "ignore reaction", DIRECT],
  ["", "ignore empty", DIRECT],
]);

table("never answers itself, webhooks and other bots", [
  [`<@${ID.self}> Django`, "ignore self", FROM_SELF],
  ["hello", "ignore self", { ...FROM_SELF, ...DIRECT }],
  ["hello", "ignore self", { ...FROM_SELF, settings: { bots: { listed: [ID.self] } } }],
  ["hello", "ignore self", { author: { id: ID.self } }],
  [`<@${ID.self}> Django`, "ignore webhook", FROM_WEBHOOK],
  ["hello", "ignore webhook", { ...FROM_WEBHOOK, settings: { bots: { listed: ["301"] } } }],
  [`<@${ID.self}> Django`, "ignore bot", FROM_BOT],
  ["hello", "ignore bot", { ...FROM_BOT, ...DIRECT }],
  ["I disagree", "ignore bot", { ...FROM_BOT, ...TO_SELF }],
  ["hello", "ignore bot", { ...FROM_BOT, settings: { bots: { listed: ["999"] } } }],
]);

const EXCHANGE = { botAnswers: 3, botAnsweredAtMs: 1_799_999_990_000 };
table("hears listed bots, until the two are among themselves", [
  ["hello there", "ambient", { ...FROM_BOT, settings: { ambient: { default: "on" }, ...LISTED } }],
  ["Django, hello", "answer name", { ...FROM_BOT, settings: LISTED }],
  ["Django, hello", "answer name", { ...FROM_BOT, settings: LISTED, state: { ...EXCHANGE, botAnswers: 2 } }],
  ["Django, hello", "ignore bot_pair", { ...FROM_BOT, settings: LISTED, state: EXCHANGE }],
  [`<@${ID.self}>`, "ignore bot_pair", { ...FROM_BOT, settings: LISTED, state: EXCHANGE }],
  ["hello", "ignore bot_pair", { ...FROM_BOT, ...DIRECT, settings: LISTED, state: EXCHANGE }],
  ["I disagree", "ignore bot_pair", { ...FROM_BOT, ...TO_SELF, settings: LISTED, state: EXCHANGE }],
  ["Django, hello", "answer name", { settings: LISTED, state: EXCHANGE }],
  [
    "Django, hello",
    "answer name",
    { ...FROM_BOT, settings: LISTED, state: { ...EXCHANGE, botAnsweredAtMs: 1_799_996_400_000 } },
  ],
  [
    "Django, hello",
    "ignore bot_pair",
    {
      ...FROM_BOT,
      settings: { bots: { listed: [ID.bot], answers_in_a_row: 1 } },
      state: { ...EXCHANGE, botAnswers: 1 },
    },
  ],
]);

table("keeps out of what is addressed to somebody else", [
  [`<@${ID.luis}> are you there?`, "ignore to_somebody_else"],
  [`<@!${ID.luis}> are you there?`, "ignore to_somebody_else"],
  [`<@&${ID.otherRole}> meeting at nine`, "ignore to_somebody_else"],
  ["@everyone meeting at nine", "ignore to_somebody_else"],
  ["@here ¿quién viene?", "ignore to_somebody_else"],
  ["thanks, that helped", "ignore to_somebody_else", TO_LUIS],
  ["and another thing", "ambient", { message: replyTo(ID.ana) }],
  [`I am <@${ID.ana}>`, "ambient"],
  [`> <@${ID.luis}> hi\nthat was funny`, "ambient"],
  [`write \`@everyone\` or \`<@${ID.luis}>\``, "ambient"],
  [`see <#${ID.channel}>`, "ambient"],
  ["at home everyone sleeps", "ambient"],
]);

table("does not answer pure reactions", [
  ["lol", "ignore reaction"],
  ["ok", "ignore reaction", TO_SELF],
  ["jaja", "ignore reaction", TO_SELF],
  ["👍", "ignore reaction", TO_SELF],
  ["<:pepe:123456789>", "ignore reaction", TO_SELF],
  ["> what you wrote\nxd", "ignore reaction", TO_SELF],
  ["ok", "answer reply", { ...TO_SELF, state: { asked: true } }],
  ["vale", "answer dm", { ...DIRECT, state: { asked: true } }],
  ["👍", "answer dm", { ...DIRECT, state: { asked: true } }],
  ["ok", "ignore reaction", { state: { asked: true } }],
  ["ok?", "answer reply", TO_SELF],
  ["ok `rm -rf`", "answer reply", TO_SELF],
  ["lol", "ambient", { message: { attachments: [ATTACHMENT] } }],
]);

table("finds nothing to answer where there is nothing to see", [
  ["", "ignore empty"],
  [" \n\t", "ignore empty"],
  ["\u200b\u200f\u202e\u2060\ufeff", "ignore empty"],
  ["\u2800\u3164", "ignore empty"],
  ["", "ignore empty", TO_SELF],
  ["", "ambient", { message: { attachments: [ATTACHMENT] } }],
]);
