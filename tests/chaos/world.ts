/** The whole program with everything it talks to: three providers, Discord, PostgreSQL; and how each of them breaks. */
import { SERVE, serve, type Served } from "../e2e/served.ts";
import { KEYS, modelsFor, type World } from "../e2e/setup.ts";
import { untilBotReady } from "../support/bot_waits.ts";
import { BOT_TOKEN, type FakeGateway, type RestBehaviour, startFakeGateway } from "../support/fake_gateway.ts";
import { startFakeGemini } from "../support/fake_gemini.ts";
import { startFakeGroq } from "../support/fake_groq.ts";
import { startFakeOllama } from "../support/fake_ollama.ts";
import type { Behaviour, FakeProvider } from "../support/fake_provider.ts";
import { type Cluster, startCluster } from "../support/postgres.ts";
import { createFolder, startProgram } from "../support/program.ts";
import type { Fault } from "./fault_injector.ts";

export const GUILD = "100";
export const CHANNELS = ["201", "202", "203", "204"];
/** What every answer of a model costs: a row that says otherwise is wrong. */
export const USAGE = { input: 1200, output: 5 };

export interface ChaosWorld extends AsyncDisposable {
  readonly served: Served;
  readonly discord: FakeGateway;
  readonly providers: readonly FakeProvider[];
  readonly cluster: Cluster;
  readonly databaseUrl: string;
  readonly folder: string;
}

const SERVER = {
  id: GUILD,
  name: "Huerto",
  owner_id: "11",
  member_count: 2,
  channels: CHANNELS.map((id) => ({ id, type: 0, name: `canal-${id}` })),
  members: [{ user: { id: "11", username: "ana" } }, { user: { id: "12", username: "bob" } }],
};
const DISCORD_SETTINGS = { reading_speed: 0, cooldown_seconds: 0, limits: { messages_per_minute: 600 } };
const ANSWER: Behaviour = { kind: "answer", usage: USAGE, firstTokenDelayMs: 15, gapMs: 3 };

/** Starts all of it; the bot is connected and PostgreSQL is there. */
export async function startChaosWorld(): Promise<ChaosWorld> {
  await using started = new AsyncDisposableStack();
  const ollama = started.use(startFakeOllama({ models: [{ name: "llama3.2" }, { name: "small" }] }));
  const groq = started.use(startFakeGroq());
  const gemini = started.use(startFakeGemini());
  const providers = [ollama, groq, gemini];
  for (const provider of providers) provider.always(ANSWER);
  ollama.setResident(["llama3.2", "small"], 8192);
  const cluster = started.use(await startCluster());
  const databaseUrl = await cluster.createDatabase();
  // A connection that is dead has to be noticed within the run.
  const discord = started.use(await startFakeGateway({ guilds: [SERVER], heartbeatMs: 2000 }));
  const models = modelsFor(ollama, groq, gemini);
  const folder = started.use(
    await createFolder({
      ...models,
      profile: "balanced",
      circuit_breaker: { failure_threshold: 3, recovery_seconds: 2 },
      deadlines: { load_seconds: 5, first_token_seconds: 2, idle_seconds: 1, total_seconds: 20 },
    }),
  );
  await Deno.writeTextFile(`${folder.path}/config/discord.json`, JSON.stringify(DISCORD_SETTINGS));
  const env = {
    ...KEYS,
    DISCORD_BOT_TOKEN: BOT_TOKEN,
    DISCORD_API_URL: discord.apiUrl,
    DATABASE_URL: databaseUrl,
  };
  const start: World["start"] = (args, options = {}) => startProgram(args, { folder: folder.path, env, ...options });
  const served = started.use(await serve({ start }, [...SERVE, "--cloud"]));
  await untilBotReady(discord);
  const running = started.move();
  return {
    served,
    discord,
    providers,
    cluster,
    databaseUrl,
    folder: folder.path,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** A provider is gone, silent, overloaded, breaks off, or talks nonsense. */
export function providerFaults({ providers }: ChaosWorld): Fault[] {
  const broken: readonly (readonly [string, Behaviour])[] = [
    ["silent", { kind: "silence" }],
    ["stalled", { kind: "stall", after: 2 }],
    ["overloaded", { kind: "status", status: 503 }],
    ["limited", { kind: "status", status: 429, headers: { "retry-after": "2" } }],
    ["cut", { kind: "cut", after: 2 }],
    ["a log-in page", { kind: "html" }],
  ];
  return providers.flatMap((provider) => [
    { name: `${provider.protocol}: gone`, begin: () => provider.down(), end: () => provider.up() },
    ...broken.map(([name, behaviour]): Fault => ({
      name: `${provider.protocol}: ${name}`,
      begin: () => provider.always(behaviour),
      end: () => provider.always(ANSWER),
    })),
  ]);
}

/** Discord's connection is cut, closed, frozen or refused; its API fails. */
export function discordFaults({ discord }: ChaosWorld): Fault[] {
  const once = (name: string, begin: () => void): Fault => ({ name: `discord: ${name}`, begin, end: () => {} });
  const failing = (name: string, ...behaviours: readonly RestBehaviour[]) =>
    once(name, () => discord.rest.next(...behaviours));
  return [
    { name: "discord: gone", begin: () => discord.down(), end: () => discord.up() },
    once("cut", () => discord.cut()),
    once("cut in a frame", () => discord.cut({ inFrame: true })),
    once("closed", () => discord.close(4000)),
    once("asked to reconnect", () => discord.send(7, null)),
    once("frozen", () => discord.freeze()),
    failing("500", { kind: "status", status: 500 }, { kind: "status", status: 502 }),
    failing("API cut", { kind: "cut" }),
    failing("API silent", { kind: "silence" }),
    failing("rate limit", {
      kind: "status",
      status: 429,
      headers: { "retry-after": "1" },
      body: { message: "You are being rate limited.", retry_after: 1, global: false },
    }),
  ];
}

/** PostgreSQL crashes, is stopped, or says nothing more. */
export function postgresFaults({ cluster }: ChaosWorld): Fault[] {
  return [
    { name: "postgres: crashed", begin: () => cluster.stop("kill"), end: () => cluster.start() },
    { name: "postgres: stopped", begin: () => cluster.stop("fast"), end: () => cluster.start() },
    { name: "postgres: frozen", begin: () => cluster.freeze(), end: () => cluster.thaw() },
  ];
}
