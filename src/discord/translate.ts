import { asCount, asRecord, asRecords, asText } from "../providers/json.ts";
import type {
  Author,
  Channel,
  ChannelMessage,
  CommandInteraction,
  Guild,
  Member,
  MessageAttachment,
  Presence,
  Self,
} from "./events.ts";

/**
 * Discord's objects in the bot's own shapes. Whatever lacks what it must have becomes undefined; nothing here throws,
 * whatever it is given.
 */

type Raw = Readonly<Record<string, unknown>>;

const ID = /^\d{1,20}$/;
/** Discord counts time from the first second of 2015; the upper bits of an id are milliseconds since. */
const DISCORD_EPOCH_MS = 1_420_070_400_000n;
/** Kinds of channels that are threads: of announcements, public, private. */
const THREADS: ReadonlySet<unknown> = new Set([10, 11, 12]);
/** Kinds of messages that somebody has written: plain ones and replies. Source: Discord's API documentation, "Message Types". */
const WRITTEN: ReadonlySet<unknown> = new Set([undefined, 0, 19]);
/** What kind of reference a reply is; 1 is a message that was passed on. */
const REPLY = 0;

export function readId(value: unknown): string | undefined {
  return typeof value === "string" && ID.test(value) ? value : undefined;
}

export function readIds(values: unknown): string[] {
  return Array.isArray(values) ? values.map(readId).filter((id) => id !== undefined) : [];
}

/** The bot itself, as READY gives it. An application made long ago has another id than its bot. */
export function readSelf(user: unknown, application?: unknown): Self | undefined {
  const { id: rawId, username } = asRecord(user) ?? {};
  const id = readId(rawId);
  if (id === undefined) return undefined;
  return { id, applicationId: readId(asRecord(application)?.["id"]) ?? id, username: asText(username) ?? "" };
}

/**
 * A message as MESSAGE_CREATE and MESSAGE_UPDATE give it; undefined for an update that only adds a preview, and for what
 * Discord says itself: that somebody joined, or named a thread.
 */
export function readMessage(data: unknown): ChannelMessage | undefined {
  const raw = asRecord(data) ?? {};
  const id = readId(raw["id"]);
  const channelId = readId(raw["channel_id"]);
  const author = readAuthor(raw);
  if (id === undefined || channelId === undefined || !author || !WRITTEN.has(raw["type"])) return undefined;
  return {
    id,
    channelId,
    author,
    guildId: readId(raw["guild_id"]),
    content: asText(raw["content"]) ?? "",
    mentionedUserIds: readIds(asRecords(raw["mentions"]).map((user) => user["id"])),
    repliesTo: readReply(raw),
    attachments: asRecords(raw["attachments"]).map(readAttachment).filter((file) => file !== undefined),
    atMs: readTime(raw["timestamp"], id),
  };
}

function readAuthor({ author: rawAuthor, member, webhook_id: webhookId }: Raw): Author | undefined {
  const author = asRecord(rawAuthor);
  const id = readId(author?.["id"]);
  if (!author || id === undefined) return undefined;
  const { nick, roles } = asRecord(member) ?? {};
  return {
    id,
    name: nameOf(author, nick),
    username: asText(author["username"]) ?? "",
    isBot: author["bot"] === true,
    isWebhook: readId(webhookId) !== undefined,
    roleIds: readIds(roles),
  };
}

function nameOf(user: Raw, nick: unknown): string {
  return asText(nick) ?? asText(user["global_name"]) ?? asText(user["username"]) ?? "";
}

function readReply(
  { message_reference: rawReference, referenced_message: original }: Raw,
): ChannelMessage["repliesTo"] {
  const reference = asRecord(rawReference);
  const messageId = readId(reference?.["message_id"]);
  if (messageId === undefined || (reference?.["type"] ?? REPLY) !== REPLY) return undefined;
  return { messageId, authorId: readId(asRecord(asRecord(original)?.["author"])?.["id"]) };
}

function readAttachment({ filename, url, size, content_type: contentType }: Raw): MessageAttachment | undefined {
  if (typeof filename !== "string" || typeof url !== "string") return undefined;
  return { name: filename, url, size: asCount(size) ?? 0, contentType: asText(contentType) };
}

function readTime(timestamp: unknown, id: string): number {
  const parsed = typeof timestamp === "string" ? Date.parse(timestamp) : NaN;
  return Number.isNaN(parsed) ? Number((BigInt(id) >> 22n) + DISCORD_EPOCH_MS) : parsed;
}

