/** What the memory is asked for and asked to keep. */

/** What was taught, and exchanges the agent itself took part in. */
export const MEMORY_KINDS = ["learned_knowledge", "episodic"] as const;
export type MemoryKind = typeof MEMORY_KINDS[number];

/** Where to look: everything that was learned, or the exchanges of one conversation. */
export type Realm =
  | { readonly kind: "learned_knowledge" }
  | { readonly kind: "episodic"; readonly conversation_id: string };

/** One remembered piece of text. */
export interface Passage {
  readonly id: number;
  readonly kind: MemoryKind;
  /** The name of what it was learned from; the conversation of an exchange. */
  readonly source: string;
  /** The headings above it, outermost first, joined by ` > `; may be empty. */
  readonly heading: string;
  readonly text: string;
  /** Epoch milliseconds: when it was written, as far as known, or said. */
  readonly at_ms: number;
}

/** A passage on its way in. */
export interface NewPassage {
  readonly heading: string;
  readonly text: string;
  /** SHA-256 of heading and text, in hex. */
  readonly hash: string;
}

/** One exchange: a message and the answer to it. */
export interface Episode {
  readonly conversation_id: string;
  readonly user_id: string | null;
  readonly text: string;
  readonly at_ms: number;
}

/** A word to look for, without diacritics and in lower case: letters and digits only. */
export interface Term {
  readonly stem: string;
  /** True: every word that begins with it counts. */
  readonly prefix: boolean;
  /** Words that count as well. */
  readonly forms: readonly string[];
}

/** One passage that contains some of the words. */
export interface TextMatch {
  readonly id: number;
  /** BM25, the higher the better. */
  readonly score: number;
}

/** Something that was learned as a whole. */
export interface Source {
  readonly id: number;
  readonly name: string;
  /** SHA-256 of its content, in hex; null when it is not all in yet. */
  readonly hash: string | null;
}

/** What to forget. */
export type Forgettable =
  | { readonly conversation_id: string }
  | { readonly user_id: string }
  | { readonly source: string }
  | { readonly all: true };

/** What was forgotten. */
export interface Forgotten {
  readonly passages: number;
  readonly sources: number;
  /** False: another program was reading, and until it is done the old bytes lie on in the file beside the database. */
  readonly erased: boolean;
}

/** Whoever keeps a part of the memory in mind drops it when these differ. */
export interface Marks {
  readonly deletions: number;
  readonly forgotten: number;
}

/** A conversation that exchanges are kept of. */
export interface KeptConversation {
  readonly id: string;
  readonly exchanges: number;
  /** Epoch milliseconds of the last one. */
  readonly last_ms: number;
}

/** How much is remembered. */
export interface MemoryStats {
  readonly sources: number;
  readonly learned_passages: number;
  readonly episodes: number;
  /** Passages and exchanges that have one, of whatever model. */
  readonly vectors: number;
  readonly file_bytes: number;
}

/** A text that wants a vector. */
export interface Unembedded {
  readonly id: number;
  readonly heading: string;
  readonly text: string;
}

/** A vector on its way in. */
export interface NewVector {
  readonly memory_id: number;
  /** Of length 1. */
  readonly vector: Float32Array<ArrayBuffer>;
  /** One bit a dimension, set where it is positive; padded to whole 32-bit words. */
  readonly code: Uint32Array<ArrayBuffer>;
}

/** A code as it is kept. */
export interface StoredCode {
  readonly seq: number;
  readonly memory_id: number;
  /** As `scopeOf` says. */
  readonly scope: string;
  readonly code: Uint32Array;
}

/** Passages without a vector, as far as has been looked. */
export interface Missing {
  readonly passages: readonly Unembedded[];
  /** The id up to which every passage without a vector is among them. */
  readonly lookedTo: number;
  /** True when there are no further ids. */
  readonly over: boolean;
}

/** Vectors of passages. Synchronous; throws `StorageError`. */
export interface VectorStore {
  /** The number a model has here; vectors of another length count as another model's. */
  modelId(ref: string, dimensions: number): number;
  /** The length of a model's vectors as far as known. */
  dimensionsOf(ref: string): number | undefined;
  /** The next passages above `afterId` that have no vector of that model; looks at a few thousand of them only. */
  missing(modelId: number, afterId: number, limit: number): Missing;
  /** Keeps vectors; those of passages that are gone are dropped. */
  put(modelId: number, vectors: readonly NewVector[]): void;
  /** That model is the one in use: vectors of models that have not been in use for long are deleted. */
  keepInUse(modelId: number): void;
  /** Codes of a model that came after `seq`, in order. */
  codesAfter(modelId: number, seq: number, limit: number): readonly StoredCode[];
  /** The vectors of passages, as far as the model has made any. */
  exact(modelId: number, ids: readonly number[]): ReadonlyMap<number, Float32Array>;
}

/** What is remembered for longer than a conversation. Synchronous where not said otherwise; throws `StorageError`. */
export interface MemoryStore {
  readonly path: string;
  readonly vectors: VectorStore;
  /** Differs whenever anything has changed, by whatever program. */
  readonly revision: string;
  /** How often anything was deleted, and how often a person wanted something forgotten, by whatever program. */
  readonly marks: Marks;
  /** How many passages contain the word; `most` when there are as many or more. */
  count(realm: Realm, term: Term, most: number): number;
  /** Passages that contain at least one of the words, best first. */
  match(realm: Realm, terms: readonly Term[], limit: number): readonly TextMatch[];
  /** The passages of these ids, as far as they are there. */
  passages(ids: readonly number[]): ReadonlyMap<number, Passage>;
  /** How many passages a realm has; for exchanges, of all conversations. */
  size(kind: MemoryKind): number;
  /** Keeps an exchange, unless a person wanted something forgotten since `marks.forgotten` was as given. */
  addEpisode(episode: Episode, forgotten: number): void;
  source(name: string): Source | undefined;
  /** Begins to learn a source, or to learn it anew; until `completeSource` it counts as incomplete. */
  beginSource(name: string): Source;
  /** Passages of a source that are there already, by their hash. */
  hashesOf(source: Source): ReadonlyMap<string, number>;
  addPassages(source: Source, passages: readonly NewPassage[], atMs: number): readonly number[];
  /**
   * Everything of a source is in: what it has not any more is deleted.
   * @throws StorageError (`changed`) when another program has changed it meanwhile
   */
  completeSource(source: Source, hash: string, kept: ReadonlySet<string>): Promise<void>;
  /** False when there is no learned passage of that id. */
  deletePassage(id: number): Promise<boolean>;
  /** Deletes for good: rows, index, vectors, and the bytes they were made of. */
  forget(what: Forgettable): Promise<Forgotten>;
  /** Names of everything that was learned, by name. */
  sources(): readonly Source[];
  /** The conversations that exchanges are kept of, the latest first. */
  conversations(limit: number): readonly KeptConversation[];
  stats(): MemoryStats;
}

/** What a store is opened with. */
export interface MemoryStoreOptions {
  readonly path: string;
  /** How long a statement waits for another program, in milliseconds; it blocks everything meanwhile. */
  readonly busyTimeoutMs: number;
  /** Told the new name of a damaged file that was set aside. */
  readonly onSetAside: (aside: string) => void;
}
