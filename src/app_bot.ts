/** Composition root of the bot. A file of its own: a bot whose agent is elsewhere has no use for what `app.ts` builds. */
import type { BotStart, RunningBot } from "./cli/agent.ts";
import { createRunLog } from "./cli/run_log.ts";
import { DISCORD_USER_AGENT } from "./cli/version.ts";
import { DiscordFile } from "./config/discord_file.ts";
import { describeFault } from "./core/errors.ts";
import { inTime } from "./core/in_time.ts";
import { DiscordBot } from "./discord/bot.ts";
import { createDownload } from "./discord/download.ts";
import { createGateway, type Gateway } from "./discord/gateway.ts";
import { createSenders } from "./providers/senders.ts";

/** What is being sent when the bot is to stop may take so long: Discord's rate limits last up to a minute. */
const SENDING_MS = 2000;

/** Wires the bot together and has it connect. @throws ConfigError when discord.json cannot be used */
export async function startBot({ token, env, ledger, api, configDir, status }: BotStart): Promise<RunningBot> {
  const log = createRunLog(env);
  const apiUrl = env.get("DISCORD_API_URL");
  const file = await DiscordFile.open({
    dir: configDir,
    warn: (message, remedy) => log.warn(`${message}\n→ ${remedy}`),
  });
  const bot = new DiscordBot({
    api,
    // The gateway tells the bot what happens, and the bot asks the gateway to send: one has to come first.
    rest: {
      post: (...message) => gateway.rest.post(...message),
      typing: (...sign) => gateway.rest.typing(...sign),
      defer: (interaction) => gateway.rest.defer(interaction),
      answer: (...answer) => gateway.rest.answer(...answer),
      register: (...command) => gateway.rest.register(...command),
    },
    settings: () => file.current,
    download: createDownload({ senderOf: createSenders(), ledger, apiUrl }),
    status,
    log,
  });
  const gateway: Gateway = createGateway({
    token,
    apiUrl,
    events: bot,
    log,
    ledger,
    userAgent: DISCORD_USER_AGENT,
  });
  const watching = new AbortController();
  const watched = file.watch(watching.signal)
    .catch((error) => log.error(`discord.json is no longer watched: ${describeFault(error)}`));
  gateway.start().catch(() => {}); // `failed` says why
  const stop = async (graceMs: number) => {
    watching.abort();
    const quiet = bot.stop(graceMs);
    await inTime(graceMs + SENDING_MS, quiet);
    await gateway.stop(); // gives up what is still being sent
    await quiet;
    await watched;
  };
  return {
    get state() {
      return gateway.state;
    },
    failed: gateway.failed,
    stop,
    [Symbol.asyncDispose]: () => stop(0),
  };
}
