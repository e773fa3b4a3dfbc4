/**
 * What a bot meets of Discord: the gateway with its sessions, and the part of the REST API that it asks, on one real
 * port. It breaks where it is told to, and in ways no runtime's own server can: `ws` lets it fall silent and hang up.
 */
import http from "node:http";
import type net from "node:net";
import { WebSocketServer } from "ws";
import {
  FakeRest,
  type FakeRestOptions,
  type RestBehaviour,
  type RestCall,
  type RestMessage,
} from "./fake_bot_rest.ts";
import { type FakeGuild, type FakeSession, FakeSessions, type Packet } from "./fake_sessions.ts";

export const BOT_TOKEN = "MTIzNDU2Nzg5MDEyMzQ1Njc4OQ.s3cret.T0KEN-of-the-bot-that-nothing-may-show";
export const BOT_ID = "1234567890123456789";

/** What becomes of one connection; `serve` is what Discord does when nothing is wrong. */
export type LineBehaviour =
  | { readonly kind: "serve" }
  /** The upgrade is answered with this status. */
  | { readonly kind: "refuse"; readonly status: number }
  /** The upgrade is never answered. */
  | { readonly kind: "hang" }
  /** Open, and not a word. */
  | { readonly kind: "mute" }
  /** READY comes, but no HELLO before it. */
  | { readonly kind: "no_hello" }
  /** HELLO, and whatever comes then is not read, not even an end. */
  | { readonly kind: "silent" }
  /** READY comes, but no heartbeat is answered. */
  | { readonly kind: "no_acks" }
  /** The answer to IDENTIFY or RESUME. */
  | { readonly kind: "invalid"; readonly resumable: boolean }
  | { readonly kind: "close"; readonly code: number }
  /** READY, and the end right after it. */
  | { readonly kind: "ready_close"; readonly code: number };

export interface FakeGatewayOptions extends FakeRestOptions {
  readonly guilds?: readonly FakeGuild[];
  /** What HELLO says; default 41,250. `undefined` is left out. */
  readonly heartbeatMs?: number | undefined;
  /** What `GET /gateway/bot` recommends; default 1. */
  readonly shards?: number;
  readonly maxConcurrency?: number;
  /** Sessions left today; default 1000. */
  readonly sessionsLeft?: number;
  readonly sessionsResetMs?: number;
  /** False when GUILD_MEMBERS requests are never answered. */
  readonly answersMembers?: boolean;
  /** What is done to a packet before it is sent. */
  readonly change?: (packet: Packet) => object;
}

/** A connection as the server sees it. */
export interface FakeLine {
  /** With its query: tells where a session was taken up. */
  readonly path: string;
  readonly received: readonly Packet[];
  /** How it ended; undefined while it lasts. */
  readonly closed: number | undefined;
  readonly atMs: number;
}

export interface FakeGateway extends AsyncDisposable {
  /** For `DISCORD_API_URL`. */
  readonly apiUrl: string;
  readonly port: number;
  /** Every connection there was, the refused ones included. */
  readonly lines: readonly FakeLine[];
  /** Packets of this kind that came, over all connections. */
  received(op: number): Packet[];
  readonly rest: FakeRest;
  /** How the next connections go; afterwards as Discord does. */
  nextLines(...behaviours: readonly LineBehaviour[]): void;
  /** An event for every session of a shard; one without a connection gets it when it is taken up. */
  dispatch(type: string, data: unknown, shardId?: number): void;
  /** Text as it is, on every connection. */
  sendRaw(text: string | Uint8Array): void;
  /** A packet that is no event, on every connection. */
  send(op: number, data: unknown): void;
  /** Bytes that are no frame, on every connection. */
  sendGarbage(): void;
  /** Ends every connection with a code. */
  close(code: number): void;
  /** Drops every connection, in the middle of a frame when asked. */
  cut(options?: { readonly inFrame: boolean }): void;
  /** Reads nothing more from the connections there are, not even their end. */
  freeze(): void;
  /** Ends the connections to its API that nobody uses at the moment. */
  hangUpIdle(): void;
  /** Forgets every session. */
  forget(): void;
  /** From now on connections are refused by the system. */
  down(): Promise<void>;
  up(): Promise<void>;
}

