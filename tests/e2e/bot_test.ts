import assert from "node:assert/strict";
import { BOT_ID, BOT_TOKEN, type FakeGateway, startFakeGateway } from "../support/fake_gateway.ts";
import { until } from "../support/rig.ts";
import { serve } from "./served.ts";
import { createWorld, type World } from "./setup.ts";

const GUILD = "100";
const CHANNEL = "200";

interface BotWorld extends AsyncDisposable {
  readonly world: World;
  readonly discord: FakeGateway;
  readonly env: Record<string, string>;
  /** Somebody writes something; gives the id of the message. */
  say(content: string, changes?: Record<string, unknown>): string;
  /** What the bot has posted. */
  posted(): string[];
}

let lastId = 900_000;

async function createBotWorld(settings: object = {}): Promise<BotWorld> {
  const world = await createWorld();
  const discord = await startFakeGateway({
    guilds: [{
      id: GUILD,
      name: "Huerto",
      owner_id: "11",
      member_count: 3,
      roles: [{ id: "77", name: "mods", permissions: String(1 << 13) }],
      channels: [{ id: CHANNEL, type: 0, name: "general", topic: "plantas" }],
      members: [{ user: { id: "11", username: "ana" }, nick: "Ana" }, { user: { id: "12", username: "bob" } }],
    }],
  });
  await Deno.writeTextFile(`${world.folder}/config/discord.json`, JSON.stringify({ reading_speed: 0, ...settings }));
  return {
    world,
    discord,
    env: { DISCORD_BOT_TOKEN: BOT_TOKEN, DISCORD_API_URL: discord.apiUrl },
    say(content, changes = {}) {
      const id = String(++lastId);
      const mentions = [...content.matchAll(/<@(\d+)>/g)].map(([, user]) => ({ id: user, username: "x" }));
      discord.dispatch("MESSAGE_CREATE", {
        id,
        channel_id: CHANNEL,
        guild_id: GUILD,
        author: { id: "11", username: "ana", global_name: "Ana" },
        member: { roles: [] },
        content,
        mentions,
        timestamp: new Date().toISOString(),
        ...changes,
      });
      return id;
    },
    posted: () => discord.rest.messages.map(({ payload }) => String(payload["content"])),
    async [Symbol.asyncDispose]() {
      await discord[Symbol.asyncDispose]();
      await world[Symbol.asyncDispose]();
    },
  };
}

Deno.test("serve with a bot's token answers who mentions it, knows the channel, and keeps quiet otherwise", async () => {
  await using bot = await createBotWorld();
  await using served = await serve(bot.world, undefined, { env: bot.env });
  await until(() => bot.discord.received(8).length > 0); // it has asked for the members, so it knows the server
  bot.say("me gusta el tomate");
  const id = bot.say(`<@${BOT_ID}> ¿qué planto hoy?`);
  await until(() => bot.posted().length > 0);
  assert.deepEqual(bot.posted(), ["Hola, soy Django."]);
  const [message] = bot.discord.rest.messages;
  const { allowed_mentions: mentions, message_reference: reference } = message?.payload ?? {};
  assert.deepEqual(mentions, { parse: [], replied_user: false });
  assert.equal((reference as { message_id: string }).message_id, id);
  const [chat] = bot.world.ollama.chats;
  const prompt = JSON.stringify(chat);
  for (const part of ["CONTEXTO EN TIEMPO REAL", "Huerto", "general", "plantas", "me gusta el tomate", "[Ana]"]) {
    assert.ok(prompt.includes(part), part);
  }
  assert.equal(bot.world.ollama.chats.length, 1);
  const { program } = served;
  program.kill("SIGTERM");
  const { code, stdout, stderr } = await program.finished;
  assert.equal(code, 0, stderr);
  for (const secret of [BOT_TOKEN, "tomate", "planto"]) assert.ok(!`${stdout}${stderr}`.includes(secret), stderr);
});
