import { Pipeline } from "./chat/pipeline.ts";
import { WebSearch } from "./chat/web_search.ts";
import type { Agent, AgentOptions, UsageAccess } from "./cli/agent.ts";
import { createLoggedBus, createRunLog } from "./cli/run_log.ts";
import { couldBeKey, type Env, loadEnv, ollamaBaseUrl } from "./config/env.ts";
import { type DatabaseTarget, parseDatabaseUrl } from "./storage/database_url.ts";
import { type ConfigSnapshot, loadConfig } from "./config/load.ts";
import { PromptFiles } from "./config/prompts.ts";
import type { ModelsConfig, ProviderSettings } from "./config/schema.ts";
import { hostAndPort, isLoopbackOrPrivate } from "./core/address.ts";
import { AgentError, describeFault, EXIT } from "./core/errors.ts";
import type { EventBus } from "./core/events.ts";
import type { Log } from "./core/log.ts";
import type { ActivityWatcher } from "./http/program.ts";
import type { Embedder } from "./memory/embedder.ts";
import { Memory } from "./memory/memory.ts";
import { revokeHosts } from "./privacy/egress.ts";
import { createLedger, type Ledger } from "./privacy/ledger.ts";
import { createGemini } from "./providers/gemini.ts";
import { createGroq } from "./providers/groq.ts";
import { createOllama } from "./providers/ollama.ts";
import { createSenders, type SenderOf } from "./providers/senders.ts";
import { createAccounting } from "./router/accounting.ts";
import { planEmbedding, resolveProfile } from "./router/chain.ts";
import { LiveConfig } from "./router/live_config.ts";
import { Router } from "./router/router.ts";
import { createSnapshot, type ProviderSlot, type Refusal, type RouterSnapshot } from "./router/snapshot.ts";
import { MemoryTable } from "./storage/memory_table.ts";
import type { UsageBook, UsageRow } from "./storage/usage.ts";
import { createUsageBook } from "./storage/usage_book.ts";

/** What every provider is built with. */
interface Parts {
  readonly env: Env;
  readonly ledger: Ledger;
  readonly senderOf: SenderOf;
  readonly cloud: boolean;
  /** False under `--no-sandbox`: there is no right to give up. */
  readonly sandboxed: boolean;
}

/**
 * Wires the program together. The process has been sealed before this runs.
 * @throws ConfigError, AgentError with what is wrong and what to do.
 */
export async function openAgent(options: AgentOptions): Promise<Agent> {
  const env = await loadEnv({ path: ".env" });
  const log = createRunLog(env);
  const events = createLoggedBus(log);
  const ledger = createLedger({ path: `${options.dataDir}/egress.json`, log });
  const { cloud, seal } = options;
  const parts: Parts = { env, ledger, senderOf: createSenders(), cloud, sandboxed: seal.sandboxed };

  const config = await readConfig(options);
  const snapshot = await buildSnapshot(config, options.profile, parts);
  const usage = await buildUsageBook(options, { env, ledger, events, log });
  const watchers = new Set<ActivityWatcher>();
  const record = (row: UsageRow) => {
    usage.record(row);
    for (const { onAttempt } of watchers) onAttempt(row);
  };
  const router = new Router(snapshot, {
    events,
    book: createAccounting({ record, events }),
    onCallEnd: (end) => watchers.forEach(({ onCall }) => onCall(end)),
  });
  const live = new LiveConfig({
    dir: options.configDir,
    config,
    profile: options.profile,
    cloud,
    router,
    events,
    read: () => readConfig(options),
    build: (next, profile) => buildSnapshot(next, profile, parts),
  });
  const watching = options.watch ? startWatching(live, log) : undefined;
  const mind = createMind(options, { router, events, parts, settings: () => live.current.models.chat });
  return {
    ...mind,
    router,
    env,
    events,
    ledger,
    usage,
    seal,
    cloud,
    get config() {
      return live.current;
    },
    watchActivity(watcher) {
      watchers.add(watcher);
      return () => void watchers.delete(watcher);
    },
    reload: () => live.reload(),
    setProfile: (name) => live.setProfile(name),
    setAssignment: (role, model) => live.setAssignment(role, model),
    async [Symbol.asyncDispose]() {
      await watching?.[Symbol.asyncDispose]();
      mind.memory[Symbol.dispose]();
      await usage[Symbol.asyncDispose]();
      ledger[Symbol.dispose]();
    },
  };
}

