import { NoAnswerError } from "../core/errors.ts";
import type { Priority } from "../core/types.ts";
import type { MemoryStore, NewVector, Unembedded } from "../storage/memory.ts";
import { codeOf } from "./code_index.ts";
import { unitVector } from "./vector_search.ts";

/** Whoever turns texts into vectors. */
export interface Embedder {
  /** The model it uses now, as `provider/model`; undefined when there is none. */
  readonly model: string | undefined;
  /** A vector for each text. @throws NoAnswerError, AgentError */
  embed(texts: readonly string[], options: EmbedderOptions): Promise<readonly (readonly number[])[]>;
}

export interface EmbedderOptions {
  readonly priority: Priority;
  readonly signal: AbortSignal;
}

export interface KeeperOptions {
  readonly store: () => MemoryStore;
  readonly embedder: Embedder;
}

/** How to give passages their vectors. */
export interface CompleteOptions extends EmbedderOptions {
  /** Texts sent at once: a question has to wait for them. */
  readonly batch: number;
  /** Told how many have been given theirs. */
  readonly onProgress?: (count: number) => void;
}

/** Small, so that whoever asks something waits a moment only. */
const BACKGROUND_BATCH = 4;
/** How often is looked for what other programs have learned, in milliseconds. */
const POLL_MS = 30_000;
/** Pauses after failures, in milliseconds: doubled each time. */
const PAUSE = { first: 30_000, longest: 3_600_000 };

/** Sees to it that every passage has a vector of the model in use, whichever that is. */
export class VectorKeeper {
  readonly #store: () => MemoryStore;
  readonly #embedder: Embedder;
  #wake = Promise.withResolvers<void>();

  constructor({ store, embedder }: KeeperOptions) {
    this.#store = store;
    this.#embedder = embedder;
  }

  /** There may be something to do. */
  notify(): void {
    this.#wake.resolve();
  }

  /** Works in the background until the signal aborts; what fails is tried again later. */
  async run(signal: AbortSignal): Promise<void> {
    let pauseMs = 0;
    let seen = "";
    while (!signal.aborted) {
      try {
        const state = `${this.#embedder.model} ${this.#store().revision}`;
        if (state !== seen) {
          await this.complete({ batch: BACKGROUND_BATCH, priority: "background", signal });
          seen = `${this.#embedder.model} ${this.#store().revision}`;
        }
        pauseMs = 0;
      } catch {
        // The router has told why; a store that cannot be used is told by whoever needs it.
        pauseMs = Math.min(PAUSE.longest, Math.max(PAUSE.first, pauseMs * 2));
      }
      await this.#sleep(pauseMs, signal);
    }
  }

  /**
   * Gives every passage its vector.
   * @returns how many were given one
   * @throws NoAnswerError, AgentError, StorageError; what was done until then is kept
   */
  async complete({ batch, priority, signal, onProgress }: CompleteOptions): Promise<number> {
    let count = 0;
    let after = 0;
    for (let model = this.#embedder.model; model !== undefined; model = this.#embedder.model) {
      const { vectors } = this.#store();
      const dimensions = vectors.dimensionsOf(model);
      const passages = vectors.missing(
        dimensions === undefined ? -1 : vectors.modelId(model, dimensions),
        after,
        batch,
      );
      if (passages.length === 0) break;
      const made = await this.#embedAll(passages, { priority, signal });
      signal.throwIfAborted();
      if (model !== this.#embedder.model) continue; // changed meanwhile: nobody knows whose these are
      const [first] = made;
      if (first) vectors.put(vectors.modelId(model, first.vector.length), made);
      after = passages.at(-1)?.id ?? after;
      count += made.length;
      onProgress?.(count);
    }
    return count;
  }

  /** Those that a model cannot take stay without. */
  async #embedAll(passages: readonly Unembedded[], options: EmbedderOptions): Promise<NewVector[]> {
    try {
      const vectors = await this.#embedder.embed(passages.map(textOf), options);
      return passages.flatMap(({ id }, at) => {
        const vector = unitVector(vectors[at] ?? []);
        return vector ? [{ memory_id: id, vector, code: codeOf(vector) }] : [];
      });
    } catch (error) {
      if (!isAboutTheText(error)) throw error;
      if (passages.length === 1) return [];
      const singly: NewVector[] = [];
      for (const passage of passages) singly.push(...await this.#embedAll([passage], options));
      return singly;
    }
  }

  async #sleep(pauseMs: number, signal: AbortSignal): Promise<void> {
    const over = Promise.withResolvers<void>();
    const timer = setTimeout(over.resolve, pauseMs || POLL_MS);
    Deno.unrefTimer(timer);
    signal.addEventListener("abort", () => over.resolve(), { once: true });
    if (signal.aborted) over.resolve();
    // Whoever waits after a failure is not woken: the next passage would fail as well.
    await (pauseMs > 0 ? over.promise : Promise.race([over.promise, this.#wake.promise]));
    clearTimeout(timer);
    this.#wake = Promise.withResolvers();
  }
}

function textOf({ heading, text }: Unembedded): string {
  return heading === "" ? text : `${heading}\n\n${text}`;
}

function isAboutTheText(error: unknown): boolean {
  return error instanceof NoAnswerError && (error.kind === "context_length" || error.kind === "bad_request");
}
