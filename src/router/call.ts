import { type NoAnswerError, ProviderError } from "../core/errors.ts";
import type { Attempt, ErrorKind, ModelRef, Priority, Role } from "../core/types.ts";
import type { Candidate } from "./chain.ts";
import type { CallDeadline } from "./deadline.ts";
import { explainFailure } from "./failure.ts";
import type { Lane } from "./lane.ts";
import { nextStep, type Progress, type Step, withoutRetry } from "./policy.ts";
import type { RouterSnapshot, Serving } from "./snapshot.ts";

/** Repeats at the same model that one call may spend, whatever the length of its chain. */
const RETRY_BUDGET = 2;

/** Why a candidate was not asked. `forbidden` is settled by the set-up; the others pass. */
export interface Obstacle {
  readonly kind: ErrorKind;
  readonly reason: string;
  readonly forbidden: boolean;
  /** True when it is a rate limit, which may be waited for. */
  readonly held?: boolean;
}

export interface CallOptions {
  readonly role: Role;
  readonly serving: Serving;
  readonly candidates: readonly Candidate[];
  readonly localOnly: boolean;
  readonly priority: Priority;
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
  readonly localOnly: boolean;
  readonly priority: Priority;
  readonly deadline: CallDeadline;
  readonly insists: boolean;
  readonly attempts: Attempt[] = [];
  /** Milliseconds charged for waiting until rate limits pass. */
  waitedMs = 0;
  /** How far the running attempt has come. */
  progress: Progress = "nothing";
  /** Milliseconds from the start of the call to the first delta of the running attempt. */
  firstTokenMs: number | undefined;
  /** Where the call last came to nothing, until another model has taken over. */
  movingFrom: { readonly ref: ModelRef; readonly kind: ErrorKind } | undefined;

  readonly #lanes: ReadonlyMap<string, Lane>;
  readonly #candidates: readonly Candidate[];
  readonly #pending: Set<Candidate>;
  readonly #rateLimited = new Set<Candidate>();
  readonly #closedProviders = new Set<string>();
  readonly #retried = new Set<string>();
  #retriesLeft = RETRY_BUDGET;
  #minContextTokens = 0;

  constructor({ role, serving, candidates, localOnly, priority, deadline, insists }: CallOptions) {
    this.role = role;
    this.snapshot = serving.snapshot;
    this.#lanes = serving.lanes;
    this.localOnly = localOnly;
    this.priority = priority;
    this.deadline = deadline;
    this.insists = insists;
    this.#candidates = candidates;
    this.#pending = new Set(candidates);
  }

  [Symbol.dispose](): void {
    this.deadline[Symbol.dispose]();
  }

  beginAttempt(): void {
    this.progress = "nothing";
    this.firstTokenMs = undefined;
  }

  get first(): Candidate | undefined {
    return this.#candidates[0];
  }

  laneOf({ provider }: Candidate): Lane {
    const lane = this.#lanes.get(provider);
    if (!lane) throw new Error(`Provider ${provider} has no lane`);
    return lane;
  }

  get elapsedMs(): number {
    return performance.now() - this.startedAt;
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

  recordSkip(candidate: Candidate, { kind, reason, forbidden, held = false }: Obstacle): void {
    const { ref, provider, model } = candidate;
    if (held) this.#rateLimited.add(candidate);
    this.attempts.push({ provider, model, outcome: "skipped", error_kind: kind, reason, ms: 0 });
    if (!forbidden) this.movingFrom ??= { ref, kind };
  }

  recordSuccess({ provider, model }: Candidate, ms: number): void {
    this.attempts.push({ provider, model, outcome: "ok", ms });
  }

  /** Notes the failure and says what follows. */
  recordFailure(candidate: Candidate, error: ProviderError, ms: number): Step {
    const { ref, provider, model } = candidate;
    const outcome = error.kind === "aborted" ? "aborted" : "failed";
    const reason = error.remedy ? `${error.message} → ${error.remedy}` : error.message;
    this.attempts.push({ provider, model, outcome, error_kind: error.kind, reason, ms });
    this.movingFrom = { ref, kind: error.kind };
    if (error.kind === "rate_limit") this.#rateLimited.add(candidate);
    const step = this.#affordable(nextStep(error, this.progress), candidate, error);
    if (step === "next_provider") this.#closedProviders.add(provider);
    if (step === "larger_context") this.#minContextTokens = Math.max(this.#minContextTokens, candidate.contextTokens);
    return step;
  }

  /** The error that ends the call. `cause` is the failure that ended it, when a single one did. */
  failure(cause?: ProviderError, retryInMs?: number): NoAnswerError {
    return explainFailure({
      attempts: this.attempts,
      partial: this.progress === "shown",
      ...(cause && { cause }),
      ...(retryInMs !== undefined && { retryInMs }),
    });
  }

  /** What the call's own signal did, as an error. */
  interruption(candidate: Candidate | undefined): ProviderError {
    const { provider = "router", model } = candidate ?? {};
    const options = { provider, ...(model !== undefined && { model }) };
    return this.deadline.expired
      ? new ProviderError("timeout", "The time for the whole call (deadlines.total_seconds) was up", options)
      : new ProviderError("aborted", "The caller stopped the call", options);
  }

  #affordable(step: Step, { ref }: Candidate, error: ProviderError): Step {
    if (step !== "retry") return step;
    if (this.#retriesLeft === 0 || this.#retried.has(ref)) return withoutRetry(error);
    this.#retriesLeft--;
    this.#retried.add(ref);
    return "retry";
  }
}
