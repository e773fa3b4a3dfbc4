import { type Env, ENVIRONMENT } from "../config/env.ts";
import { hostAndPort } from "../core/address.ts";
import { AgentError, EXIT } from "../core/errors.ts";
import { howToAllow, isAllowed } from "../core/sandbox.ts";
import { checkApiUrl, parseWebhookUrl, type WebhookAddress } from "../discord/webhook_url.ts";
import { isAddress } from "./post_options.ts";
import { usageError } from "./usage_error.ts";

const DEFAULT_NAME = "DISCORD_WEBHOOK_URL";

/**
 * The webhook to post to.
 * @param given what stands behind --webhook: an address, or the name of a variable that holds one
 * @throws AgentError (exit 64, 77 or 78) that says where the address comes from and what is wrong, never the address
 */
export function findWebhook(given: string | undefined, env: Env): WebhookAddress {
  const apiUrl = env.get("DISCORD_API_URL");
  const apiProblem = apiUrl === undefined ? undefined : checkApiUrl(apiUrl);
  if (apiProblem) throw unusable("DISCORD_API_URL", apiProblem);
  const isGiven = given !== undefined && isAddress(given);
  const name = given === undefined || isGiven ? DEFAULT_NAME : nameOf(given);
  const text = isGiven ? given : env.get(name);
  if (text === undefined) throw missing(name);
  const address = parseWebhookUrl(text, { apiUrl });
  if (!("problem" in address)) return address;
  if (!isGiven) throw unusable(name, address);
  throw usageError(`Cannot post to what --webhook names: ${address.problem}`, address.remedy);
}

/** @throws AgentError (exit 77) when the sandbox does not let this process reach the webhook */
export function requireReachable({ origin }: WebhookAddress): void {
  const host = hostAndPort(origin);
  if (isAllowed(host)) return;
  throw new AgentError(`Cannot talk to ${host}: the sandbox of this program does not allow it`, {
    exitCode: EXIT.permission,
    remedy: howToAllow(host) +
      (Deno.build.standalone ? "" : " (`deno task post` allows Discord alone: use `deno task agent post`.)"),
  });
}

function nameOf(given: string): string {
  if (/^[A-Za-z_]\w*$/.test(given)) return given;
  throw usageError(
    "--webhook is neither an address nor the name of a variable",
    `Leave it out to use ${DEFAULT_NAME}.`,
  );
}

function missing(name: string): AgentError {
  const isReadable = ENVIRONMENT.some((each) => each === name);
  return new AgentError(`There is no webhook: ${name} is not set`, {
    exitCode: EXIT.permission,
    remedy: isReadable
      ? `Put ${name}=https://discord.com/api/webhooks/… into .env: channel settings, Integrations, Webhooks.`
      : `Put it into .env: of the environment this program may read nothing but what its sandbox lists.`,
  });
}

function unusable(name: string, { problem, remedy }: { problem: string; remedy: string }): AgentError {
  return new AgentError(`Cannot use ${name}: ${problem}`, { exitCode: EXIT.config, remedy });
}
