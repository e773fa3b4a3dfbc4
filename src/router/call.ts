import { type NoAnswerError, ProviderError } from "../core/errors.ts";
import type { EventBus } from "../core/events.ts";
import type { Attempt, ErrorKind, Message, ModelRef, Priority, Role } from "../core/types.ts";
import type { BookAttempt } from "./accounting.ts";
import type { RunningAttempt } from "./attempt.ts";
import type { Candidate } from "./chain.ts";
import type { CallDeadline } from "./deadline.ts";
import { explainFailure } from "./failure.ts";
import type { Lane } from "./lane.ts";
import type { Obstacle } from "./obstacles.ts";
import { nextStep, type Step, withoutRetry } from "./policy.ts";
import type { RouterSnapshot, Serving } from "./snapshot.ts";

/** Repeats at the same model that one call may spend, whatever the length of its chain. */
const RETRY_BUDGET = 2;

export type CallOutcome = "ok" | "failed" | "aborted";

/** How a call ended, whatever was tried for it. */
export interface CallEnd {
  readonly role: Role;
  readonly outcome: CallOutcome;
}

/** What a call is begun with. */
export interface CallOptions {
  readonly role: Role;
  readonly serving: Serving;
  readonly candidates: readonly Candidate[];
  /** What is sent: messages, or the texts to embed as messages. */
  readonly prompt: readonly Message[];
  readonly priority: Priority;
  readonly conversationId?: string | undefined;
  /** The call owns it and disposes of it. */
  readonly deadline: CallDeadline;
  /** True when the first candidate was asked for by name: if the set-up forbids it, no other will do. */
  readonly insists: boolean;
}

/** What one call has tried so far and what it may still try. It keeps the books and asks nobody itself. */
export class Call implements Disposable {
  readonly startedAt = performance.now();
  readonly role: Role;
  /** The configuration the call began with; a reload meanwhile does not touch it. */
  readonly snapshot: RouterSnapshot;
  /** Who is told what happens to the call. */
  readonly events: EventBus;
  /** Takes every attempt down as it ends. */
  readonly book: BookAttempt;
  readonly prompt: readonly Message[];
  readonly conversationId: string | undefined;
  readonly priority: Priority;
  readonly deadline: CallDeadline;
  readonly insists: boolean;
  readonly attempts: Attempt[] = [];
  readonly #lanes: ReadonlyMap<string, Lane>;
  readonly #candidates: readonly Candidate[];
  readonly #pending: Set<Candidate>;
  readonly #rateLimited = new Set<Candidate>();
  readonly #closedProviders = new Set<string>();
  readonly #retried = new Set<string>();
  #retriesLeft = RETRY_BUDGET;
  #minContextTokens = 0;
  readonly #onEnd: ((end: CallEnd) => void) | undefined;
  #waitedMs = 0;
  #shown = false;
  #movingFrom: { readonly ref: ModelRef; readonly kind: ErrorKind } | undefined;

  constructor({ role, serving, candidates, prompt, priority, conversationId, deadline, insists }: CallOptions) {
    this.role = role;
    this.snapshot = serving.snapshot;
    this.events = serving.events;
    this.book = serving.book;
    this.#onEnd = serving.onCallEnd;
    this.#lanes = serving.lanes;
    this.prompt = prompt;
    this.conversationId = conversationId;
    this.priority = priority;
    this.deadline = deadline;
    this.insists = insists;
    this.#candidates = candidates;
    this.#pending = new Set(candidates);
  }

  [Symbol.dispose](): void {
    this.deadline[Symbol.dispose]();
    this.#onEnd?.({ role: this.role, outcome: this.#outcome });
  }

