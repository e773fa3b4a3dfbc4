import { loadEnv } from "../config/env.ts";
import { AgentError } from "../core/errors.ts";
import { DISCORD_HOSTS, revokeHosts, type Seal } from "../privacy/egress.ts";

/** The bot's token. Without one this process gives up the right to reach Discord, before anything connects. */
export async function readBotToken({ sandboxed }: Seal): Promise<string | undefined> {
  const token = await find();
  if (token === undefined && sandboxed) await revokeHosts(DISCORD_HOSTS);
  return token;
}

/** A `.env` that cannot be read has no token; whoever needs the rest of it says what is wrong. */
async function find(): Promise<string | undefined> {
  try {
    return (await loadEnv()).get("DISCORD_BOT_TOKEN");
  } catch (error) {
    if (error instanceof AgentError) return undefined;
    throw error;
  }
}
