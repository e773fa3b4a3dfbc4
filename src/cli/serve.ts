import { isLoopback } from "../core/address.ts";
import { AgentError, EXIT, withRemedy } from "../core/errors.ts";
import type { Agent, RunningBot } from "./agent.ts";
import { readApiToken } from "./api_token.ts";
import { createLocalCall } from "./chat_api.ts";
import { createCommand, option } from "./command.ts";
import { readBotToken } from "./discord_token.ts";
import { tell } from "./output.ts";
import { claimDataFolder } from "./pid_file.ts";
import type { Session } from "./session.ts";
import { GRACE_MS, listenForStop, STOPPING } from "./stop.ts";
import { VERSION } from "./version.ts";

interface ServeOptions {
  readonly host?: string;
  readonly port?: number;
  readonly profile?: string;
}

/** `serve`: the HTTP API, until it is stopped. */
export const serve = createCommand<ServeOptions>({
  brief: "Serve the page, the HTTP API and the OpenAI-compatible endpoint; what the program does without a command",
  options: {
    host: option("<address>", "address to listen on; default: server.host of models.json, 127.0.0.1", {
      parse: parseHost,
    }),
    port: option("<number>", "port to listen on; default: server.port of models.json, 8000", { parse: parsePort }),
    profile: option("<name>", "use this profile until another is chosen"),
  },
  examples: ["django-agent serve --port 8080", "curl http://127.0.0.1:8080/health"],
  async run(session, { host, port, profile }) {
    using _claim = claimDataFolder(session.options.data);
    const botToken = await readBotToken(session.seal);
    await using agent = await session.open({ profile, watch: true });
    using stop = listenForStop();
    const { server } = agent.config.models;
    const hostname = host ?? server.host;
    const token = tokenOf(agent, hostname);
    await agent.chat.prepare();
    await using bot = botToken === undefined ? undefined : await startBot(session, agent, botToken);
    bot?.failed.then((error) => tell(`bot       given up: ${withRemedy(error.message, error.remedy)}`));
    const { startServer } = await import("../http/server.ts");
    const running = await startServer({
      program: agent,
      version: VERSION,
      hostname,
      port: port ?? server.port,
      token,
      botState: () => bot?.state ?? "off",
      allowedHosts: server.allowed_hosts,
      allowedOrigins: server.allowed_origins,
    });
    announce(agent, running.origin, { isGuarded: token !== undefined, hasBot: botToken !== undefined });
    const vectors = agent.memory.vectors.run(stop.signal);
    await untilAborted(stop.signal);
    tell(STOPPING);
    await Promise.all([running.stop(GRACE_MS), bot?.stop(GRACE_MS)]);
    await vectors;
  },
});

/** The bot of this process, whose agent is this process. */
async function startBot(session: Session, agent: Agent, token: string): Promise<RunningBot> {
  const { createLocalApi } = await import("../http/local_api.ts");
  const { createAgentApi } = await import("./agent_api.ts");
  const { env, ledger } = agent;
  const api = createAgentApi(createLocalCall(createLocalApi(agent)));
  const status = () => `django-agent ${VERSION}, ${agent.router.snapshot.profile.name}`;
  return await session.startBot({ token, env, ledger, api, status });
}

interface Announced {
  /** True when requests need a token. */
  readonly isGuarded: boolean;
  readonly hasBot: boolean;
}

function announce(agent: Agent, origin: string, { isGuarded, hasBot }: Announced): void {
  const { profile } = agent.router.snapshot;
  const { sealed, sandboxed } = agent.seal;
  const { origin: shared, problem } = agent.usage.sharing;
  const stored = agent.usage.local ? agent.usage.path : `${agent.usage.path} cannot be used; usage waits beside it`;
  tell(`django-agent ${VERSION} at ${origin}${isGuarded ? ", with a token" : ""}`);
  tell(`profile   ${profile.name}${profile.localOnly ? " (local only)" : ""}, from ${agent.config.source}`);
  tell(`privacy   ${sealed ? "sealed" : sandboxed ? "open to the cloud (--cloud)" : "not sealed (--no-sandbox)"}`);
  tell(
    `database  ${stored}${shared === null ? "" : `, shared with ${shared}`}${problem === null ? "" : `; ${problem}`}`,
  );
  tell(`bot       ${hasBot ? "connecting" : "off"}`);
}

function tokenOf({ env }: Agent, hostname: string): string | undefined {
  const token = readApiToken(env);
  if (token !== undefined || isLoopback(hostname)) return token;
  throw new AgentError(`Cannot listen on ${hostname}: other machines could use it, and there is no token`, {
    exitCode: EXIT.config,
    remedy: "Set DJANGO_API_TOKEN in .env, or listen on 127.0.0.1.",
  });
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

function parseHost(text: string): string {
  const host = text.trim().replace(/^\[|\]$/g, "");
  if (!/^[A-Za-z0-9.:-]+$/.test(host)) throw new RangeError("It must be an address, like 127.0.0.1.");
  return host;
}

function parsePort(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535) throw new RangeError("It must be a port from 0 to 65535.");
  return port;
}
