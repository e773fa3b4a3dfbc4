/** The sessions of a fake gateway: who is connected, what they were sent, and what there is to tell them. */

/** A packet as it goes over the wire. */
export interface Packet {
  readonly op: number;
  readonly d: Readonly<Record<string, unknown>>;
  readonly s?: number | null;
  readonly t?: string | null;
}

export interface FakeGuild {
  readonly id: string;
  readonly [field: string]: unknown;
  /** Raw members, given out in chunks of two on request. */
  readonly members?: readonly object[];
}

const CHUNK = 2;

export class FakeSession {
  readonly #sent: Packet[] = [];

  constructor(readonly id: string, readonly shardId: number, readonly shards: number) {}

  /** Gives an event its number, and keeps it. */
  number(type: string, data: unknown): Packet {
    const packet = { op: 0, t: type, s: this.#sent.length + 1, d: Object(data) };
    this.#sent.push(packet);
    return packet;
  }

  /** What came after an event. */
  since(sequence: number): Packet[] {
    return this.#sent.slice(sequence);
  }
}

export class FakeSessions {
  readonly #botId: string;
  readonly #guilds: readonly FakeGuild[];
  #sessions: FakeSession[] = [];
  #count = 0;

  constructor(botId: string, guilds: readonly FakeGuild[]) {
    this.#botId = botId;
    this.#guilds = guilds;
  }

  begin({ shard }: Packet["d"]): FakeSession {
    const [shardId, shards] = Array.isArray(shard) ? shard.map(Number) : [0, 1];
    const session = new FakeSession(`session-${++this.#count}`, shardId ?? 0, shards ?? 1);
    // A new session of a shard takes the place of the one before.
    this.#sessions = [...this.#sessions.filter((each) => each.shardId !== session.shardId), session];
    return session;
  }

  find(id: string): FakeSession | undefined {
    return this.#sessions.find((session) => session.id === id);
  }

  of(shardId?: number): FakeSession[] {
    return this.#sessions.filter((session) => shardId === undefined || session.shardId === shardId);
  }

  forget(): void {
    this.#sessions = [];
  }

  ready({ id, ...session }: FakeSession, resumeUrl: string): object {
    return {
      v: 10,
      user: { id: this.#botId, username: "django", bot: true },
      guilds: this.#guilds.filter((guild) => isOn(guild, session)).map((guild) => ({
        id: guild.id,
        unavailable: true,
      })),
      session_id: id,
      resume_gateway_url: resumeUrl,
      application: { id: this.#botId, flags: 0 },
    };
  }

  /** The servers of its shard, with the bot as their only member. */
  guildsOf(session: FakeSession): object[] {
    return this.#guilds.filter((guild) => isOn(guild, session)).map((guild) => ({
      member_count: guild.members?.length ?? 0,
      channels: [],
      threads: [],
      roles: [],
      ...guild,
      members: [{ user: { id: this.#botId, username: "django", bot: true }, roles: [] }],
    }));
  }

  /** The answer to a request for members. */
  chunks({ d: { guild_id: guildId, nonce } }: Packet): object[] {
    const members = this.#guilds.find(({ id }) => id === guildId)?.members ?? [];
    const count = Math.max(1, Math.ceil(members.length / CHUNK));
    return Array.from({ length: count }, (_, index) => ({
      guild_id: guildId,
      members: members.slice(index * CHUNK, (index + 1) * CHUNK),
      chunk_index: index,
      chunk_count: count,
      nonce,
    }));
  }
}

function isOn({ id }: FakeGuild, { shardId, shards }: Pick<FakeSession, "shardId" | "shards">): boolean {
  return Number((BigInt(id) >> 22n) % BigInt(shards)) === shardId;
}
