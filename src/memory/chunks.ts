import { cutText } from "../core/format.ts";

/** A piece of a document, small enough to be recalled as a whole. */
export interface Chunk {
  /** The headings above it, outermost first, joined by ` > `. */
  readonly heading: string;
  readonly text: string;
}

/** Words of a piece, about; and how many the next one repeats, so that nothing is torn from what it belongs to. */
const WORDS = { most: 500, overlap: 50 };
/** Letters of a piece at most: some texts have few blanks. */
const MOST_LETTERS = 4000;
const MOST_HEADING_LETTERS = 600;

/** Cuts a text at its Markdown headings, and what is longer between them at paragraphs, sentences or words. */
export function* chunksOf(text: string): Generator<Chunk> {
  for (const { path, body, leaf } of sectionsOf(text.replace(/\r\n?/g, "\n"))) {
    let empty = true;
    for (const piece of piecesOf(body)) {
      yield { heading: joinHeadings(path), text: piece };
      empty = false;
    }
    // What stands under no other heading either says something by itself.
    const title = path.at(-1) ?? "";
    if (empty && leaf && title !== "") yield { heading: joinHeadings(path.slice(0, -1)), text: title };
  }
}

interface Section {
  /** The headings above it, outermost first; empty ones for levels that were left out. */
  readonly path: readonly string[];
  readonly body: string;
  /** False when the next heading stands under this one. */
  readonly leaf: boolean;
}

const HEADING = /^ {0,3}(#{1,6})(?=[ \t]|$)/;
const FENCE = /^ {0,3}(`{3,}(?=[^`]*$)|~{3,})/;

/** A heading within a code fence is none (spec.commonmark.org, 4.2 and 4.5), and neither is a whole paragraph. */
function* sectionsOf(text: string): Generator<Section> {
  let path: string[] = [];
  let fence: string | undefined;
  let start = 0;
  for (const { line, from, to } of linesOf(text)) {
    fence = fenceAfter(line, fence);
    const [mark, level] = fence === undefined ? HEADING.exec(line) ?? [] : [];
    if (mark === undefined || level === undefined || to - from > LONGEST_HEADING_LINE) continue;
    yield { path, body: text.slice(start, from), leaf: level.length <= path.length };
    const above = Array.from({ length: level.length - 1 }, (_, at) => path[at] ?? "");
    path = [...above, line.slice(mark.length).trim().replace(/(^|[ \t])#+$/, "").trim()];
    start = to;
  }
  yield { path, body: text.slice(start), leaf: true };
}

/** The fence that is open after a line. */
function fenceAfter(line: string, fence: string | undefined): string | undefined {
  const [, ticks] = FENCE.exec(line) ?? [];
  if (ticks === undefined) return fence;
  if (fence === undefined) return ticks;
  const closes = ticks[0] === fence[0] && ticks.length >= fence.length && line.trim() === ticks;
  return closes ? undefined : fence;
}

function joinHeadings(path: readonly string[]): string {
  const titles = path.filter((title) => title !== "").join(" > ");
  return cutText(titles.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, " "), MOST_HEADING_LETTERS);
}

/** A longer line is text, whatever it begins with; one of many megabytes is not looked at as a whole. */
const LONGEST_HEADING_LINE = 200;

function* linesOf(text: string): Generator<{ readonly line: string; readonly from: number; readonly to: number }> {
  for (let from = 0; from < text.length;) {
    const end = text.indexOf("\n", from);
    const to = end < 0 ? text.length : end + 1;
    yield { line: text.slice(from, Math.min(to, from + LONGEST_HEADING_LINE + 1)).trimEnd(), from, to };
    from = to;
  }
}

/** Pieces of about `WORDS.most` words; each begins with the last words of the one before. */
function* piecesOf(body: string): Generator<string> {
  let piece = "";
  let words = 0;
  let fresh = false; // false: nothing in it but what is repeated
  for (const part of partsOf(body)) {
    const count = countWords(part);
    if (count === 0) continue;
    if (fresh && (words + count > WORDS.most || piece.length + part.length > MOST_LETTERS)) {
      yield piece.trim();
      piece = tailOf(piece, MOST_LETTERS - part.length);
      words = countWords(piece);
    }
    piece += part;
    words += count;
    fresh = true;
  }
  if (fresh) yield piece.trim();
}

/** The last words, which the next piece repeats. */
function tailOf(piece: string, mostLetters: number): string {
  const text = piece.trimEnd();
  const letters = Math.min(mostLetters, MOST_LETTERS / 4);
  if (letters <= 0) return "";
  const end = text.slice(-letters).replace(/^[\udc00-\udfff]/, ""); // half a letter
  const tail = (end.match(/\S+\s*/g)?.slice(-WORDS.overlap) ?? []).join("");
  if (tail.length === text.length) return ""; // it would repeat the whole of it
  return `${tail}${piece.slice(text.length).includes("\n") ? "\n\n" : " "}`;
}

/** Paragraphs; those that are too long, in sentences; those, in words; and those, in letters. */
function* partsOf(body: string): Generator<string> {
  for (const paragraph of splitAfter(body, /\n[ \t]*\n\s*/g)) {
    if (fits(paragraph)) yield paragraph;
    else {
      for (const sentence of splitAfter(paragraph, /(?<=[.!?…:;])\s+|\n/g)) {
        if (fits(sentence)) yield sentence;
        else yield* splitWords(sentence);
      }
    }
  }
}

function fits(part: string): boolean {
  return part.length <= MOST_LETTERS / 2 && countWords(part) <= WORDS.most / 2;
}

function* splitAfter(text: string, separator: RegExp): Generator<string> {
  let from = 0;
  for (const { index, 0: { length } } of text.matchAll(separator)) {
    if (index + length > from) yield text.slice(from, index + length);
    from = index + length;
  }
  if (from < text.length) yield text.slice(from);
}

function* splitWords(text: string): Generator<string> {
  const most = MOST_LETTERS / 2;
  let piece = "";
  let words = 0;
  for (const { 0: spaced } of text.matchAll(/\S{1,500}\s*/gu)) {
    const word = spaced.length > most ? `${spaced.trimEnd()} ` : spaced;
    if (piece.length + word.length > most || words >= WORDS.most / 2) {
      yield piece;
      piece = "";
      words = 0;
    }
    piece += word;
    words++;
  }
  if (piece !== "") yield piece;
}

function countWords(text: string): number {
  let count = 0;
  for (const _ of text.matchAll(/\S+/g)) count++;
  return count;
}
