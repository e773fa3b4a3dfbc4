/** A gateway connected to a fake Discord, with everything it tells. */
import assert from "node:assert/strict";
import type { DiscordEvents } from "../../src/discord/events.ts";
import { createGateway, type Gateway, type GatewayOptions } from "../../src/discord/gateway.ts";
import { BOT_TOKEN, type FakeGateway, type FakeGatewayOptions, startFakeGateway } from "../support/fake_gateway.ts";

export type EventName = keyof DiscordEvents;
type Args<Name extends EventName> = Parameters<DiscordEvents[Name]>;

export interface Scene extends AsyncDisposable {
  readonly fake: FakeGateway;
  readonly gateway: Gateway;
  /** The handlers that take notes. */
  readonly events: DiscordEvents;
  /** Lines of the log, `level message`. */
  readonly lines: readonly string[];
  /** What a handler was called with, call by call. */
  told<Name extends EventName>(name: Name): Args<Name>[];
  /** Names of the handlers in the order they were called. */
  readonly order: readonly EventName[];
}

export interface SceneOptions extends FakeGatewayOptions, Omit<Partial<GatewayOptions>, "events" | "log" | "apiUrl"> {
  /** What handlers do besides taking notes. */
  readonly react?: (name: EventName) => unknown;
  /** What stands behind the address of the API. */
  readonly apiUrlEnd?: string;
}

/** In every message that a test sends; no log may repeat it. */
export const SECRET = "SECRET-CONTENT";

/** Everything happens at once unless a test says otherwise. */
export const TIMES = {
  firstPauseMs: 4,
  mostPauseMs: 20,
  watchdogMs: 20_000,
  stableMs: 60_000,
  identifyGapMs: 1,
  closeMs: 50,
  patienceMs: 0,
};

export async function setScene(options: SceneOptions = {}): Promise<Scene> {
  const fake = await startFakeGateway(options);
  const lines: string[] = [];
  const calls: { readonly name: EventName; readonly args: unknown }[] = [];
  const at = (level: string) => (message: string) => void lines.push(`${level} ${message}`);
  const note = <Name extends EventName>(name: Name) => (...args: Args<Name>) => {
    calls.push({ name, args });
    return options.react?.(name) as void;
  };
  const events: DiscordEvents = {
    ready: note("ready"),
    guild: note("guild"),
    guildGone: note("guildGone"),
    channel: note("channel"),
    channelGone: note("channelGone"),
    members: note("members"),
    memberGone: note("memberGone"),
    presences: note("presences"),
    message: note("message"),
    messageEdited: note("messageEdited"),
    messagesDeleted: note("messagesDeleted"),
    command: note("command"),
  };
  const gateway = createGateway({
    token: BOT_TOKEN,
    ...options,
    apiUrl: `${fake.apiUrl}${options.apiUrlEnd ?? ""}`,
    log: { error: at("error"), warn: at("warn"), info: at("info"), debug: at("debug") },
    times: { ...TIMES, ...options.times },
    events,
  });
  return {
    fake,
    gateway,
    events,
    lines,
    told: <Name extends EventName>(name: Name) =>
      calls.filter((call) => call.name === name).map(({ args }) => args as Args<Name>),
    get order() {
      return calls.map(({ name }) => name);
    },
    async [Symbol.asyncDispose]() {
      await gateway.stop();
      await fake[Symbol.asyncDispose]();
      // Whatever a test is about: what a log must never hold is in none.
      for (const line of lines) assert.ok(!line.includes(BOT_TOKEN) && !line.includes(SECRET), line);
    },
  };
}

/** A scene that is connected. */
export async function connectedScene(options: SceneOptions = {}): Promise<Scene> {
  const scene = await setScene(options);
  await scene.gateway.start();
  return scene;
}

/** Waits until something is so. */
export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 2));
}

let lastId = 5_234_567_890_123_456_789n;

/** A message as the gateway sends it. */
export function rawMessage(content: string, changes: object = {}): Readonly<Record<string, unknown>> & { id: string } {
  return {
    id: String(++lastId),
    channel_id: "2234567890123456789",
    guild_id: "4194304",
    author: { id: "777", username: "ana", global_name: "Ana" },
    member: { nick: "Anita", roles: ["42"] },
    content: `${content} ${SECRET}`,
    timestamp: "2026-11-29T08:00:00.000000+00:00",
    edited_timestamp: null,
    mentions: [],
    mention_roles: [],
    mention_everyone: false,
    attachments: [],
    type: 0,
    ...changes,
  };
}
