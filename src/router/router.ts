import { AgentError, EXIT, type NoAnswerError, ProviderError } from "../core/errors.ts";
import { createEventBus, type EventBus } from "../core/events.ts";
import { estimateUsage } from "../core/tokens.ts";
import {
  CHAT_ROLES,
  type EmbedResponse,
  type GenerateRequest,
  type ModelRef,
  type ModelResponse,
  type Priority,
  type StreamItem,
  type StreamStart,
} from "../core/types.ts";
import type { ProviderChunk } from "../providers/provider.ts";
import type { BookAttempt } from "./accounting.ts";
import { asProviderError, awaitAnswer, awaitOpening, awaitVectors, RunningAttempt, type Work } from "./attempt.ts";
import { Call, type CallEnd } from "./call.ts";
import { type Candidate, findModel, planChat, planEmbedding } from "./chain.ts";
import { CallDeadline, pause } from "./deadline.ts";
import type { LaneStatus } from "./lane.ts";
import {
  checkAllowed,
  checkChoice,
  checkFit,
  checkLane,
  describeFullQueue,
  describeOpenBreaker,
  findHeld,
  findSoonestMs,
} from "./obstacles.ts";
import type { Step } from "./policy.ts";
import { costOf } from "./pricing.ts";
import type { Release } from "./queue.ts";
import { messagesOf, optionsOf } from "./request.ts";
import { createLanes, isRefusal, providerOf, type RouterSnapshot, type Serving } from "./snapshot.ts";

/** A rate limit is waited for when nothing else can answer and it passes within this time. */
const LONGEST_WAIT_MS = 10_000;
/** A shorter wait counts as one of this length, lest a provider that says "again at once" be asked for ever. */
const LEAST_WAIT_CHARGED_MS = 1_000;
/** How long a provider is left alone that says "too many requests" without saying until when. */
const DEFAULT_HOLD_MS = 5_000;
const RETRY_PAUSE_MS = { least: 100, spread: 200 };
const TEST_REQUEST = { prompt: "Answer with the single word: ok", temperature: 0, max_tokens: 64 } as const;

/** What a router is built with. */
export interface RouterDependencies {
  readonly events: EventBus;
  /** Takes every attempt down as it ends. */
  readonly book: BookAttempt;
  /** Told of every call that has ended. */
  readonly onCallEnd?: (end: CallEnd) => void;
  /** Random number in [0, 1) for the jitter of retries. */
  readonly random?: () => number;
}

/** How to embed. */
export interface EmbedOptions {
  readonly priority?: Priority;
  readonly signal?: AbortSignal;
}

/** What an attempt brought. It is still running: whoever receives this has to end it. */
interface Done<T> {
  readonly attempt: RunningAttempt;
  readonly result: T;
}

/** The only way to a model. Safe for any number of calls at once; see design.md for the reasons behind it. */
export class Router {
  readonly #random: () => number;
  #serving: Serving;

  constructor(snapshot: RouterSnapshot, { events, book, onCallEnd, random = Math.random }: RouterDependencies) {
    this.#random = random;
    this.#serving = { snapshot, lanes: createLanes(snapshot, new Map(), events), events, book, onCallEnd };
  }

  get snapshot(): RouterSnapshot {
    return this.#serving.snapshot;
  }

  /**
   * Serves `snapshot` from the next call on; calls in flight finish on theirs. A provider that keeps its id and its
   * origin keeps its breaker, its rate limit and its queue.
   */
  apply(snapshot: RouterSnapshot): void {
    const { lanes, events } = this.#serving;
    this.#serving = { ...this.#serving, snapshot, lanes: createLanes(snapshot, lanes, events) };
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
    return await this.#generate(request, this.#serving);
  }

  /**
   * The answer as it comes; the last item is the whole response. Falls back only while nothing has been handed out:
   * an answer that breaks off after that ends in an error, never in the words of a second model.
   * @throws NoAnswerError, AgentError as `generate`.
   */
  async *stream(request: GenerateRequest): AsyncGenerator<StreamItem, void, void> {
    using call = this.#begin(request, this.#serving);
    const { attempt, result: { first, rest } } = await this.#run(call, awaitOpening(optionsOf(request)));
    // Nobody is left to hear what a client library has to say about being interrupted.
    const leave = () =>
      rest.return().catch(() => {}).finally(() => attempt.abandon(call.interruption(attempt.candidate)));
    // A reader who has stopped reading must not keep connection and place beyond the time of the call.
    call.deadline.onOver = leave;
    let reading = true;
    try {
      yield startOf(attempt);
      for (let next: IteratorResult<ProviderChunk, void> = first; !next.done; next = await rest.next()) {
        const delta = attempt.collect(next.value);
        if (!delta) continue;
        call.noteShown();
        yield delta;
      }
      reading = false;
      attempt.answer.requireFinal(attempt.candidate);
    } catch (cause) {
      reading = false;
      const error = asProviderError(cause, call, attempt.candidate);
      noteFailure(attempt, error);
      throw call.failure(error);
    } finally {
      if (reading) { // the reader walked away
        call.recordInterruption(attempt.candidate, call.interruption(attempt.candidate));
        await leave();
      }
    }
    yield { type: "done", response: respond(attempt) };
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
    using call = new Call({
      role: "embeddings",
      serving,
      candidates,
      prompt: texts.map((content) => ({ role: "user", content })),
      priority,
      deadline: new CallDeadline(models.deadlines.total_seconds * 1000, signal),
      insists: true,
    });
    const { attempt, result } = await this.#run(call, awaitVectors(texts));
    const usage = result.usage ?? estimateUsage(call.prompt, "");
    attempt.succeed(usage);
    call.recordSuccess(attempt);
    const { provider, model, price } = attempt.candidate;
    return {
      vectors: result.vectors,
      provider,
      model,
      usage,
      cost_usd: costOf(usage, price),
      latency_ms: call.elapsedMs,
    };
  }

