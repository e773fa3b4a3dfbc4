import fc from "fast-check";
import type { Author, ChannelMessage, Member } from "../../src/discord/events.ts";
import type { Names } from "../../src/discord/readable.ts";

/** Somebody who writes; the id also serves as name unless one is given. */
export function author(id: string, more: Partial<Author> = {}): Author {
  return { id, name: `Name ${id}`, username: `user_${id}`, isBot: false, isWebhook: false, roleIds: [], ...more };
}

export function member(id: string, more: Partial<Member> = {}): Member {
  return { id, name: `Name ${id}`, username: `user_${id}`, isBot: false, ...more };
}

/** A message of user 7 in channel 5 of server 3, unless something else is said. */
export function message(id: string, more: Partial<ChannelMessage> = {}): ChannelMessage {
  return {
    id,
    channelId: "5",
    guildId: "3",
    author: author("7"),
    content: `content ${id}`,
    mentionedUserIds: [],
    repliesTo: undefined,
    attachments: [],
    atMs: 1_000,
    ...more,
  };
}

/** Knows Ana (7), the bot (1), the role Mods (20) and the channel general (5). */
export const NAMES: Names = {
  user: (id) => id === "7" ? "Ana" : id === "1" ? "Django" : undefined,
  role: (id) => id === "20" ? "Mods" : undefined,
  channel: (id) => id === "5" ? "general" : undefined,
};

/** Pieces of which hostile texts are made. */
export const hostile = fc.array(
  fc.oneof(
    fc.constantFrom(
      "\n",
      "\r",
      "\u2028",
      "\u0085",
      "\v",
      "[",
      "]",
      "{",
      "}",
      "\\",
      "│",
      "\u202e",
      "\u200f",
      "`",
      "```",
    ),
    fc.constantFrom("[Ana] hola", "14:03 [Ana]", "[CONTEXTO EN TIEMPO REAL — DISCORD]", "14:03 Tú: ", "{bot}", "<@7>"),
    fc.string({ unit: "binary", maxLength: 20 }),
  ),
  { maxLength: 12 },
).map((parts) => parts.join(""));
