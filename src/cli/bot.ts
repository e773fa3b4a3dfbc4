import { checkBaseUrl } from "../config/base_url.ts";
import { type Env, loadEnv } from "../config/env.ts";
import { AgentError, EXIT, withRemedy } from "../core/errors.ts";
import { createLog } from "../core/log.ts";
import { createLedger } from "../privacy/ledger.ts";
import { createAgentApi } from "./agent_api.ts";
import type { RunningBot } from "./agent.ts";
import { readApiToken } from "./api_token.ts";
import { type ApiCall, createRemoteCall } from "./chat_api.ts";
import { createCommand, option } from "./command.ts";
import { tell } from "./output.ts";
import { claimDataFolder } from "./pid_file.ts";
import { GRACE_MS, listenForStop, STOPPING } from "./stop.ts";
import { usageError } from "./usage_error.ts";

const DEFAULT_API = "http://127.0.0.1:8000";
const REMEDY = "Start `serve` there, or say with --api where it is.";

interface BotOptions {
  readonly api: string;
}

/** `bot`: only the Discord bot; the agent is a running `serve`. */
export const bot = createCommand<BotOptions>({
  brief: "Take part in Discord's conversations, with the agent of a running `serve`",
  options: {
    api: option("<url>", "where `serve` is", { parse: parseApi, fallback: DEFAULT_API }),
  },
  notes: "It needs DISCORD_BOT_TOKEN in .env. When, and to whom, it speaks is in config/discord.json.",
  examples: ["django-agent bot --api http://127.0.0.1:8000"],
  async run(session, { api }) {
    using _claim = claimDataFolder(session.options.data);
    const env = await loadEnv();
    using stop = listenForStop();
    const token = requireBotToken(env);
    using ledger = createLedger({ path: `${session.options.data}/egress.json`, log: createLog({ write: tell }) });
    const call = createRemoteCall({ origin: api, token: readApiToken(env), ledger, remedy: REMEDY });
    await using running = await session.startBot({
      token,
      env,
      ledger,
      api: createAgentApi(call),
      status: () => "django-agent bot",
    });
    tell(`bot       connecting; its agent is at ${api}`);
    await warnWhenAway(call, stop.signal);
    await untilOver(running, stop.signal);
    tell(STOPPING);
    await running.stop(GRACE_MS);
  },
});

/** Says at once what would come out with the first question; the agent may still come. */
async function warnWhenAway(call: ApiCall, signal: AbortSignal): Promise<void> {
  try {
    await createAgentApi(call).sees(signal);
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    tell(`bot       ${withRemedy(error.message, error.remedy)}`);
  }
}

/** @throws AgentError (exit 77) */
function requireBotToken(env: Env): string {
  const token = env.get("DISCORD_BOT_TOKEN");
  if (token !== undefined) return token;
  throw new AgentError("There is no bot: DISCORD_BOT_TOKEN is not set", {
    exitCode: EXIT.permission,
    remedy: "Put it into .env: discord.com/developers/applications, your application, Bot, Reset Token.",
  });
}

/** Resolves when it is to stop. @throws AgentError when the bot cannot go on */
export async function untilOver({ failed }: RunningBot, signal: AbortSignal): Promise<void> {
  const stopped = new Promise<undefined>((resolve) => {
    if (signal.aborted) resolve(undefined);
    else signal.addEventListener("abort", () => resolve(undefined), { once: true });
  });
  const failure = await Promise.race([failed, stopped]);
  if (failure) throw failure;
}

function parseApi(text: string): string {
  const problem = checkBaseUrl(text, { local: true });
  if (!problem) return new URL(text).origin;
  throw usageError(
    `Cannot use --api: ${problem.message}`,
    `Give the address that \`serve\` names, like ${DEFAULT_API}.`,
  );
}
