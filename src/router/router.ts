import { AgentError, EXIT, type NoAnswerError, ProviderError } from "../core/errors.ts";
import type { EventBus } from "../core/events.ts";
import type {
  Delta,
  EmbedResponse,
  GenerateRequest,
  Message,
  ModelResponse,
  Priority,
  StreamItem,
} from "../core/types.ts";
import type { Answer } from "./answer.ts";
import { attempt, chatting, embedding, type Place, type Work } from "./attempt.ts";
import { Call, type Obstacle } from "./call.ts";
import { type Candidate, findModel, planChat, planEmbedding } from "./chain.ts";
import { pause, startDeadline } from "./deadline.ts";
import type { Lane, LaneStatus } from "./lane.ts";
import { forbiddance, heldCandidates, hindrance, misfit, openBreaker, soonestMs } from "./obstacles.ts";
import { costOf } from "./pricing.ts";
import type { Release } from "./queue.ts";
import { messagesOf, optionsOf } from "./request.ts";
import { createLanes, type RouterSnapshot, type Serving } from "./snapshot.ts";
import { estimateUsage } from "./tokens.ts";

/** A rate limit is waited for when nothing else can answer and it passes within this time. */
const LONGEST_WAIT_MS = 10_000;
/** How long a provider is left alone that says "too many requests" without saying until when. */
const DEFAULT_HOLD_MS = 5_000;
const RETRY_PAUSE_MS = { least: 100, spread: 200 };

export interface RouterDependencies {
  readonly events: EventBus;
  /** True when this process has given up every right to reach a cloud. */
  readonly sealed: boolean;
  /** Random number in [0, 1) for the jitter of retries. */
  readonly random?: () => number;
}

export interface EmbedOptions {
  readonly priority?: Priority;
  readonly signal?: AbortSignal;
}

interface Done<T> {
  readonly candidate: Candidate;
  readonly result: T;
}

/** The only way to a model. Safe for any number of calls at once; see design.md for the reasons behind it. */
export class Router {
  readonly #events: EventBus;
  readonly #sealed: boolean;
  readonly #random: () => number;
  #serving: Serving;

  constructor(snapshot: RouterSnapshot, { events, sealed, random = Math.random }: RouterDependencies) {
    this.#events = events;
    this.#sealed = sealed;
    this.#random = random;
    this.#serving = { snapshot, lanes: createLanes(snapshot, new Map(), events) };
  }

  get snapshot(): RouterSnapshot {
    return this.#serving.snapshot;
  }

  /**
   * Serves `snapshot` from the next call on; calls in flight finish on theirs. A provider that keeps its id and its
   * origin keeps its breaker, its rate limit and its queue.
   */
  apply(snapshot: RouterSnapshot): void {
    this.#serving = { snapshot, lanes: createLanes(snapshot, this.#serving.lanes, this.#events) };
  }

