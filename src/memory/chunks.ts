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
const MOST_HEADING_LETTERS = 200;

/** Cuts a text at its Markdown headings, and what is longer between them at paragraphs, sentences or words. */
export function* chunksOf(text: string): Generator<Chunk> {
  for (const { heading, body } of sectionsOf(text)) {
    for (const piece of piecesOf(body)) yield { heading, text: piece };
  }
}

interface Section {
  readonly heading: string;
  readonly body: string;
}

const HEADING = /^ {0,3}(#{1,6})(?=[ \t]|$)/;
const FENCE = /^ {0,3}(`{3,}|~{3,})/;

/** A heading within a code fence is none (spec.commonmark.org, 4.2 and 4.5). */
function* sectionsOf(text: string): Generator<Section> {
  const path: string[] = [];
  let fence: string | undefined;
  let start = 0;
  for (const { line, from, to } of linesOf(text)) {
    const [, ticks] = FENCE.exec(line) ?? [];
    if (ticks !== undefined) {
      if (fence === undefined) fence = ticks;
      else if (ticks[0] === fence[0] && ticks.length >= fence.length) fence = undefined;
    }
    const [mark, level] = fence === undefined ? HEADING.exec(line) ?? [] : [];
    if (mark === undefined || level === undefined) continue;
    yield { heading: joinHeadings(path), body: text.slice(start, from) };
    path.length = Math.min(path.length, level.length - 1);
    while (path.length < level.length - 1) path.push("");
    path.push(line.slice(mark.length).trim().replace(/(^|[ \t])#+$/, "").trim());
    start = to;
  }
  yield { heading: joinHeadings(path), body: text.slice(start) };
}

function joinHeadings(path: readonly string[]): string {
  return path.filter((title) => title !== "").join(" > ").slice(0, MOST_HEADING_LETTERS);
}

/** No heading is longer than this; a line of many megabytes is not looked at as a whole. */
const LONGEST_HEADING_LINE = 1000;

function* linesOf(text: string): Generator<{ readonly line: string; readonly from: number; readonly to: number }> {
  for (let from = 0; from < text.length;) {
    const end = text.indexOf("\n", from);
    const to = end < 0 ? text.length : end + 1;
    yield { line: text.slice(from, Math.min(to, from + LONGEST_HEADING_LINE)).trimEnd(), from, to };
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
  const end = text.slice(-Math.max(0, Math.min(mostLetters, MOST_LETTERS / 4)));
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
