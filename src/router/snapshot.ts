import type { ModelsConfig } from "../config/schema.ts";
import { ConfigError } from "../core/errors.ts";
import type { EventBus } from "../core/events.ts";
import type { Provider } from "../providers/provider.ts";
import { type Profile, resolveProfile } from "./chain.ts";
import { Lane, type LaneSettings } from "./lane.ts";

/** Why a configured provider may not be asked in this run. */
export interface Refusal {
  readonly kind: "auth" | "egress_denied";
  readonly reason: string;
  readonly remedy: string;
}

export type ProviderSlot = { readonly provider: Provider } | { readonly refusal: Refusal };

/** Everything a call needs to know, immutable: a call goes on with the snapshot it began with. */
export interface RouterSnapshot {
  readonly models: ModelsConfig;
  readonly profile: Profile;
  /** A slot for every provider in `models`. */
  readonly providers: ReadonlyMap<string, ProviderSlot>;
}

/** A snapshot with the road to each of its providers. */
export interface Serving {
  readonly snapshot: RouterSnapshot;
  readonly lanes: ReadonlyMap<string, Lane>;
}

/**
 * Builds a snapshot.
 * @throws ConfigError when `profile` is not one of the profiles of `models`.
 */
export function createSnapshot(
  models: ModelsConfig,
  profile: string,
  providers: ReadonlyMap<string, ProviderSlot>,
): RouterSnapshot {
  const resolved = resolveProfile(models, profile);
  if (!resolved) {
    const names = Object.keys(models.profiles).join(", ");
    throw new ConfigError("the configuration", [{
      path: "profile",
      message: `There is no profile "${profile}"`,
      remedy: `Use one of: ${names}.`,
    }]);
  }
  return { models, profile: resolved, providers };
}

/** Lanes for `snapshot`: those of `before` where provider id and origin stayed the same, new ones for the rest. */
export function createLanes(
  snapshot: RouterSnapshot,
  before: ReadonlyMap<string, Lane>,
  events: EventBus,
): ReadonlyMap<string, Lane> {
  const lanes = new Map<string, Lane>();
  for (const [id, slot] of snapshot.providers) {
    const settings = laneSettings(snapshot.models, id);
    const origin = "provider" in slot ? slot.provider.origin : "";
    const known = before.get(id);
    if (known?.origin === origin) known.configure(settings);
    lanes.set(id, known?.origin === origin ? known : new Lane(id, origin, settings, events));
  }
  return lanes;
}

/** Limits of the road to one provider, its own before the general ones. */
function laneSettings(models: ModelsConfig, provider: string): LaneSettings {
  const { failure_threshold, recovery_seconds } = models.circuit_breaker;
  const own = models.providers[provider];
  return {
    breaker: { failureThreshold: failure_threshold, recoveryMs: recovery_seconds * 1000 },
    queue: { maxConcurrent: own?.max_concurrent ?? 1, maxWaiting: own?.max_waiting ?? 64 },
  };
}

/** Time limits of a call to one provider in milliseconds, its own before the general ones. */
export function deadlinesFor(models: ModelsConfig, provider: string) {
  const seconds = { ...models.deadlines, ...models.providers[provider]?.deadlines };
  return {
    loadMs: seconds.load_seconds * 1000,
    firstTokenMs: seconds.first_token_seconds * 1000,
    idleMs: seconds.idle_seconds * 1000,
  };
}
