import assert from "node:assert/strict";
import { z } from "zod";
import {
  DISCORD_COMMANDS,
  discordJsonSchema,
  discordSchemaFileText,
  EMBEDDED_DISCORD_TEXT,
  parseDiscordSettings,
} from "../../src/config/discord_settings.ts";
import { ConfigError, type ConfigProblem } from "../../src/core/errors.ts";
import { assertProblem, isUntouched } from "./examples.ts";

const parse = (value: unknown) => parseDiscordSettings(JSON.stringify(value), "discord.json");

function problemsIn(text: string): readonly ConfigProblem[] {
  try {
    parseDiscordSettings(text, "discord.json");
  } catch (error) {
    assert(error instanceof ConfigError);
    assert.equal(error.exitCode, 78);
    return error.problems;
  }
  throw new assert.AssertionError({ message: "This text should not have loaded" });
}

const read = (name: string) => Deno.readTextFile(new URL(`../../config/${name}`, import.meta.url));

Deno.test("config/discord.schema.json is what the schema generates", async () => {
  const file = await read("discord.schema.json");
  assert.equal(file, discordSchemaFileText(), "config/discord.schema.json is out of date: run `deno task schema`");
});

Deno.test("the shipped config/discord.json is what the program embeds, unless a person has made it theirs", async () => {
  const file = await read("discord.json");
  assert.ok(parseDiscordSettings(file, "config/discord.json"));
  if (await isUntouched("config/discord.json")) {
    assert.equal(file, EMBEDDED_DISCORD_TEXT, "copy src/config/default_discord.json to config/discord.json");
  }
});

Deno.test("the embedded discord.json says what counts without it, and leaves out no setting", () => {
  const { $schema, ...embedded } = parseDiscordSettings(EMBEDDED_DISCORD_TEXT, "the embedded defaults");
  assert.equal($schema, "./discord.schema.json");
  assert.deepEqual(embedded, parse({}));
  for (const name of Object.keys(embedded)) assert.ok(EMBEDDED_DISCORD_TEXT.includes(`\n  "${name}": `), name);
  for (const name of DISCORD_COMMANDS) assert.ok(EMBEDDED_DISCORD_TEXT.includes(`\n    "${name}": `), name);
});

Deno.test("parseDiscordSettings() fills in every default", () => {
  const nobody = { guilds: [], channels: [], roles: [], users: [] };
  const everyone = { for: "everyone", roles: [], users: [] };
  const moderators = { for: "moderators", roles: [], users: [] };
  assert.deepEqual(parse({}), {
    names: ["Django"],
    language: "auto",
    cooldown_seconds: 8,
    ambient: { default: "off", channels: {}, calls_per_minute: 2 },
    allow: nobody,
    deny: nobody,
    direct_messages: { from: "everyone", users: [] },
    bots: { listed: [], answers_in_a_row: 3 },
    limits: { messages_per_minute: 10 },
    reading_speed: 100,
    commands: {
      full: everyone,
      memory: everyone,
      reset: moderators,
      who: everyone,
      help: everyone,
      status: everyone,
      forget: everyone,
      mute: moderators,
    },
  });
});

Deno.test("parseDiscordSettings() keeps what is given beside the defaults, with comments and a byte order mark", () => {
  const text = `\uFEFF{
    // ours
    "names": ["Jangö", "el señor 学 [bot]", "\u200fDjango"], "cooldown_seconds": 0,
    "ambient": { "channels": { "7": "on" } }, /* and */ "commands": { "mute": { "roles": ["5"] } },
  }`;
  const settings = parseDiscordSettings(text, "discord.json");
  assert.deepEqual(settings.names, ["Jangö", "el señor 学 [bot]", "\u200fDjango"]);
  assert.equal(settings.cooldown_seconds, 0);
  assert.deepEqual(settings.ambient, { default: "off", channels: { 7: "on" }, calls_per_minute: 2 });
  assert.deepEqual(settings.commands.mute, { for: "moderators", roles: ["5"], users: [] });
});

Deno.test("parseDiscordSettings() gives settings that nobody can change", () => {
  const settings = parse({ ambient: { channels: { 1: "on" } } });
  assert.ok([settings, settings.names, settings.ambient.channels, settings.commands.full.roles].every(Object.isFrozen));
});

const ID = "123456789012345678";

