import type { Author, ChannelMessage, Member } from "../../src/discord/events.ts";

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
    mentionedRoleIds: [],
    mentionsEveryone: false,
    repliesTo: undefined,
    attachments: [],
    atMs: 1_000,
    ...more,
  };
}
