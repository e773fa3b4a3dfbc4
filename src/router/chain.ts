import { leavesNetwork } from "../config/local_only.ts";
import type { ModelsConfig } from "../config/schema.ts";
import { CHAT_ROLES, type ModelRef, parseModelRef, type Role } from "../core/types.ts";
import type { Price } from "./pricing.ts";

/** A profile with everything it inherits filled in. */
export interface Profile {
  readonly name: string;
  /** True when nothing may leave the local network. */
  readonly localOnly: boolean;
  readonly chain: readonly ModelRef[];
  readonly assignments: Readonly<Partial<Record<Role, ModelRef>>>;
}

/** One model that a call may try. */
export interface Candidate {
  readonly ref: ModelRef;
  readonly provider: string;
  readonly model: string;
  readonly contextTokens: number;
  /** False for a model that only makes vectors. */
  readonly chats: boolean;
  /** Whether it may be sent pictures. */
  readonly sees: boolean;
  /** `null` when models.json has none; all zero for models of this machine. */
  readonly price: Price | null;
}

const FREE: Price = { input: 0, output: 0 };

/**
 * Fills a profile in: its own chain and assignments before the top-level ones. `*` stands for every role but
 * `embeddings`, because a chat model cannot embed.
 */
export function resolveProfile(models: ModelsConfig, name: string): Profile | undefined {
  const own = Object.hasOwn(models.profiles, name) ? models.profiles[name] : undefined;
  if (!own) return undefined;
  const assignments: Partial<Record<Role, ModelRef>> = { ...models.assignments };
  const { "*": everyRole, ...named } = own.assignments ?? {};
  if (everyRole !== undefined) {
    for (const role of CHAT_ROLES) assignments[role] = everyRole;
  }
  Object.assign(assignments, named);
  return {
    name,
    localOnly: own.local_only ?? false,
    chain: own.fallback_chain ?? models.fallback_chain,
    assignments,
  };
}

/** The models a call tries, in order: its own choice or its role's model, then the chain, without repeats. */
export function planChat(models: ModelsConfig, profile: Profile, role: Role, choice?: ModelRef): Candidate[] {
  const first = choice ?? profile.assignments[role];
  const refs = new Set(first === undefined ? profile.chain : [first, ...profile.chain]);
  return [...refs].flatMap((ref) => findModel(models, ref) ?? []);
}

/** The one model that embeds. There is no chain: vectors of different models cannot be compared. */
export function planEmbedding(models: ModelsConfig, profile: Profile): Candidate[] {
  const ref = profile.assignments.embeddings;
  const candidate = ref === undefined ? undefined : findModel(models, ref);
  return candidate ? [candidate] : [];
}

/** The candidate a reference stands for, or undefined when models.json does not list it. */
export function findModel(models: ModelsConfig, ref: ModelRef): Candidate | undefined {
  const parts = parseModelRef(ref);
  if (!parts || !Object.hasOwn(models.providers, parts.provider)) return undefined;
  const provider = models.providers[parts.provider];
  if (!provider || !Object.hasOwn(provider.models, parts.model)) return undefined;
  const settings = provider.models[parts.model];
  if (!settings) return undefined;
  const price = settings.usd_per_million ?? (provider.type === "ollama" ? FREE : null);
  const { context: contextTokens, embeddings = false, vision: sees = false } = settings;
  return { ref, ...parts, contextTokens, chats: !embeddings, sees, price };
}

/** References of `profile` that would run outside the local network. */
export function findCloudModels(models: ModelsConfig, profile: Profile): ModelRef[] {
  const refs = new Set([...profile.chain, ...Object.values(profile.assignments)]);
  return [...refs].filter((ref) => leavesNetwork(models, ref));
}
