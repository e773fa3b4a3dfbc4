/** What a test waits for of a bot on the fake Discord. */
import type { FakeGateway } from "./fake_gateway.ts";
import { until } from "./rig.ts";

const OP = { heartbeat: 1, members: 8 };
/** How many there are in Discord's list of commands. */
const COMMANDS = 8;
/** No heartbeat for so long after one was asked for: the bot hangs. */
const PATIENCE_MS = 60_000;

/**
 * Resolves when the bot knows its servers, whose members it has asked for, and has written its list of commands: no
 * request of its own comes in between any more.
 */
export async function untilBotReady(discord: FakeGateway, guilds = 1): Promise<void> {
  await until(() => discord.received(OP.members).length >= guilds && discord.rest.commands.size === COMMANDS);
}

/** Numbers of events that no other event has. */
let lastMark = 2 ** 52;

/**
 * Resolves when the bot has read everything that was sent. A heartbeat names the last event before it: one that comes by
 * itself meanwhile is none of those that are waited for. @throws Error when the bot does not get there for a minute
 */
export async function untilRead(discord: FakeGateway): Promise<void> {
  const mark = ++lastMark;
  const isThere = () => Number(discord.received(OP.heartbeat).at(-1)?.d) === mark;
  const patientUntil = performance.now() + PATIENCE_MS;
  discord.sendRaw(JSON.stringify({ op: 0, t: "NOTHING_THAT_A_BOT_KNOWS", s: mark, d: {} }));
  discord.send(OP.heartbeat, null); // Discord's way of asking for a heartbeat at once
  await until(() => isThere() || performance.now() > patientUntil);
  if (!isThere()) throw new Error(`The bot has read nothing for ${PATIENCE_MS / 1000} s`);
}
