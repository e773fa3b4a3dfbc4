import type { Channel, ChannelMessage, Guild } from "./events.ts";

/** Servers and channels as far as Discord has told of them. As large as what the bot can see, no larger. */
export class Places {
  readonly #guilds = new Map<string, Guild>();
  readonly #channels = new Map<string, Channel>();

  /** A server, and all the channels it has now; undefined when they are what they were. */
  guild(guild: Guild, channels: readonly Channel[] | undefined): void {
    this.#guilds.set(guild.id, guild);
    if (!channels) return;
    this.#dropChannels(guild.id);
    for (const channel of channels) this.channel(channel);
  }

  guildGone(guildId: string): void {
    this.#guilds.delete(guildId);
    this.#dropChannels(guildId);
  }

  #dropChannels(guildId: string): void {
    for (const [id, channel] of this.#channels) if (channel.guildId === guildId) this.#channels.delete(id);
  }

  channel(channel: Channel): void {
    this.#channels.set(channel.id, channel);
  }

  channelGone(channelId: string): void {
    this.#channels.delete(channelId);
  }

  guildOf(guildId: string | undefined): Guild | undefined {
    return guildId === undefined ? undefined : this.#guilds.get(guildId);
  }

  channelOf(channelId: string | undefined): Channel | undefined {
    return channelId === undefined ? undefined : this.#channels.get(channelId);
  }

  /** Whether the author of a message may manage messages in the whole server it stands in. */
  isModerator({ author, guildId }: ChannelMessage): boolean {
    const guild = this.guildOf(guildId);
    if (!guild) return false;
    return author.id === guild.ownerId ||
      [guild.id, ...author.roleIds].some((id) => guild.moderatorRoleIds.includes(id));
  }

  /** Where a message stands; a thread whose channel is not known yet is taken for a channel of its own. */
  placeOf({ channelId, guildId }: ChannelMessage): Pick<Channel, "id" | "guildId" | "parentId"> {
    return { id: channelId, guildId, parentId: this.#channels.get(channelId)?.parentId };
  }
}
