/** What the bot knows of Discord, in shapes of its own: only `gateway.ts` and its neighbours know the library's. */

/** Somebody who writes, as a message shows them. */
export interface Author {
  readonly id: string;
  /** What the server shows: the name there, else the one chosen for everywhere, else the user name. Untrusted text. */
  readonly name: string;
  readonly username: string;
  readonly isBot: boolean;
  readonly isWebhook: boolean;
  /** Ids of the roles they have in this server; empty in a direct message. */
  readonly roleIds: readonly string[];
}

/** A message as it was written or edited last. */
export interface ChannelMessage {
  readonly id: string;
  readonly channelId: string;
  /** Undefined in a direct message. */
  readonly guildId: string | undefined;
  readonly author: Author;
  /** Raw: mentions as `<@id>`. Empty without the message content intent, unless it is addressed to the bot. */
  readonly content: string;
  /** Ids of the people that the server says are mentioned. */
  readonly mentionedUserIds: readonly string[];
  /** The message that this one replies to; its author where the server says so. */
  readonly repliesTo: { readonly messageId: string; readonly authorId: string | undefined } | undefined;
  readonly attachments: readonly MessageAttachment[];
  /** Epoch milliseconds. */
  readonly atMs: number;
}

export interface MessageAttachment {
  readonly name: string;
  readonly url: string;
  /** Bytes. */
  readonly size: number;
  readonly contentType: string | undefined;
}

/** The bot itself. */
export interface Self {
  readonly id: string;
  /** What its commands are registered under. */
  readonly applicationId: string;
  readonly username: string;
}

export interface Guild {
  readonly id: string;
  readonly name: string;
  /** The role that Discord made for the bot there, if it has one. */
  readonly ownRoleId: string | undefined;
  readonly memberCount: number;
  readonly ownerId: string | undefined;
  /** Roles whose members may manage messages everywhere in it. */
  readonly moderatorRoleIds: readonly string[];
  /** By id. Untrusted text. */
  readonly roleNames: ReadonlyMap<string, string>;
}

export interface Channel {
  readonly id: string;
  readonly guildId: string | undefined;
  readonly name: string;
  readonly topic: string | undefined;
  /** The channel a thread belongs to. */
  readonly parentId: string | undefined;
}

export interface Member {
  readonly id: string;
  readonly name: string;
  readonly username: string;
  readonly isBot: boolean;
}

/** Whether somebody is online, be it busy or idle; the same in every server. */
export interface Presence {
  readonly userId: string;
  readonly isOnline: boolean;
}

/** A command that somebody chose from Discord's list, and the key to the answer, which is good for 15 minutes. */
export interface CommandInteraction {
  readonly id: string;
  readonly token: string;
  readonly applicationId: string;
  readonly channelId: string;
  readonly guildId: string | undefined;
  readonly author: Author;
  /** Whether they may manage messages in the channel. */
  readonly isModerator: boolean;
  readonly name: string;
  /** By the names they were registered under. Untrusted text. */
  readonly options: ReadonlyMap<string, string>;
}

/** What happens on Discord, one call an event. None of them may throw; what they return is not waited for. */
export interface DiscordEvents {
  ready(self: Self): void;
  /** A server, and its channels and threads; undefined when they are what they were. */
  guild(guild: Guild, channels: readonly Channel[] | undefined): void;
  guildGone(guildId: string): void;
  channel(channel: Channel): void;
  channelGone(channelId: string): void;
  members(guildId: string, members: readonly Member[]): void;
  memberGone(guildId: string, userId: string): void;
  /** People came online, or went. */
  presences(changes: readonly Presence[]): void;
  message(message: ChannelMessage): void;
  messageEdited(message: ChannelMessage): void;
  messagesDeleted(channelId: string, messageIds: readonly string[]): void;
  command(interaction: CommandInteraction): void;
}
