import { asRecord, asRecords, asText } from "../providers/json.ts";
import { grantedIntents } from "./intents.ts";
import type { RestRequests } from "./rest_requests.ts";
import { readId, readIds } from "./translate.ts";

/** A bot as Discord knows it. */
export interface BotInspection {
  readonly name: string;
  /** Whether it may see what people write, and who is there. */
  readonly seesContent: boolean;
  readonly seesMembers: boolean;
  /** Address under which somebody who manages a server lets it in. */
  readonly invitation: string;
  /** The first twenty servers it is in. */
  readonly guilds: readonly GuildInspection[];
}

/** What the bot can do in a server. */
export interface GuildInspection {
  readonly name: string;
  /** How many channels it can read and write in. */
  readonly usable: number;
  /** Names of channels that it sees and cannot write in. */
  readonly mute: readonly string[];
}

/** Bits of permissions. Source: Discord's API documentation, "Permissions". */
const ADMINISTRATOR = 1n << 3n;
const VIEW_CHANNEL = 1n << 10n;
const SEND_MESSAGES = 1n << 11n;
const READ_MESSAGE_HISTORY = 1n << 16n;
const SEND_MESSAGES_IN_THREADS = 1n << 38n;
const NEEDED = VIEW_CHANNEL | SEND_MESSAGES | READ_MESSAGE_HISTORY | SEND_MESSAGES_IN_THREADS;
/** Channels that people write in: text, announcements. */
const WRITTEN = new Set<unknown>([0, 5]);
const MOST_GUILDS = 20;

/**
 * Asks Discord about the bot whose token the requests carry.
 * @throws RestError
 */
export async function inspectBot(requests: Pick<RestRequests, "send">): Promise<BotInspection> {
  const get = (path: string, what: string) => requests.send({ method: "GET", route: () => path, what, tries: 2 });
  const application = asRecord(await get("/applications/@me", "to say who the bot is")) ?? {};
  const id = readId(application["id"]) ?? "";
  const granted = grantedIntents(application);
  const found = asRecords(await get("/users/@me/guilds", "to say where the bot is")).slice(0, MOST_GUILDS);
  const botId = readId(asRecord(application["bot"])?.["id"]) ?? id;
  const guilds: GuildInspection[] = [];
  for (const guild of found) {
    const guildId = readId(guild["id"]);
    if (guildId === undefined) continue;
    const channels = asRecords(await get(`/guilds/${guildId}/channels`, "to name the channels of a server"));
    const member = asRecord(await get(`/guilds/${guildId}/members/${botId}`, "to say what the bot may in a server"));
    const holders = [guildId, ...readIds(member?.["roles"]), botId];
    guilds.push(
      inspectGuild(asText(guild["name"]) ?? guildId, channels, { base: bitsOf(guild["permissions"]), holders }),
    );
  }
  return {
    name: asText(application["name"]) ?? id,
    seesContent: granted?.content ?? false,
    seesMembers: granted?.members ?? false,
    invitation: `https://discord.com/oauth2/authorize?client_id=${id}&scope=bot&permissions=${NEEDED}`,
    guilds,
  };
}

interface Rights {
  /** What it may in the whole server. */
  readonly base: bigint;
  /** Everybody, its roles, itself: whose exceptions in a channel count for it, the last one most. */
  readonly holders: readonly string[];
}

type Raw = Readonly<Record<string, unknown>>;

function inspectGuild(name: string, channels: readonly Raw[], rights: Rights): GuildInspection {
  const written = channels.filter(({ type }) => WRITTEN.has(type)).map((channel) => ({
    name: asText(channel["name"]) ?? "",
    bits: permissionsIn(channel, rights),
  }));
  const can = (bits: bigint, wanted: bigint) => (bits & wanted) === wanted;
  return {
    name,
    usable: written.filter(({ bits }) => can(bits, VIEW_CHANNEL | SEND_MESSAGES | READ_MESSAGE_HISTORY)).length,
    mute: written.filter(({ bits }) => can(bits, VIEW_CHANNEL) && !can(bits, SEND_MESSAGES)).map((each) => each.name),
  };
}

/** Exceptions in the order that Discord gives them: everybody's, all roles' together, one's own. */
function permissionsIn({ permission_overwrites: raw }: Raw, { base, holders }: Rights): bigint {
  if ((base & ADMINISTRATOR) !== 0n) return NEEDED;
  const exceptions = new Map(asRecords(raw).map((each) => [readId(each["id"]), each]));
  const [everybody, own] = [holders.slice(0, 1), holders.slice(-1)];
  let bits = base;
  for (const group of [everybody, holders.slice(1, -1), own]) {
    const found = group.map((id) => exceptions.get(id)).filter((each) => each !== undefined);
    const sum = (kind: "allow" | "deny") => found.reduce((all, each) => all | bitsOf(each[kind]), 0n);
    bits = (bits & ~sum("deny")) | sum("allow");
  }
  return bits;
}

function bitsOf(value: unknown): bigint {
  return typeof value === "string" && /^\d{1,40}$/.test(value) ? BigInt(value) : 0n;
}
