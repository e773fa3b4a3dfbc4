import { ProviderError } from "../core/errors.ts";
import type { Delta, GenerationOptions, Message } from "../core/types.ts";
import type { EmbedResult, Provider, ProviderChunk } from "../providers/provider.ts";
import { Answer, endedEarly } from "./answer.ts";
import type { Permit } from "./breaker.ts";
import type { Call } from "./call.ts";
import type { Candidate } from "./chain.ts";
import type { Lane } from "./lane.ts";
import { countsAgainstBreaker } from "./policy.ts";
import type { Release } from "./queue.ts";
import { deadlinesFor } from "./snapshot.ts";

/** What one attempt has to get from a provider; throws `ProviderError` when it fails. */
export type Work<T> = (provider: Provider, candidate: Candidate, call: Call) => Promise<T>;

/**
 * One try at one candidate. Holds a place in the provider's queue and its breaker's leave from the moment it is
 * created until it is ended; ending it a second time has no effect.
 */
export class RunningAttempt {
  readonly #startedAt = performance.now();
  readonly #lane: Lane;
  readonly #release: Release;
  readonly #permit: Permit;

  constructor(readonly candidate: Candidate, lane: Lane, release: Release, permit: Permit) {
    this.#lane = lane;
    this.#release = release;
    this.#permit = permit;
  }

  /** Milliseconds since it began. */
  get elapsedMs(): number {
    return performance.now() - this.#startedAt;
  }

  succeed(): void {
    this.#lane.recordAnswer(this.elapsedMs);
    this.#permit.succeeded();
    this.#release();
  }

  fail(error: ProviderError): void {
    if (countsAgainstBreaker(error)) this.#permit.failed(`${error.kind}: ${error.message}`);
    this.abandon();
  }

  /** Ends it without a word about the provider's health. */
  abandon(): void {
    this.#permit.withdrawn();
    this.#release();
  }
}

/** An answer that has begun: its first chunk is here, the rest is still to come. */
export interface OpenAnswer {
  readonly first: IteratorYieldResult<ProviderChunk>;
  readonly rest: AsyncGenerator<ProviderChunk, void, void>;
}

/** Waits for the whole answer. */
export function awaitAnswer(messages: readonly Message[], options: GenerationOptions): Work<Answer> {
  return async (provider, candidate, call) => {
    const answer = new Answer();
    for await (const chunk of startChat(provider, candidate, call, messages, options)) {
      collect(chunk, answer, call);
    }
    answer.requireFinal(candidate);
    return answer;
  };
}

/** Waits for the first chunk only: until then another model can still take over unnoticed. */
export function awaitOpening(messages: readonly Message[], options: GenerationOptions): Work<OpenAnswer> {
  return async (provider, candidate, call) => {
    const rest = startChat(provider, candidate, call, messages, options);
    const first = await rest.next();
    if (first.done) throw endedEarly(candidate);
    return { first, rest };
  };
}

/** Waits for the vectors. */
export function awaitVectors(texts: readonly string[]): Work<EmbedResult> {
  return async (provider, { provider: id, model, contextTokens }, { deadline, snapshot }) => {
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

/** Adds a chunk to the answer; the delta in it, when it is one. Notes the moment of the first. */
export function collect(chunk: ProviderChunk, answer: Answer, call: Call): Delta | undefined {
  const delta = answer.add(chunk);
  if (delta) call.noteReceived();
  return delta;
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
  { provider: id, model, contextTokens }: Candidate,
  { deadline, snapshot }: Call,
  messages: readonly Message[],
  options: GenerationOptions,
): AsyncGenerator<ProviderChunk, void, void> {
  const deadlines = deadlinesFor(snapshot.models, id);
  return provider.chat(
    { ...options, model, contextTokens, messages, deadlines, localOnly: snapshot.localOnly },
    deadline.signal,
  );
}