/** Reloads models.json whenever it changes, until disposed of. */
function startWatching(live: LiveConfig, log: Log): AsyncDisposable {
  const watching = new AbortController();
  const watched = live.watch(watching.signal)
    .catch((error) => log.error(`models.json is no longer watched: ${describeFault(error)}`));
  return {
    async [Symbol.asyncDispose]() {
      watching.abort();
      await watched;
    },
  };
}

/** The most a statement waits for another program that writes to the memory, in milliseconds, and when it is patient. */
const MEMORY_WAIT_MS = 500;
const PATIENT_WAIT_MS = 15_000;

interface MindParts {
  readonly router: Router;
  readonly events: EventBus;
  readonly parts: Parts;
  /** What counts now. */
  readonly settings: () => ModelsConfig["chat"];
}

/** What remembers and converses. Opens nothing until it is used. */
function createMind(
  { configDir, dataDir, seal, patient }: AgentOptions,
  { router, events, parts, settings }: MindParts,
) {
  const warn = (code: string) => (message: string, remedy: string) =>
    events.emit("system.warning", { code, message, remedy });
  const memory = new Memory({
    path: `${dataDir}/memory.db`,
    openStore: (path) =>
      new MemoryTable({
        path,
        busyTimeoutMs: patient ? PATIENT_WAIT_MS : MEMORY_WAIT_MS,
        onSetAside: (aside) =>
          warn("memory")(
            `The database ${path} was damaged: it is now ${aside}, and a new one was begun`,
            "Learn again what you had taught it.",
          ),
      }),
    embedder: createEmbedder(router),
    warn: warn("memory"),
  });
  events.subscribe(({ name }) => {
    if (name === "config.router_reloaded") memory.vectors.restart();
  });
  const web = new WebSearch({
    baseUrl: () => settings().searxng_url,
    senderOf: parts.senderOf,
    reach: () => seal.sealed ? "machine" : router.snapshot.localOnly ? "network" : "anywhere",
    traffic: parts.ledger,
    warn: warn("web_search"),
  });
  const prompts = new PromptFiles({ dir: configDir, warn: warn("prompts") });
  return { memory, chat: new Pipeline({ router, memory, prompts, web, events, settings }) };
}

/** The router as the memory sees it. */
function createEmbedder(router: Router): Embedder {
  return {
    get model() {
      return planEmbedding(router.snapshot.models, router.snapshot.profile)[0]?.ref;
    },
    embed: async (texts, options) => (await router.embed(texts, options)).vectors,
  };
}

/**
 * Opens only where usage is kept.
 * @throws ConfigError, AgentError with what is wrong and what to do.
 */
export async function openUsage(options: AgentOptions): Promise<UsageAccess> {
  const env = await loadEnv({ path: ".env" });
  const log = createRunLog(env);
  const events = createLoggedBus(log);
  const ledger = createLedger({ path: `${options.dataDir}/egress.json`, log });
  const book = await buildUsageBook(options, { env, ledger, events, log });
  return {
    book,
    async [Symbol.asyncDispose]() {
      await book[Symbol.asyncDispose]();
      ledger[Symbol.dispose]();
    },
  };
}

interface UsageParts {
  readonly env: Env;
  readonly ledger: Ledger;
  readonly events: EventBus;
  readonly log: Log;
}

async function buildUsageBook(options: AgentOptions, { env, ledger, events, log }: UsageParts): Promise<UsageBook> {
  return createUsageBook({
    dataDir: options.dataDir,
    shared: await sharedDatabase(options, env),
    traffic: ledger,
    warn: (message, remedy) => events.emit("system.warning", { code: "usage", message, remedy }),
    inform: (message) => log.info(message),
  });
}

