import { wordsOf } from "../core/language.ts";
import type { MemoryStore, Passage, Realm, Term, TextMatch } from "../storage/memory.ts";
import { isFormOf, queryTerms } from "./terms.ts";
import { type VectorMatch, VectorSearch } from "./vector_search.ts";

/** What is looked for. */
export interface SearchQuery {
  readonly text: string;
  /** The same as a vector, and the model that made it. */
  readonly vector?: { readonly ref: string; readonly values: Float32Array } | undefined;
  readonly realms: readonly Realm[];
  /** Passages at most. */
  readonly limit: number;
}

/** A passage that was found. */
export interface Hit {
  readonly passage: Passage;
  /** For the order alone. */
  readonly score: number;
  /** The share of what was asked that occurs in it, 0 to 1; rare words weigh more. */
  readonly coverage: number;
  /** How near its vector is, -1 to 1; null where there is none. */
  readonly cosine: number | null;
}

/** Where to look: in everything that was learned, and in the exchanges of a conversation if one is named. */
export function realmsFor(conversationId: string | undefined): Realm[] {
  const learned = { kind: "learned_knowledge" as const };
  return conversationId === undefined ? [learned] : [learned, { kind: "episodic", conversation_id: conversationId }];
}

/** A hit as it is shown outside. */
export function describeHit(hit: Hit) {
  const { passage: { at_ms, ...passage }, coverage, cosine } = hit;
  return { ...passage, at: new Date(at_ms).toISOString(), relevance: relevanceOf(hit), coverage, cosine };
}

/** Passages asked for at most, by whoever asks from outside. */
export const MOST_RESULTS = 50;

/** What was asked occurs in a passage for this share, or its meaning is as near: it is about it. */
const RELEVANT = { coverage: 0.4, cosine: 0.55 };
/** Below this it has hardly anything to do with it. */
const RELATED = { coverage: 0.25, cosine: 0.4 };

/** Whether a passage is about what was asked, may be, or is not. */
export function relevanceOf({ coverage, cosine }: Pick<Hit, "coverage" | "cosine">): "relevant" | "related" | "none" {
  const reaches = (least: typeof RELEVANT) => coverage >= least.coverage || (cosine ?? -1) >= least.cosine;
  return reaches(RELEVANT) ? "relevant" : reaches(RELATED) ? "related" : "none";
}

/** Passages of each list that are fused at least. */
const CANDIDATES = 24;
/** Passages looked at more closely for each one that is wanted. */
const LOOKED_AT = 2;
/** The usual constant of reciprocal rank fusion (Cormack, Clarke, Büttcher 2009). */
const RRF_K = 60;
/** Weight of each list; the newest come first where the others hardly tell two passages apart. */
const WEIGHTS = { text: 1, vector: 1, recency: 0.05 };
/** Relevance against novelty when the passages are chosen (maximal marginal relevance, Carbonell, Goldstein 1998). */
const MMR_LAMBDA = 0.8;
/** Ranking one match takes 1 µs: so many of a small memory, and this share of a large one, are ranked at most. */
const RANKED = { least: 800, share: 0.05 };

/** Words whose counts are kept. */
const MOST_COUNTS = 5000;
/** In a smaller memory nothing can be said about how rare a word is. */
const LEAST_SIZE = 200;

/** A term with how much it says: the rarer the more (the weight that BM25 gives it). */
interface WeighedTerm extends Term {
  readonly count: number;
  readonly idf: number;
}

interface Candidate extends Hit {
  readonly words: ReadonlySet<string>;
}

/** Finds passages by their words and by their meaning. */
export class MemorySearch {
  readonly #store: MemoryStore;
  readonly #vectors: VectorSearch;
  /** Of what was learned: how many passages contain a word, as long as there are the same passages. */
  #counts = { state: "", ofTerms: new Map<string, number>() };

  constructor(store: MemoryStore) {
    this.#store = store;
    this.#vectors = new VectorSearch(store);
  }

  /** Bytes the codes of vectors take up in memory. */
  get vectorBytes(): number {
    return this.#vectors.bytes;
  }

