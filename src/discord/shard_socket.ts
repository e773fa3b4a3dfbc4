/** Loaded on demand, together with the bot library: see `gateway.ts`. */
import { DiscordenoShard, type DiscordGatewayPayload, GatewayIntents, GatewayOpcodes } from "@discordeno/bot";
import { WebSocket as Socket } from "ws";
import { describeFault } from "../core/errors.ts";
import { inTime } from "../core/in_time.ts";
import type { Log } from "../core/log.ts";
import { asCount, asRecord, asText, parseJson } from "../providers/json.ts";
import { type ConnectionRecorder, type CountableSocket, countTraffic } from "./count_traffic.ts";
import type { IntentChoice } from "./intents.ts";
import type { Down, Session } from "./reconnect.ts";

/** An event as it came: everything in it is untrusted. */
export interface Dispatch {
  readonly type: string;
  readonly data: unknown;
}

export interface ShardSocketOptions {
  readonly shardId: number;
  readonly totalShards: number;
  readonly token: string;
  readonly intents: IntentChoice;
  /** Address of the gateway for new sessions. */
  readonly url: string;
  /** The session to take up; without it a new one begins. */
  readonly session: Session | undefined;
  /** How long it may take until READY or RESUMED, in milliseconds. */
  readonly readyWithinMs: number;
  /** How long the other end may take to answer the end of the connection, in milliseconds. */
  readonly closeMs: number;
  readonly ledger?: ConnectionRecorder | undefined;
  readonly log: Log;
  /** Told once, when READY or RESUMED has come. */
  readonly onUp: () => void;
  readonly onDispatch: (dispatch: Dispatch) => void;
}

/** One connection, from the first packet to the last. */
export interface ShardSocket {
  /** Opens the connection and serves it until it is over; when the signal aborts, ends it and the session. */
  run(signal: AbortSignal): Promise<Down>;
  /** Sends a packet; false when the connection is not open. */
  sendPacket(op: number, data: unknown): boolean;
  /** True once there was a connection at all. */
  readonly opened: boolean;
  /** What a next connection needs to go on; undefined before READY. */
  readonly session: Session | undefined;
}

export function createShardSocket(options: ShardSocketOptions): ShardSocket {
  return new HardenedShard(options);
}

/** What Discordeno logs quotes packets: nothing of it is written anywhere. */
const SILENT = { debug() {}, info() {}, warn() {}, error() {}, fatal() {} };
/** 1000 ends the session for Discord as well; any other code keeps it for the next connection. */
const END_OF_SESSION = 1000;
const TO_BE_RESUMED = 4900;
/** A guild of 250,000 members comes in packets of some megabytes. */
const MOST_BYTES = 64 * 1024 * 1024;
/** Discord says 41,250. Less than a beat in 100 ms would be a flood, more than one in five minutes no sign of life. */
const HEARTBEAT = { leastMs: 100, usualMs: 41_250, mostMs: 300_000 };

interface ClientSocket extends WebSocket, CountableSocket {
  send(text: string): void;
  /** Drops the connection without a word. */
  terminate(): void;
}

/**
 * Discordeno's shard for the length of one connection. It keeps the heartbeat, identifies and resumes; whatever it would
 * do about a connection that is over is taken away from it, since it does that at once, for ever, and in places from
 * where an exception ends the process. Its bucket for packets is not used: it leaves timers of a minute, and waits for
 * ever in a loop without end when the heartbeat is quick. What is sent here is paced elsewhere.
 */
class HardenedShard extends DiscordenoShard implements ShardSocket {
  readonly #options: ShardSocketOptions;
  readonly #down = Promise.withResolvers<Down>();
  readonly #closed = Promise.withResolvers<void>();
  #socket: ClientSocket | undefined;
  #isOver = false;
  #isGreeted = false;
  #isUp = false;
  #opened = false;
  #cause: unknown;

  constructor(options: ShardSocketOptions) {
    const { shardId, totalShards, token, intents, url, session } = options;
    super({
      id: shardId,
      connection: {
        token,
        totalShards,
        url,
        intents: intentBits(intents),
        version: 10,
        compress: false,
        transportCompression: null,
        properties: { os: Deno.build.os, browser: "django-agent", device: "django-agent" },
      },
      events: {},
      logger: SILENT,
    });
    this.#options = options;
    if (!session) return;
    this.sessionId = session.id;
    this.previousSequenceNumber = session.sequence;
    this.resumeGatewayUrl = session.url ?? "";
  }

  get opened(): boolean {
    return this.#opened;
  }

  get session(): Session | undefined {
    const { sessionId, previousSequenceNumber: sequence, resumeGatewayUrl } = this;
    return sessionId === undefined ? undefined : { id: sessionId, sequence, url: asText(resumeGatewayUrl) };
  }

