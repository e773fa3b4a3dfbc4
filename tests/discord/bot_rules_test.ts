import assert from "node:assert/strict";
import { until } from "../support/rig.ts";
import { createBotScene, interaction, settled } from "./bot_scene.ts";
import { author, message } from "./messages.ts";

const HELLO = { content: "<@1> hola" };
const MODERATOR = { author: author("9", { roleIds: ["20"] }) };
const GUILD = {
  id: "3",
  name: "Huerto",
  ownRoleId: undefined,
  memberCount: 2,
  ownerId: undefined,
  moderatorRoleIds: ["20"],
  roleNames: new Map([["20", "Mods"]]),
};
const channel = (id: string, name: string, guildId = "3") => ({
  id,
  guildId,
  name,
  topic: undefined,
  parentId: undefined,
});

Deno.test("DiscordBot answers commands that are not allowed no more often than anything else", async () => {
  const { bot, posted } = createBotScene({ answer: "Hola.", settings: { limits: { messages_per_minute: 2 } } });
  bot.guild(GUILD, []);
  for (let count = 0; count < 25; count++) bot.message(message(`1${count}`, { content: "!mute", author: author("8") }));
  bot.message(message("50", HELLO));
  await until(() => posted.includes("Hola."));
  assert.deepEqual(posted, [...Array(2).fill("Ese comando no te está permitido aquí."), "Hola."]);
});

Deno.test("DiscordBot keeps quiet and forgets for whoever wants it, without a word to who has asked a lot", async () => {
  const { bot, asked, calls, posted } = createBotScene({
    answer: "Hola.",
    settings: { limits: { messages_per_minute: 1 } },
  });
  bot.guild(GUILD, []);
  bot.message(message("10", { ...MODERATOR, ...HELLO }));
  await until(() => posted.length === 1);
  for (let count = 0; count < 5; count++) bot.message(message(`2${count}`, { ...MODERATOR, content: "!olvídame" }));
  bot.message(message("30", { ...MODERATOR, content: "!mute 5" }));
  bot.message(message("31", HELLO));
  await settled();
  assert.deepEqual(posted, ["Hola."]);
  assert.equal(asked.length, 1, "it is muted");
  assert.equal(calls.length, 6, "and has forgotten five times");
});

Deno.test("DiscordBot counts commands of Discord's list, too, and says so to whoever chose one too many", async () => {
  const { bot, asked, answered } = createBotScene({
    answer: "Bien.",
    settings: { limits: { messages_per_minute: 2 } },
  });
  for (let count = 0; count < 5; count++) bot.command(interaction(`${count}`, "full"));
  await until(() => answered.size === 5);
  assert.equal(asked.length, 2);
  assert.deepEqual([...answered.values()].flat().sort(), [
    "Bien.",
    "Bien.",
    ...Array(3).fill("Son muchas preguntas seguidas; espera un minuto."),
  ]);
});

Deno.test("DiscordBot leaves nobody waiting whose question it gives up", async () => {
  const { bot, calls, answered } = createBotScene();
  for (const id of ["11", "12", "13"]) bot.command(interaction(id, "full", { author: author(id) }));
  await until(() => calls.length === 1);
  bot.channelGone("5");
  await until(() => answered.size === 3);
  bot.command(interaction("14", "full", { author: author("14") }));
  await until(() => calls.length === 2);
  await bot.stop();
  assert.deepEqual([...answered.values()].flat(), Array(4).fill("Dejo esa pregunta sin responder."));
});

Deno.test("DiscordBot begins nothing for a command that comes after its end", async () => {
  const { bot, calls, answered } = createBotScene({ answer: "Bien." });
  bot.command(interaction("1", "full"));
  await bot.stop();
  bot.command(interaction("2", "full", { channelId: "6" }));
  await settled();
  assert.equal(calls.length, 0);
  assert.equal(answered.size, 0);
});

Deno.test("DiscordBot answers listed bots only so many times in a row, however busy it is meanwhile", async () => {
  const robots = ["31", "32"].map((id) => author(id, { isBot: true }));
  const settings = { bots: { listed: ["31", "32"], answers_in_a_row: 3 }, limits: { messages_per_minute: 100 } };
  const { bot, asked } = createBotScene({ answer: "Hola.", settings });
  for (let count = 0; count < 20; count++) {
    bot.message(message(`1${count}`, { ...HELLO, author: robots[count % 2] ?? author("31") }));
  }
  bot.message(message("50", { content: "!help", author: author("33", { isBot: true }) }));
  await until(() => asked.length === 3);
  await settled();
  assert.equal(asked.length, 3);
});

Deno.test("DiscordBot takes no commands from bots", async () => {
  const { bot, posted } = createBotScene({ answer: "", settings: { bots: { listed: ["31"] } } });
  bot.message(message("10", { content: "!help", author: author("31", { isBot: true }) }));
  await settled();
  assert.deepEqual(posted, []);
});

Deno.test("DiscordBot keeps nothing of people and channels that are denied", async () => {
  const settings = { deny: { users: ["66"], channels: ["6"] } };
  const { bot, asked } = createBotScene({ answer: "Hola.", settings });
  bot.message(message("10", { content: "secreto de 66", author: author("66") }));
  bot.message(message("11", { content: "dicho por otro" }));
  bot.message(message("12", { ...HELLO, channelId: "6" }));
  bot.message(message("13", HELLO));
  await until(() => asked.length === 1);
  const [{ context = "" } = {}] = asked;
  assert.ok(context.includes("dicho por otro"));
  assert.ok(!context.includes("66"), context);
});

Deno.test("DiscordBot names roles and channels of the server it speaks in, and of no other", async () => {
  const { bot, asked } = createBotScene({ answer: "Hola." });
  bot.guild(GUILD, [channel("5", "general"), channel("70", "riego")]);
  bot.guild({ ...GUILD, id: "4", roleNames: new Map([["40", "Junta"]]) }, [channel("77", "proyecto-secreto", "4")]);
  bot.message(message("10", { content: "<@1> <#70> <#77> <@&20> <@&40>" }));
  await until(() => asked.length === 1);
  assert.match(asked[0]?.message ?? "", /#riego #unknown-channel @Mods @unknown-role$/);
});

Deno.test("DiscordBot answers no question that was edited into a command", async () => {
  const { bot, calls } = createBotScene();
  bot.message(message("10", HELLO));
  await until(() => calls.length === 1);
  bot.messageEdited(message("10", { content: "!reset" }));
  await settled();
  assert.deepEqual(calls.map(({ aborted }) => aborted), [true]);
  await bot.stop();
});

Deno.test("DiscordBot takes together what one person writes while it waits for its cooldown to pass", async () => {
  const { bot, asked } = createBotScene({ answer: "Hola.", settings: { cooldown_seconds: 0.2 } });
  bot.message(message("10", { content: "<@1> uno" }));
  await until(() => asked.length === 1);
  await settled();
  for (const [id, word] of [["11", "dos"], ["12", "tres"], ["13", "cuatro"]] as const) {
    bot.message(message(id, { content: `<@1> ${word}` }));
    await settled();
  }
  bot.messagesDeleted("5", ["12"]);
  await until(() => asked.length === 2);
  assert.match(asked[1]?.message ?? "", /dos\n.*cuatro$/);
  await bot.stop();
});
