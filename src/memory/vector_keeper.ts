import { setImmediate } from "node:timers/promises";
import { NoAnswerError } from "../core/errors.ts";
import type { MemoryStore, NewVector, Unembedded } from "../storage/memory.ts";
import { codeOf } from "./code_index.ts";
import type { Embedder, EmbedderOptions } from "./embedder.ts";
import { unitVector } from "./vector_search.ts";

export interface KeeperOptions {
  /** The memory, if there is one already: none is begun for the sake of vectors. @throws StorageError */
  readonly store: () => MemoryStore | undefined;
  readonly embedder: Embedder;
  /** Told of every failure that nobody else tells of. */
  readonly onFailure: (error: unknown) => void;
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
/** Pauses in milliseconds: after a failure, doubled each time, and after having stepped aside. */
const PAUSE = { first: 30_000, longest: 3_600_000, aside: 5000 };

/** How far everything has its vector, or cannot have one. */
interface Done {
  readonly model: string;
  readonly dimensions: number | undefined;
  /** The id up to which. Ids only grow, so nothing below is looked at again. */
  readonly upTo: number;
}

/** Sees to it that every passage has a vector of the model in use, whichever that is. */
export class VectorKeeper {
  readonly #options: KeeperOptions;
  #done: Done | undefined;
  #wake = Promise.withResolvers<void>();
  /** Wakes even who pauses after a failure. */
  #restart = Promise.withResolvers<void>();
  /** Ends the batch that is under way. */
  #batch: AbortController | undefined;

  constructor(options: KeeperOptions) {
    this.#options = options;
  }

  /** There may be something to do. */
  notify(): void {
    this.#wake.resolve();
  }

  /** What failed before may work now: another model, another configuration. */
  restart(): void {
    this.#restart.resolve();
  }

  /** Somebody waits for an answer: the batch under way is given up, and begun again later. */
  stepAside(): void {
    this.#batch?.abort();
  }

  /** Works in the background until the signal aborts; what fails is tried again later. */
  async run(signal: AbortSignal): Promise<void> {
    let pauseMs = 0;
    while (!signal.aborted) {
      const batch = this.#batch = new AbortController();
      const end = () => batch.abort();
      signal.addEventListener("abort", end, { once: true });
      try {
        await this.complete({ batch: BACKGROUND_BATCH, priority: "background", signal: batch.signal });
        pauseMs = 0;
      } catch (error) {
        if (signal.aborted) return;
        if (batch.signal.aborted) pauseMs = PAUSE.aside;
        else {
          if (!(error instanceof NoAnswerError)) this.#options.onFailure(error); // of those the router has told
          pauseMs = Math.min(PAUSE.longest, Math.max(PAUSE.first, pauseMs * 2));
        }
      } finally {
        signal.removeEventListener("abort", end);
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
    const { store, embedder } = this.#options;
    let count = 0;
    const before = this.#done?.model;
    for (let model = embedder.model; model !== undefined; model = embedder.model) {
      const vectors = store()?.vectors;
      if (!vectors) break;
      const dimensions = vectors.dimensionsOf(model);
      const same = this.#done?.model === model && this.#done.dimensions === dimensions;
      const after = same ? this.#done?.upTo ?? 0 : 0;
      const modelId = dimensions === undefined ? NO_MODEL : vectors.modelId(model, dimensions);
      const { passages, lookedTo, over } = vectors.missing(modelId, after, batch);
      const made = await this.#embedAll(passages, { priority, signal });
      signal.throwIfAborted();
      if (model !== embedder.model) continue; // changed meanwhile: nobody knows whose these are
      const [first] = made;
      if (first) vectors.put(vectors.modelId(model, first.vector.length), made);
      this.#done = { model, dimensions: dimensions ?? first?.vector.length, upTo: lookedTo };
      count += made.length;
      onProgress?.(count);
      if (over) {
        const length = vectors.dimensionsOf(model);
        const news = count > 0 || model !== before;
        if (news && length !== undefined) vectors.keepInUse(vectors.modelId(model, length));
        break;
      }
      await setImmediate();
    }
    return count;
  }

  /** Those that a model cannot take stay without. */
  async #embedAll(passages: readonly Unembedded[], options: EmbedderOptions): Promise<NewVector[]> {
    if (passages.length === 0) return [];
    try {
      const vectors = await this.#options.embedder.embed(passages.map(textOf), options);
      return passages.flatMap(({ id }, at) => {
        const vector = unitVector(vectors[at] ?? []);
        return vector ? [{ memory_id: id, vector, code: codeOf(vector) }] : [];
      });
    } catch (error) {
      if (!isAboutTheText(error)) throw error;
      const singly: NewVector[] = [];
      if (passages.length === 1) return singly;
      for (const passage of passages) singly.push(...await this.#embedAll([passage], options));
      return singly;
    }
  }

  async #sleep(pauseMs: number, signal: AbortSignal): Promise<void> {
    const over = Promise.withResolvers<void>();
    const timer = setTimeout(over.resolve, pauseMs || POLL_MS);
    Deno.unrefTimer(timer);
    const end = () => over.resolve();
    signal.addEventListener("abort", end, { once: true });
    if (signal.aborted) end();
    // Whoever waits after a failure is not woken by more to do: that would fail as well.
    const woken = [over.promise, this.#restart.promise, ...(pauseMs > 0 ? [] : [this.#wake.promise])];
    await Promise.race(woken);
    clearTimeout(timer);
    signal.removeEventListener("abort", end);
    this.#wake = Promise.withResolvers();
    this.#restart = Promise.withResolvers();
  }
}

/** Of a model that has made no vector yet. */
const NO_MODEL = -1;

function textOf({ heading, text }: Unembedded): string {
  return heading === "" ? text : `${heading}\n\n${text}`;
}

function isAboutTheText(error: unknown): boolean {
  return error instanceof NoAnswerError && (error.kind === "context_length" || error.kind === "bad_request");
}
