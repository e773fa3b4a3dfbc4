import { DiscordFile } from "../config/discord_file.ts";
import type { Env } from "../config/env.ts";
import { AgentError, EXIT } from "../core/errors.ts";
import type { BotInspection, GuildInspection } from "../discord/inspect.ts";
import type { Ledger } from "../privacy/ledger.ts";
import { fail, failWith, type Finding, ok, warn } from "./doctor_finding.ts";
import { DISCORD_USER_AGENT } from "./version.ts";

export interface BotCheckOptions {
  readonly env: Env;
  readonly configDir: string;
  readonly ledger: Ledger;
  /** How long one request may take, in milliseconds. */
  readonly answerMs?: number | undefined;
}

const PORTAL = "https://discord.com/developers/applications";

/** The Discord bot: its settings, its token, what it may see, and where it may speak. */
export async function* checkBot({ env, configDir, ledger, answerMs = 5000 }: BotCheckOptions): AsyncGenerator<Finding> {
  const token = env.get("DISCORD_BOT_TOKEN");
  if (token === undefined) {
    yield ok("bot", "none: DISCORD_BOT_TOKEN is not set");
    return;
  }
  try {
    await DiscordFile.open({ dir: configDir, warn: () => {} });
    yield ok("bot settings", "discord.json can be used");
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    yield failWith("bot settings", error);
  }
  yield* askDiscord(token, { env, ledger, answerMs });
}

interface Asking {
  readonly env: Env;
  readonly ledger: Ledger;
  readonly answerMs: number;
}

async function* askDiscord(rawToken: string, { env, ledger, answerMs }: Asking): AsyncGenerator<Finding> {
  const [{ checkToken, noApi, readApiUrl, trimToken }, { RestRequests }, { inspectBot }] = await Promise.all([
    import("../discord/bot_access.ts"),
    import("../discord/rest_requests.ts"),
    import("../discord/inspect.ts"),
  ]);
  const stop = new AbortController();
  try {
    const [token, apiUrl] = [trimToken(rawToken), readApiUrl(env.get("DISCORD_API_URL"))];
    checkToken(token);
    const requests = new RestRequests({
      token,
      apiUrl,
      userAgent: DISCORD_USER_AGENT,
      ledger,
      signal: stop.signal,
      timeoutMs: answerMs,
      mostWaitMs: answerMs,
    });
    yield* describe(await inspectBot(requests));
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    const apiUrl = env.get("DISCORD_API_URL");
    if (apiUrl !== undefined && error.exitCode !== EXIT.permission && error.exitCode !== EXIT.config) {
      yield failWith("bot", noApi(apiUrl, error.message));
    } else {yield fail(
        "bot",
        error.message,
        error.remedy ?? "Check the network connection, and run it again.",
        error.exitCode,
      );}
  } finally {
    stop.abort();
  }
}

function* describe({ name, seesContent, seesMembers, invitation, guilds }: BotInspection): Generator<Finding> {
  yield ok("bot", `${name}; let it into a server with ${invitation}`);
  const intents = `${PORTAL}, Bot, Privileged Gateway Intents`;
  if (!seesContent) {
    yield fail(
      "bot intents",
      "it may not see what people write",
      `Switch on Message Content: ${intents}.`,
      EXIT.permission,
    );
  }
  if (!seesMembers) {
    yield warn("bot intents", "it does not know who is there", `Switch on Server Members: ${intents}.`);
  }
  if (guilds.length === 0) yield warn("bot servers", "it is in no server", `Open the address above: ${invitation}`);
  for (const guild of guilds) yield describeGuild(guild);
}

function describeGuild({ name, usable, mute }: GuildInspection): Finding {
  const where = `bot in ${name}`;
  const allowed = "Allow its role View Channel, Send Messages and Read Message History there.";
  if (usable === 0) return warn(where, "it can speak in no channel", allowed);
  const count = usable === 1 ? "1 channel" : `${usable} channels`;
  if (mute.length === 0) return ok(where, `it can read and write in ${count}`);
  const names = mute.slice(0, 10).map((channel) => `#${channel}`).join(", ");
  return warn(where, `it can speak in ${count}, but not in ${names}${mute.length > 10 ? ", …" : ""}`, allowed);
}
