import { isLoopback } from "../core/address.ts";
import { EXIT, ProviderError } from "../core/errors.ts";
import { formatBytes, formatDuration } from "../core/format.ts";
import { CHAT_ROLES, type ModelRef, type Role } from "../core/types.ts";
import { isOllamaCloudName } from "../core/cloud_name.ts";
import { sameModel } from "../providers/ollama_models.ts";
import type { ModelDetails, ModelInfo, Provider, ProviderHealth } from "../providers/provider.ts";
import { type Candidate, planChat, planEmbedding } from "../router/chain.ts";
import { CallDeadline } from "../router/deadline.ts";
import { isRefusal, providerOf, type RouterSnapshot } from "../router/snapshot.ts";
import { exitCodeFor, fail, type Finding, ok, warn } from "./doctor_finding.ts";

/** The first version of Ollama that refuses a prompt which is too long when told to. */
const STRICT_VERSION = [0, 12, 4] as const;
/** Longest wait for one answer, in milliseconds. */
const ANSWER_MS = 3000;

/** What the active profile uses a model for: `first` for some role, only after another one, or for embeddings alone. */
export type Use = "first" | "fallback" | "embeddings";

export interface UsedModel {
  readonly candidate: Candidate;
  readonly use: Use;
}

export interface Plan {
  /** Every model the active profile may ask in this run. */
  readonly models: readonly UsedModel[];
  /** Roles no model may answer for in this run. */
  readonly mute: readonly Role[];
}

/** What the active profile may ask in this run. */
export function planRun(snapshot: RouterSnapshot): Plan {
  const { models, profile } = snapshot;
  const mayBeAsked = ({ provider }: Candidate) => !isRefusal(providerOf(snapshot, provider));
  const used = new Map<ModelRef, UsedModel>();
  const mute: Role[] = [];
  for (const role of CHAT_ROLES) {
    const candidates = planChat(models, profile, role).filter(mayBeAsked);
    if (candidates.length === 0) mute.push(role);
    for (const [index, candidate] of candidates.entries()) {
      const use = index === 0 || used.get(candidate.ref)?.use === "first" ? "first" : "fallback";
      used.set(candidate.ref, { candidate, use });
    }
  }
  for (const candidate of planEmbedding(models, profile).filter(mayBeAsked)) {
    if (!used.has(candidate.ref)) used.set(candidate.ref, { candidate, use: "embeddings" });
  }
  return { models: [...used.values()], mute };
}

/** Whether every role has a model that may be asked at all. */
export function checkRoles({ models, mute }: Plan, profile: string): Finding {
  const refs = models.map(({ candidate }) => candidate.ref).join(", ");
  if (mute.length === 0) return ok("roles", `every role has a model; this run may ask ${refs}`);
  return fail(
    "roles",
    `no model of profile ${profile} may be asked for ${mute.join(", ")} in this run`,
    "Start with --cloud and the keys it needs, or add a model of Ollama to the profile's chain.",
    EXIT.permission,
  );
}

export interface OllamaSubject {
  readonly provider: Provider;
  /** Its models that the active profile uses. */
  readonly models: readonly UsedModel[];
  /** True when a model that runs in somebody's cloud would be refused. */
  readonly mustStayLocal: boolean;
  /** Longest wait for one answer in milliseconds; default 3000. */
  readonly answerMs?: number;
}

/** Everything that can be learned of one Ollama without letting a model answer. */
export async function* checkOllama(subject: OllamaSubject): AsyncGenerator<Finding> {
  const { provider, models } = subject;
  const name = `provider ${provider.id}`;
  const health = await answerOf(subject, (signal) => provider.health(signal));
  if (health instanceof ProviderError) {
    yield unreachable(name, health, models);
    return;
  }
  yield ok(name, `Ollama answers at ${provider.origin}`);
  yield checkVersion(provider.id, health);
  yield checkCloud(provider.id, health);
  if (models.length === 0) return;
  const installed = await answerOf(subject, (signal) => provider.listModels(signal));
  if (installed instanceof ProviderError) {
    yield unreachable(`models of ${provider.id}`, installed, models);
    return;
  }
  for (const model of models) yield* checkModel(subject, model, installed);
}

function unreachable(
  name: string,
  { message, kind, remedy, status }: ProviderError,
  models: readonly UsedModel[],
): Finding {
  const advice = kind === "egress_denied" || status !== undefined || kind === "protocol"
    ? remedy ?? "Something answers there, but not as Ollama does: check OLLAMA_HOST and the provider's base_url."
    : "Start Ollama (ollama serve), or install it from https://ollama.com/download. " +
      "If it listens elsewhere, set OLLAMA_HOST or the provider's base_url.";
  const needed = models.some(({ use }) => use === "first");
  return needed ? fail(name, message, advice, exitCodeFor(kind)) : warn(name, message, advice);
}

function checkVersion(id: string, { version }: ProviderHealth): Finding {
  const name = `version of ${id}`;
  const wanted = STRICT_VERSION.join(".");
  const remedy = "Update Ollama: https://ollama.com/download";
  if (version === null) return warn(name, `Ollama does not name its version; ${wanted} or later is needed`, remedy);
  if (isAtLeast(version, STRICT_VERSION)) return ok(name, version);
  return warn(name, `${version}; before ${wanted} Ollama cuts a prompt that is too long without saying so`, remedy);
}

