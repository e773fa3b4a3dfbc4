import type { Message } from "../core/types.ts";
import type { Call, Obstacle } from "./call.ts";
import type { Candidate } from "./chain.ts";
import type { Lane } from "./lane.ts";
import { surelyExceeds } from "./tokens.ts";

/** Why the set-up of this run forbids a candidate, whatever the provider's health. */
export function forbiddance(call: Call, { provider }: Candidate): Obstacle | undefined {
  const slot = call.snapshot.providers.get(provider);
  if (!slot) {
    return { kind: "egress_denied", reason: `Provider ${provider} is not built into this run`, forbidden: true };
  }
  if ("refusal" in slot) {
    const { kind, reason, remedy } = slot.refusal;
    return { kind, reason: `${reason} → ${remedy}`, forbidden: true };
  }
  if (call.localOnly && !slot.provider.local) {
    const { name, localOnly } = call.snapshot.profile;
    const reason = localOnly
      ? `Profile ${name} keeps everything local → Switch the profile to use ${provider}.`
      : `This process is sealed: nothing leaves the local network → Restart it with --cloud to use ${provider}.`;
    return { kind: "egress_denied", reason, forbidden: true };
  }
  return undefined;
}

/** Why a provider cannot be asked right now. */
export function hindrance(lane: Lane): Obstacle | undefined {
  if (!lane.breaker.passable) return openBreaker(lane);
  if (lane.heldMs === 0) return undefined;
  const reason = `Held back for ${inSeconds(lane.heldMs)} by a rate limit`;
  return { kind: "rate_limit", reason, forbidden: false, held: true };
}

/** Why a candidate cannot take these messages at any time. */
export function misfit({ contextTokens }: Candidate, messages: readonly Message[]): Obstacle | undefined {
  if (!surelyExceeds(messages, contextTokens)) return undefined;
  return { kind: "context_length", reason: `The prompt cannot fit into ${contextTokens} tokens`, forbidden: false };
}

export function fullQueue(lane: Lane): Obstacle {
  return { kind: "rate_limit", reason: `${lane.queue.depth} calls are waiting already`, forbidden: false };
}

export function openBreaker(lane: Lane): Obstacle {
  const { failures, retryInMs } = lane.breaker;
  const next = retryInMs > 0 ? `next try in ${inSeconds(retryInMs)}` : "being tried by another call";
  return { kind: "unavailable", reason: `Breaker open after ${failures} failures, ${next}`, forbidden: false };
}

/** Candidates that a rate limit alone keeps from answering, with the shortest wait among them. */
export function heldCandidates(call: Call): { candidates: Candidate[]; waitMs: number } {
  const held = call.rateLimited
    .map((candidate) => ({ candidate, lane: call.laneOf(candidate) }))
    .filter(({ lane }) => lane.breaker.passable);
  const waitMs = Math.min(...held.map(({ lane }) => lane.heldMs));
  return { candidates: held.filter(({ lane }) => lane.heldMs <= waitMs).map(({ candidate }) => candidate), waitMs };
}

/** Milliseconds until some candidate may be asked again; undefined when time alone changes nothing. */
export function soonestMs(call: Call): number | undefined {
  const waits = call.stillPossible
    .filter((candidate) => !forbiddance(call, candidate))
    .map((candidate) => call.laneOf(candidate))
    .map(({ heldMs, breaker }) => Math.max(heldMs, breaker.retryInMs))
    .filter((ms) => ms > 0);
  return waits.length > 0 ? Math.min(...waits) : undefined;
}

function inSeconds(ms: number): string {
  return `${Math.ceil(ms / 1000)} s`;
}
