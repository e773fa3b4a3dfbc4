import { isOllamaCloudName } from "../core/cloud_name.ts";
import { formatWait } from "../core/format.ts";
import { surelyExceeds } from "../core/tokens.ts";
import type { ErrorKind, Message } from "../core/types.ts";
import type { Call } from "./call.ts";
import type { Candidate } from "./chain.ts";
import type { Lane } from "./lane.ts";
import { isRefusal, providerOf } from "./snapshot.ts";

const RUN_LOCALLY = "Choose a model that runs on this machine, and set OLLAMA_NO_CLOUD=1 for Ollama.";

/** Why a candidate was not asked. */
export interface Obstacle {
  readonly kind: ErrorKind;
  readonly reason: string;
  readonly remedy?: string | undefined;
  /** `setup`: this run forbids it for good. `rate_limit`: time alone removes it. `now`: anything else. */
  readonly nature: "setup" | "rate_limit" | "now";
}

/** Why the set-up of this run forbids a candidate, whatever the provider's health. */
export function checkAllowed({ snapshot }: Call, { provider }: Candidate): Obstacle | undefined {
  const found = providerOf(snapshot, provider);
  return isRefusal(found) ? { ...found, nature: "setup" } : undefined;
}

/** Why a model that was asked for by name is refused at once, before its provider would refuse it. */
export function checkChoice(call: Call, candidate: Candidate): Obstacle | undefined {
  const { snapshot } = call;
  const { provider, model } = candidate;
  const found = providerOf(snapshot, provider);
  if (isRefusal(found)) return checkAllowed(call, candidate);
  if (!snapshot.localOnly || found.type !== "ollama" || !isOllamaCloudName(model)) return undefined;
  const reason = `Ollama runs ${model} in somebody's cloud, and this call must stay local`;
  return { kind: "egress_denied", reason, remedy: RUN_LOCALLY, nature: "setup" };
}

function hasImages(message: Message): boolean {
  return message.role === "user" && (message.images?.length ?? 0) > 0;
}

const BLIND: Obstacle = {
  kind: "bad_request",
  reason: "There are pictures, and models.json does not say that this model sees any",
  remedy: 'If it does, add "vision": true to it.',
  nature: "now",
};

/** Why a provider cannot be asked right now. */
export function checkLane(lane: Lane): Obstacle | undefined {
  if (!lane.breaker.passable) return describeOpenBreaker(lane);
  if (lane.heldMs === 0) return undefined;
  const reason = `Held back for ${formatWait(lane.heldMs)} by a rate limit`;
  return { kind: "rate_limit", reason, nature: "rate_limit" };
}

/** Why a candidate cannot take the prompt of the call at any time. Texts to embed need not fit together. */
export function checkFit({ prompt }: Call, { contextTokens, chats, sees }: Candidate): Obstacle | undefined {
  if (!sees && prompt.some(hasImages)) return BLIND;
  if (!chats || !surelyExceeds(prompt, contextTokens)) return undefined;
  return { kind: "context_length", reason: `The prompt cannot fit into ${contextTokens} tokens`, nature: "now" };
}

/** The obstacle of a call that found the queue full. */
export function describeFullQueue(lane: Lane): Obstacle {
  return { kind: "rate_limit", reason: `The queue is full, ${lane.queue.depth} calls are waiting`, nature: "now" };
}

/** The obstacle of a call that found the breaker open. */
export function describeOpenBreaker(lane: Lane): Obstacle {
  const { failures, retryInMs } = lane.breaker;
  const next = retryInMs > 0 ? `next try in ${formatWait(retryInMs)}` : "being tried by another call";
  return { kind: "unavailable", reason: `Breaker open (failures in a row: ${failures}), ${next}`, nature: "now" };
}

/** Candidates that a rate limit alone keeps from answering, with the shortest wait among them. */
export function findHeld(call: Call): { candidates: Candidate[]; waitMs: number } {
  const held = call.rateLimited
    .map((candidate) => ({ candidate, lane: call.laneOf(candidate) }))
    .filter(({ lane }) => lane.breaker.passable);
  const waitMs = Math.min(...held.map(({ lane }) => lane.heldMs));
  return { candidates: held.filter(({ lane }) => lane.heldMs <= waitMs).map(({ candidate }) => candidate), waitMs };
}

/** Milliseconds until some candidate may be asked again; undefined when time alone changes nothing. */
export function findSoonestMs(call: Call): number | undefined {
  const waits = call.stillPossible
    .filter((candidate) => !checkAllowed(call, candidate))
    .map((candidate) => call.laneOf(candidate))
    .map(({ heldMs, breaker }) => Math.max(heldMs, breaker.retryInMs))
    .filter((ms) => ms > 0);
  return waits.length > 0 ? Math.min(...waits) : undefined;
}