  /**
   * Sends a trivial prompt straight to one model, past breaker, queue and rate limits, and tells them nothing of it.
   * @throws NoAnswerError when it does not answer; AgentError (exit 64) when models.json does not list it.
   */
  async test(model: ModelRef, signal?: AbortSignal): Promise<ModelResponse> {
    const { snapshot, book } = this.#serving;
    const candidate = findModel(snapshot.models, model);
    if (!candidate) throw unknownModel(model, snapshot);
    const events = createEventBus({ onListenerError: () => {} }); // nobody listens
    const lanes = createLanes(snapshot, new Map(), events);
    const request: GenerateRequest = { ...TEST_REQUEST, model, ...(signal && { signal }) };
    return await this.#generate(request, { snapshot, lanes, events, book }, [candidate]);
  }

  async #generate(request: GenerateRequest, serving: Serving, only?: readonly Candidate[]): Promise<ModelResponse> {
    using call = this.#begin(request, serving, only);
    const { attempt } = await this.#run(call, awaitAnswer(optionsOf(request)));
    return respond(attempt);
  }

  #begin(request: GenerateRequest, serving: Serving, only?: readonly Candidate[]): Call {
    const { models, profile } = serving.snapshot;
    const { role = "identity_core", priority = "interactive", model = "auto", conversation_id, signal } = request;
    const prompt = messagesOf(request);
    if (role === "embeddings") throw embeddingsDoNotChat();
    const choice = model === "auto" ? undefined : model;
    if (choice !== undefined && !findModel(models, choice)?.chats) throw unknownModel(choice, serving.snapshot);
    return new Call({
      role,
      serving,
      candidates: only ?? planChat(models, profile, role, choice),
      prompt,
      priority,
      conversationId: conversation_id,
      deadline: new CallDeadline(models.deadlines.total_seconds * 1000, signal),
      insists: choice !== undefined,
    });
  }

  /** Tries candidate after candidate until the work is done at one of them. */
  async #run<T>(call: Call, work: Work<T>): Promise<Done<T>> {
    refuseForbiddenChoice(call);
    do {
      for (let candidate = call.take(); candidate; candidate = call.take()) {
        const obstacle = checkAllowed(call, candidate) ?? checkLane(call.laneOf(candidate)) ??
          checkFit(call, candidate);
        if (obstacle) call.recordSkip(candidate, obstacle);
        const done = obstacle ? undefined : await this.#tryCandidate(call, candidate, work);
        if (done) return done;
      }
    } while (await this.#waitForRateLimit(call));
    announceMove(call, null);
    throw call.failure(undefined, findSoonestMs(call));
  }

  /** One candidate, once more where that is worth it. Undefined when the call has to move on. */
  async #tryCandidate<T>(call: Call, candidate: Candidate, work: Work<T>): Promise<Done<T> | undefined> {
    const provider = providerOf(call.snapshot, candidate.provider);
    if (isRefusal(provider)) return undefined; // the types cannot know that checkAllowed() has looked
    for (;;) {
      const attempt = await this.#enter(call, candidate);
      if (!attempt) return undefined;
      announceMove(call, candidate);
      try {
        return { attempt, result: await work(provider, attempt) };
      } catch (cause) {
        const error = asProviderError(cause, call, candidate);
        const step = noteFailure(attempt, error);
        if (step === "stop" || call.deadline.signal.aborted) throw call.failure(error);
        // This very failure may have opened the breaker; then there is nothing to pause for.
        if (step !== "retry" || !call.laneOf(candidate).breaker.passable) return undefined;
      }
      await this.#pause(call, RETRY_PAUSE_MS.least + this.#random() * RETRY_PAUSE_MS.spread, candidate);
    }
  }

  /** Waits when nothing but a rate limit stands in the way and it passes soon. True when it is worth another round. */
  async #waitForRateLimit(call: Call): Promise<boolean> {
    const { candidates, waitMs } = findHeld(call);
    const patienceMs = Math.min(LONGEST_WAIT_MS - call.waitedMs, call.deadline.remainingMs);
    if (candidates.length === 0 || waitMs >= patienceMs) return false;
    call.chargeWait(Math.max(waitMs, LEAST_WAIT_CHARGED_MS));
    await this.#pause(call, Math.ceil(waitMs) + 1, candidates[0]); // timers may fire a little early
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

  /** Begins an attempt as soon as there is a place; undefined, with the reason noted, when it may not begin. */
  async #enter(call: Call, candidate: Candidate): Promise<RunningAttempt | undefined> {
    const lane = call.laneOf(candidate);
    let release: Release | null;
    try {
      release = await lane.queue.acquire(call.priority, call.deadline.signal);
    } catch {
      throw stopped(call, candidate);
    }
    if (!release) {
      call.recordSkip(candidate, describeFullQueue(lane));
      return undefined;
    }
    const obstacle = checkLane(lane); // things may have changed while the call waited
    const permit = obstacle ? null : lane.breaker.tryAcquire();
    if (permit) return new RunningAttempt(call, candidate, release, permit);
    release();
    call.recordSkip(candidate, obstacle ?? describeOpenBreaker(lane));
    return undefined;
  }
}

