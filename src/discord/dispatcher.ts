import { describeFault } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import { asCount, asRecord, asRecords } from "../providers/json.ts";
import type { DiscordEvents } from "./events.ts";
import type { Seen } from "./seen.ts";
import type { Dispatch } from "./shard_socket.ts";
import {
  readChannel,
  readChannels,
  readEditTime,
  readGuild,
  readId,
  readIds,
  readInteraction,
  readMember,
  readMembers,
  readMessage,
  readPresences,
  readSelf,
} from "./translate.ts";

export interface DispatcherOptions {
  readonly events: DiscordEvents;
  readonly log: Log;
  /** Shared by all shards. */
  readonly seen: Seen;
  /** The list of this server's members is worth asking for. */
  readonly onGuild: (guildId: string) => void;
  readonly onGuildGone: (guildId: string) => void;
  /** A part of such a list has come. */
  readonly onMembers: (guildId: string, isLast: boolean) => void;
}

type Raw = Readonly<Record<string, unknown>>;

/** What of a server, as GUILD_CREATE gives it, has to be known to understand what changes in it. */
interface GuildFacts extends Raw {
  readonly roles: readonly Raw[];
}

function factsOf({ id, name, owner_id, member_count, roles }: Raw): GuildFacts {
  return { id, name, owner_id, member_count, roles: asRecords(roles).map(factsOfRole) };
}

/** What of a role matters here. */
function factsOfRole({ id, name, permissions, tags }: Raw): Raw {
  return { id, name, permissions, tags };
}

/**
 * Turns the events of one shard into calls of `DiscordEvents`. Discord may send an event several times, above all when a
 * session is taken up again: what has an id of its own is passed on once. Nothing that a handler throws gets out.
 */
export class Dispatcher {
  readonly #options: DispatcherOptions;
  /**
   * Servers this shard has seen, to notice when one is gone that was left while there was no connection; and what is
   * known of each, since who may what changes role by role.
   */
  readonly #guilds = new Map<string, GuildFacts>();
  readonly #handlers: ReadonlyMap<string, (data: Raw) => void>;
  #selfId: string | undefined;