  /** The passages that fit best, best first. @throws StorageError */
  search({ text, vector, realms, limit }: SearchQuery): Hit[] {
    const candidates = Math.max(CANDIDATES, limit);
    const terms = queryTerms(text);
    const weighed = realms.map((realm) => ({ realm, terms: this.#weigh(realm, terms) }));
    const byText = weighed.map(({ realm, terms }) => this.#matchText(realm, terms, candidates));
    const nearest = vector ? this.#vectors.nearest(vector.ref, vector.values, realms, candidates) : [];
    const near = nearest.filter(({ cosine }) => cosine >= RELATED.cosine); // there is always a nearest one
    const scores = fuse([
      ...byText.map((matches) => ({ weight: WEIGHTS.text, matches })),
      { weight: WEIGHTS.vector, matches: near.map(({ id, cosine }) => ({ id, score: cosine })) },
    ]);
    const best = [...scores.keys()].toSorted((one, other) => (scores.get(other) ?? 0) - (scores.get(one) ?? 0))
      .slice(0, limit * LOOKED_AT);
    const passages = this.#store.passages(best);
    const newest = [...passages.values()].toSorted((one, other) => other.at_ms - one.at_ms)
      .map(({ id, at_ms }) => ({ id, score: at_ms }));
    const recency = fuse([{ weight: WEIGHTS.recency, matches: newest }]);
    const cosines = this.#cosinesOf(best, nearest, vector);
    const termsOf = new Map(weighed.map(({ realm, terms }) => [realm.kind, terms]));
    const looked = [...passages.values()].map((passage): Candidate => {
      const words = new Set(wordsOf(`${passage.heading} ${passage.text}`));
      const coverage = coverageOf(termsOf.get(passage.kind) ?? [], words);
      const score = ((scores.get(passage.id) ?? 0) + (recency.get(passage.id) ?? 0)) * (1 + coverage);
      return { passage, coverage, score, cosine: cosines.get(passage.id) ?? null, words };
    });
    return diversify(looked, limit);
  }

  /** Of every passage, those found by their words alone too. */
  #cosinesOf(
    ids: readonly number[],
    nearest: readonly VectorMatch[],
    vector: SearchQuery["vector"],
  ): Map<number, number> {
    const known = new Map(nearest.map(({ id, cosine }) => [id, cosine]));
    const rest = ids.filter((id) => !known.has(id));
    const others = vector ? this.#vectors.compare(vector.ref, vector.values, rest) : [];
    return new Map([...known, ...others.map(({ id, cosine }) => [id, cosine] as const)]);
  }

  #weigh(realm: Realm, terms: readonly Term[]): WeighedTerm[] {
    const size = this.#store.size(realm.kind);
    return terms.map((term) => {
      const count = this.#countOf(realm, term, size);
      return { ...term, count, idf: Math.log(1 + (Math.max(size, LEAST_SIZE) - count + 0.5) / (count + 0.5)) };
    });
  }

  /** Counting a common word takes as long as ranking a rare one, and the same common words are asked about again. */
  #countOf(realm: Realm, term: Term, size: number): number {
    const count = () => this.#store.count(realm, term, rankedOf(size));
    if (realm.kind === "episodic") return count();
    const state = `${size} ${this.#store.marks.deletions}`;
    if (this.#counts.state !== state || this.#counts.ofTerms.size > MOST_COUNTS) {
      this.#counts = { state, ofTerms: new Map() };
    }
    const key = `${term.stem}${term.prefix ? "*" : ""}`;
    const counted = this.#counts.ofTerms.get(key) ?? count();
    this.#counts.ofTerms.set(key, counted);
    return counted;
  }

  /** Looks for the rarest words first, and not for those whose many matches would only cost time. */
  #matchText(realm: Realm, terms: readonly WeighedTerm[], limit: number): readonly TextMatch[] {
    const most = rankedOf(this.#store.size(realm.kind));
    const chosen: WeighedTerm[] = [];
    let ranked = 0;
    for (const term of terms.toSorted((one, other) => one.count - other.count)) {
      if (term.count === 0) continue;
      ranked += term.count;
      if (chosen.length > 0 && ranked > most) break;
      chosen.push(term);
    }
    return this.#store.match(realm, chosen, limit);
  }
}

/** Matches that are ranked at most in a memory of that size; a word with more counts as one with as many. */
function rankedOf(size: number): number {
  return Math.floor(RANKED.least + RANKED.share * size);
}

/** Reciprocal rank fusion: what stands high in several lists comes first. Equals have the same rank. */
function fuse(
  lists: readonly { readonly weight: number; readonly matches: readonly TextMatch[] }[],
): Map<number, number> {
  const scores = new Map<number, number>();
  for (const { weight, matches } of lists) {
    let rank = 0;
    matches.forEach(({ id, score }, at) => {
      if (score !== matches[at - 1]?.score) rank = at;
      scores.set(id, (scores.get(id) ?? 0) + weight / (RRF_K + rank + 1));
    });
  }
  return scores;
}

/** The share of the terms, by weight, that occurs among the words. */
export function coverageOf(terms: readonly (Term & { readonly idf: number })[], words: Iterable<string>): number {
  const total = terms.reduce((sum, { idf }) => sum + idf, 0);
  if (total === 0) return 0;
  const list = [...words];
  return terms.reduce((sum, term) => sum + (list.some((word) => isFormOf(term, word)) ? term.idf : 0), 0) / total;
}

/** Chooses one after the other: the best that says something the chosen ones do not. */
function diversify(candidates: readonly Candidate[], limit: number): Hit[] {
  const left = candidates.toSorted((one, other) => other.score - one.score);
  const top = left[0]?.score ?? 1;
  const chosen: Candidate[] = [];
  const likest = new Map<Candidate, number>(); // of each, how like it is to the likest that is chosen
  while (chosen.length < limit && left.length > 0) {
    const worth = left.map((each) => MMR_LAMBDA * each.score / top - (1 - MMR_LAMBDA) * (likest.get(each) ?? 0));
    const [next] = left.splice(worth.indexOf(Math.max(...worth)), 1);
    if (!next) break;
    chosen.push(next);
    for (const each of left) likest.set(each, Math.max(likest.get(each) ?? 0, likeness(each.words, next.words)));
  }
  return chosen.map(({ words: _, ...hit }) => hit);
}

/** The share of words that two passages have in common (Jaccard). */
function likeness(one: ReadonlySet<string>, other: ReadonlySet<string>): number {
  const common = one.intersection(other).size;
  const all = one.size + other.size - common;
  return all === 0 ? 0 : common / all;
}
