import { cutText } from "../core/format.ts";
import { wordsOf } from "../core/language.ts";
import { CHARS_PER_TOKEN, roughTokens } from "../core/tokens.ts";
import { MEMORY_KINDS } from "../storage/memory.ts";
import { coverageOf, type Hit, relevanceOf } from "./search.ts";
import { queryTerms } from "./terms.ts";
import type { WorkingMessage } from "./working.ts";

/** Where something that is remembered comes from, in the order in which it is recalled. */
export const RECALLED_KINDS = ["working", ...MEMORY_KINDS] as const;
export type RecalledKind = typeof RECALLED_KINDS[number];

/** Something that is remembered about what was asked. */
export interface Recalled {
  readonly kind: RecalledKind;
  /** Null for what was said in this conversation. */
  readonly id: number | null;
  /** What it was learned from, or the conversation. */
  readonly source: string;
  readonly heading: string;
  readonly text: string;
  /** Epoch milliseconds. */
  readonly at_ms: number;
  /** True when it is about what was asked; false when it may be. */
  readonly relevant: boolean;
}

/** How much of the memory an answer is given, in tokens; that of the source system. */
export const RECALL_TOKENS = 2000;
/** The most of it that this conversation takes: or a long one would leave no room for what was learned. */
const WORKING_SHARE = 0.5;
/** Less of a passage than this is not worth its place, in tokens. */
const LEAST_TOKENS = 60;

/** The messages of a conversation that are about what was asked. */
export function recallWorking(id: string, messages: readonly WorkingMessage[], asked: string): Recalled[] {
  const terms = queryTerms(asked).map((term) => ({ ...term, idf: 1 }));
  return messages.toReversed().flatMap(({ role, content, at_ms, recited = false }) => {
    if (recited || content === asked) return [];
    const relevance = relevanceOf({ coverage: coverageOf(terms, wordsOf(content)), cosine: null });
    if (relevance === "none") return [];
    return [{
      kind: "working" as const,
      id: null,
      source: id,
      heading: role,
      text: content,
      at_ms,
      relevant: relevance === "relevant",
    }];
  });
}

/** Leaves out what is known from elsewhere: parts of an exchange that is recalled as a whole, and what was said. */
export function dropRepeated(items: readonly Recalled[], said: readonly WorkingMessage[]): Recalled[] {
  const texts = new Set<string>();
  const exchanges = items.filter(({ kind }) => kind === "episodic");
  return items.filter(({ kind, text }) => {
    const repeated = texts.has(text) ||
      (kind === "working" && exchanges.some((exchange) => exchange.text.includes(text))) ||
      (kind === "episodic" && said.some(({ role, content }) => role === "assistant" && text.endsWith(`— ${content}`)));
    texts.add(text);
    return !repeated;
  });
}

/** What was found, as far as it has to do with what was asked. */
export function recallHits(hits: readonly Hit[]): Recalled[] {
  const texts = new Set<string>(); // the same may stand in two files
  return hits.flatMap((hit) => {
    const relevance = relevanceOf(hit);
    if (relevance === "none" || texts.has(hit.passage.text)) return [];
    texts.add(hit.passage.text);
    return [{ ...hit.passage, relevant: relevance === "relevant" }];
  });
}

/**
 * What fits into the budget: first of this conversation, then what was learned, then earlier exchanges; within each
 * the best first. The last one is shortened where that makes it fit.
 */
export function fitToBudget(items: readonly Recalled[], tokens: number): Recalled[] {
  const fitting: Recalled[] = [];
  let left = tokens;
  for (const kind of RECALLED_KINDS) {
    let share = kind === "working" ? left * WORKING_SHARE : left;
    for (const item of items.filter((each) => each.kind === kind)) {
      const headingCost = roughTokens(item.heading);
      const room = share - headingCost;
      const fits = roughTokens(item.text) <= room;
      if (!fits && room < LEAST_TOKENS) break;
      const shown = fits ? item : { ...item, text: shorten(item.text, room) };
      const cost = headingCost + roughTokens(shown.text);
      fitting.push(shown);
      share -= cost;
      left -= cost;
    }
  }
  return fitting;
}

function shorten(text: string, tokens: number): string {
  const letters = Math.floor(tokens * CHARS_PER_TOKEN) - 2;
  const cut = cutText(text, letters);
  const end = Math.max(cut.lastIndexOf(" "), cut.lastIndexOf("\n"));
  return `${cut.slice(0, end > letters / 2 ? end : cut.length)} …`;
}