const REFUSED: readonly [what: string, value: unknown, path: string, message: RegExp, remedy: RegExp][] = [
  ["an unknown setting", { colour: 1 }, "colour", /no such setting/, /use one of: .*names.*cooldown_seconds/],
  ["a misspelt setting", { nmes: [] }, "nmes", /no such setting/, /Did you mean "names"/],
  ["an unknown setting of a group", { ambient: { of: 1 } }, "ambient.of", /no such/, /default, channels, calls_per_m/],
  ["an unknown command", { commands: { ban: {} } }, "commands.ban", /no such setting/, /full, memory, reset/],
  ["an unknown list", { deny: { people: [] } }, "deny.people", /no such setting/, /guilds, channels, roles, users/],
  ["the token", { token: "x" }, "token", /no such setting/, /DISCORD_BOT_TOKEN/],
  ["an old habit", { dm_policy: "nobody" }, "dm_policy", /no such setting/, /"direct_messages": { "from"/],
  ["an unknown language", { language: "fr" }, "language", /the text "fr"/, /"auto", "es", "en"/],
  ["a negative cooldown", { cooldown_seconds: -1 }, "cooldown_seconds", /-1 is out of range/, /from 0 to 3600/],
  ["a cooldown in words", { cooldown_seconds: "8" }, "cooldown_seconds", /the text "8"/, /number from 0 to 3600/],
  ["a switch that is no word", { ambient: { default: true } }, "ambient.default", /This is true/, /"on", "off"/],
  [
    "a channel by its name",
    { ambient: { channels: { "#general": "on" } } },
    'ambient.channels["#general"]',
    /cannot be a name/,
    /an id in digits/,
  ],
  [
    "a channel with a wrong switch",
    { ambient: { channels: { [ID]: "yes" } } },
    `ambient.channels["${ID}"]`,
    /the text "yes"/,
    /"on", "off": whether it may in this channel/,
  ],
  ["a rate beyond reason", { ambient: { calls_per_minute: 61 } }, "ambient.calls_per_minute", /61 is out/, /to 60/],
  [
    "an id without quotes",
    { allow: { users: [12345] } },
    "allow.users[0]",
    /number 12345/,
    /text in double quotes.*id/,
  ],
  ["a person by name", { deny: { users: [ID, "Ana"] } }, "deny.users[1]", /the text "Ana"/, /an id in digits/],
  ["a list that is none", { deny: { roles: ID } }, "deny.roles", /text "1234/, /a list \[ … \]: roles of people that/],
  ["too many names", { names: Array(21).fill("x") }, "names", /list of 21 entries is out of range/, /20 at most/],
  [
    "too many ids",
    { allow: { guilds: Array(1001).fill(ID) } },
    "allow.guilds",
    /list of 1001 entries is out of range/,
    /1000 ids at most/,
  ],
  ["a name of signs alone", { names: ["Django", "[🙂]"] }, "names[1]", /no letter and no digit/, /as people would/],
  ["an empty name", { names: [""] }, "names[0]", /the text ""/, /64 letters at most/],
  ["a name of two lines", { names: ["a\nb"] }, "names[0]", /the text "a\\nb"/, /a name on one line/],
  ["a name without end", { names: ["x".repeat(65)] }, "names[0]", /the text "xxx/, /64 letters at most/],
  ["half a person", { limits: { messages_per_minute: 0.5 } }, "limits.messages_per_minute", /number 0.5/, /whole numb/],
  ["an unknown policy", { direct_messages: { from: "me" } }, "direct_messages.from", /"me"/, /"listed", "nobody"/],
  [
    "an unknown circle of people",
    { commands: { reset: { for: "moderator" } } },
    "commands.reset.for",
    /"moderator"/,
    /Did you mean "moderators"/,
  ],
  ["endless talk of bots", { bots: { answers_in_a_row: 0 } }, "bots.answers_in_a_row", /0 is out of range/, /1 to 20/],
  ["null", { names: null }, "names", /null/, /a list/],
];

for (const [what, value, path, message, remedy] of REFUSED) {
  Deno.test(`parseDiscordSettings() refuses ${what} with its path and remedy`, () => {
    const problems = problemsIn(JSON.stringify(value));
    assertProblem(problems, path, message, remedy);
    assert.equal(problems.length, 1, JSON.stringify(problems, null, 1));
  });
}

Deno.test("parseDiscordSettings() refuses what is no object, and what is no JSON", () => {
  for (const text of ["[]", "3", "null", '"x"']) assertProblem(problemsIn(text), "", /^This is /, /Write an object/);
  assertProblem(problemsIn('{ "names": ["a" }'), "", /not JSON at line 1/, /Correct/);
  assertProblem(problemsIn(" "), "", /empty/, /embedded defaults/);
  assertProblem(problemsIn('{ "names": [], "names": [] }'), "names", /twice/, /Remove one/);
});

Deno.test("parseDiscordSettings() reports all problems at once, of the shape and of the rules", () => {
  const value = { colour: 1, cooldown_seconds: 9999, names: ["…"] };
  assert.deepEqual(problemsIn(JSON.stringify(value)).map(({ path }) => path).sort(), [
    "colour",
    "cooldown_seconds",
    "names[0]",
  ]);
});

Deno.test("the JSON Schema of discord.json accepts the shipped example and refuses what the program refuses", () => {
  const schema = z.fromJSONSchema(discordJsonSchema() as Parameters<typeof z.fromJSONSchema>[0]);
  assert.ok(schema.safeParse(structuredClone(parseDiscordSettings(EMBEDDED_DISCORD_TEXT, "x"))).success);
  for (const [what, value] of REFUSED) {
    if (what === "a name of signs alone") continue; // a rule, which no schema can say
    assert.ok(!schema.safeParse(value).success, what);
  }
});
