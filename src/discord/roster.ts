import type { ChannelMessage, Member, Presence } from "./events.ts";
import { keepText } from "./kept_text.ts";

/** Somebody who has written something, wherever that was. Keyed by id: names change. */
export interface KnownUser {
  readonly id: string;
  /** As their latest message showed it. Untrusted text. */
  readonly name: string;
  readonly username: string;
  /** How many messages of theirs have been seen since the program started. */
  readonly messages: number;
  /** Epoch milliseconds. */
  readonly lastSeenMs: number;
}

export interface RosterOptions {
  /** Members kept of all servers together. Default 20,000: some 6 MB, 260 bytes a member and what V8 keeps free. */
  readonly mostMembers?: number;
  /** Known users kept. Default 20,000: some 5 MB. */
  readonly mostKnown?: number;
}

/** UTF-16 units kept of a name. Discord's own have 32 at most; other servers may know no limit. */
const NAME_LETTERS = 80;
/** What share of its bound a full map gives up at once: entry by entry, V8 would search through those gone before. */
const THINNING = 0.05;

/**
 * Who is there and who is known, in memory only. Its size is bounded whatever happens: beyond the bounds those go first
 * who have been silent for longest, of members those of the largest server, so that one huge server costs the small ones
 * nothing. What is left out of a server's list still counts in its `memberCount`.
 */
export class Roster {
  readonly #mostMembers: number;
  readonly #mostKnown: number;
  /** By server, then by person, those who were silent for longest first. No server in it is without members. */
  readonly #guilds = new Map<string, Map<string, Member>>();
  /** By person, those not seen for longest first. */
  readonly #known = new Map<string, KnownUser>();
  /** People who are online, where Discord tells that. */
  readonly #online = new Set<string>();
  #memberCount = 0;

  constructor({ mostMembers = 20_000, mostKnown = 20_000 }: RosterOptions = {}) {
    this.#mostMembers = mostMembers;
    this.#mostKnown = mostKnown;
  }

  /** How much it holds. */
  get size(): { readonly guilds: number; readonly members: number; readonly known: number } {
    return { guilds: this.#guilds.size, members: this.#memberCount, known: this.#known.size };
  }

  /** Takes members of a server, new ones and changed ones. */
  members(guildId: string, members: Iterable<Member>): void {
    for (const member of members) this.#put(guildId, member);
  }

  /** What is known of who is online is no longer true. */
  nobodyOnline(): void {
    this.#online.clear();
  }

  /** People came online, or went. */
  presences(changes: Iterable<Presence>): void {
    for (const { userId, isOnline } of changes) {
      if (!isOnline) this.#online.delete(userId);
      else if (this.#online.size < this.#mostMembers) this.#online.add(userId);
    }
  }

  /** Somebody left a server. What is known of them stays: they may be in another. */
  memberGone(guildId: string, userId: string): void {
    const members = this.#guilds.get(guildId);
    if (members?.delete(userId)) this.#memberCount--;
    if (members?.size === 0) this.#guilds.delete(guildId);
  }

  /** A server is gone, and its list with it. */
  guildGone(guildId: string): void {
    this.#memberCount -= this.#guilds.get(guildId)?.size ?? 0;
    this.#guilds.delete(guildId);
  }

  /**
   * Takes note of who wrote a message. They are members of its server even if nobody said so: without the members intent
   * this is all that is learned. Webhooks are nobody; bots are members, but nobody to know.
   */
  seen({ guildId, author, atMs }: ChannelMessage): void {
    const { id, isBot, isWebhook } = author;
    if (isWebhook) return;
    if (guildId !== undefined) this.#put(guildId, author, { isLatest: true });
    if (isBot) return;
    const before = this.#known.get(id);
    if (before) this.#known.delete(id);
    this.#known.set(id, {
      id: before?.id ?? id,
      ...namesOf(author, before),
      messages: (before?.messages ?? 0) + 1,
      lastSeenMs: Math.max(atMs, before?.lastSeenMs ?? 0),
    });
    if (this.#known.size > this.#mostKnown) dropOldest(this.#known, excess(this.#known.size, this.#mostKnown));
  }

  /** What is known of a person. */
  known(userId: string): KnownUser | undefined {
    return this.#known.get(userId);
  }

  /**
   * What a person is called in a server; elsewhere, or if they are not in its list, their user name: what somebody calls
   * themselves in one server is nobody's business in another.
   */
  nameOf(userId: string, guildId: string | undefined): string | undefined {
    const member = guildId === undefined ? undefined : this.#guilds.get(guildId)?.get(userId);
    return member?.name ?? this.#known.get(userId)?.username;
  }

  /** The members of a server as far as they are known: first those online, and among them those who wrote or joined last. */
  membersOf(guildId: string): readonly Member[] {
    const members = [...this.#guilds.get(guildId)?.values() ?? []].reverse();
    const { online = [], offline = [] } = Object.groupBy(
      members,
      ({ id }) => this.#online.has(id) ? "online" : "offline",
    );
    return [...online, ...offline];
  }

  /** Nothing of a person is left, not even that they are a member, until they are seen again. */
  forget(userId: string): void {
    this.#known.delete(userId);
    this.#online.delete(userId);
    for (const guildId of [...this.#guilds.keys()]) this.memberGone(guildId, userId);
  }

  #put(guildId: string, member: Member, { isLatest = false } = {}): void {
    let members = this.#guilds.get(guildId);
    if (!members) this.#guilds.set(guildId, members = new Map());
    const before = members.get(member.id);
    if (!before) this.#memberCount++;
    else if (isLatest) members.delete(before.id);
    // Most people write as who they were before: then nothing new is kept.
    const now = before && isSame(before, member) ? before : toKeep(member, before);
    members.set(now.id, now);
    while (this.#memberCount > this.#mostMembers) this.#thin();
  }

  /** Takes from the largest server those who have been silent for longest. */
  #thin(): void {
    let [largestId, largest] = ["", new Map<string, Member>()];
    for (const [guildId, members] of this.#guilds) {
      if (members.size > largest.size) [largestId, largest] = [guildId, members];
    }
    const count = Math.min(largest.size, excess(this.#memberCount, this.#mostMembers));
    dropOldest(largest, count);
    this.#memberCount -= count;
    if (largest.size === 0) this.#guilds.delete(largestId);
  }
}

function isSame(before: Member, { name, username, isBot }: Member): boolean {
  return before.name === name && before.username === username && before.isBot === isBot;
}

function toKeep(member: Member, before: Member | undefined): Member {
  return { id: before?.id ?? member.id, ...namesOf(member, before), isBot: member.isBot };
}

type Names = Pick<Member, "name" | "username">;

/** The same names as before keep their place in memory. */
function namesOf({ name, username }: Names, before: Names | undefined): Names {
  return {
    name: before?.name === name ? before.name : keepText(name, NAME_LETTERS),
    username: before?.username === username ? before.username : keepText(username, NAME_LETTERS),
  };
}

/** How many have to go so that there is room for a while. */
function excess(size: number, most: number): number {
  return size - most + Math.floor(most * THINNING);
}

function dropOldest(map: Map<string, unknown>, count: number): void {
  for (const key of map.keys()) {
    if (count-- <= 0) return;
    map.delete(key);
  }
}