export type { FakeGuild, Packet, RestBehaviour, RestCall, RestMessage };

const OP = { dispatch: 0, heartbeat: 1, identify: 2, resume: 6, members: 8, invalid: 9, hello: 10, ack: 11 } as const;

/** What is used of a socket of `ws`, which has no types of its own here. */
interface ServerSocket {
  send(data: string | Uint8Array): void;
  close(code?: number): void;
  terminate(): void;
  pause(): void;
  on(event: "message", listener: (data: unknown) => void): void;
  on(event: "close", listener: (code: number) => void): void;
}

export async function startFakeGateway(options: FakeGatewayOptions = {}): Promise<FakeGateway> {
  const fake = new Fake(options);
  await fake.up();
  return fake;
}

class Line implements FakeLine {
  readonly received: Packet[] = [];
  readonly atMs = performance.now();
  closed: number | undefined;
  session: FakeSession | undefined;
  socket: ServerSocket | undefined;

  constructor(readonly path: string, readonly behaviour: LineBehaviour, readonly stream: net.Socket) {}

  write(packet: object): void {
    this.socket?.send(JSON.stringify(packet));
  }
}

class Fake implements FakeGateway {
  readonly lines: Line[] = [];
  readonly rest: FakeRest;
  readonly #options: FakeGatewayOptions;
  readonly #sessions: FakeSessions;
  readonly #behaviours: LineBehaviour[] = [];
  readonly #upgrades = new WebSocketServer({ noServer: true });
  readonly #server: http.Server;
  #port = 0;