  async run(signal: AbortSignal): Promise<Down> {
    const watchdog = setTimeout(() => this.#isUp || this.#end({ kind: "late" }), this.#options.readyWithinMs);
    const stop = () => this.#end({ kind: "stopped" });
    signal.addEventListener("abort", stop);
    if (signal.aborted) stop();
    else this.#begin();
    const down = await this.#down.promise;
    clearTimeout(watchdog);
    signal.removeEventListener("abort", stop);
    await this.#hangUp(down.kind === "stopped" ? END_OF_SESSION : TO_BE_RESUMED);
    return down;
  }

  sendPacket(op: number, data: unknown): boolean {
    if (this.#isOver || !this.isOpen()) return false;
    this.#socket?.send(JSON.stringify({ op, d: data }));
    return true;
  }

  /** Neither of the two promises is waited for: they stay open when the connection breaks. */
  #begin(): void {
    const begun = this.sessionId === undefined ? this.identify() : this.resume();
    begun.catch((cause) => this.#end({ kind: "unreachable", cause }));
  }

  #end(down: Down): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.stopHeartbeating();
    this.#down.resolve(down);
  }

  /** Ends what is left of the connection, and waits no longer than `closeMs` for the other end. */
  async #hangUp(code: number): Promise<void> {
    const socket = this.#socket;
    if (!socket || socket.readyState === Socket.CLOSED) return;
    socket.close(code);
    if (!await inTime(this.#options.closeMs, this.#closed.promise)) socket.terminate();
    await this.#closed.promise;
  }

  /** Discordeno takes Deno's own WebSocket, which cannot be dropped: it waits for a silent peer for ever. */
  override async connect(): Promise<DiscordenoShard> {
    const url = new URL(this.connectionUrl);
    url.searchParams.set("v", "10");
    url.searchParams.set("encoding", "json");
    const { ledger } = this.#options;
    ledger?.sent(url.origin, 0);
    const socket: ClientSocket = new Socket(url, { perMessageDeflate: false, maxPayload: MOST_BYTES });
    if (ledger) countTraffic(socket, url.origin, ledger);
    this.#socket = socket;
    this.socket = socket;
    socket.onerror = (event) => this.handleError(event);
    socket.onclose = (event) => void this.handleClose(event);
    socket.onmessage = (event) => void this.handleMessage(event);
    const { promise, resolve } = Promise.withResolvers<DiscordenoShard>();
    socket.onopen = () => {
      this.#opened = true;
      resolve(this);
    };
    return await promise;
  }

  override handleError(event: Event): void {
    if ("error" in event) this.#cause = event.error;
  }

  override handleClose({ code }: CloseEvent): Promise<void> {
    this.#closed.resolve();
    this.#end(this.#opened ? { kind: "closed", code } : { kind: "unreachable", cause: this.#cause });
    return Promise.resolve();
  }

  /** Asked for by Discordeno when a heartbeat was not answered. */
  override close(): Promise<void> {
    this.#end({ kind: "silent" });
    return Promise.resolve();
  }

  override async resume(): Promise<void> {
    if (!this.#isOver) await super.resume();
  }

  override send(message: { readonly op: number; readonly d: unknown }): Promise<void> {
    this.sendPacket(message.op, message.d);
    return Promise.resolve();
  }

  override async handleMessage({ data }: MessageEvent): Promise<void> {
    if (this.#isOver) return;
    try {
      const packet = readPacket(data);
      if (packet) await this.handleDiscordPacket(packet);
      else this.#options.log.warn("Discord sent something that is no packet; it is left out");
    } catch (error) {
      this.#options.log.error(`A packet of Discord's could not be dealt with: ${describeFault(error)}`);
    }
  }

  override async handleDiscordPacket(packet: DiscordGatewayPayload): Promise<void> {
    switch (packet.op) {
      case GatewayOpcodes.Reconnect:
        return this.#end({ kind: "asked" });
      case GatewayOpcodes.InvalidSession:
        return this.#end({ kind: "invalid", resumable: packet.d === true });
      case GatewayOpcodes.Hello:
        this.#isGreeted = true;
        packet.d = { heartbeat_interval: heartbeatOf(packet.d) };
    }
    // Without a HELLO there would be no heartbeat, and nobody to notice when the other end falls silent.
    if (!this.#isGreeted) return;
    await super.handleDiscordPacket(packet);
  }

  override forwardToBot({ op, t: type, d: data }: DiscordGatewayPayload): void {
    if (op !== GatewayOpcodes.Dispatch || type === null) return;
    if (!this.#isUp && (type === "READY" || type === "RESUMED")) {
      this.#isUp = true;
      this.#options.onUp();
    }
    this.#options.onDispatch({ type, data });
  }
}

/**
 * A packet as Discordeno can bear it: without a number it would forget the one it has, and a READY without a session
 * would make it throw.
 */
function readPacket(data: unknown): DiscordGatewayPayload | undefined {
  const packet = typeof data === "string" ? asRecord(parseJson(data)) : undefined;
  const { op, s, t, d } = packet ?? {};
  if (typeof op !== "number") return undefined;
  const isDispatch = op === GatewayOpcodes.Dispatch;
  if (isDispatch && (typeof t !== "string" || t === "READY" && !asText(asRecord(d)?.["session_id"]))) return undefined;
  const type = isDispatch ? t as DiscordGatewayPayload["t"] : null;
  return { op, t: type, s: typeof s === "number" && Number.isFinite(s) ? s : null, d };
}

function heartbeatOf(hello: unknown): number {
  const { leastMs, usualMs, mostMs } = HEARTBEAT;
  const asked = asCount(asRecord(hello)?.["heartbeat_interval"]) ?? usualMs;
  return Math.min(Math.max(asked, leastMs), mostMs);
}

function intentBits({ members, presences, content }: IntentChoice): number {
  return GatewayIntents.Guilds | GatewayIntents.GuildMessages | GatewayIntents.DirectMessages |
    (members ? GatewayIntents.GuildMembers : 0) |
    (presences ? GatewayIntents.GuildPresences : 0) | (content ? GatewayIntents.MessageContent : 0);
}
