import { AgentError, describeFault, EXIT } from "../core/errors.ts";
import { formatDuration } from "../core/format.ts";
import { inTime } from "../core/in_time.ts";
import type { Log } from "../core/log.ts";
import { once } from "../core/once.ts";
import { pause } from "../core/pause.ts";
import { checkToken, noApi, readApiUrl, trimToken } from "./bot_access.ts";
import type { ConnectionRecorder } from "./count_traffic.ts";
import { Dispatcher } from "./dispatcher.ts";
import type { DiscordEvents } from "./events.ts";
import { type GatewayInfo, readGatewayInfo } from "./gateway_info.ts";
import { IdentifyGate } from "./identify_gate.ts";
import { type IntentChoice, readGrantedIntents } from "./intents.ts";
import { keepConnected } from "./keep_connected.ts";
import { MemberRequests } from "./member_requests.ts";
import { ClosedForGood, createBackOff } from "./reconnect.ts";
import { createDiscordRest, type DiscordRest } from "./rest.ts";
import { RestError } from "./rest_error.ts";
import { RestRequests } from "./rest_requests.ts";
import { createSeen } from "./seen.ts";
import type { ShardSocket } from "./shard_socket.ts";

export interface GatewayOptions {
  readonly token: string;
  /** Base of the REST API (`DISCORD_API_URL`), `https://discord.com/api` by default; a version at its end is left off. */
  readonly apiUrl?: string | undefined;
  readonly events: DiscordEvents;
  readonly log: Log;
  /** What to ask Discord for beyond what every bot gets; by default what it grants, and the content in any case. */
  readonly intents?: Partial<IntentChoice>;
  /** `DiscordBot (url, version)`, as Discord wants it. */
  readonly userAgent?: string;
  /** Told of every REST request and of what goes over every connection. */
  readonly ledger?: ConnectionRecorder;
  /** From 0 up to 1; for tests. */
  readonly random?: () => number;
  readonly times?: Partial<GatewayTimes>;
}

/** Waits, in milliseconds; tests make them short. */
export interface GatewayTimes {
  /** Pause after the first failure at most; each further one is twice as long. Default 1000. */
  readonly firstPauseMs: number;
  /** Longest pause between two tries. Default 60,000. */
  readonly mostPauseMs: number;
  /** A connection that is not ready after this is given up for another. Default 60,000. */
  readonly watchdogMs: number;
  /** A connection that held so long makes up for all failures before. Default 30,000. */
  readonly stableMs: number;
  /** Between two new sessions. Default 5000. */
  readonly identifyGapMs: number;
  /** How long a REST request may take. Default 15,000. */
  readonly requestMs: number;
  /** The longest wait for a rate limit. Default 60,000. */
  readonly mostLimitMs: number;
  /** How long a message waits for a Discord that is away. Default 180,000. */
  readonly patienceMs: number;
  /** Between two requests for the members of one server. Default 30,000. */
  readonly membersGapMs: number;
  /** How long the next part of a list of members may take. Default 15,000. */
  readonly membersMs: number;
  /** How long the other end may take to answer the end of a connection; `stop()` waits for that. Default 1000. */
  readonly closeMs: number;
}

/** `reconnecting`: it was ready, and at least one of its connections is not any more. */
export type GatewayState = "connecting" | "ready" | "reconnecting" | "failed" | "stopped";

/** The bot's connection to Discord: kept up until it is stopped, or until Discord forbids it for good. */
export interface Gateway {
  /**
   * Connects, however long that takes; resolves once every shard is READY.
   * @throws AgentError when there is no hope (`failed` says the same), or when it is stopped before
   */
  start(): Promise<void>;
  readonly state: GatewayState;
  /** Resolves, with the reason, when there is no hope any more. */
  readonly failed: Promise<AgentError>;
  /** Can be used from the beginning, and until `stop()`. */
  readonly rest: DiscordRest;
  /** Ends everything, in three seconds at most; nothing is left running. */
  stop(): Promise<void>;
}

/**
 * Makes a gateway; it does nothing before `start()`, and loads the bot library only then or for a REST request.
 * @throws AgentError when `apiUrl` is an address where the token must not go
 */
export function createGateway(options: GatewayOptions): Gateway {
  return new BotGateway(options);
}

const DEFAULT_USER_AGENT = "DiscordBot (https://django-agent.invalid, 1)";
const STOP_MS = 3000;
const CLOSE_MS = 1000;
const STABLE_MS = 30_000;
const WATCHDOG_MS = 60_000;
/** How many ids of events are remembered at least, in about a megabyte; what Discord repeats, it sent not long before. */
const LEAST_SEEN = 5000;
/** `Request Guild Members` of Discord's gateway. */
const REQUEST_MEMBERS = 8;

