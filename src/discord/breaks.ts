/** Where a text may be cut, best first. */
export type BreakLevel = "paragraph" | "line" | "sentence" | "word" | "character";

/** A stretch of a text, by index in UTF-16 units, and which of its places may be cut at. */
export interface BreakOptions {
  /** The cut comes behind this. */
  readonly from: number;
  /** The cut comes here at the latest. */
  readonly to: number;
  readonly levels: readonly BreakLevel[];
  readonly isAllowed: (cut: number) => boolean;
}

/** How far behind the stretch a link or mention is looked at that begins in it. */
const LOOKAHEAD = 2048;

/**
 * Links and what Discord turns into names: bare and masked links, mentions of people, roles, channels and commands,
 * custom emoji, timestamps, guild pages. Source: Discord's API documentation, "Message Formatting".
 */
const TOKENS = new RegExp(
  [
    String.raw`<(?:@[!&]?\d+|#\d+|a?:\w+:\d+|t:-?\d+(?::\w)?|id:\w+|/[^<>\n]{1,100}:\d+)>`,
    String.raw`\[(?:[^\[\]\n]|\[[^\[\]\n]*\])*\]\((?:[^\s()]|\([^\s()]*\))*(?:[ \t]+"[^"\n]*")?\)`,
    String.raw`https?://[^\s<>]+`,
  ].join("|"),
  "g",
);

/** The last place a stretch of text may be cut at, of the first level that has one; undefined when there is none. */
export function lastBreak(text: string, { from, to, levels, isAllowed }: BreakOptions): number | undefined {
  let tokens: Token[] | undefined;
  for (const level of levels) {
    // A line or paragraph never ends within a link or a mention.
    const isWhole = level === "paragraph" || level === "line";
    if (!isWhole) tokens ??= findTokens(text, from, to);
    const isTorn = isWhole ? () => false : tearing(tokens ?? []);
    for (const cut of candidates(level, text, from, to)) {
      if (cut > from && isAllowed(cut) && !isTorn(cut) && !matchesAt(EXTENSION, text, cut)) return cut;
    }
  }
  return undefined;
}

/** Belongs to the character before it, be that a blank. */
const EXTENSION = /[\p{M}\p{Cf}\p{Emoji_Modifier}]/uy;

/** The last place that tears no character apart, were it a link's; none when one character fills the stretch. */
export function lastCharacter(text: string, from: number, to: number): number | undefined {
  const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" }).segment(text.slice(from, to + 64));
  const index = graphemes.containing(to - from)?.index ?? 0;
  return index > 0 ? from + index : undefined;
}

/** The last place before `to` that does not tear a code point apart. */
export function lastCodePoint(text: string, to: number): number {
  const isHalf = /[\ud800-\udbff]/.test(text[to - 1] ?? "") && /[\udc00-\udfff]/.test(text[to] ?? "");
  return isHalf ? to - 1 : to;
}

/** The places of one level, the last first. */
function candidates(level: BreakLevel, text: string, from: number, to: number): Iterable<number> {
  switch (level) {
    case "paragraph":
      return paragraphEnds(text, from, to);
    case "line":
      return lineEnds(text, from, to);
    case "sentence":
      return sentenceEnds(text, from, to);
    case "word":
      return wordEnds(text, from, to);
    case "character":
      return characterEnds(text, from, to);
  }
}

const BLANK_NEXT = /[ \t]{0,80}\r?\n/y;
const BLANK_AHEAD = /(?:[ \t]{0,80}\r?\n){2}/y;

function* paragraphEnds(text: string, from: number, to: number): Generator<number> {
  for (const end of lineEnds(text, from, to)) {
    if (isBehindBlankLine(text, from, end)) yield end;
    else if (end === to && matchesAt(text[end - 1] === "\n" ? BLANK_NEXT : BLANK_AHEAD, text, end)) yield end;
  }
}

function isBehindBlankLine(text: string, from: number, end: number): boolean {
  if (text[end - 1] !== "\n") return false;
  let at = end - 2;
  while (at >= from && (text[at] === " " || text[at] === "\t" || text[at] === "\r")) at--;
  return at >= from && text[at] === "\n";
}

/** Behind every line break; and where the stretch ends, right before one. */
function* lineEnds(text: string, from: number, to: number): Generator<number> {
  const stretch = text.slice(from, to);
  if (!stretch.endsWith("\n") && !stretch.endsWith("\r") && matchesAt(BLANK_NEXT, text, to)) yield to;
  for (let at = stretch.lastIndexOf("\n"); at >= 0; at = at === 0 ? -1 : stretch.lastIndexOf("\n", at - 1)) {
    yield from + at + 1;
  }
}

/** What ends a sentence when white space follows, what ends one by itself, and what may stand in between. */
const TERMINATORS = ".!?…";
const WIDE_TERMINATORS = "。！？｡";
const CLOSERS = "\"'”’»)]}*_~|」』）";

function* sentenceEnds(text: string, from: number, to: number): Generator<number> {
  for (let end = to; end > from; end--) {
    const last = text.charAt(end - 1);
    if (WIDE_TERMINATORS.includes(last)) yield end;
    else if (isWordEnd(text, end, to) && isSentence(text, from, end)) yield end;
  }
}

function isSentence(text: string, from: number, end: number): boolean {
  let at = end - 1;
  while (at >= from && isSpace(text, at)) at--;
  while (at >= from && CLOSERS.includes(text.charAt(at))) at--;
  const last = text.charAt(at);
  return at >= from && (TERMINATORS.includes(last) || WIDE_TERMINATORS.includes(last));
}

/** Behind the white space between two words; and where the stretch ends, right before it. */
function* wordEnds(text: string, from: number, to: number): Generator<number> {
  for (let end = to; end > from; end--) if (isWordEnd(text, end, to)) yield end;
}

function isWordEnd(text: string, end: number, to: number): boolean {
  if (end === to && isSpace(text, end)) return text[end] !== "\n" || text[end - 1] !== "\r";
  return isSpace(text, end - 1) && !isSpace(text, end);
}

/** What a line is broken at; not a no-break space. */
function isSpace(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return code === 0x20 || code === 0x0a || code === 0x09 || code === 0x0d || code === 0x3000;
}

/** Before the last character that does not fit whole, then before the link or mention that it belongs to. */
function* characterEnds(text: string, from: number, to: number): Generator<number> {
  const end = lastCharacter(text, from, to);
  if (end === undefined) return;
  yield end;
  const torn = findTokens(text, from, to).findLast(([start, behind]) => start < end && end < behind);
  if (torn) yield torn[0];
}

/** Where a link or mention begins and ends. */
type Token = readonly [start: number, end: number];

/** Whether a cut would go through one of these; to be asked for one cut after the other, the last first. */
function tearing(tokens: readonly Token[]): (cut: number) => boolean {
  let at = tokens.length - 1;
  return (cut) => {
    while (at >= 0 && (tokens[at]?.[0] ?? 0) >= cut) at--;
    return cut < (tokens[at]?.[1] ?? 0);
  };
}

/** Links and mentions that begin in a stretch, in their order. */
function findTokens(text: string, from: number, to: number): Token[] {
  const tokens: Token[] = [];
  for (const { 0: token, index } of text.slice(from, to + LOOKAHEAD).matchAll(TOKENS)) {
    if (from + index >= to) break;
    tokens.push([from + index, from + index + token.length]);
  }
  return tokens;
}

function matchesAt(pattern: RegExp, text: string, at: number): boolean {
  pattern.lastIndex = at;
  return pattern.test(text);
}
