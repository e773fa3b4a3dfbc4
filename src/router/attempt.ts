import { ProviderError } from "../core/errors.ts";
import type { Delta, GenerationOptions, Usage } from "../core/types.ts";
import type { EmbedResult, Provider, ProviderChunk } from "../providers/provider.ts";
import type { AttemptEnd } from "./accounting.ts";
import { Answer, endedEarly } from "./answer.ts";
import type { Permit } from "./breaker.ts";
import type { Call } from "./call.ts";
import type { Candidate } from "./chain.ts";
import type { Lane } from "./lane.ts";
import { countsAgainstBreaker } from "./policy.ts";
import type { Release } from "./queue.ts";
import { deadlinesFor } from "./snapshot.ts";

/** What one attempt has to get from a provider; throws `ProviderError` when it fails. */
export type Work<T> = (provider: Provider, attempt: RunningAttempt) => Promise<T>;

/**
 * One try at one candidate. Holds a place in the provider's queue and its breaker's leave from the moment it is
 * created until it is ended, which is when it is booked; ending it a second time has no effect.
 */
export class RunningAttempt {
  readonly call: Call;
  readonly candidate: Candidate;
  /** What has come so far. When the attempt fails, so does this. */
  readonly answer = new Answer();
  readonly #startedAt = performance.now();
  readonly #lane: Lane;
  readonly #release: Release;
  readonly #permit: Permit;
  #firstTokenAt: number | undefined;
  #ended = false;

  constructor(call: Call, candidate: Candidate, release: Release, permit: Permit) {
    this.call = call;
    this.candidate = candidate;
    this.#lane = call.laneOf(candidate);
    this.#release = release;
    this.#permit = permit;
  }

  /** Milliseconds since it began. */
  get elapsedMs(): number {
    return performance.now() - this.#startedAt;
  }

  /** True once a delta has come. */
  get received(): boolean {
    return this.#firstTokenAt !== undefined;
  }

  /** Milliseconds from its start, or from another moment, to its first delta; null before that. */
  firstTokenMs(since = this.#startedAt): number | null {
    return this.#firstTokenAt === undefined ? null : this.#firstTokenAt - since;
  }

  /** Adds a chunk to the answer; the delta in it, when it is one. Notes the moment of the first. */
  collect(chunk: ProviderChunk): Delta | undefined {
    const delta = this.answer.add(chunk);
    if (delta) this.#firstTokenAt ??= performance.now();
    return delta;
  }

  succeed(usage: Usage): void {
    if (this.#ended) return;
    this.#lane.recordAnswer(this.elapsedMs);
    this.#permit.succeeded();
    this.#end({ outcome: "ok", error_kind: null, usage });
  }

  fail(error: ProviderError): void {
    if (this.#ended) return;
    if (countsAgainstBreaker(error)) this.#permit.failed(`${error.kind}: ${error.message}`);
    this.abandon(error);
  }

  /** Ends it without a word about the provider's health. */
  abandon({ kind }: ProviderError): void {
    if (this.#ended) return;
    this.#permit.withdrawn();
    const usage = this.answer.begun ? this.answer.usage(this.call.prompt) : null;
    this.#end({ outcome: kind === "aborted" ? "aborted" : "failed", error_kind: kind, usage });
  }

  #end(end: AttemptEnd): void {
    this.#ended = true;
    this.#release();
    this.call.book(this, end);
  }
}

/** An answer that has begun: its first chunk is here, the rest is still to come. */
export interface OpenAnswer {
  readonly first: IteratorYieldResult<ProviderChunk>;
  readonly rest: AsyncGenerator<ProviderChunk, void, void>;
}

/** Waits for the whole answer. */
export function awaitAnswer(options: GenerationOptions): Work<void> {
  return async (provider, attempt) => {
    for await (const chunk of startChat(provider, attempt, options)) attempt.collect(chunk);
    attempt.answer.requireFinal(attempt.candidate);
  };
}

/** Waits for the first chunk only: until then another model can still take over unnoticed. */
export function awaitOpening(options: GenerationOptions): Work<OpenAnswer> {
  return async (provider, attempt) => {
    const rest = startChat(provider, attempt, options);
    const first = await rest.next();
    if (first.done) throw endedEarly(attempt.candidate);
    return { first, rest };
  };
}

/** Waits for the vectors. */
export function awaitVectors(texts: readonly string[]): Work<EmbedResult> {
  return async (provider, { candidate: { provider: id, model, contextTokens }, call: { deadline, snapshot } }) => {
    if (!provider.embed) {
      throw new ProviderError("bad_request", `Provider ${id} cannot embed.`, {
        provider: id,
        model,
        remedy: "Assign embeddings to a model of Ollama or Gemini.",
      });
    }
    const deadlines = deadlinesFor(snapshot.models, id);
    return await provider.embed(
      { model, contextTokens, texts, deadlines, localOnly: snapshot.localOnly },
      deadline.signal,
    );
  };
}

/** Any failure as the one error the router understands: the call's own end first, then what the provider said. */
export function asProviderError(cause: unknown, call: Call, candidate: Candidate): ProviderError {
  if (call.deadline.signal.aborted) return call.interruption(candidate);
  if (cause instanceof ProviderError) return cause;
  const { provider, model } = candidate;
  const name = cause instanceof Error ? cause.name : typeof cause;
  return new ProviderError("protocol", `Reading the answer failed with an unexpected ${name}.`, {
    provider,
    model,
    cause,
  });
}

function startChat(
  provider: Provider,
  { candidate: { provider: id, model, contextTokens }, call: { deadline, snapshot, prompt } }: RunningAttempt,
  options: GenerationOptions,
): AsyncGenerator<ProviderChunk, void, void> {
  const deadlines = deadlinesFor(snapshot.models, id);
  return provider.chat(
    { ...options, model, contextTokens, messages: prompt, deadlines, localOnly: snapshot.localOnly },
    deadline.signal,
  );
}
