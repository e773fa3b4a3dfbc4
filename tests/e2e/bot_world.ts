/** The program, a fake model and a fake Discord with one server that the bot is in. */
import { untilBotReady } from "../support/bot_waits.ts";
import { BOT_ID, BOT_TOKEN, type FakeGateway, startFakeGateway } from "../support/fake_gateway.ts";
import { until } from "../support/rig.ts";
import { serve, type Served } from "./served.ts";
import { createWorld, type World } from "./setup.ts";

export const GUILD = "100";
export const CHANNEL = "200";

export interface BotWorld extends AsyncDisposable {
  readonly world: World;
  readonly discord: FakeGateway;
  readonly env: Record<string, string>;
  /** Somebody writes something; gives the id of the message. */
  say(content: string, changes?: Record<string, unknown>): string;
  /** Somebody chooses a command from Discord's list; gives the key to its answer. */
  choose(name: string, options?: Record<string, unknown>, changes?: Record<string, unknown>): string;
  edit(id: string, content: string): void;
  remove(id: string): void;
  /** What the bot has posted. */
  posted(): string[];
  /** Resolves once it has posted so many messages. */
  untilPosted(count: number): Promise<void>;
  /** What the model has been asked, as one text each. */
  asked(): string[];
  /** The program serving with the bot connected. */
  serve(): Promise<Served>;
}

const SERVER = {
  id: GUILD,
  name: "Huerto",
  owner_id: "11",
  member_count: 3,
  roles: [{ id: "77", name: "mods", permissions: String(1 << 13) }],
  channels: [{ id: CHANNEL, type: 0, name: "general", topic: "plantas" }],
  members: [{ user: { id: "11", username: "ana" }, nick: "Ana" }, { user: { id: "12", username: "bob" } }],
};

let lastId = 900_000;

function messageOf(id: string, content: string): object {
  return {
    id,
    channel_id: CHANNEL,
    guild_id: GUILD,
    author: { id: "11", username: "ana", global_name: "Ana" },
    member: { roles: [] },
    content,
    mentions: [],
    timestamp: new Date().toISOString(),
  };
}

function interactionOf(id: string, name: string, options: Record<string, unknown>): object {
  return {
    id,
    type: 2,
    token: `token-${id}`,
    application_id: BOT_ID,
    channel_id: CHANNEL,
    guild_id: GUILD,
    member: { user: { id: "12", username: "bob" }, roles: [], permissions: "0" },
    data: { name, options: Object.entries(options).map(([key, value]) => ({ name: key, value })) },
  };
}

/** @param settings of discord.json; @param change may alter the models.json before it is written */
export async function createBotWorld(
  settings: object = {},
  change?: Parameters<typeof createWorld>[0],
): Promise<BotWorld> {
  const world = await createWorld(change);
  const discord = await startFakeGateway({ guilds: [SERVER] });
  await Deno.writeTextFile(`${world.folder}/config/discord.json`, JSON.stringify({ reading_speed: 0, ...settings }));
  return {
    world,
    discord,
    env: { DISCORD_BOT_TOKEN: BOT_TOKEN, DISCORD_API_URL: discord.apiUrl },
    say(content, changes = {}) {
      const id = String(++lastId);
      const mentions = [...content.matchAll(/<@(\d+)>/g)].map(([, user]) => ({ id: user, username: "x" }));
      discord.dispatch("MESSAGE_CREATE", { ...messageOf(id, content), mentions, ...changes });
      return id;
    },
    choose(name, options = {}, changes = {}) {
      const id = String(++lastId);
      discord.dispatch("INTERACTION_CREATE", { ...interactionOf(id, name, options), ...changes });
      return `token-${id}`;
    },
    edit: (id, content) =>
      discord.dispatch("MESSAGE_UPDATE", { ...messageOf(id, content), edited_timestamp: new Date().toISOString() }),
    remove: (id) => discord.dispatch("MESSAGE_DELETE", { id, channel_id: CHANNEL, guild_id: GUILD }),
    posted: () => discord.rest.messages.map(({ payload }) => String(payload["content"])),
    untilPosted: (count) => until(() => discord.rest.messages.length >= count),
    asked: () => world.ollama.chats.map(({ body }) => JSON.stringify(body)),
    async serve() {
      const served = await serve(world, undefined, {
        env: { DISCORD_BOT_TOKEN: BOT_TOKEN, DISCORD_API_URL: discord.apiUrl },
      });
      await untilBotReady(discord);
      return served;
    },
    async [Symbol.asyncDispose]() {
      await discord[Symbol.asyncDispose]();
      await world[Symbol.asyncDispose]();
    },
  };
}
