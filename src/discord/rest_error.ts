import { AgentError, type AgentErrorOptions, EXIT, type ExitCode } from "../core/errors.ts";
import { readRefusal } from "./refusal.ts";

export interface RestErrorOptions extends AgentErrorOptions {
  readonly status?: number;
  readonly isFinal?: boolean;
  readonly code?: number | undefined;
}

/** A request that the REST API did not carry out, or perhaps did without saying so. */
export class RestError extends AgentError {
  override readonly name = "RestError";
  /** HTTP status; undefined when there was no answer. */
  readonly status: number | undefined;
  /** True when it will not do better before somebody changes something. */
  readonly isFinal: boolean;

  /** Discord's own code, where its answer has one. */
  readonly code: number | undefined;

  constructor(message: string, { status, isFinal = false, code, ...options }: RestErrorOptions) {
    super(message, options);
    this.code = code;
    this.status = status;
    this.isFinal = isFinal;
  }
}

/** Discord's codes that a bot can meet when it speaks. Source: Discord's API documentation, "JSON Error Codes". */
const MEANINGS: Readonly<Record<number, string>> = {
  10003: "there is no such channel (any more)",
  40001: "the bot is not authorized",
  50001: "the bot has no access to the channel",
  50006: "the message shows nothing",
  50007: "this person takes no messages from the bot",
  50008: "this cannot be done in a channel of that kind",
  50013: "the bot lacks a permission there",
  50035: "something in the message is malformed",
  50083: "the thread is archived",
  160005: "the thread is locked",
  200000: "the rules of the server (AutoMod) block it",
  240000: "Discord blocks a link in it as harmful",
};

/** The error of an answer after which nothing is tried again. Only codes and names of fields are taken from it. */
export function restRefusal(status: number, body: string, what: string): RestError {
  const { code, fields } = readRefusal(status, body);
  const known = code === undefined ? undefined : MEANINGS[code];
  const details = [status, ...(code === undefined ? [] : [`code ${code}`])].join(", ");
  const lines = fields.map((field) => `\n  ${field}`).join("");
  const general = meaningOf(status);
  return new RestError(`Discord refused ${what}: ${known ?? general.meaning} (${details})${lines}`, {
    exitCode: general.exitCode,
    remedy: general.remedy,
    status,
    isFinal: true,
    code,
  });
}

interface Meaning {
  readonly meaning: string;
  readonly exitCode: ExitCode;
  readonly remedy?: string;
}

function meaningOf(status: number): Meaning {
  if (status === 401) {
    return {
      meaning: "it does not accept the bot's token",
      exitCode: EXIT.permission,
      remedy: "Reset it in the developer portal (https://discord.com/developers/applications, Bot, Reset Token), " +
        "and write the new one into .env as DISCORD_BOT_TOKEN.",
    };
  }
  if (status === 403) return { meaning: "the bot is not permitted to do that", exitCode: EXIT.permission };
  if (status === 404) return { meaning: "there is no such thing there", exitCode: EXIT.data };
  if (status < 400) {
    return { meaning: "it sends elsewhere, and redirects are not followed", exitCode: EXIT.unavailable };
  }
  return { meaning: "no reason is given", exitCode: EXIT.data };
}
