import { type Env, exemptFromProxies, proxyVariables, readTelemetry } from "../config/env.ts";
import { type ConfigSnapshot, loadConfig } from "../config/load.ts";
import { hostAndPort, isLoopbackOrPrivate } from "../core/address.ts";
import { AgentError } from "../core/errors.ts";
import { CLOUD_HOSTS, DISCORD_HOSTS, queryHosts } from "../privacy/egress.ts";
import { planChat } from "../router/chain.ts";
import type { Agent } from "./agent.ts";
import {
  checkConfigFolder,
  checkDataFolder,
  checkDisk,
  checkEnvFile,
  checkKeys,
  checkProxies,
  checkSeal,
  checkTelemetry,
} from "./doctor_checks.ts";
import { checkBot } from "./doctor_bot.ts";
import { checkDeep } from "./doctor_deep.ts";
import { failWith, type Finding, ok, warn } from "./doctor_finding.ts";
import { checkMind } from "./doctor_mind.ts";
import { checkOllama, checkRoles, type Plan, planRun } from "./doctor_ollama.ts";
import { checkUsage } from "./doctor_usage.ts";
import type { Session } from "./session.ts";
import { listenForStop } from "./stop.ts";

export interface ExamineOptions {
  /** Looks at this profile instead of the active one. */
  readonly profile?: string | undefined;
  /** Also lets a model answer. */
  readonly deep: boolean;
  /** Told what takes long, a line each. */
  readonly progress: (line: string) => void;
  /** Longest wait for one answer of the quick checks in milliseconds; default 3000. */
  readonly answerMs?: number;
}

/**
 * All checks, one finding after the other as they come. What cannot be looked at because something before it is broken
 * is left out; the rest goes on.
 * @throws AgentError (exit 130) when Ctrl-C ends the deep checks
 */
export async function* examine(session: Session, options: ExamineOptions): AsyncGenerator<Finding> {
  const { cloud } = session.options;
  const envFile = await checkEnvFile(".env");
  const opened = await open(session, options.profile, envFile.env);
  await using agent = opened.agent;
  yield opened.finding;
  yield envFile.finding;
  if (agent) {
    const { snapshot } = agent.router;
    const plan = planRun(snapshot);
    yield checkRoles(plan, snapshot.profile.name);
    yield* checkKeys(snapshot.models, snapshot.profile, agent.env, cloud);
    yield* checkOllamas(agent, plan, options);
    yield* checkMind(agent);
    yield* checkBot({
      env: agent.env,
      ledger: agent.ledger,
      configDir: session.options.config,
      answerMs: options.answerMs,
    });
  } else {
    yield warn(
      "models",
      "Ollama, its models and the keys were not looked at",
      "Correct what is above, and run it again.",
    );
  }
  const hasBot = agent?.env.get("DISCORD_BOT_TOKEN") !== undefined;
  yield* examineMachine(session, { config: opened.config, hasBot });
  if (envFile.env) yield* checkUsage(session);
  if (options.deep && agent) yield* examineDeeply(agent, options);
}

interface Opened {
  readonly finding: Finding;
  /** What is configured, even when the program cannot run with it. */
  readonly config?: ConfigSnapshot;
  readonly agent?: Agent;
}

/** Opens the program as far as that is possible. A broken `.env` has a finding of its own: nothing is opened then. */
async function open(session: Session, profile: string | undefined, env: Env | undefined): Promise<Opened> {
  const name = "configuration";
  let config: ConfigSnapshot | undefined;
  try {
    config = await loadConfig({ dir: session.options.config });
    if (!env) return { config, finding: ok(name, `${config.source} can be used`) };
    const agent = await session.open({ profile });
    const { name: active, localOnly } = agent.router.snapshot.profile;
    const finding = ok(name, `${agent.config.source}, profile ${active}${localOnly ? " (local only)" : ""}`);
    return { config: agent.config, agent, finding };
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    return { finding: failWith(name, error), ...(config && { config }) };
  }
}

/** Every Ollama of the configuration, those the profile does not use included. */
async function* checkOllamas(
  agent: Agent,
  plan: Plan,
  { answerMs }: ExamineOptions,
): AsyncGenerator<Finding> {
  const { providers, localOnly: mustStayLocal } = agent.router.snapshot;
  for (const [id, slot] of providers) {
    if (!("provider" in slot) || slot.provider.type !== "ollama") continue;
    const models = plan.models.filter(({ candidate }) => candidate.provider === id);
    yield* checkOllama({
      provider: slot.provider,
      models,
      mustStayLocal,
      ...(answerMs !== undefined && { answerMs }),
    });
  }
}

interface Machine {
  readonly config: ConfigSnapshot | undefined;
  /** A run with a bot keeps Discord's hosts. */
  readonly hasBot: boolean;
}

/** What needs no provider, and so no working configuration. */
async function* examineMachine({ seal, options }: Session, { config, hasBot }: Machine): AsyncGenerator<Finding> {
  yield checkSeal(seal, await queryHosts(hostsOutside(config)), hasBot ? DISCORD_HOSTS : []);
  const proxies = proxyVariables();
  yield checkProxies(proxies, proxies.length === 0 || exemptFromProxies());
  yield checkTelemetry(readTelemetry());
  yield await checkConfigFolder(options.config);
  const data = await checkDataFolder(options.data);
  yield data;
  yield await checkDisk(data.status === "ok" ? options.data : ".");
}

/** Hosts off this network that the program may know how to ask. */
function hostsOutside(config: ConfigSnapshot | undefined): string[] {
  const configured = Object.values(config?.models.providers ?? {}).flatMap(({ base_url: url }) =>
    url === undefined || isLoopbackOrPrivate(new URL(url).hostname) ? [] : [hostAndPort(url)]
  );
  return [...new Set([...CLOUD_HOSTS, ...configured, ...DISCORD_HOSTS])];
}

async function* examineDeeply({ router, events }: Agent, { progress }: ExamineOptions): AsyncGenerator<Finding> {
  const { models, profile } = router.snapshot;
  const candidate = planChat(models, profile, "identity_core").find(({ provider }) =>
    models.providers[provider]?.type === "ollama"
  );
  if (!candidate) {
    yield warn("answer", `profile ${profile.name} has no model of Ollama to try`, "Add one to its chain.");
    return;
  }
  const { ref, contextTokens } = candidate;
  using stop = listenForStop();
  yield* checkDeep({ router, events, ref, contextTokens, progress, signal: stop.signal });
}
