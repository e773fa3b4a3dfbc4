/** People on Discord who ask the bot, each channel one question after the other, until they are told to stop. */
import { BOT_ID, type FakeGateway } from "../support/fake_gateway.ts";
import { pause } from "../../src/core/pause.ts";
import { DEFAULT_ANSWER } from "../support/rig.ts";
import { CHANNELS, GUILD } from "./world.ts";

/** What became of their questions. */
export interface Replies {
  readonly asked: number;
  /** Questions that the model answered. */
  readonly answered: number;
  /** Questions that the bot answered by itself, saying that it cannot. */
  readonly excused: number;
  /** Questions without a reply, which the bot owes none: it has said in that channel lately that it cannot. */
  readonly hushed: number;
  /** Ids of questions without a reply, and of those with more than one. */
  readonly lost: readonly string[];
  readonly doubled: readonly string[];
}

/** How long people wait for a reply. Messages wait three minutes for a Discord that is away. */
const PATIENCE_MS = 240_000;
/** The bot says once in five minutes in a channel that it cannot answer, and nothing more (`discord/conversation.ts`). */
const EXCUSE_GAP_MS = 300_000;
/** Longer than an answer takes that is still to come: the limit of a call, and Discord's way back. */
const HUSHED_PATIENCE_MS = 60_000;
const LOOK_EVERY_MS = 20;

export interface DiscordUsersOptions {
  readonly discord: FakeGateway;
  readonly random: () => number;
  /** The id of the first question; those of the others follow. */
  readonly firstId: number;
}

export async function runDiscordUsers(
  { discord, random, firstId }: DiscordUsersOptions,
  stop: AbortSignal,
): Promise<Replies> {
  const asked: string[] = [];
  const hushed = new Set<string>();
  const channel = async (channelId: string) => {
    let excusedAtMs = -Infinity;
    while (!stop.aborted) {
      const id = String(firstId + asked.length);
      asked.push(id);
      discord.dispatch("MESSAGE_CREATE", messageOf(id, channelId));
      const isHushed = () => performance.now() - excusedAtMs < EXCUSE_GAP_MS;
      const reply = await replyTo(discord, id, isHushed() ? HUSHED_PATIENCE_MS : PATIENCE_MS);
      if (reply === undefined && !isHushed()) return; // it is counted as lost
      if (reply === undefined) hushed.add(id);
      else if (reply !== DEFAULT_ANSWER) excusedAtMs = performance.now();
      await pause(random() * 500, stop);
    }
  };
  await Promise.all(CHANNELS.map(channel));
  return summarise(asked, hushed, discord);
}

function messageOf(id: string, channel_id: string): object {
  return {
    id,
    channel_id,
    guild_id: GUILD,
    author: { id: "11", username: "ana" },
    member: { roles: [] },
    content: `<@${BOT_ID}> ¿quién eres?`,
    mentions: [{ id: BOT_ID, username: "django" }],
    timestamp: new Date().toISOString(),
  };
}

/** The text of the reply; undefined when there is none in this time. */
async function replyTo(discord: FakeGateway, id: string, patienceMs: number): Promise<string | undefined> {
  for (const until = performance.now() + patienceMs; performance.now() < until;) {
    const [text] = repliesTo(discord, id);
    if (text !== undefined) return text;
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
  return undefined;
}

/** Texts of the replies to a question. */
function repliesTo({ rest }: FakeGateway, id: string): string[] {
  return rest.messages.flatMap(({ payload }) =>
    Object(payload["message_reference"])["message_id"] === id ? [String(payload["content"])] : []
  );
}

function summarise(asked: readonly string[], hushed: ReadonlySet<string>, discord: FakeGateway): Replies {
  const replies = asked.map((id) => ({ id, texts: repliesTo(discord, id) }));
  const answered = replies.filter(({ texts }) => texts.includes(DEFAULT_ANSWER)).length;
  return {
    asked: asked.length,
    answered,
    excused: replies.filter(({ texts }) => texts.length > 0 && !texts.includes(DEFAULT_ANSWER)).length,
    hushed: replies.filter(({ id, texts }) => texts.length === 0 && hushed.has(id)).length,
    lost: replies.filter(({ id, texts }) => texts.length === 0 && !hushed.has(id)).map(({ id }) => id),
    doubled: replies.filter(({ texts }) => texts.length > 1).map(({ id }) => id),
  };
}