  constructor(options: FakeGatewayOptions) {
    this.#options = options;
    this.#sessions = new FakeSessions(BOT_ID, options.guilds ?? []);
    this.rest = new FakeRest(BOT_TOKEN, () => this.#info(), options);
    this.#server = http.createServer((request, response) => void this.rest.handle(request, response));
    this.#server.on("upgrade", (request: http.IncomingMessage, stream: net.Socket, head: Uint8Array) => {
      stream.on("error", () => {}); // the client has gone
      this.#accept(request, stream, head);
    });
  }

  get port(): number {
    return this.#port;
  }

  get apiUrl(): string {
    return `http://127.0.0.1:${this.#port}/api`;
  }

  received(op: number): Packet[] {
    return this.lines.flatMap(({ received }) => received.filter((packet) => packet.op === op));
  }

  nextLines(...behaviours: readonly LineBehaviour[]): void {
    this.#behaviours.push(...behaviours);
  }

  dispatch(type: string, data: unknown, shardId?: number): void {
    for (const session of this.#sessions.of(shardId)) this.#emit(session, type, data);
  }

  send(op: number, data: unknown): void {
    for (const line of this.#open()) line.write({ op, d: data, s: null, t: null });
  }

  sendRaw(text: string | Uint8Array): void {
    for (const { socket } of this.#open()) socket?.send(text);
  }

  sendGarbage(): void {
    for (const { stream } of this.#open()) stream.write(Uint8Array.of(0xf3, 0xff, 0x41));
  }

  close(code: number): void {
    for (const { socket } of this.#open()) socket?.close(code);
  }

  cut({ inFrame } = { inFrame: false }): void {
    for (const { stream } of this.#open()) {
      // The head of a text frame of 100 bytes, and three of them.
      if (inFrame) stream.end(Uint8Array.of(0x81, 100, 0x7b, 0x22, 0x6f), () => stream.destroy());
      else stream.destroy();
    }
  }

  freeze(): void {
    for (const { socket } of this.#open()) socket?.pause();
  }

  hangUpIdle(): void {
    this.#server.closeIdleConnections();
  }

  forget(): void {
    this.#sessions.forget();
  }

  async down(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    this.#server.closeAllConnections();
    for (const { stream, socket } of this.#open()) {
      socket?.terminate();
      stream.destroy();
    }
    await promise;
  }

  async up(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.listen(this.#port, "127.0.0.1", () => resolve());
    await promise;
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("The server has no port");
    this.#port = address.port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#server.listening) await this.down();
  }

  #open(): Line[] {
    return this.lines.filter(({ closed }) => closed === undefined);
  }

  #info(): object {
    const { shards = 1, maxConcurrency = 1, sessionsLeft = 1000, sessionsResetMs = 86_400_000 } = this.#options;
    return {
      url: `ws://127.0.0.1:${this.#port}/gateway`,
      shards,
      session_start_limit: {
        total: 1000,
        remaining: sessionsLeft,
        reset_after: sessionsResetMs,
        max_concurrency: maxConcurrency,
      },
    };
  }

  #accept(request: http.IncomingMessage, stream: net.Socket, head: Uint8Array): void {
    const line = new Line(request.url ?? "", this.#behaviours.shift() ?? { kind: "serve" }, stream);
    this.lines.push(line);
    stream.on("close", () => line.socket || (line.closed ??= 1006)); // an open socket tells its code itself
    if (line.behaviour.kind === "hang") return;
    if (line.behaviour.kind === "refuse") {
      stream.end(`HTTP/1.1 ${line.behaviour.status} No\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
      return;
    }
    this.#upgrades.handleUpgrade(request, stream, head, (socket: ServerSocket) => this.#serve(line, socket));
  }

  #serve(line: Line, socket: ServerSocket): void {
    line.socket = socket;
    socket.on("close", (code) => line.closed ??= code);
    if (line.behaviour.kind === "mute") return;
    socket.on("message", (data) => {
      const packet: Packet = JSON.parse(String(data));
      line.received.push(packet);
      this.#answer(line, packet);
    });
    if (line.behaviour.kind === "no_hello") return;
    const { heartbeatMs = 41_250 } = this.#options;
    const hello = "heartbeatMs" in this.#options ? this.#options.heartbeatMs : heartbeatMs;
    line.write({ op: OP.hello, d: { heartbeat_interval: hello }, s: null, t: null });
    if (line.behaviour.kind === "silent") socket.pause();
  }

  #answer(line: Line, packet: Packet): void {
    switch (packet.op) {
      case OP.heartbeat:
        if (line.behaviour.kind !== "no_acks") line.write({ op: OP.ack, d: null, s: null, t: null });
        break;
      case OP.identify:
      case OP.resume:
        this.#begin(line, packet);
        break;
      case OP.members:
        if (line.session && this.#options.answersMembers !== false) {
          for (const chunk of this.#sessions.chunks(packet)) this.#emit(line.session, "GUILD_MEMBERS_CHUNK", chunk);
        }
    }
  }

  #begin(line: Line, { op, d }: Packet): void {
    const { behaviour } = line;
    if (d["token"] !== `Bot ${BOT_TOKEN}`) return line.socket?.close(4004);
    if (behaviour.kind === "close") return line.socket?.close(behaviour.code);
    const known = op === OP.resume ? this.#sessions.find(String(d["session_id"])) : undefined;
    if (behaviour.kind === "invalid" || op === OP.resume && !known) {
      const resumable = behaviour.kind === "invalid" && behaviour.resumable;
      return line.write({ op: OP.invalid, d: resumable, s: null, t: null });
    }
    if (known) {
      line.session = known;
      for (const missed of known.since(Number(d["seq"]))) this.#write(line, missed);
      this.#emit(known, "RESUMED", {});
      return;
    }
    const session = this.#sessions.begin(d);
    line.session = session;
    this.#emit(session, "READY", this.#sessions.ready(session, `ws://127.0.0.1:${this.#port}/resume`));
    if (behaviour.kind === "ready_close") return line.socket?.close(behaviour.code);
    for (const guild of this.#sessions.guildsOf(session)) this.#emit(session, "GUILD_CREATE", guild);
  }

  #emit(session: FakeSession, type: string, data: unknown): void {
    const packet = session.number(type, data);
    for (const line of this.#open()) if (line.session === session) this.#write(line, packet);
  }

  #write(line: Line, packet: Packet): void {
    line.write(this.#options.change?.(packet) ?? packet);
  }
}
