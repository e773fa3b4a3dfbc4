/** A process of its own that connects, says something, stops, and then has nothing left to wait for. */
import type { DiscordEvents } from "../../src/discord/events.ts";
import { createGateway } from "../../src/discord/gateway.ts";

const [apiUrl = "", token = ""] = Deno.args;
const ignore = () => {};
const events: DiscordEvents = {
  ready: ignore,
  guild: ignore,
  guildGone: ignore,
  channel: ignore,
  channelGone: ignore,
  members: ignore,
  memberGone: ignore,
  presences: ignore,
  message: ignore,
  messageEdited: ignore,
  messagesDeleted: ignore,
  command: ignore,
};
const log = { error: ignore, warn: ignore, info: ignore, debug: ignore };
const gateway = createGateway({ token, apiUrl, events, log });
await gateway.start();
await gateway.rest.post("22", { content: "hola", nonce: "n" });
await gateway.stop();
console.log("stopped");