/** Where usage is shared, or why not there. Without the cloud nothing leaves the network, counts of tokens included. */
async function sharedDatabase(
  { cloud, seal }: AgentOptions,
  env: Env,
): Promise<DatabaseTarget | AgentError | undefined> {
  const url = env.get("DATABASE_URL");
  if (url === undefined) return undefined;
  let target: DatabaseTarget;
  try {
    target = parseDatabaseUrl(url);
  } catch (error) {
    if (error instanceof AgentError) return error;
    throw error;
  }
  if (target.local || cloud) return target;
  if (seal.sandboxed) await revokeHosts([target.address]);
  return new AgentError(`The shared database ${target.origin} is outside this network`, {
    exitCode: EXIT.permission,
    remedy: "Start with --cloud to let usage leave it; without, everything stays on this machine.",
  });
}

async function readConfig({ configDir, configNamed }: AgentOptions): Promise<ConfigSnapshot> {
  const config = await loadConfig({ dir: configDir });
  if (config.path !== null || !configNamed) return config;
  throw new AgentError(`Cannot use the folder ${configDir}: it holds no models.json`, {
    exitCode: EXIT.config,
    remedy: "Correct --config; `init` writes a starter into a folder the sandbox lets it write to.",
  });
}

async function buildSnapshot(
  { models }: ConfigSnapshot,
  chosen: string | undefined,
  parts: Parts,
): Promise<RouterSnapshot> {
  const profile = resolveProfile(models, chosen ?? models.profile);
  if (!profile) throw unknownProfile(chosen ?? models.profile, models);
  const providers = new Map<string, ProviderSlot>();
  for (const [id, settings] of Object.entries(models.providers)) {
    providers.set(id, await buildSlot(id, settings, parts));
  }
  return createSnapshot({ models, profile, providers, cloudAllowed: parts.cloud });
}

function unknownProfile(name: string, { profiles }: ModelsConfig): AgentError {
  return new AgentError(`There is no profile "${name}"`, {
    exitCode: EXIT.usage,
    remedy: `Use one of: ${Object.keys(profiles).join(", ")}.`,
  });
}

async function buildSlot(id: string, settings: ProviderSettings, parts: Parts): Promise<ProviderSlot> {
  const { env, ledger, senderOf, cloud, sandboxed } = parts;
  const baseUrl = settings.base_url;
  if (settings.type === "ollama") {
    const url = ollamaUrl(id, baseUrl, env);
    return { provider: createOllama({ id, ledger, senderOf, ...(url !== undefined && { baseUrl: url }) }) };
  }
  if (!cloud) {
    // Only hosts outside: giving up one port of this machine would give up all of it.
    if (sandboxed && baseUrl !== undefined && !isLoopbackOrPrivate(new URL(baseUrl).hostname)) {
      await revokeHosts([hostAndPort(baseUrl)]);
    }
    return { refusal: NO_CLOUD };
  }
  const apiKey = settings.api_key_env === undefined ? undefined : env.get(settings.api_key_env);
  if (apiKey === undefined) return { refusal: keyMissing(settings.api_key_env) };
  if (!couldBeKey(apiKey)) return { refusal: keyUnusable(settings.api_key_env) };
  const options = { id, apiKey, ledger, ...(baseUrl !== undefined && { baseUrl }) };
  switch (settings.type) {
    case "groq":
      return { provider: createGroq(options) };
    case "gemini":
      return { provider: createGemini(options) };
  }
}

/** OLLAMA_HOST moves the provider called `ollama`, as it moves Ollama's own client. */
function ollamaUrl(id: string, configured: string | undefined, env: Env): string | undefined {
  const host = id === "ollama" ? env.get("OLLAMA_HOST") : undefined;
  return host === undefined ? configured : ollamaBaseUrl(host);
}

const NO_CLOUD: Refusal = {
  kind: "egress_denied",
  reason: "This run was started without --cloud",
  remedy: "Start it with --cloud to let it ask the cloud.",
};

function keyMissing(name: string | undefined): Refusal {
  return {
    kind: "auth",
    reason: `${name ?? "The API key"} is not set`,
    remedy: `Put ${name ?? "it"}=… into .env or into the environment.`,
  };
}

function keyUnusable(name = "The API key"): Refusal {
  return {
    kind: "auth",
    reason: `${name} holds characters that no key has`,
    remedy: "Copy the key again; it is letters, digits and signs without blanks.",
  };
}
