import { inTime } from "../core/in_time.ts";
import type { MemoryStore } from "../storage/memory.ts";
import type { Embedder } from "./embedder.ts";
import type { SearchQuery } from "./search.ts";
import { unitVector } from "./vector_search.ts";

/**
 * How long, in milliseconds, an answer waits for the vector of a question before words alone decide; how long the model
 * has, which may have to be loaded first; and how long it is left alone when it has failed.
 */
const TIMES = { wait: 1500, longest: 5000, pause: 60_000 };
/** Letters of a question that its vector is made of. */
const MOST_LETTERS = 2000;

/** Turns questions into vectors, as long as that takes no time worth mentioning. */
export class QuestionVectors {
  readonly #embedder: Embedder;
  #pausedUntil = -Infinity;

  constructor(embedder: Embedder) {
    this.#embedder = embedder;
  }

  /** Undefined when there is nothing to compare it with, or when the model has not answered in time. */
  async of(text: string, { vectors }: MemoryStore, signal: AbortSignal): Promise<SearchQuery["vector"]> {
    const ref = this.#embedder.model;
    if (ref === undefined || vectors.dimensionsOf(ref) === undefined) return undefined;
    if (performance.now() < this.#pausedUntil) return undefined;
    // It goes on beyond the wait: a model that is being loaded would never be otherwise.
    const made = await inTime(TIMES.wait, this.#ask(text.slice(0, MOST_LETTERS).toWellFormed(), signal));
    signal.throwIfAborted();
    const values = unitVector(made?.value ?? []);
    return values && { ref, values };
  }

  /** Never throws. */
  async #ask(text: string, signal: AbortSignal): Promise<readonly number[] | undefined> {
    const ending = new AbortController();
    const end = () => ending.abort();
    const timer = setTimeout(end, TIMES.longest);
    signal.addEventListener("abort", end, { once: true });
    try {
      const [values] = await this.#embedder.embed([text], { priority: "interactive", signal: ending.signal });
      return values;
    } catch {
      // The router has told why; who hangs up says nothing about the model.
      if (!signal.aborted) this.#pausedUntil = performance.now() + TIMES.pause;
      return undefined;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
    }
  }
}