  get #outcome(): CallOutcome {
    const last = this.attempts.at(-1)?.outcome;
    return last === "ok" || last === "aborted" ? last : "failed";
  }

  /** Milliseconds charged for waiting until rate limits pass. */
  get waitedMs(): number {
    return this.#waitedMs;
  }

  /** Milliseconds since the call began. */
  get elapsedMs(): number {
    return performance.now() - this.startedAt;
  }

  /** Notes that a delta is being handed to the caller: from now on no other model can take over. */
  noteShown(): void {
    this.#shown = true;
  }

  chargeWait(ms: number): void {
    this.#waitedMs += ms;
  }

  /** Where the call last came to nothing, unless that is the model it goes on with; told once. */
  takeMove(to: Candidate | null): { readonly ref: ModelRef; readonly kind: ErrorKind } | undefined {
    const from = this.#movingFrom;
    if (!from || from.ref === to?.ref) return undefined;
    this.#movingFrom = undefined;
    return from;
  }

  /** The first choice, allowed or not. */
  get first(): Candidate | undefined {
    return this.#candidates[0];
  }

  /** Whether a candidate is another than the first choice. */
  isFallback({ ref }: Candidate): boolean {
    return ref !== this.first?.ref;
  }

  /** Place of a candidate among those of this call, from 1. */
  placeOf(candidate: Candidate): number {
    return this.#candidates.indexOf(candidate) + 1;
  }

  laneOf({ provider }: Candidate): Lane {
    const lane = this.#lanes.get(provider);
    if (!lane) throw new Error(`Provider ${provider} has no lane`);
    return lane;
  }

  /** The next candidate to look at; undefined when the chain is through. */
  take(): Candidate | undefined {
    for (const candidate of this.#pending) {
      this.#pending.delete(candidate);
      if (this.#closedProviders.has(candidate.provider)) continue;
      if (candidate.contextTokens <= this.#minContextTokens) continue;
      return candidate;
    }
    return undefined;
  }

  /** Puts candidates back that may be tried after a wait. */
  reopen(candidates: Iterable<Candidate>): void {
    for (const candidate of candidates) {
      this.#pending.add(candidate);
      this.#rateLimited.delete(candidate);
    }
  }

  /** Candidates that a rate limit kept from answering, and nothing else. */
  get rateLimited(): Candidate[] {
    return this.stillPossible.filter((candidate) => this.#rateLimited.has(candidate));
  }

  /** Candidates that nothing but time keeps from being asked. */
  get stillPossible(): Candidate[] {
    return this.#candidates.filter(({ provider, contextTokens }) =>
      !this.#closedProviders.has(provider) && contextTokens > this.#minContextTokens
    );
  }

  recordSkip(candidate: Candidate, { kind, reason, remedy, nature }: Obstacle): void {
    const { ref, provider, model } = candidate;
    if (nature === "rate_limit") this.#rateLimited.add(candidate);
    this.attempts.push({
      provider,
      model,
      outcome: "skipped",
      error_kind: kind,
      reason,
      ...(remedy !== undefined && { remedy }),
      ms: 0,
    });
    if (nature !== "setup") this.#movingFrom ??= { ref, kind };
  }

  recordSuccess({ candidate: { provider, model }, elapsedMs }: RunningAttempt): void {
    this.attempts.push({ provider, model, outcome: "ok", ms: elapsedMs });
  }

  /** Notes a failure before any attempt could begin. */
  recordInterruption(candidate: Candidate, error: ProviderError): void {
    this.#recordFailure(candidate, error, 0);
  }

  /** Notes the failure and says what follows. */
  recordFailure({ candidate, elapsedMs, received }: RunningAttempt, error: ProviderError): Step {
    this.#recordFailure(candidate, error, elapsedMs);
    const { ref, provider } = candidate;
    this.#movingFrom = { ref, kind: error.kind };
    if (error.kind === "rate_limit") this.#rateLimited.add(candidate);
    const progress = this.#shown ? "shown" : received ? "received" : "nothing";
    const step = this.#affordable(nextStep(error, progress), candidate, error);
    if (step === "next_provider") this.#closedProviders.add(provider);
    if (step === "larger_context") this.#minContextTokens = Math.max(this.#minContextTokens, candidate.contextTokens);
    return step;
  }

  /** The error that ends the call. `cause` is the failure that ended it, when a single one did. */
  failure(cause?: ProviderError, retryInMs?: number): NoAnswerError {
    return explainFailure({
      attempts: this.attempts,
      partial: this.#shown,
      cause,
      retryInMs,
    });
  }

  /** What the call's own signal did, as an error. */
  interruption(candidate: Candidate | undefined): ProviderError {
    const { provider = "router", model } = candidate ?? {};
    const options = { provider, model };
    return this.deadline.expired
      ? new ProviderError("timeout", "The time for the whole call (deadlines.total_seconds) was up.", options)
      : new ProviderError("aborted", "The caller stopped the call.", options);
  }

  #recordFailure({ provider, model }: Candidate, { kind, message: reason, remedy }: ProviderError, ms: number): void {
    this.attempts.push({
      provider,
      model,
      outcome: kind === "aborted" ? "aborted" : "failed",
      error_kind: kind,
      reason,
      ...(remedy !== undefined && { remedy }),
      ms,
    });
  }

  #affordable(step: Step, { ref }: Candidate, error: ProviderError): Step {
    if (step !== "retry") return step;
    if (this.#retriesLeft === 0 || this.#retried.has(ref)) return withoutRetry(error);
    this.#retriesLeft--;
    this.#retried.add(ref);
    return "retry";
  }
}