const NO_MEMBERS = "Discord does not grant this bot the Server Members Intent: it knows only those who have written\n" +
  "→ Switch it on in the developer portal (https://discord.com/developers/applications, Bot), and start it again.";

interface ShardToKeep {
  readonly shardId: number;
  readonly info: GatewayInfo;
  readonly gate: IdentifyGate;
  readonly createShardSocket: typeof import("./shard_socket.ts").createShardSocket;
}

class BotGateway implements Gateway {
  readonly rest: DiscordRest;
  readonly start = once(() => this.#start());
  readonly #options: GatewayOptions;
  readonly #token: string;
  readonly #requests: RestRequests;
  readonly #seen = createSeen(LEAST_SEEN);
  readonly #stopping = new AbortController();
  readonly #failed = Promise.withResolvers<AgentError>();
  readonly #ready = Promise.withResolvers<void>();
  readonly #up = new Set<number>();
  #intents: IntentChoice = { members: true, presences: false, content: true };
  #state: GatewayState = "connecting";
  #failure: AgentError | undefined;
  #total = 0;
  #running: Promise<unknown> = Promise.resolve();

  constructor(options: GatewayOptions) {
    const { apiUrl, userAgent = DEFAULT_USER_AGENT, ledger, times = {} } = options;
    this.#options = options;
    this.#token = trimToken(options.token);
    this.#requests = new RestRequests({
      token: this.#token,
      apiUrl: readApiUrl(apiUrl),
      userAgent,
      ledger,
      signal: this.#stopping.signal,
      ...(times.requestMs !== undefined && { timeoutMs: times.requestMs }),
      ...(times.mostLimitMs !== undefined && { mostWaitMs: times.mostLimitMs }),
      backOff: { ...(times.firstPauseMs !== undefined && { firstMs: times.firstPauseMs / 2 }), ...this.#random },
    });
    const { patienceMs } = times;
    this.rest = createDiscordRest(this.#requests, patienceMs === undefined ? {} : { patienceMs });
  }

  get state(): GatewayState {
    return this.#state;
  }

  get failed(): Promise<AgentError> {
    return this.#failed.promise;
  }

  async stop(): Promise<void> {
    if (this.#state !== "failed") this.#state = "stopped";
    this.#stopping.abort();
    await inTime(STOP_MS, this.#running);
  }

  async #start(): Promise<void> {
    const running = this.#run();
    this.#running = running.catch(() => {});
    await Promise.race([running, this.#ready.promise]);
  }

  /** Comes to an end only with the whole gateway: it throws what there is no hope after, and when it is stopped. */
  async #run(): Promise<never> {
    try {
      checkToken(this.#token);
      const { createShardSocket } = await import("./shard_socket.ts");
      const info = await this.#findGateway();
      const gate = new IdentifyGate(info.limit, this.#options.log, this.#options.times?.identifyGapMs);
      this.#total = info.shards;
      this.#intents = await this.#chooseIntents();
      const shards = Array.from({ length: info.shards }, (_, shardId) => shardId);
      await Promise.all(shards.map(async (shardId) => {
        const fatal = await this.#keepShard({ shardId, info, gate, createShardSocket });
        if (fatal) this.#fail(fatal); // at once: the others are to end, too
      }));
    } catch (error) {
      if (!this.#stopping.signal.aborted) this.#fail(error instanceof AgentError ? error : internal(error));
    }
    throw this.#failure ?? stopped();
  }

  /** Asks where the gateway is until somebody knows. */
  async #findGateway(): Promise<GatewayInfo> {
    const { signal } = this.#stopping;
    const backOff = createBackOff(this.#backOff);
    for (let failures = 0;; failures++) {
      try {
        return await readGatewayInfo(this.#requests);
      } catch (error) {
        if (!(error instanceof RestError)) throw error;
        if (isHopeless(error)) throw this.#withAddress(error);
        if (signal.aborted) throw stopped();
        const pauseMs = backOff(failures);
        this.#options.log.warn(`${error.message}; the next try is in ${formatDuration(pauseMs)}`);
        if (!await pause(pauseMs, signal)) throw stopped();
      }
    }
  }

  /** An address of one's own may be the wrong one. */
  #withAddress(error: RestError): AgentError {
    const { apiUrl } = this.#options;
    return error.status === 404 && apiUrl !== undefined ? noApi(apiUrl, error.message) : error;
  }

  /**
   * Where the server does not say what it grants, members are asked for: `#keepShard()` does without if need be.
   * @throws RestError when it grants too little
   */
  async #chooseIntents(): Promise<IntentChoice> {
    const { members = true, presences = false, content = true } = await readGrantedIntents(this.#requests) ?? {};
    if (!content) throw noContent();
    if (!members) this.#options.log.warn(NO_MEMBERS);
    return { members, presences: members && presences, content: true, ...this.#options.intents };
  }

  /** @returns the error after which there must be no other try */
  async #keepShard(shard: ShardToKeep): Promise<AgentError | undefined> {
    for (;;) {
      const asked = this.#intents;
      const failure = await this.#keepShardWith(asked, shard);
      if (!(failure instanceof ClosedForGood) || !failure.wantsFewerIntents || !asked.members) return failure;
      if (this.#intents.members) this.#options.log.warn(NO_MEMBERS); // for another shard it may have come out before
      this.#intents = { ...asked, members: false, presences: false };
    }
  }

  async #keepShardWith(
    intents: IntentChoice,
    { shardId, info: { url, shards: totalShards }, gate, createShardSocket }: ShardToKeep,
  ): Promise<AgentError | undefined> {
    const { log, ledger, times = {} } = this.#options;
    const { members, presences } = intents;
    let current: ShardSocket | undefined;
    const about = { query: "", limit: 0, ...(presences && { presences }) };
    const ask = (guildId: string) => current?.sendPacket(REQUEST_MEMBERS, { guild_id: guildId, ...about }) ?? false;
    const requests = new MemberRequests({
      ask,
      log,
      ...(times.membersGapMs !== undefined && { gapMs: times.membersGapMs }),
      ...(times.membersMs !== undefined && { answerMs: times.membersMs }),
    });
    const dispatcher = new Dispatcher({
      events: this.#options.events,
      log,
      seen: this.#seen,
      onGuild: (guildId) => members && requests.want(guildId),
      onGuildGone: (guildId) => requests.forget(guildId),
      onMembers: (guildId, isLast) => requests.received(guildId, isLast),
    });
    const { watchdogMs: readyWithinMs = WATCHDOG_MS, stableMs = STABLE_MS, closeMs = CLOSE_MS } = times;
    const connection = { shardId, totalShards, token: this.#token, intents, url, readyWithinMs, closeMs, ledger, log };
    return await keepConnected({
      shardId,
      url,
      gate,
      log,
      stableMs,
      backOff: this.#backOff,
      createSocket: (session, onUp) =>
        createShardSocket({ ...connection, session, onUp, onDispatch: (each) => dispatcher.dispatch(each) }),
      onUp: (socket) => {
        current = socket;
        this.#shardUp(shardId);
        requests.connected();
      },
      onDown: () => {
        current = undefined;
        this.#shardDown(shardId);
        requests.disconnected();
      },
    }, this.#stopping.signal);
  }

  #shardUp(shardId: number): void {
    this.#up.add(shardId);
    if (this.#up.size < this.#total || this.#stopping.signal.aborted) return;
    this.#state = "ready";
    this.#ready.resolve();
  }

  #shardDown(shardId: number): void {
    this.#up.delete(shardId);
    if (this.#state === "ready") this.#state = "reconnecting";
  }

  #fail(error: AgentError): void {
    if (this.#stopping.signal.aborted) return;
    this.#state = "failed";
    this.#failure = error;
    this.#failed.resolve(error);
    this.#stopping.abort();
  }

  get #random(): { random?: () => number } {
    const { random } = this.#options;
    return random ? { random } : {};
  }

  get #backOff() {
    const { firstPauseMs: firstMs, mostPauseMs: mostMs } = this.#options.times ?? {};
    return {
      ...(firstMs !== undefined && { firstMs }),
      ...(mostMs !== undefined && { mostMs }),
      ...this.#random,
    };
  }
}

/** True for what will not do better by itself: a wrong token, a wrong address, a closed sandbox. */
function isHopeless({ status, isFinal }: RestError): boolean {
  return isFinal && (status === undefined || status === 401 || status === 404);
}

function noContent(): RestError {
  return new RestError("Discord does not grant this bot the Message Content Intent: it would not hear what is said", {
    exitCode: EXIT.permission,
    remedy: "Switch it on in the developer portal (https://discord.com/developers/applications, Bot).",
  });
}

function internal(error: unknown): AgentError {
  return new AgentError(`The connection to Discord failed: ${describeFault(error)}`, { exitCode: EXIT.internal });
}

function stopped(): RestError {
  return new RestError("Stopped", { exitCode: EXIT.interrupted });
}
