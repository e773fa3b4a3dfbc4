/** The whole program serving, with its bot connected to a fake Discord and its models in a fake Ollama. */
import { DatabaseSync } from "node:sqlite";
import { serve } from "../e2e/served.ts";
import { untilBotReady } from "../support/bot_waits.ts";
import { GUILDS, servers } from "../support/crowd.ts";
import { BOT_TOKEN, type FakeGateway, startFakeGateway } from "../support/fake_gateway.ts";
import { configFor, startFastOllama } from "../support/fast_provider.ts";
import { ROOT_FOLDER } from "../support/paths.ts";
import { createFolder, startProgram } from "../support/program.ts";
import { taskFlags } from "../support/task_flags.ts";

export interface SoakWorld extends AsyncDisposable {
  readonly pid: number;
  readonly origin: string;
  readonly discord: FakeGateway;
  /** Rejects with what the program told when it ends before it is stopped. */
  readonly failed: Promise<never>;
  /** How often the fake Ollama was asked, by model. */
  asked(): Promise<Readonly<Record<string, number>>>;
  /** Ends the fake Ollama: connections to it that are kept for the next question go with it. */
  stopModels(): Promise<void>;
  /** Asks the program to end. @returns its exit code */
  stopProgram(): Promise<number>;
  /** The rows of the usage table, counted; to be read when the program has ended. */
  usage(): UsageCount[];
}

/** How many rows there are of one kind. */
export interface UsageCount {
  /** From the bot, or from `/v1`, where no conversation has an id. */
  readonly from: "bot" | "api";
  readonly model: string;
  readonly outcome: string;
  readonly count: number;
}

/**
 * What is asked goes to a model that answers, or, for the role `technical`, to one that may be told to fail, behind which
 * stands the first. Its breaker never opens: every fallback begins with a failure.
 */
function modelsFor(origin: string): object {
  const { providers, ...rest } = configFor(origin);
  return {
    ...rest,
    providers: {
      ...providers,
      second: { type: "ollama", base_url: origin, max_concurrent: 256, models: { flaky: { context: 131_072 } } },
    },
    assignments: { technical: "second/flaky" },
    circuit_breaker: { failure_threshold: 100 },
  };
}

/** As fast as it can be, and nobody is held back for asking often: everything is to be answered. */
const DISCORD_SETTINGS = { cooldown_seconds: 0, reading_speed: 0, limits: { messages_per_minute: 600 } };

/**
 * Starts everything; what has been started is ended again when something of it fails.
 * @param aborted rejects when nobody wants it any more
 */
export async function startSoakWorld(aborted: Promise<never>): Promise<SoakWorld> {
  await using started = new AsyncDisposableStack();
  const models = await startFastOllama();
  let modelsStopped: Promise<void> | undefined;
  const stopModels = () => modelsStopped ??= Promise.resolve(models[Symbol.asyncDispose]());
  started.defer(stopModels);
  const folder = started.use(await createFolder(modelsFor(models.origin)));
  await Deno.writeTextFile(`${folder.path}/config/discord.json`, JSON.stringify(DISCORD_SETTINGS));
  const discord = started.use(await startFakeGateway({ guilds: servers() }));
  const flags = [...taskFlags().slice(1), `--allow-read=${ROOT_FOLDER},${folder.path}`, `--allow-write=${folder.path}`];
  const env = { DISCORD_BOT_TOKEN: BOT_TOKEN, DISCORD_API_URL: discord.apiUrl };
  const { program, origin } = started.use(
    await serve({ start: (args) => startProgram(args, { folder: folder.path, env, flags }) }),
  );
  let isStopping = false;
  const failed = program.finished.then(({ code, stderr }): Promise<never> => {
    if (isStopping) return new Promise(() => {});
    throw new Error(`The program has ended with ${code}:\n${stderr.slice(-2000)}`);
  });
  failed.catch(() => {}); // whoever waits for something hears of it
  await Promise.race([untilBotReady(discord, GUILDS), failed, aborted]);
  const running = started.move();
  return {
    pid: program.pid,
    origin,
    discord,
    failed,
    asked: async () => await (await fetch(`${models.origin}/asked`)).json(),
    stopModels,
    async stopProgram() {
      isStopping = true;
      program.kill("SIGTERM");
      return (await program.finished).code;
    },
    usage: () => countUsage(`${folder.path}/data/django.db`),
    async [Symbol.asyncDispose]() {
      isStopping = true;
      await running.disposeAsync();
    },
  };
}

function countUsage(path: string): UsageCount[] {
  using database = new DatabaseSync(path, { readOnly: true });
  const rows = database.prepare(
    `SELECT iif(conversation_id IS NULL, 'api', 'bot') AS "from", model, outcome, count(*) AS count
     FROM token_usage GROUP BY 1, 2, 3 ORDER BY 1, 2, 3`,
  ).all();
  return rows.map((row) => ({
    from: row["from"] === "bot" ? "bot" : "api",
    model: String(row["model"]),
    outcome: String(row["outcome"]),
    count: Number(row["count"]),
  }));
}
