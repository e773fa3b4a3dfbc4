import assert from "node:assert/strict";
import { BOT_ID } from "../support/fake_gateway.ts";
import { until } from "../support/rig.ts";
import { type BotWorld, createBotWorld } from "./bot_world.ts";

const HELLO = `<@${BOT_ID}> hola`;
const BOB = { author: { id: "12", username: "bob" } };
const says = (text: string) => ({ kind: "answer", tokens: [text] }) as const;

/** What the bot has tried to post, refused or not. */
const tried = ({ discord }: BotWorld) => discord.rest.calls.filter(({ path }) => path.includes("/messages"));

Deno.test("the bot posts what it was about to say, though a rate limit holds it back, before it ends", async () => {
  await using bot = await createBotWorld({ cooldown_seconds: 0 });
  await using served = await bot.serve();
  const limited = { message: "You are being rate limited.", retry_after: 0.7, global: false };
  bot.discord.rest.next({ kind: "answer" }, { kind: "status", status: 429, body: limited }); // typing, the answer
  bot.say(HELLO);
  await until(() => tried(bot).length === 1);
  bot.say(`${HELLO}, otra vez`, BOB);
  served.program.kill("SIGTERM");
  const { code, stderr } = await served.program.finished;
  assert.equal(code, 0, stderr);
  assert.deepEqual(bot.posted(), ["Hola, soy Django."]);
});

Deno.test("the bot says nothing more where its answer was refused, least of all that there is no model", async () => {
  await using bot = await createBotWorld({ cooldown_seconds: 0 });
  await using served = await bot.serve();
  const refused = { message: "Missing Permissions", code: 50013 };
  bot.discord.rest.next({ kind: "answer" }, { kind: "status", status: 403, body: refused });
  bot.say(HELLO);
  await served.program.waitUntilTold("Discord refused the message");
  bot.say("!status");
  await bot.untilPosted(1);
  assert.match(bot.posted()[0] ?? "", /^django-agent /);
  assert.equal(tried(bot).length, 2);
});

Deno.test("the bot answers in more channels at once than wait in a model's queue", async () => {
  await using bot = await createBotWorld({ cooldown_seconds: 0 });
  await using _served = await bot.serve();
  const channels = Array.from({ length: 150 }, (_, index) => String(5000 + index));
  for (const id of channels) bot.say(HELLO, { channel_id: id, author: { id: `9${id}`, username: "somebody" } });
  await bot.untilPosted(channels.length);
  assert.deepEqual([...new Set(bot.posted())], ["Hola, soy Django."]);
});

Deno.test("commands count among the messages that one person is answered a minute", async () => {
  await using bot = await createBotWorld({ cooldown_seconds: 0, limits: { messages_per_minute: 2 } });
  await using _served = await bot.serve();
  for (const content of ["!full uno", "!full dos", "!full tres", "!help"]) bot.say(content);
  bot.say(HELLO, BOB);
  await until(() => bot.asked().some((each) => each.includes("[bob]")));
  assert.ok(!bot.asked().some((each) => each.includes("[Ana] tres")));
  assert.ok(!bot.posted().some((each) => each.includes("!reset")));
});

Deno.test("!forget me also drops what the person has asked and is not answered yet", async () => {
  await using bot = await createBotWorld({ cooldown_seconds: 0 });
  await using _served = await bot.serve();
  bot.world.ollama.next({ kind: "silence" });
  bot.say(`${HELLO}, limones`);
  await until(() => bot.asked().length === 1);
  bot.say(`${HELLO}, naranjas`);
  bot.say("!olvídame");
  await bot.untilPosted(1);
  bot.say(HELLO, BOB);
  await bot.untilPosted(2);
  assert.deepEqual(bot.posted(), ["Hecho: he olvidado lo que sabía de ti.", "Hola, soy Django."]);
  const [, second = "", ...more] = bot.asked();
  assert.deepEqual(more, []);
  for (const word of ["limones", "naranjas"]) assert.ok(!second.includes(word), word);
});

Deno.test("the bot answers an edited !full by what stands behind the word", async () => {
  await using bot = await createBotWorld({ cooldown_seconds: 0 });
  await using _served = await bot.serve();
  bot.world.ollama.next({ kind: "silence" }, says("Nueva."));
  const id = bot.say("!full vieja");
  await until(() => bot.asked().length === 1);
  bot.edit(id, "!full nueva");
  await bot.untilPosted(1);
  assert.ok(bot.asked()[1]?.includes("[Ana] nueva"));
});
