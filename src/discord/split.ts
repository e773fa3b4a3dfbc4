import { type BreakLevel, lastBreak, lastCharacter, lastCodePoint } from "./breaks.ts";
import { beginningOf, type CodeBlock, FENCE, findCodeBlocks } from "./fences.ts";

/** Largest content of a message, in UTF-16 units. Source: Discord's API documentation, "Create Message". */
export const MAX_CONTENT = 2000;
/** With less room than this a part could not hold a fence with its language and something to show. */
export const LEAST_LIMIT = 100;
/** What closing a block may take: a line break and the fence. */
const CLOSING_ROOM = FENCE.length + 1;
const PROSE: readonly BreakLevel[] = ["paragraph", "line", "sentence", "word", "character"];
const CODE: readonly BreakLevel[] = ["paragraph", "line", "word", "character"];

/** Cuts a text into parts, one after the other, so that each can have a limit of its own. */
export interface Splitter {
  /** True once nothing is left. */
  readonly done: boolean;
  /**
   * The next part, `limit` UTF-16 units at most.
   * @throws RangeError when the limit is under 100
   */
  next(limit: number): string;
}

/**
 * Cuts a text into parts that Discord takes, each `limit` UTF-16 units at most. Cuts where a paragraph ends, else a
 * line, a sentence, a word; never inside a character as people see it (UAX #29), a link or a mention, unless that alone
 * is longer than a part. A code block that has to be cut is closed in one part and opened again, with its language, in
 * the next; one that is never closed is closed at the end. But for these fences the parts joined are the text. Parts of
 * nothing but white space, which Discord refuses, are left out.
 * @throws RangeError when the limit is under 100
 */
export function splitText(text: string, limit: number = MAX_CONTENT): string[] {
  const parts: string[] = [];
  for (const splitter = createSplitter(text); !splitter.done;) {
    const part = splitter.next(limit);
    if (!isBlank(part)) parts.push(part);
  }
  return parts;
}

/** True for a text that shows nothing: Discord calls a message of it empty. */
export function isBlank(text: string): boolean {
  return !/\S/.test(text);
}

/** The same as `splitText`, part by part; parts of nothing but white space are given too. */
export function createSplitter(text: string): Splitter {
  return new TextSplitter(text);
}

class TextSplitter implements Splitter {
  readonly #text: string;
  readonly #blocks: readonly CodeBlock[];
  /** Where the next part begins. */
  #at = 0;

  constructor(text: string) {
    this.#text = text;
    this.#blocks = findCodeBlocks(text);
  }

  get done(): boolean {
    return this.#at >= this.#text.length;
  }

  next(limit: number): string {
    if (limit < LEAST_LIMIT) throw new RangeError(`A part needs room for at least ${LEAST_LIMIT} units`);
    const from = this.#skipEmptyEnd(limit);
    this.#at = from;
    if (this.done) return "";
    const reopened = this.#blockAround(from);
    const opening = reopened ? `${FENCE}${reopened.language}\n` : "";
    const cut = this.#cut(from, from + limit - opening.length, limit);
    const piece = this.#text.slice(from, cut);
    this.#at = cut;
    return opening + piece + (this.#blockAround(cut) ? closingOf(piece) : "");
  }

  /** Where the next part begins: behind what is left of a block, if that shows nothing and has been closed already. */
  #skipEmptyEnd(limit: number): number {
    const block = this.#blockAround(this.#at);
    const end = Math.min(block?.end ?? 0, this.#text.length);
    const isShort = end - this.#at <= limit; // looking further would cost too much, and gain one empty part
    if (!block || !isShort || !isBlank(this.#text.slice(this.#at, block.end - FENCE.length))) return this.#at;
    return end;
  }

  /** Where the part from `from` ends: at `to` at the latest, the fence that may have to follow included. */
  #cut(from: number, to: number, limit: number): number {
    const { length } = this.#text;
    if (length + (this.#blockAround(length) ? CLOSING_ROOM : 0) <= to) return length;
    const end = this.#blockAround(Math.min(to, length)) ? to - CLOSING_ROOM : to;
    const block = this.#blockAround(end);
    return block ? this.#cutCode(block, from, end, limit) : this.#cutProse(from, end);
  }

  #cutProse(from: number, to: number): number {
    const isAllowed = (cut: number) => this.#blockAround(cut) === undefined;
    return lastBreak(this.#text, { from, to, levels: PROSE, isAllowed }) ?? this.#forced(from, to, isAllowed);
  }

  /** For a part whose room ends within a block: before the block, if that keeps paragraphs or the block whole. */
  #cutCode(block: CodeBlock, from: number, to: number, limit: number): number {
    if (block.start > from) {
      const before = this.#breakBefore(block, from, limit);
      if (before !== undefined) return before;
    }
    const first = Math.max(from, block.open);
    if (to <= first) return this.#cutProse(from, block.start);
    const ink = this.#text.slice(first, to).search(/\S/);
    const isAllowed = (cut: number) => ink >= 0 && cut > first + ink; // or it would show an empty block
    const last = lastBreak(this.#text, { from: first, to, levels: CODE, isAllowed });
    if (last === undefined && block.start > from && !this.#hasCharacter(first, to, isAllowed)) {
      return this.#cutProse(from, block.start); // the next part may hold whole what would be torn here
    }
    const cut = last ?? this.#forced(first, to, isAllowed);
    const closes = block.end <= to + CLOSING_ROOM && isBlank(this.#text.slice(cut, block.end - FENCE.length));
    return closes ? block.end : cut; // or the next part would open the block only to close it
  }

  #hasCharacter(from: number, to: number, isAllowed: (cut: number) => boolean): boolean {
    const end = lastCharacter(this.#text, from, to);
    return end !== undefined && isAllowed(end);
  }

  /** A cut through a link, a mention or even a character that no part can hold. */
  #forced(from: number, to: number, isAllowed: (cut: number) => boolean): number {
    const character = lastCharacter(this.#text, from, to);
    return character !== undefined && isAllowed(character) ? character : lastCodePoint(this.#text, to);
  }

  #breakBefore(block: CodeBlock, from: number, limit: number): number | undefined {
    const isAllowed = (cut: number) => this.#blockAround(cut) === undefined;
    const paragraph = lastBreak(this.#text, { from, to: block.start, levels: ["paragraph"], isAllowed });
    if (paragraph !== undefined) return paragraph;
    const beginning = beginningOf(block, this.#text);
    return beginning > from && block.end - beginning <= limit ? beginning : undefined;
  }

  /** The block that a cut here would tear apart. */
  #blockAround(cut: number): CodeBlock | undefined {
    let [low, high] = [0, this.#blocks.length]; // blocks before `low` begin before the cut, those from `high` on do not
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#blocks[middle]?.start ?? Infinity) < cut) low = middle + 1;
      else high = middle;
    }
    const block = this.#blocks[low - 1];
    return block && cut < block.end ? block : undefined;
  }
}

function closingOf(piece: string): string {
  return piece.endsWith("\n") ? FENCE : `\n${FENCE}`;
}