  /** State of the road to every provider, by provider id. */
  get lanes(): Readonly<Record<string, LaneStatus>> {
    return Object.fromEntries([...this.#serving.lanes].map(([id, lane]) => [id, lane.status]));
  }

  /**
   * One whole answer. An answer that breaks off half-way is begun again at the next model.
   * @throws NoAnswerError when no model could answer; AgentError (exit 64) when the request makes no sense.
   */
  async generate(request: GenerateRequest): Promise<ModelResponse> {
    return await finish(this.#chat(request, false));
  }

  /**
   * The answer as it comes; the last item is the whole response. Falls back only while nothing has been handed out:
   * an answer that breaks off after that ends in an error, never in the words of a second model.
   * @throws NoAnswerError, AgentError as `generate`.
   */
  async *stream(request: GenerateRequest): AsyncGenerator<StreamItem, void, void> {
    yield { type: "done", response: yield* this.#chat(request, true) };
  }

  /**
   * A vector for each text, from the model assigned to `embeddings`.
   * @throws NoAnswerError; AgentError (exit 78) when no embeddings model is assigned.
   */
  async embed(
    texts: readonly string[],
    { priority = "background", signal }: EmbedOptions = {},
  ): Promise<EmbedResponse> {
    const serving = this.#serving;
    const { models, profile } = serving.snapshot;
    const candidates = planEmbedding(models, profile);
    if (candidates.length === 0) {
      throw new AgentError(`Profile ${profile.name} assigns no model to embeddings`, {
        exitCode: EXIT.config,
        remedy: 'Name one in config/models.json: "assignments": { "embeddings": "ollama/embeddinggemma" }.',
      });
    }
    using deadline = startDeadline(models.deadlines.total_seconds * 1000, signal);
    const localOnly = this.#sealed || profile.localOnly;
    const call = new Call({ role: "embeddings", serving, candidates, localOnly, priority, deadline });
    const { candidate, result } = await finish(this.#run(call, [], embedding(texts)));
    const usage = result.usage ?? estimateUsage(texts.map((content) => ({ role: "user", content })), "");
    return {
      vectors: result.vectors,
      provider: candidate.provider,
      model: candidate.model,
      usage,
      cost_usd: candidate.price && costOf(usage, candidate.price),
      latency_ms: call.elapsedMs,
    };
  }

  async *#chat(request: GenerateRequest, live: boolean): AsyncGenerator<Delta, ModelResponse, void> {
    const serving = this.#serving;
    const { models, profile } = serving.snapshot;
    const { role = "identity_core", priority = "interactive", model = "auto", signal } = request;
    const messages = messagesOf(request);
    const choice = model === "auto" ? undefined : model;
    if (choice !== undefined && !findModel(models, choice)) throw unknownModel(choice, serving.snapshot);
    const candidates = planChat(models, profile, role, choice);
    const localOnly = this.#sealed || profile.localOnly;
    using deadline = startDeadline(models.deadlines.total_seconds * 1000, signal);
    const call = new Call({ role, serving, candidates, localOnly, priority, deadline });
    if (choice !== undefined) refuseForbiddenChoice(call);
    const done = yield* this.#run(call, messages, chatting(messages, optionsOf(request), live));
    return respond(call, done, messages);
  }

  /** Tries candidate after candidate until one is done. */
  async *#run<T>(call: Call, messages: readonly Message[], work: Work<T>): AsyncGenerator<Delta, Done<T>, void> {
    do {
      for (let candidate = call.take(); candidate; candidate = call.take()) {
        const obstacle = forbiddance(call, candidate) ?? hindrance(call.laneOf(candidate)) ??
          misfit(candidate, messages);
        if (obstacle) {
          call.recordSkip(candidate, obstacle);
          continue;
        }
        const done = yield* this.#tryCandidate(call, candidate, work);
        if (done) return done;
      }
    } while (await this.#waitForRateLimit(call));
    this.#announceMove(call, null);
    throw call.failure(undefined, soonestMs(call));
  }

  /** One candidate, once more where that is worth it. Undefined when the call has to move on. */
  async *#tryCandidate<T>(
    call: Call,
    candidate: Candidate,
    work: Work<T>,
  ): AsyncGenerator<Delta, Done<T> | undefined, void> {
    const lane = call.laneOf(candidate);
    const slot = call.snapshot.providers.get(candidate.provider);
    if (!slot || "refusal" in slot) return undefined;
    for (;;) {
      const place = await this.#enter(call, lane, candidate);
      if (!("permit" in place)) {
        call.recordSkip(candidate, place);
        return undefined;
      }
      this.#announceMove(call, candidate);
      const startedAt = performance.now();
      const outcome = yield* attempt(place, call, candidate, work(slot.provider, candidate, call));
      const ms = performance.now() - startedAt;
      if (!(outcome instanceof ProviderError)) {
        lane.recordAnswer(ms);
        call.recordSuccess(candidate, ms);
        return { candidate, result: outcome.result };
      }
      this.#noteTrouble(lane, candidate, outcome);
      const step = call.recordFailure(candidate, outcome, ms);
      if (step === "stop") throw call.failure(outcome);
      if (step !== "retry") return undefined;
      await this.#pause(call, RETRY_PAUSE_MS.least + this.#random() * RETRY_PAUSE_MS.spread, candidate);
    }
  }

  /** Waits when nothing but a rate limit stands in the way and it passes soon. True when it is worth another round. */
  async #waitForRateLimit(call: Call): Promise<boolean> {
    const { candidates, waitMs } = heldCandidates(call);
    const patienceMs = Math.min(LONGEST_WAIT_MS - call.waitedMs, call.deadline.remainingMs);
    if (candidates.length === 0 || waitMs >= patienceMs) return false;
    call.waitedMs += waitMs;
    await this.#pause(call, waitMs, candidates[0]);
    call.reopen(candidates);
    return true;
  }

  async #pause(call: Call, ms: number, candidate: Candidate | undefined): Promise<void> {
    try {
      await pause(ms, call.deadline.signal);
    } catch {
      throw stopped(call, candidate);
    }
  }

  /** A place in the queue and the breaker's leave, or what stands in the way. */
  async #enter(call: Call, lane: Lane, candidate: Candidate): Promise<Place | Obstacle> {
    let release: Release | null;
    try {
      release = await lane.queue.acquire(call.priority, call.deadline.signal);
    } catch {
      throw stopped(call, candidate);
    }
    if (!release) {
      return { kind: "rate_limit", reason: `${lane.queue.depth} calls are waiting already`, forbidden: false };
    }
    const hindered = hindrance(lane); // things may have changed while the call waited
    const permit = hindered ? null : lane.breaker.tryAcquire();
    if (permit) return { release, permit };
    release();
    return hindered ?? openBreaker(lane);
  }