/** Compares the numbers of `0.12.4-rc1`; what follows them does not count. */
function isAtLeast(version: string, wanted: readonly number[]): boolean {
  const numbers = (/\d+(\.\d+)*/.exec(version)?.[0] ?? "0").split(".").map(Number);
  const index = wanted.findIndex((number, at) => (numbers[at] ?? 0) !== number);
  return index < 0 || (numbers[index] ?? 0) > (wanted[index] ?? 0);
}

function checkCloud(id: string, { cloudDisabled }: ProviderHealth): Finding {
  const name = `cloud of ${id}`;
  if (cloudDisabled) return ok(name, "Ollama's own cloud models are switched off");
  return warn(
    name,
    cloudDisabled === null
      ? "Ollama does not say whether its own cloud models are switched off"
      : "Ollama would pass prompts for its cloud models on to ollama.com",
    "Start Ollama with OLLAMA_NO_CLOUD=1 in its environment.",
  );
}

async function* checkModel(
  subject: OllamaSubject,
  { candidate, use }: UsedModel,
  installed: readonly ModelInfo[],
): AsyncGenerator<Finding> {
  const { model, ref } = candidate;
  const name = `model ${ref}`;
  const entry = installed.find((info) => sameModel(info.name, model));
  if (entry?.remote || isOllamaCloudName(model)) {
    yield inCloud(name, subject.mustStayLocal);
  } else if (!entry) {
    const remedy = `Run: ollama pull ${model}${whereOf(subject.provider)}`;
    yield use === "first"
      ? fail(name, "has not been pulled, and the profile asks it first", remedy, EXIT.unavailable)
      : warn(name, `has not been pulled; it is ${use === "fallback" ? "a fallback" : "for embeddings"}`, remedy);
  } else {
    const size = entry.sizeBytes === null ? "" : `, ${formatBytes(entry.sizeBytes)}`;
    yield ok(name, `pulled${size}`);
    yield* await checkDetails(subject, candidate, entry);
  }
}

function inCloud(name: string, mustStayLocal: boolean): Finding {
  const detail = "does not run on this machine: Ollama passes what it is asked on to somebody's cloud";
  const remedy = "Name a model in config/models.json that runs here, and start Ollama with OLLAMA_NO_CLOUD=1.";
  return mustStayLocal ? fail(name, `${detail}, so it is refused`, remedy, EXIT.config) : warn(name, detail, remedy);
}

function whereOf({ origin }: Provider): string {
  const { hostname } = new URL(origin);
  return isLoopback(hostname) ? "" : ` (on ${hostname})`;
}

async function checkDetails(subject: OllamaSubject, candidate: Candidate, info: ModelInfo): Promise<Finding[]> {
  const { ref, model } = candidate;
  const details = await answerOf(subject, async (signal) => await subject.provider.describeModel?.(model, signal));
  if (details instanceof ProviderError) {
    const remedy = details.remedy ?? "Pull the model again, or update Ollama.";
    return [warn(`context of ${ref}`, details.message, remedy)];
  }
  const sight = details ? checkSight(candidate, details) : undefined;
  return [checkContext(candidate, info, details?.maxContextTokens ?? null), ...(sight ? [sight] : [])];
}

/** Undefined when models.json and Ollama agree on it. */
function checkSight({ ref, sees, chats }: Candidate, { capabilities }: ModelDetails): Finding | undefined {
  const could = capabilities.includes("vision");
  if (!chats || could === sees) return undefined;
  const name = `pictures for ${ref}`;
  if (could) return ok(name, 'it sees pictures, and gets them with "vision": true in config/models.json');
  return warn(name, "config/models.json says that it sees pictures, and Ollama that it does not", 'Take "vision" out.');
}

function checkContext(
  { ref, contextTokens }: Candidate,
  { loadedContextTokens: loaded }: ModelInfo,
  most: number | null,
): Finding {
  const name = `context of ${ref}`;
  if (most !== null && contextTokens > most) {
    const detail = `${contextTokens} tokens are configured, and the model takes ${most} at most`;
    return warn(name, detail, `Set its "context" to ${most} or less in config/models.json.`);
  }
  if (loaded !== null && loaded !== contextTokens) {
    const detail = `loaded with ${loaded} tokens, configured are ${contextTokens}: the next call loads the model anew`;
    return warn(
      name,
      detail,
      "Nothing, if that is fine; else give every program that uses this Ollama the same context.",
    );
  }
  return ok(name, `${contextTokens} tokens${most === null ? "" : ` of ${most} at most`}`);
}

/** What a provider answers within the limit, or why it does not. */
async function answerOf<T>(
  { provider, answerMs = ANSWER_MS }: OllamaSubject,
  ask: (signal: AbortSignal) => Promise<T>,
): Promise<T | ProviderError> {
  using deadline = new CallDeadline(answerMs, undefined);
  try {
    return await ask(deadline.signal);
  } catch (error) {
    if (!(error instanceof ProviderError)) throw error;
    if (!deadline.expired) return error;
    const message = `Provider ${provider.id} gave no answer at ${provider.origin} within ${formatDuration(answerMs)}.`;
    return new ProviderError("timeout", message, { provider: provider.id });
  }
}
