import { ProviderError } from "../core/errors.ts";
import type { Delta, GenerationOptions, Message } from "../core/types.ts";
import type { EmbedResult, Provider } from "../providers/provider.ts";
import { Answer } from "./answer.ts";
import type { Permit } from "./breaker.ts";
import type { Call } from "./call.ts";
import type { Candidate } from "./chain.ts";
import { countsAgainstBreaker } from "./policy.ts";
import type { Release } from "./queue.ts";
import { deadlinesFor } from "./snapshot.ts";

/** Work to be done at one candidate: deltas on the way, a result at the end, a `ProviderError` when it fails. */
export type Work<T> = (provider: Provider, candidate: Candidate, call: Call) => AsyncGenerator<Delta, T, void>;

/** What an attempt needs before it may begin: a place in the queue and the breaker's leave. */
export interface Place {
  readonly release: Release;
  readonly permit: Permit;
}

/** Does the work once. Tells the breaker how it went, and gives the place back however it ends. */
export async function* attempt<T>(
  { release, permit }: Place,
  call: Call,
  candidate: Candidate,
  work: AsyncGenerator<Delta, T, void>,
): AsyncGenerator<Delta, { readonly result: T } | ProviderError, void> {
  call.progress = "nothing";
  call.firstTokenMs = undefined;
  try {
    const result = yield* work;
    permit.succeeded();
    return { result };
  } catch (cause) {
    const error = asProviderError(cause, call, candidate);
    if (countsAgainstBreaker(error)) permit.failed(`${error.kind}: ${error.message}`);
    return error;
  } finally {
    permit.withdrawn(); // without effect after a verdict; the verdict of a caller who walked away
    release();
  }
}

/** Chats. `live` hands every delta on as it comes; without it nothing is shown before the end. */
export function chatting(
  messages: readonly Message[],
  options: GenerationOptions,
  live: boolean,
): Work<Answer> {
  return async function* (provider, { provider: id, model, contextTokens }, call) {
    const answer = new Answer();
    const { localOnly, deadline, snapshot } = call;
    const deadlines = deadlinesFor(snapshot.models, id);
    const chunks = provider.chat({ ...options, model, contextTokens, messages, deadlines, localOnly }, deadline.signal);
    for await (const chunk of chunks) {
      const delta = answer.add(chunk);
      if (!delta) continue;
      call.firstTokenMs ??= call.elapsedMs;
      call.progress = live ? "shown" : "received";
      if (live) yield delta;
    }
    answer.final(id, model);
    return answer;
  };
}

export function embedding(texts: readonly string[]): Work<EmbedResult> {
  return async function* (provider, { provider: id, model, contextTokens }, { localOnly, deadline, snapshot }) {
    yield* []; // vectors come all at once
    if (!provider.embed) {
      throw new ProviderError("bad_request", `Provider ${id} cannot embed`, {
        provider: id,
        model,
        remedy: "Assign embeddings to a model of Ollama or Gemini.",
      });
    }
    const deadlines = deadlinesFor(snapshot.models, id);
    return await provider.embed({ model, contextTokens, texts, deadlines, localOnly }, deadline.signal);
  };
}

function asProviderError(cause: unknown, call: Call, candidate: Candidate): ProviderError {
  if (call.deadline.signal.aborted) return call.interruption(candidate);
  if (cause instanceof ProviderError) return cause;
  const { provider, model } = candidate;
  const name = cause instanceof Error ? cause.name : typeof cause;
  return new ProviderError("protocol", `Reading the answer failed with an unexpected ${name}`, {
    provider,
    model,
    cause,
  });
}