  #noteTrouble(lane: Lane, { provider, model }: Candidate, error: ProviderError): void {
    lane.recordError(error.kind);
    const remedy = error.remedy ?? "";
    switch (error.kind) {
      case "rate_limit":
        lane.holdUntil(error.retryAtMs ?? Date.now() + DEFAULT_HOLD_MS);
        return;
      case "auth":
      case "model_not_found":
        this.#events.emit("system.warning", { code: error.kind, message: error.message, remedy });
        return;
      case "egress_denied":
        this.#events.emit("security.egress_denied", { provider, model, reason: error.message, remedy });
    }
  }

  #announceMove(call: Call, to: Candidate | null): void {
    const from = call.movingFrom;
    if (!from || from.ref === to?.ref) return;
    call.movingFrom = undefined;
    this.#events.emit("router.fallback", { role: call.role, from: from.ref, to: to?.ref ?? null, kind: from.kind });
  }
}

function respond(call: Call, { candidate, result: answer }: Done<Answer>, messages: readonly Message[]): ModelResponse {
  const { ref, provider, model, price } = candidate;
  const usage = answer.usage(messages);
  return {
    content: answer.content,
    provider,
    model,
    role: call.role,
    profile: call.snapshot.profile.name,
    finish_reason: answer.final(provider, model).finish_reason,
    usage,
    cost_usd: price && costOf(usage, price),
    latency_ms: call.elapsedMs,
    first_token_ms: call.firstTokenMs ?? call.elapsedMs,
    fallback: ref !== call.first?.ref,
    attempts: call.attempts,
    ...(answer.toolCalls.length > 0 && { tool_calls: answer.toolCalls }),
    ...(answer.thinking && { thinking: answer.thinking }),
  };
}

/** A model asked for by name that the set-up forbids is an error, not a reason to answer with another. */
function refuseForbiddenChoice(call: Call): void {
  const obstacle = call.first && forbiddance(call, call.first);
  if (!call.first || !obstacle) return;
  call.recordSkip(call.first, obstacle);
  throw call.failure();
}

function stopped(call: Call, candidate: Candidate | undefined): NoAnswerError {
  const interruption = call.interruption(candidate);
  if (candidate) call.recordFailure(candidate, interruption, 0);
  return call.failure(interruption);
}

function unknownModel(ref: string, { models }: RouterSnapshot): AgentError {
  const known = Object.entries(models.providers).flatMap(([id, provider]) =>
    Object.keys(provider.models).map((model) => `${id}/${model}`)
  );
  return new AgentError(`There is no model "${ref}" in the configuration`, {
    exitCode: EXIT.usage,
    remedy: `Use one of: ${known.join(", ")}.`,
  });
}

/** Runs a generator whose deltas nobody wants to its result. */
async function finish<T>(generator: AsyncGenerator<unknown, T, void>): Promise<T> {
  for (;;) {
    const { done, value } = await generator.next();
    if (done) return value;
  }
}