/** Notes a failed attempt everywhere it matters and says what follows. */
function noteFailure(attempt: RunningAttempt, error: ProviderError): Step {
  const { call, candidate } = attempt;
  // What the call's own limit cuts short says nothing: the provider's own deadlines are there to judge it.
  if (call.deadline.signal.aborted) attempt.abandon(error);
  else attempt.fail(error);
  noteTrouble(call, candidate, error);
  return call.recordFailure(attempt, error);
}

function noteTrouble(call: Call, candidate: Candidate, error: ProviderError): void {
  const { kind, message, remedy = "" } = error;
  const lane = call.laneOf(candidate);
  if (kind !== "aborted") lane.recordError(kind); // who hangs up has nothing to say about the provider
  switch (kind) {
    case "rate_limit":
      lane.holdUntil(error.retryAtMs ?? Date.now() + DEFAULT_HOLD_MS);
      return;
    case "auth":
    case "model_not_found":
      call.events.emit("system.warning", { code: kind, message, remedy });
      return;
    case "egress_denied": {
      const { provider, model } = candidate;
      call.events.emit("security.egress_denied", { provider, model, reason: message, remedy });
    }
  }
}

function announceMove(call: Call, to: Candidate | null): void {
  const from = call.takeMove(to);
  if (!from) return;
  call.events.emit("router.fallback", { role: call.role, from: from.ref, to: to?.ref ?? null, kind: from.kind });
}

function startOf({ call, candidate }: RunningAttempt): StreamStart {
  const { provider, model } = candidate;
  return { type: "start", provider, model, fallback: call.isFallback(candidate) };
}

/** Ends the attempt that brought the answer, and makes the response of it. */
function respond(attempt: RunningAttempt): ModelResponse {
  const { call, answer, candidate: { provider, model, price } } = attempt;
  const usage = answer.usage(call.prompt);
  attempt.succeed(usage);
  call.recordSuccess(attempt);
  return {
    content: answer.content,
    provider,
    model,
    role: call.role,
    profile: call.snapshot.profile.name,
    finish_reason: answer.requireFinal(attempt.candidate).finish_reason,
    usage,
    cost_usd: costOf(usage, price),
    latency_ms: call.elapsedMs,
    first_token_ms: attempt.firstTokenMs(call.startedAt) ?? call.elapsedMs,
    fallback: call.isFallback(attempt.candidate),
    attempts: call.attempts,
    ...(answer.toolCalls.length > 0 && { tool_calls: answer.toolCalls }),
    ...(answer.thinking && { thinking: answer.thinking }),
  };
}

/** A model asked for by name that the set-up forbids is an error, not a reason to answer with another. */
function refuseForbiddenChoice(call: Call): void {
  const obstacle = call.insists && call.first && checkChoice(call, call.first);
  if (!call.first || !obstacle) return;
  call.recordSkip(call.first, obstacle);
  throw call.failure();
}

function stopped(call: Call, candidate: Candidate | undefined): NoAnswerError {
  const interruption = call.interruption(candidate);
  if (candidate) call.recordInterruption(candidate, interruption);
  return call.failure(interruption);
}

function embeddingsDoNotChat(): AgentError {
  return new AgentError("The role embeddings makes vectors and does not chat", {
    exitCode: EXIT.usage,
    remedy: `Use one of: ${CHAT_ROLES.join(", ")}.`,
  });
}

function unknownModel(ref: string, { models }: RouterSnapshot): AgentError {
  const known = Object.entries(models.providers).flatMap(([id, provider]) =>
    Object.entries(provider.models).filter(([, { embeddings }]) => !embeddings).map(([model]) => `${id}/${model}`)
  );
  return new AgentError(`There is no model "${ref}" that chats in the configuration`, {
    exitCode: EXIT.usage,
    remedy: `Use one of: ${known.join(", ")}.`,
  });
}
