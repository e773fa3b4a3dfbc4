import { AgentError, EXIT } from "../core/errors.ts";
import { readNetworkError } from "../providers/network_error.ts";

/** What is needed to take up a session where its connection broke off. */
export interface Session {
  readonly id: string;
  /** Number of the last event that came; null before the first. */
  readonly sequence: number | null;
  /** Where Discord wants it taken up; undefined for where every session begins. */
  readonly url: string | undefined;
}

/** Why a connection is over. */
export type Down =
  | { readonly kind: "closed"; readonly code: number }
  /** It never came about. */
  | { readonly kind: "unreachable"; readonly cause: unknown }
  /** Open, but nobody answers the heartbeats. */
  | { readonly kind: "silent" }
  /** Not ready in the time it had. */
  | { readonly kind: "late" }
  /** Discord asks for another connection. */
  | { readonly kind: "asked" }
  | { readonly kind: "invalid"; readonly resumable: boolean }
  | { readonly kind: "stopped" };

/** How far a connection got. */
export interface Course {
  /** True when it was meant to take up a session. */
  readonly resuming: boolean;
  readonly opened: boolean;
  /** True when it was READY or RESUMED. */
  readonly wasUp: boolean;
  /** How many connections before this one could not take up the same session, though they were open. */
  readonly strikes: number;
}

/** What becomes of the session; `elsewhere`: it is kept, but not the address it had of its own. */
export type Fate = "keep" | "elsewhere" | "drop";

/** Codes after which Discord knows the session no more: not authenticated, invalid sequence, session timed out. */
const ENDS_SESSION = new Set([4003, 4007, 4009]);
const MOST_STRIKES = 2;

/** Decides whether the session can be taken up again. */
export function fateOf(down: Down, { resuming, opened, wasUp, strikes }: Course): Fate {
  if (down.kind === "closed" && ENDS_SESSION.has(down.code)) return "drop";
  if (down.kind === "invalid") return down.resumable && strikes < MOST_STRIKES ? "keep" : "drop";
  if (!resuming || wasUp) return "keep";
  if (!opened) return "elsewhere";
  // Some servers fall silent or hang up instead of saying that they know no such session.
  return strikes + 1 >= MOST_STRIKES ? "drop" : "keep";
}

interface Ending {
  readonly message: string;
  readonly remedy: string;
  readonly exitCode: AgentError["exitCode"];
}

const REPORT = "This is a fault of this program: please report it.";
/** Codes after which Discord forbids another try. Source: Discord's documentation, "Gateway Close Event Codes". */
const ENDINGS: Readonly<Record<number, Ending>> = {
  4004: {
    message: "Discord does not accept the bot's token",
    remedy: "Reset it in the developer portal (https://discord.com/developers/applications, Bot, Reset Token), " +
      "and write the new one into .env as DISCORD_BOT_TOKEN.",
    exitCode: EXIT.permission,
  },
  4010: { message: "Discord knows no such shard", remedy: REPORT, exitCode: EXIT.internal },
  4011: {
    message: "The bot is in more servers than its connections may carry",
    remedy: "Start it again: it asks Discord anew how many connections it needs.",
    exitCode: EXIT.tempfail,
  },
  4012: {
    message: "Discord has given up the version of the gateway that this program speaks",
    remedy: "Update the program.",
    exitCode: EXIT.unavailable,
  },
  4013: { message: "Discord does not know the intents that were asked for", remedy: REPORT, exitCode: EXIT.internal },
  4014: {
    message: "Discord does not grant this bot the intents that were asked for",
    remedy: "Enable Server Members Intent and Message Content Intent in the developer portal " +
      "(https://discord.com/developers/applications, Bot).",
    exitCode: EXIT.permission,
  },
};

/** Discord has closed a connection in a way that forbids another try of the same kind. */
export class ClosedForGood extends AgentError {
  readonly code: number;

  constructor(code: number, ending: Ending) {
    super(`${ending.message} (code ${code})`, ending);
    this.code = code;
  }

  /** True when fewer intents may do. */
  get wantsFewerIntents(): boolean {
    return this.code === 4014;
  }
}

/** The error of an end after which there must be no other try; undefined when there may. */
export function fatalError(down: Down): ClosedForGood | undefined {
  const ending = down.kind === "closed" ? ENDINGS[down.code] : undefined;
  return down.kind === "closed" && ending ? new ClosedForGood(down.code, ending) : undefined;
}

/** Why a connection is over, for the log. Nothing of what the other end wrote is repeated. */
export function describeDown(down: Down): string {
  switch (down.kind) {
    case "closed":
      return down.code === 1006 ? "broken off" : `closed with code ${down.code}`;
    case "unreachable":
      return readNetworkError(down.cause).reason ?? "cannot be reached";
    case "silent":
      return "no answer to the heartbeat";
    case "late":
      return "not ready in time";
    case "asked":
      return "Discord asks for another connection";
    case "invalid":
      return "the session is not valid";
    case "stopped":
      return "stopped";
  }
}

export interface BackOffOptions {
  /** The pause after the first failure at most, in milliseconds; each further one is twice as long. Default 1000. */
  readonly firstMs?: number;
  /** The longest pause, in milliseconds. Default 60,000. */
  readonly mostMs?: number;
  /** From 0 up to 1; for tests. */
  readonly random?: () => number;
}

/**
 * How long to wait before the next try, by how many failed in a row before: half of the pause for certain, and a random
 * part of the other half, so that all the bots that lost Discord at one moment do not come back at one moment.
 */
export function createBackOff(
  { firstMs = 1000, mostMs = 60_000, random = Math.random }: BackOffOptions = {},
): (failures: number) => number {
  return (failures) => Math.min(mostMs, firstMs * 2 ** Math.min(failures, 20)) * (1 + random()) / 2;
}