/** A server as GUILD_CREATE gives it; undefined for one that is out of order. */
export function readGuild(data: unknown, selfId: string | undefined): Guild | undefined {
  const raw = asRecord(data) ?? {};
  const id = readId(raw["id"]);
  if (id === undefined || raw["unavailable"] === true) return undefined;
  const own = asRecords(raw["roles"]).find(({ tags }) => {
    const botId = readId(asRecord(tags)?.["bot_id"]);
    return botId !== undefined && botId === selfId;
  });
  return {
    id,
    name: asText(raw["name"]) ?? "",
    ownRoleId: readId(own?.["id"]),
    memberCount: asCount(raw["member_count"]) ?? asRecords(raw["members"]).length,
    ownerId: readId(raw["owner_id"]),
    moderatorRoleIds: readIds(asRecords(raw["roles"]).filter(managesMessages).map((role) => role["id"])),
    roleNames: new Map(
      asRecords(raw["roles"]).flatMap(({ id, name }) => {
        return typeof id === "string" && typeof name === "string" ? [[id, name]] : [];
      }),
    ),
  };
}

/** Bits of a role's permissions. Source: Discord's API documentation, "Permissions". */
const ADMINISTRATOR = 1n << 3n;
const MANAGE_MESSAGES = 1n << 13n;

function managesMessages({ permissions }: Raw): boolean {
  const bits = typeof permissions === "string" && /^\d{1,40}$/.test(permissions) ? BigInt(permissions) : 0n;
  return (bits & (ADMINISTRATOR | MANAGE_MESSAGES)) !== 0n;
}

/** The channels and threads of a server. */
export function readChannels(data: unknown, guildId: string): Channel[] {
  const { channels, threads } = asRecord(data) ?? {};
  return [...asRecords(channels), ...asRecords(threads)]
    .map((channel) => readChannel(channel, guildId))
    .filter((channel) => channel !== undefined);
}

/** @param within the server it is in, where the channel itself does not say so */
export function readChannel(data: unknown, within?: string): Channel | undefined {
  const raw = asRecord(data) ?? {};
  const id = readId(raw["id"]);
  if (id === undefined) return undefined;
  return {
    id,
    guildId: readId(raw["guild_id"]) ?? within,
    name: asText(raw["name"]) ?? "",
    topic: asText(raw["topic"]),
    parentId: THREADS.has(raw["type"]) ? readId(raw["parent_id"]) : undefined,
  };
}

export function readMembers(values: unknown): Member[] {
  return asRecords(values).map(readMember).filter((member) => member !== undefined);
}

export function readMember({ user: rawUser, nick }: Raw): Member | undefined {
  const user = asRecord(rawUser);
  const id = readId(user?.["id"]);
  if (!user || id === undefined) return undefined;
  return { id, name: nameOf(user, nick), username: asText(user["username"]) ?? "", isBot: user["bot"] === true };
}

/** Whether people are online. */
export function readPresences(values: unknown): Presence[] {
  return asRecords(values).map(readPresence).filter((presence) => presence !== undefined);
}

function readPresence({ user, status }: Raw): Presence | undefined {
  const userId = readId(asRecord(user)?.["id"]);
  if (userId === undefined || typeof status !== "string") return undefined;
  return { userId, isOnline: status !== "offline" && status !== "invisible" };
}

/** What kind of interaction a command from Discord's list is. */
const COMMAND = 2;

/** A command that somebody chose; undefined for other interactions. */
export function readInteraction(data: unknown): CommandInteraction | undefined {
  const raw = asRecord(data) ?? {};
  const [id, channelId, applicationId] = [raw["id"], raw["channel_id"], raw["application_id"]].map(readId);
  const member = asRecord(raw["member"]);
  const author = readAuthor({ author: member?.["user"] ?? raw["user"], member });
  const { name, options } = asRecord(raw["data"]) ?? {};
  const token = asText(raw["token"]);
  if (raw["type"] !== COMMAND || typeof name !== "string" || !id || !channelId || !applicationId || !author || !token) {
    return undefined;
  }
  return {
    id,
    token,
    applicationId,
    channelId,
    guildId: readId(raw["guild_id"]),
    author,
    isModerator: member !== undefined && managesMessages(member),
    name,
    options: new Map(
      asRecords(options).flatMap(({ name: option, value }) => {
        const text = typeof value === "number" ? String(value) : value;
        return typeof option === "string" && typeof text === "string" ? [[option, text]] : [];
      }),
    ),
  };
}

/** When a message was edited: undefined when the server does not say, null when it was not (but got a preview). */
export function readEditTime(data: unknown): string | null | undefined {
  const value = asRecord(data)?.["edited_timestamp"];
  return typeof value === "string" || value === null ? value : undefined;
}