  constructor(options: DispatcherOptions) {
    this.#options = options;
    this.#handlers = new Map(Object.entries({
      READY: (data) => this.#ready(data),
      INTERACTION_CREATE: (data) => {
        const interaction = readInteraction(data);
        if (interaction && this.#isNew(`interaction ${interaction.id}`)) {
          this.#tell("command", (events) => events.command(interaction));
        }
      },
      ...this.#messageHandlers(),
      ...this.#guildHandlers(),
      ...this.#channelHandlers(),
      ...this.#memberHandlers(),
    }));
  }

  /** Never throws. Events of unknown types are left out. */
  dispatch({ type, data }: Dispatch): void {
    try {
      this.#handlers.get(type)?.(asRecord(data) ?? {});
    } catch (error) {
      this.#options.log.error(`${type} of Discord's could not be read: ${describeFault(error)}`);
    }
  }

  #ready({ user, guilds, application }: Raw): void {
    const self = readSelf(user, application);
    if (!self) return this.#options.log.warn("Discord does not say who the bot is");
    this.#selfId = self.id;
    this.#tell("ready", (events) => events.ready(self));
    const there = new Set(asRecords(guilds).map(({ id }) => readId(id)));
    for (const id of [...this.#guilds.keys()]) if (!there.has(id)) this.#guildGone(id);
  }

  #messageHandlers(): Record<string, (data: Raw) => void> {
    return {
      MESSAGE_CREATE: (data) => {
        const message = readMessage(data);
        if (message && this.#isNew(`message ${message.id}`)) this.#tell("message", (events) => events.message(message));
      },
      MESSAGE_UPDATE: (data) => {
        const editedAt = readEditTime(data);
        // One without a text tells of something else.
        const message = editedAt === null || typeof data["content"] !== "string" ? undefined : readMessage(data);
        if (!message) return;
        if (editedAt !== undefined && !this.#isNew(`edit ${message.id} ${editedAt}`)) return;
        this.#tell("messageEdited", (events) => events.messageEdited(message));
      },
      MESSAGE_DELETE: ({ id, channel_id: channelId }) => this.#messagesGone(channelId, [id]),
      MESSAGE_DELETE_BULK: ({ ids, channel_id: channelId }) => this.#messagesGone(channelId, ids),
    };
  }

  #messagesGone(rawChannelId: unknown, rawIds: unknown): void {
    const channelId = readId(rawChannelId);
    const ids = readIds(rawIds).filter((id) => this.#isNew(`deletion ${id}`));
    if (channelId !== undefined && ids.length > 0) {
      this.#tell("messagesDeleted", (events) => events.messagesDeleted(channelId, ids));
    }
  }

  #guildHandlers(): Record<string, (data: Raw) => void> {
    return {
      GUILD_CREATE: (data) => {
        const guild = readGuild(data, this.#selfId);
        if (!guild) return;
        this.#guilds.set(guild.id, factsOf(data));
        this.#tell("guild", (events) => events.guild(guild, readChannels(data, guild.id)));
        const members = readMembers(data["members"]);
        if (members.length > 0) this.#tell("members", (events) => events.members(guild.id, members));
        this.#presences(data["presences"]);
        this.#options.onGuild(guild.id);
      },
      GUILD_DELETE: ({ id: rawId, unavailable }) => {
        const id = readId(rawId);
        // One that is out of order will come back.
        if (id !== undefined && unavailable !== true) this.#guildGone(id);
      },
      GUILD_UPDATE: ({ id, name, owner_id, roles }) => {
        this.#guildChanged(id, (facts) => ({ ...facts, name, owner_id, roles: asRecords(roles).map(factsOfRole) }));
      },
      GUILD_ROLE_CREATE: ({ guild_id, role }) => this.#roleChanged(guild_id, asRecord(role)),
      GUILD_ROLE_UPDATE: ({ guild_id, role }) => this.#roleChanged(guild_id, asRecord(role)),
      GUILD_ROLE_DELETE: ({ guild_id, role_id: gone }) => {
        this.#guildChanged(guild_id, (facts) => ({ ...facts, roles: facts.roles.filter(({ id }) => id !== gone) }));
      },
    };
  }

  #roleChanged(guildId: unknown, role: Raw | undefined): void {
    if (!role) return;
    this.#guildChanged(guildId, (facts) => {
      const others = facts.roles.filter(({ id }) => id !== role["id"]);
      return { ...facts, roles: [...others, factsOfRole(role)] };
    });
  }

  #guildChanged(rawId: unknown, change: (facts: GuildFacts) => GuildFacts): void {
    const id = readId(rawId);
    const facts = id === undefined ? undefined : this.#guilds.get(id);
    if (id === undefined || !facts) return;
    const changed = change(facts);
    this.#guilds.set(id, changed);
    const guild = readGuild(changed, this.#selfId);
    if (guild) this.#tell("guild", (events) => events.guild(guild, undefined));
  }

  #guildGone(id: string): void {
    this.#guilds.delete(id);
    this.#options.onGuildGone(id);
    this.#tell("guildGone", (events) => events.guildGone(id));
  }

  #channelHandlers(): Record<string, (data: Raw) => void> {
    const changed = (data: Raw) => {
      const channel = readChannel(data);
      if (channel) this.#tell("channel", (events) => events.channel(channel));
    };
    const gone = ({ id: rawId }: Raw) => {
      const id = readId(rawId);
      if (id !== undefined) this.#tell("channelGone", (events) => events.channelGone(id));
    };
    return {
      CHANNEL_CREATE: changed,
      CHANNEL_UPDATE: changed,
      CHANNEL_DELETE: gone,
      THREAD_CREATE: changed,
      // An archived one is nobody's business before somebody writes in it again; there may be thousands.
      THREAD_UPDATE: (data) => asRecord(data["thread_metadata"])?.["archived"] === true ? gone(data) : changed(data),
      THREAD_DELETE: gone,
      THREAD_LIST_SYNC: (data) => {
        const guildId = readId(data["guild_id"]);
        if (guildId === undefined) return;
        for (const thread of readChannels({ threads: data["threads"] }, guildId)) {
          this.#tell("channel", (events) => events.channel(thread));
        }
      },
    };
  }

  #memberHandlers(): Record<string, (data: Raw) => void> {
    const changed = (data: Raw) => {
      const guildId = readId(data["guild_id"]);
      const member = readMember(data);
      if (guildId !== undefined && member) this.#tell("members", (events) => events.members(guildId, [member]));
    };
    const counted = (rawGuildId: unknown, change: 1 | -1) =>
      this.#guildChanged(rawGuildId, (facts) => {
        const count = asCount(facts["member_count"]);
        return count === undefined ? facts : { ...facts, member_count: Math.max(0, count + change) };
      });
    return {
      GUILD_MEMBER_ADD: (data) => {
        changed(data);
        counted(data["guild_id"], 1);
      },
      GUILD_MEMBER_UPDATE: changed,
      GUILD_MEMBER_REMOVE: (data) => {
        const [guildId, userId] = [readId(data["guild_id"]), readId(asRecord(data["user"])?.["id"])];
        if (guildId !== undefined && userId !== undefined) {
          this.#tell("memberGone", (events) => events.memberGone(guildId, userId));
          counted(guildId, -1);
        }
      },
      PRESENCE_UPDATE: (data) => this.#presences([data]),
      GUILD_MEMBERS_CHUNK: (data) => {
        const guildId = readId(data["guild_id"]);
        if (guildId === undefined) return;
        const members = readMembers(data["members"]);
        if (members.length > 0) this.#tell("members", (events) => events.members(guildId, members));
        this.#presences(data["presences"]);
        this.#options.onMembers(
          guildId,
          (asCount(data["chunk_index"]) ?? 0) + 1 >= (asCount(data["chunk_count"]) ?? 1),
        );
      },
    };
  }

  #presences(raw: unknown): void {
    const changes = readPresences(raw);
    if (changes.length > 0) this.#tell("presences", (events) => events.presences(changes));
  }

  #isNew(key: string): boolean {
    return this.#options.seen.isNew(key);
  }

  /** Calls a handler; what it throws, or what a promise of its comes to, ends in the log. */
  #tell(name: keyof DiscordEvents, call: (events: DiscordEvents) => unknown): void {
    const { events, log } = this.#options;
    const report = (error: unknown) => log.error(`The handler of ${name} failed: ${describeFault(error)}`);
    try {
      const result = call(events);
      if (result instanceof Promise) result.catch(report);
    } catch (error) {
      report(error);
    }
  }
}
