import { existsSync } from "node:fs";
import { AgentError, describeFault } from "../core/errors.ts";
import { Turns } from "../core/turns.ts";
import type {
  Episode,
  Forgettable,
  Forgotten,
  KeptConversation,
  MemoryKind,
  MemoryStats,
  MemoryStore,
  Realm,
  Source,
} from "../storage/memory.ts";
import type { Embedder } from "./embedder.ts";
import { type Document, learnDocument, type Learned, type LearnOptions } from "./learn.ts";
import { QuestionVectors } from "./question_vector.ts";
import { dropRepeated, fitToBudget, type Recalled, type RecalledKind, recallHits, recallWorking } from "./recall.ts";
import { type Hit, MemorySearch, type SearchQuery } from "./search.ts";
import { VectorKeeper } from "./vector_keeper.ts";
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
  /** What is known to whoever answers anyway, and need not be recalled. */
  readonly said: readonly WorkingMessage[];
  /** About how many tokens it may be. */
  readonly tokens: number;
  /** Whether a model may be asked for the meaning of the text; otherwise its words decide. */
  readonly byMeaning: boolean;
  readonly signal: AbortSignal;
}

/** What a turn of a conversation began with. */
export interface Turn {
  /** What was said before, oldest first. */
  readonly history: readonly WorkingMessage[];
  readonly clearings: number;
  /** How often something had been forgotten; undefined when the database cannot be used. */
  readonly forgotten: number | undefined;
}

/** Exchanges that wait for the database at most. */
const MOST_UNKEPT = 100;
/** Passages that are recalled at most, for each kind that is searched. */
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
  readonly #learning = new Turns("Too many texts of that name wait to be learned already");
  /** Exchanges that the database could not take yet. */
  readonly #unkept: { readonly episode: Episode; readonly forgotten: number | undefined }[] = [];
  readonly #warned = new Set<string>();

  constructor(options: MemoryOptions) {
    this.#options = options;
    this.#questions = new QuestionVectors(options.embedder);
    this.vectors = new VectorKeeper({
      store: () => this.#opened || existsSync(options.path) ? this.#open().store : undefined,
      embedder: options.embedder,
      onFailure: (error) => this.#warn(error),
    });
  }

  [Symbol.dispose](): void {
    this.#keepRest();
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
  async recall({ text, conversation_id, kinds, said, tokens, byMeaning, signal }: RecallRequest): Promise<Recalled[]> {
    const wanted = (kind: MemoryKind) => kinds.includes(kind);
    const realms: Realm[] = [
      ...(wanted("learned_knowledge") ? [{ kind: "learned_knowledge" as const }] : []),
      ...(wanted("episodic") ? [{ kind: "episodic" as const, conversation_id }] : []),
    ];
    const working = kinds.includes("working")
      ? recallWorking(conversation_id, this.working.recall(conversation_id), text)
      : [];
    try {
      const { search, store } = this.#open();
      const vector = byMeaning ? await this.#questions.of(text, store, signal) : undefined;
      const hits = search.search({ text, vector, realms, limit: MOST_HITS * realms.length });
      return dropRepeated(fitToBudget([...working, ...recallHits(hits)], tokens), said);
    } catch (error) {
      signal.throwIfAborted();
      this.#warn(error);
      return fitToBudget(working, tokens);
    }
  }

  /** Begins a turn of a conversation: what has been forgotten by now, here or elsewhere, is no part of it. */
  beginTurn(conversationId: string): Turn {
    this.vectors.stepAside(); // they may share the one place there is at a model's provider
    this.#forgetWhatOthersForgot();
    const { clearings } = this.working;
    return { history: this.working.recall(conversationId), clearings, forgotten: this.#forgotten };
  }

  /** Whether what was said in a turn may still be remembered: nothing was forgotten meanwhile that it may belong to. */
  mayRemember(conversationId: string, { clearings, forgotten }: Turn): boolean {
    this.#forgetWhatOthersForgot();
    return forgotten === this.#forgotten && !this.working.wasCleared(conversationId, clearings);
  }

  /** Keeps an exchange for good. A database that cannot take it is told to a person, and tried again with the next. */
  remember(episode: Episode, { forgotten }: Turn): void {
    this.#unkept.push({ episode, forgotten });
    if (this.#unkept.length > MOST_UNKEPT) this.#unkept.shift();
    if (this.#keepRest()) this.vectors.notify();
  }

  /** Passages that fit a text, best first. @throws StorageError */
  async search(query: Omit<SearchQuery, "vector">, signal: AbortSignal): Promise<Hit[]> {
    const { search, store } = this.#open();
    return search.search({ ...query, vector: await this.#questions.of(query.text, store, signal) });
  }

  /** Learns a document; one of a name after the other. @throws StorageError */
  async learn(document: Document, options: LearnOptions): Promise<Learned> {
    using _turn = await this.#learning.take(document.name, options.signal);
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
    this.#forgetWhatOthersForgot();
    this.#clear(what);
    const { store } = this.#open();
    const expected = store.marks.forgotten + ("source" in what ? 0 : 1);
    const forgotten = await store.forget(what);
    this.#clear(what); // an answer that began meanwhile may have used what was still there
    if (store.marks.forgotten !== expected) this.working.clear(); // others have forgotten something too
    this.#forgotten = store.marks.forgotten;
    return forgotten;
  }

  #clear(what: Forgettable): void {
    if ("all" in what) this.working.clear();
    else if ("conversation_id" in what) this.working.clear(what.conversation_id);
    else if ("user_id" in what) this.working.clearUser(what.user_id);
  }

  /** Everything that was learned, by name. @throws StorageError */
  sources(): readonly Source[] {
    return this.#open().store.sources();
  }

  /** The conversations that exchanges are kept of, the latest first. @throws StorageError */
  conversations(limit: number): readonly KeptConversation[] {
    return this.#open().store.conversations(limit);
  }

  /** @throws StorageError */
  stats(): MemoryStats {
    return this.#open().store.stats();
  }

  /** Writes down the exchanges that wait for it; false when that is not possible. */
  #keepRest(): boolean {
    try {
      for (let next = this.#unkept[0]; next; next = this.#unkept[0]) {
        const { store } = this.#open();
        // One from a time when the database could not even be opened is forgotten rather than kept against a wish.
        if (next.forgotten !== undefined) store.addEpisode(next.episode, next.forgotten);
        this.#unkept.shift();
      }
      this.#warned.clear(); // should it fail again, that is news
      return true;
    } catch (error) {
      this.#warn(error);
      return false;
    }
  }

  /** Another program may have forgotten something: nobody knows what, so no conversation goes on. */
  #forgetWhatOthersForgot(): void {
    try {
      const { forgotten } = this.#open().store.marks;
      if (this.#forgotten !== forgotten) this.working.clear();
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
