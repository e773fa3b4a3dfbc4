import type { ModelsConfig, ProviderSettings } from "../config/schema.ts";
import type { EventBus } from "../core/events.ts";
import type { AttemptDeadlines, Provider } from "../providers/provider.ts";
import type { Profile } from "./chain.ts";
import type { BookAttempt } from "./accounting.ts";
import type { CallEnd } from "./call.ts";
import { Lane, type LaneSettings } from "./lane.ts";

/** Why a configured provider may not be asked in this run. */
export interface Refusal {
  readonly kind: "auth" | "egress_denied";
  readonly reason: string;
  readonly remedy: string;
}

/** A provider, or why this run has none. */
export type ProviderSlot = { readonly provider: Provider } | { readonly refusal: Refusal };

/** Everything a call needs to know, immutable: a call goes on with the snapshot it began with. */
export interface RouterSnapshot {
  readonly models: ModelsConfig;
  readonly profile: Profile;
  /** A slot for every provider in `models`. */
  readonly providers: ReadonlyMap<string, ProviderSlot>;
  /** True when nothing may leave the local network: the profile says so, or the run was started without the cloud. */
  readonly localOnly: boolean;
}

/** A snapshot with the road to each of its providers, and who is told what happens on it. */
export interface Serving {
  readonly snapshot: RouterSnapshot;
  readonly lanes: ReadonlyMap<string, Lane>;
  readonly events: EventBus;
  readonly book: BookAttempt;
  /** Told of every call that has ended. */
  readonly onCallEnd?: ((end: CallEnd) => void) | undefined;
}

export interface SnapshotParts {
  readonly models: ModelsConfig;
  readonly profile: Profile;
  readonly providers: ReadonlyMap<string, ProviderSlot>;
  /** True when this run may ask the cloud (`--cloud`). */
  readonly cloudAllowed: boolean;
}

/** Builds a snapshot. */
export function createSnapshot({ models, profile, providers, cloudAllowed }: SnapshotParts): RouterSnapshot {
  return { models, profile, providers, localOnly: profile.localOnly || !cloudAllowed };
}

/** The provider of that id if this run may ask it, otherwise why it may not. */
export function providerOf({ providers, profile, localOnly }: RouterSnapshot, id: string): Provider | Refusal {
  const slot = providers.get(id);
  if (!slot) throw new Error(`Provider ${id} has no slot`);
  if ("refusal" in slot) return slot.refusal;
  if (slot.provider.local || !localOnly) return slot.provider;
  return {
    kind: "egress_denied",
    ...(profile.localOnly
      ? { reason: `Profile ${profile.name} keeps everything local`, remedy: `Switch the profile to use ${id}.` }
      : { reason: "This run was started without --cloud", remedy: `Start it with --cloud to use ${id}.` }),
  };
}

/** Tells the two apart. */
export function isRefusal(value: Provider | Refusal): value is Refusal {
  return "reason" in value;
}

/** Lanes for `snapshot`: those of `before` where provider id and origin stayed the same, new ones for the rest. */
export function createLanes(
  snapshot: RouterSnapshot,
  before: ReadonlyMap<string, Lane>,
  events: EventBus,
): ReadonlyMap<string, Lane> {
  const lanes = new Map<string, Lane>();
  for (const [id, configured] of Object.entries(snapshot.models.providers)) {
    const settings = laneSettings(snapshot.models, configured);
    const slot = snapshot.providers.get(id);
    const origin = slot && "provider" in slot ? slot.provider.origin : "";
    const known = before.get(id);
    if (known?.origin === origin) known.configure(settings);
    lanes.set(id, known?.origin === origin ? known : new Lane(id, origin, settings, events));
  }
  return lanes;
}

/** Limits of the road to one provider. */
function laneSettings({ circuit_breaker }: ModelsConfig, provider: ProviderSettings): LaneSettings {
  return {
    breaker: {
      failureThreshold: circuit_breaker.failure_threshold,
      recoveryMs: circuit_breaker.recovery_seconds * 1000,
    },
    queue: { maxConcurrent: provider.max_concurrent, maxWaiting: provider.max_waiting },
  };
}

/** Time limits of an attempt at one provider, its own before the general ones. */
export function deadlinesFor(models: ModelsConfig, provider: string): AttemptDeadlines {
  const seconds = { ...models.deadlines, ...models.providers[provider]?.deadlines };
  return {
    loadMs: seconds.load_seconds * 1000,
    firstTokenMs: seconds.first_token_seconds * 1000,
    idleMs: seconds.idle_seconds * 1000,
  };
}
