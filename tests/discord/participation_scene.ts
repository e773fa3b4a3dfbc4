import { parseDiscordSettings } from "../../src/config/discord_settings.ts";
import { type ChannelState, newChannel } from "../../src/discord/channel_state.ts";
import type { Author, ChannelMessage } from "../../src/discord/events.ts";
import { decide, type Decision, type SelfHere, type Situation } from "../../src/discord/participation.ts";
import { author, message } from "./messages.ts";

/** Ids of a small server. */
export const ID = {
  self: "100",
  ownRole: "101",
  ana: "200",
  luis: "201",
  bot: "300",
  otherRole: "400",
  guild: "500",
  channel: "600",
  thread: "601",
  direct: "700",
} as const;

/** The time at which everything is decided, unless a test says otherwise. */
export const NOW = 1_800_000_000_000;

export const ANA: Author = author(ID.ana, { name: "Ana", username: "ana" });

export interface Scene {
  /** Changes to a message that Ana writes in the channel. */
  readonly message?: Partial<ChannelMessage>;
  readonly author?: Partial<Author>;
  /** Default `channel`. */
  readonly where?: "channel" | "thread" | "direct";
  readonly self?: Partial<SelfHere>;
  /** What discord.json says; ambient talk is on unless it says something of it. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** Changes to the state of a channel in which nothing has happened for an hour. */
  readonly state?: Partial<ChannelState>;
  readonly nowMs?: number;
}

/** The situation in which Ana, or somebody else, writes `content`. */
export function situation(content: string, scene: Scene = {}): Situation {
  const { where = "channel", nowMs = NOW } = scene;
  const guildId = where === "direct" ? undefined : ID.guild;
  return {
    message: message("1", {
      channelId: ID[where],
      guildId,
      author: { ...ANA, ...scene.author },
      content,
      atMs: nowMs,
      ...scene.message,
    }),
    place: { id: ID[where], guildId, parentId: where === "thread" ? ID.channel : undefined },
    self: { id: ID.self, ownRoleId: ID.ownRole, names: ["Django"], ...scene.self },
    settings: parseDiscordSettings(JSON.stringify({ ambient: { default: "on" }, ...scene.settings }), "discord.json"),
    state: { ...newChannel(NOW - 3_600_000), ...scene.state },
    nowMs,
  };
}

/** A decision in short: `answer mention`, `ambient`, `ignore self`. */
export function describe(decision: Decision): string {
  if (decision.kind === "ambient") return "ambient";
  return `${decision.kind} ${decision.because}`;
}

/** What is decided about `content`, in short. */
export function outcome(content: string, scene: Scene = {}): string {
  return describe(decide(situation(content, scene)));
}

/** A message that replies to one of somebody's. */
export function replyTo(authorId: string | undefined): Partial<ChannelMessage> {
  return { repliesTo: { messageId: "9", authorId } };
}
