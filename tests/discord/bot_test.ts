import assert from "node:assert/strict";
import { until } from "../support/rig.ts";
import { createBotScene } from "./bot_scene.ts";
import { author, message } from "./messages.ts";

const HELLO = { content: "<@1> hola" };

Deno.test("DiscordBot.stop() gives up what is asked, and what comes afterwards begins nothing", async () => {
  const { bot, calls, posted } = createBotScene();
  bot.message(message("10", HELLO));
  bot.message(message("11", { content: "!olvídame", channelId: "6", author: author("8") }));
  await until(() => calls.length === 2);
  await bot.stop();
  assert.deepEqual(calls.map(({ aborted }) => aborted), [true, true]);
  bot.message(message("12", { ...HELLO, channelId: "7" }));
  bot.message(message("13", { content: "!help" }));
  await bot.stop();
  assert.equal(calls.length, 2);
  assert.deepEqual(posted, []);
});

Deno.test("DiscordBot.guildGone() drops what is asked in that server, and nothing of another", async () => {
  const { bot, calls } = createBotScene();
  bot.message(message("10", HELLO));
  bot.message(message("11", { ...HELLO, channelId: "6", guildId: "4" }));
  await until(() => calls.length === 2);
  bot.guildGone("3");
  assert.deepEqual(calls.map(({ aborted }) => aborted), [true, false]);
  await bot.stop();
});

Deno.test("DiscordBot is muted from the command on, however long it takes to say so", async () => {
  const { bot, calls } = createBotScene({ isPosting: false });
  bot.message(message("10", { content: "!mute", guildId: undefined }));
  bot.message(message("11", { content: "hola", guildId: undefined }));
  await new Promise((resolve) => setTimeout(resolve, 0));
  assert.equal(calls.length, 0);
  await bot.stop();
});

Deno.test("DiscordBot stays muted in a channel, in however many others people talk", async () => {
  const { bot, calls } = createBotScene();
  bot.message(message("10", { content: "!mute", guildId: undefined }));
  for (let channel = 1000; channel < 2001; channel++) bot.message(message(`1${channel}`, { channelId: `${channel}` }));
  bot.message(message("11", { content: "hola", guildId: undefined }));
  await new Promise((resolve) => setTimeout(resolve, 0));
  assert.equal(calls.length, 0);
  await bot.stop();
});

Deno.test("DiscordBot answers no question that was edited into something else, and those that are still questions", async () => {
  const edits = [
    { content: "hola a todos", isAnswered: false },
    { content: "<@8> hola", isAnswered: false },
    { content: "", isAnswered: false },
    { content: "<@1> ¿qué tal?", isAnswered: true },
    { content: "!full ¿qué tal?", isAnswered: true },
  ];
  for (const { content, isAnswered } of edits) {
    const { bot, calls } = createBotScene();
    bot.message(message("10", HELLO));
    await until(() => calls.length === 1);
    bot.messageEdited(message("10", { content }));
    assert.equal(calls[0]?.aborted, true, content);
    await new Promise((resolve) => setTimeout(resolve, 0));
    assert.equal(calls.length, isAnswered ? 2 : 1, content);
    await bot.stop();
  }
});
