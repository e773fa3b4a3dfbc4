/** Token and address as people copy them, made fit for use. */
import { AgentError, EXIT } from "../core/errors.ts";
import { RestError } from "./rest_error.ts";
import { checkApiUrl } from "./webhook_url.ts";

/**
 * The base of a REST API without a slash or a version at its end; undefined stands for Discord's own.
 * @throws AgentError (exit 78) when it is no address, or the token would go there for all to read
 */
export function readApiUrl(raw: string | undefined): string | undefined {
  const wrong = raw === undefined ? undefined : checkApiUrl(raw);
  if (wrong) {
    const message = `Cannot use DISCORD_API_URL: ${wrong.problem}`;
    throw new AgentError(message, { exitCode: EXIT.config, remedy: wrong.remedy });
  }
  return raw?.replace(/(\/v\d{1,3})?\/*$/, "");
}

/** A token without what is often copied along with it: quotes, and the word that goes before it in a header. */
export function trimToken(raw: string): string {
  return raw.trim().replace(/^(["'])(.*)\1$/s, "$2").trim().replace(/^Bot\s+/i, "");
}

/**
 * What a header cannot carry would make `fetch` throw, and quote it.
 * @throws RestError (exit 77)
 */
export function checkToken(token: string): void {
  if (/^[\x21-\x7e]+$/.test(token)) return;
  throw new RestError(`DISCORD_BOT_TOKEN ${token === "" ? "is empty" : "has characters that no token has"}`, {
    exitCode: EXIT.permission,
    remedy: "Copy the token anew: https://discord.com/developers/applications, Bot, Reset Token.",
  });
}

/** The error for an address behind which there is no API of Discord's. */
export function noApi(apiUrl: string, why: string): AgentError {
  return new AgentError(`There is no API of Discord's at ${apiUrl} (DISCORD_API_URL): ${why}`, {
    exitCode: EXIT.config,
    remedy: "Correct DISCORD_API_URL, or leave it out for Discord itself.",
  });
}
