/**
 * Many people in many channels of many servers, and what they write with everything that Discord sends along. As text: a
 * million messages must not cost the process that sends them more than the one that reads them.
 */
import { BOT_ID, type FakeGuild } from "./fake_gateway.ts";

export const GUILDS = 50;
export const CHANNELS = 500;
export const MEMBERS = 10_000;
export const MEMBERS_A_GUILD = MEMBERS / GUILDS;

/** Something that somebody writes. */
export interface Said {
  readonly id: number;
  /** Goes into JSON as it is: no quotes, no line ends. */
  readonly content: string;
  /** 0 to 499; its server is that modulo 50. */
  readonly channel: number;
  /** Which of the 200 members of the server writes it; by default one after the other. */
  readonly member?: number;
  readonly type?: "MESSAGE_CREATE" | "MESSAGE_UPDATE";
  /** To whom it replies. */
  readonly repliesTo?: string;
  readonly isBot?: boolean;
  /** Written to the bot alone, in the direct messages of that member. */
  readonly isDirect?: boolean;
}

const guildId = (channel: number) => String((BigInt(channel % GUILDS) + 1n) << 22n);
const channelId = (channel: number) => String(1_000_000 + channel);
const directId = (person: string) => `9${person}`;
const personId = (person: number) => String(2_000_000 + person);

/** The id of a member of the server that a channel is in. */
export function memberId(channel: number, member: number): string {
  return personId(channel % GUILDS + member % MEMBERS_A_GUILD * GUILDS);
}

/** All servers with their channels and members, for a fake Discord. */
export function servers(): FakeGuild[] {
  return Array.from({ length: GUILDS }, (_, guild) => ({
    id: guildId(guild),
    name: `Servidor ${guild}`,
    owner_id: personId(guild),
    channels: Array.from({ length: CHANNELS / GUILDS }, (_, index) => ({
      id: channelId(guild + index * GUILDS),
      type: 0,
      name: `canal-${index}`,
      topic: "de todo un poco",
    })),
    members: Array.from({ length: MEMBERS_A_GUILD }, (_, index) => ({
      user: { id: memberId(guild, index), username: `persona_${index}`, global_name: `Persona ${index}` },
      roles: [],
    })),
  }));
}

/** A message as a packet of the gateway. */
export function messagePacket(said: Said): string {
  const { id, content, channel, member = id, type = "MESSAGE_CREATE", isDirect = false } = said;
  const person = memberId(channel, member);
  const guild = guildId(channel);
  const index = member % MEMBERS_A_GUILD;
  const now = new Date().toISOString();
  const mentions = content.includes(BOT_ID) ? `{"id":"${BOT_ID}","username":"django"}` : "";
  const place = isDirect
    ? `"channel_type":1,"channel_id":"${directId(person)}"`
    : `"channel_type":0,"channel_id":"${channelId(channel)}","guild_id":"${guild}","member":{"roles":["${guild}"],` +
      `"premium_since":null,"pending":false,"nick":null,"mute":false,"joined_at":"2024-02-11T10:20:30.400000+00:00",` +
      `"flags":0,"deaf":false,"communication_disabled_until":null,"banner":null,"avatar":null}`;
  return `{"t":"${type}","s":${id},"op":0,"d":{"type":0,"tts":false,"timestamp":"${now}",` +
    `"pinned":false,"nonce":"${id}","mentions":[${mentions}],"mention_roles":[],"mention_everyone":false,${place},` +
    `"id":"${id}","flags":0,"embeds":[],"edited_timestamp":${type === "MESSAGE_UPDATE" ? `"${now}"` : "null"},` +
    `"content":"${content}","components":[],${referenceOf(said)}"author":{"username":"persona_${index}",` +
    `"public_flags":0,"primary_guild":null,"id":"${person}","global_name":"Persona ${index}","discriminator":"0",` +
    `"collectibles":null,"clan":null,"avatar_decoration_data":null,"avatar":"a41af0d1ff45f3a8d0f4b9f7a3c0a1e4"` +
    `${said.isBot ? `,"bot":true` : ""}},"attachments":[]}}`;
}

function referenceOf({ repliesTo, channel }: Said): string {
  if (repliesTo === undefined) return "";
  const original = `{"id":"5","channel_id":"${channelId(channel)}","content":"eso","author":{"id":"${repliesTo}"}}`;
  return `"message_reference":{"type":0,"message_id":"5"},"referenced_message":${original},`;
}

/** What takes a message away again. */
export function deletionPacket({ id, channel }: Pick<Said, "id" | "channel">, sequence: number): string {
  const where = `"channel_id":"${channelId(channel)}","guild_id":"${guildId(channel)}"`;
  return `{"t":"MESSAGE_DELETE","s":${sequence},"op":0,"d":{"id":"${id}",${where}}}`;
}

/** A command chosen from Discord's list; its answer is asked for with `token-ID`. */
export function commandPacket({ id, channel, member = id }: Said, name: string): string {
  const user = `{"id":"${memberId(channel, member)}","username":"persona_${member % MEMBERS_A_GUILD}"}`;
  return `{"t":"INTERACTION_CREATE","s":${id},"op":0,"d":{"id":"${id}","type":2,"token":"token-${id}",` +
    `"application_id":"${BOT_ID}","channel_id":"${channelId(channel)}","guild_id":"${guildId(channel)}",` +
    `"member":{"user":${user},"roles":[],"permissions":"0"},"data":{"name":"${name}","options":[]}}}`;
}
