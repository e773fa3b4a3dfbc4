import { AgentError, describeFault } from "../core/errors.ts";
import type {
  Episode,
  Forgettable,
  Forgotten,
  MemoryKind,
  MemoryStats,
  MemoryStore,
  Realm,
  Source,
} from "../storage/memory.ts";
import { type Embedder, VectorKeeper } from "./embedding.ts";
import { type Document, learnDocument, type Learned, type LearnOptions } from "./learn.ts";
import { QuestionVectors } from "./question_vector.ts";
import { dropRepeated, fitToBudget, type Recalled, type RecalledKind, recallHits, recallWorking } from "./recall.ts";
import { type Hit, MemorySearch, type SearchQuery } from "./search.ts";
import { WorkingMemory, type WorkingMessage } from "./working.ts";

export interface MemoryOptions {
  /** Where the database lies. */
  readonly path: string;
  /** Opens the database. @throws StorageError */
  readonly openStore: (path: string) => MemoryStore & Disposable;
  readonly embedder: Embedder;
  /** Tells a person what they should act on. */
  readonly warn: (message: string, remedy: string) => void;
}

/** What to recall for an answer. */
export interface RecallRequest {
  readonly text: string;
  readonly conversation_id: string;
  /** Which parts of the memory may answer. */
  readonly kinds: readonly RecalledKind[];
  /** About how many tokens it may be. */
  readonly tokens: number;
  readonly signal: AbortSignal;
}

/** Exchanges that wait for the database at most. */
const MOST_UNKEPT = 100;
/** Passages that are recalled of each kind at most. */
const MOST_HITS = 8;

/** Everything the agent remembers: what is being said, what it learned, and what it has talked about. */
export class Memory implements Disposable {
  readonly working = new WorkingMemory();
  readonly vectors: VectorKeeper;
  readonly #options: MemoryOptions;
  readonly #questions: QuestionVectors;
  #opened: { readonly store: MemoryStore & Disposable; readonly search: MemorySearch } | undefined;
  /** How often something had been forgotten when the working memory was last looked at. */
  #forgotten: number | undefined;
  /** Exchanges that the database could not take yet. */
  readonly #unkept: Episode[] = [];
  readonly #warned = new Set<string>();

  constructor(options: MemoryOptions) {
    this.#options = options;
    this.#questions = new QuestionVectors(options.embedder);
    this.vectors = new VectorKeeper({ store: () => this.#open().store, embedder: options.embedder });
  }

  [Symbol.dispose](): void {
    this.#opened?.store[Symbol.dispose]();
    this.#opened = undefined;
  }

  /** Where the database lies, whether it is open or not. */
  get path(): string {
    return this.#options.path;
  }

  /** Bytes that the codes of vectors take up in memory. */
  get vectorBytes(): number {
    return this.#opened?.search.vectorBytes ?? 0;
  }

  /**
   * What is remembered about a text, within the budget. A memory that cannot be used is told to a person, and nothing is
   * remembered: no answer ever fails because of it.
   */
  async recall({ text, conversation_id, kinds, tokens, signal }: RecallRequest): Promise<Recalled[]> {
    const wanted = (kind: MemoryKind) => kinds.includes(kind);
    const realms: Realm[] = [
      ...(wanted("learned_knowledge") ? [{ kind: "learned_knowledge" as const }] : []),
      ...(wanted("episodic") ? [{ kind: "episodic" as const, conversation_id }] : []),
    ];
    const said = kinds.includes("working") ? recallWorking(conversation_id, this.recent(conversation_id), text) : [];
    try {
      const hits = await this.#find({ text, realms, limit: MOST_HITS * realms.length }, signal);
      return fitToBudget(dropRepeated([...said, ...recallHits(hits)]), tokens);
    } catch (error) {
      signal.throwIfAborted();
      this.#warn(error);
      return fitToBudget(said, tokens);
    }
  }

  /** What was said in a conversation, oldest first. */
  recent(conversationId: string): readonly WorkingMessage[] {
    this.#forgetWhatOthersForgot();
    return this.working.recall(conversationId);
  }

  /** Keeps an exchange for good. A database that cannot take it is told to a person, and tried again with the next. */
  remember(episode: Episode): void {
    this.#unkept.push(episode);
    if (this.#unkept.length > MOST_UNKEPT) this.#unkept.shift();
    try {
      const { store } = this.#open();
      for (let next = this.#unkept[0]; next; next = this.#unkept[0]) {
        store.addEpisode(next);
        this.#unkept.shift();
      }
      this.#warned.clear(); // should it fail again, that is news
      this.vectors.notify();
    } catch (error) {
      this.#warn(error);
    }
  }

  /** Passages that fit a text, best first. @throws StorageError */
  async search(query: Omit<SearchQuery, "vector">, signal: AbortSignal): Promise<Hit[]> {
    return await this.#find(query, signal);
  }

  /** Learns a document. @throws StorageError */
  async learn(document: Document, options: LearnOptions): Promise<Learned> {
    const learned = await learnDocument(this.#open().store, document, options);
    this.vectors.notify();
    return learned;
  }

  /** False when there is no learned passage of that id. @throws StorageError */
  async deletePassage(id: number): Promise<boolean> {
    return await this.#open().store.deletePassage(id);
  }

  /** Forgets for good, here and in the database. @throws StorageError */
  async forget(what: Forgettable): Promise<Forgotten> {
    if ("all" in what) this.working.clear();
    else if ("conversation_id" in what) this.working.clear(what.conversation_id);
    else if ("user_id" in what) this.working.clearUser(what.user_id);
    if (!("source" in what)) this.#unkept.length = 0; // the rest of them is a small price
    const { store } = this.#open();
    const forgotten = await store.forget(what);
    this.#forgotten = store.marks.forgotten;
    return forgotten;
  }

  /** Everything that was learned, by name. @throws StorageError */
  sources(): readonly Source[] {
    return this.#open().store.sources();
  }

  /** @throws StorageError */
  stats(): MemoryStats {
    return this.#open().store.stats();
  }

  async #find(query: Omit<SearchQuery, "vector">, signal: AbortSignal): Promise<Hit[]> {
    const { search, store } = this.#open();
    const vector = await this.#questions.of(query.text, store, signal);
    return search.search({ ...query, vector });
  }

  #forgetWhatOthersForgot(): void {
    if (this.working.size === 0 || !this.#opened) return;
    try {
      const { forgotten } = this.#opened.store.marks;
      if (this.#forgotten !== undefined && this.#forgotten !== forgotten) this.working.clear();
      this.#forgotten = forgotten;
    } catch (error) {
      this.#warn(error);
    }
  }

  #open() {
    if (this.#opened) return this.#opened;
    const store = this.#options.openStore(this.path);
    this.#forgotten = store.marks.forgotten;
    return this.#opened = { store, search: new MemorySearch(store) };
  }

  /** The same is told once. */
  #warn(error: unknown): void {
    const known = error instanceof AgentError;
    const message = known ? error.message : `The memory ran into an internal error: ${describeFault(error)}`;
    if (this.#warned.has(message)) return;
    this.#warned.add(message);
    this.#options.warn(message, known ? error.remedy ?? "" : "This is a fault of the program; please report it.");
  }
}
