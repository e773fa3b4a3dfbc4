import { LANGUAGES, plain } from "../core/language.ts";
import { CONTEXT_WORDS } from "./context.ts";
import { findCodeBlocks } from "./fences.ts";

/** Whose names an answer may wrongly begin with. */
export interface EnvelopeNames {
  /** What the bot is called: configured names, user name, name in the server. */
  readonly self: readonly string[];
  /** What a context calls the others. */
  readonly others: readonly string[];
}

const BAR = /^│ ?/;
/** A time as the context writes it. */
const TIME = String.raw`(?:\d{4}-\d\d-\d\d )?\d{1,2}:\d\d `;
/** The header of a context, also as a model remembers it: with another dash, in bold. */
const HEADER = /^[*_#│ ]{0,8}\[(?:contexto en tiempo real|real-time context)[^\]\n]{0,40}\][*_: ]{0,8}\n?/i;
/** `[name] `, `**[name]:** `, `14:03 [name] `, but not `[name](link)`. A sign behind a backslash belongs to the name. */
const TAG = new RegExp(String.raw`^(?:${TIME})?[*_]{0,2}\[((?:\\.|[^\]\\\n]){1,200})\][*_]{0,2}:?[*_]{0,2}(?:\s+|$)`);
/** `Name: `, `**Name:** `, `14:03 Name: `. */
const PREFIX = new RegExp(String.raw`^(?:${TIME})?[*_]{0,2}([^\s:*_[\]][^\n:*[\]]{0,80})[*_]{0,2}:[*_]{0,2}(?:\s+|$)`);
const OWN_LINE = new RegExp(`^(${TIME})(${yous()}):\\s+`);
const CONTEXT_LINE = new RegExp(`^(?:${titles()})(?: \\(\\d+\\))?(?::|$)|^${TIME}(?:\\[|(?:${yous()}):)`);

/**
 * An answer without what a model wrongly repeats: before it the header of the context and the lines of it, a name in
 * brackets, its own name with a colon; in it what it lets others say. Only names that it was told.
 */
export function openEnvelope(answer: string, { self, others }: EnvelopeNames): string {
  const own = new Set(self.map(keyOf));
  const all = new Set([...own, ...others.map(keyOf)]);
  const name = tagOf(answer.trim());
  let text = "";
  for (let inner = answer.trim(); inner !== text;) {
    text = inner;
    inner = withoutContext(withoutName(text, own, all)).trim();
  }
  return ownPart(text, { own, all, isForeign: name !== undefined && all.has(name) && !own.has(name) });
}

interface Talk {
  readonly own: ReadonlySet<string>;
  readonly all: ReadonlySet<string>;
  /** True when somebody else's name stood before the first line. */
  readonly isForeign: boolean;
}

/**
 * Of an answer that goes on as a talk of several people only what is its own: from the first line with its own name on,
 * when others speak before that, and no further than to the next line of somebody else. Code stays what it is.
 */
function ownPart(answer: string, { own, all, isForeign }: Talk): string {
  if (!answer.includes("\n")) return answer;
  const blocks = findCodeBlocks(answer);
  let [lines, at, block, isOthers]: [string[], number, number, boolean] = [[], 0, 0, isForeign];
  for (const line of answer.split("\n")) {
    while (at >= (blocks[block]?.end ?? Infinity)) block++;
    const isCode = at > (blocks[block]?.start ?? Infinity);
    at += line.length + 1;
    const name = isCode ? undefined : tagOf(line);
    const isOwn = name !== undefined && own.has(name);
    if (name !== undefined && !isOwn && all.has(name) && lines.length > 0 && !isOthers) break;
    if (isOwn && isOthers) [lines, isOthers] = [[], false];
    lines.push(isOwn ? line.replace(TAG, "") : line);
  }
  return lines.join("\n").trim();
}

/** The name in brackets that a line begins with, as it is compared; undefined when there is none. */
function tagOf(line: string): string | undefined {
  const name = TAG.exec(line)?.[1];
  return name === undefined ? undefined : keyOf(name);
}

function withoutName(text: string, own: ReadonlySet<string>, all: ReadonlySet<string>): string {
  const line = OWN_LINE.exec(text);
  if (line) return text.slice(line[0].length);
  const tag = TAG.exec(text);
  if (tag && all.has(keyOf(tag[1] ?? ""))) return text.slice(tag[0].length);
  const prefix = PREFIX.exec(text);
  return prefix && own.has(keyOf(prefix[1] ?? "")) ? text.slice(prefix[0].length) : text;
}

/** Without a header and the lines of a context that follow it; what it says itself in the last of them is the answer. */
function withoutContext(text: string): string {
  const header = HEADER.exec(text);
  if (!header) return text;
  let rest = text.slice(header[0].length);
  for (;;) {
    const end = rest.indexOf("\n"); // line by line: all at once would be read anew for every header
    const line = (end < 0 ? rest : rest.slice(0, end)).replace(BAR, "");
    if (!CONTEXT_LINE.test(line) || (end < 0 && OWN_LINE.test(line))) return rest.replace(BAR, "");
    if (end < 0) return "";
    rest = rest.slice(end + 1);
  }
}

/** A name as it is compared: without what the context adds to tell people apart, and without its backslashes. */
function keyOf(name: string): string {
  return plain(name.replace(/\\(.)/gu, "$1").replace(/ \{[^{}]*\}$/, "").replaceAll("\\", "").trim());
}

function yous(): string {
  return LANGUAGES.map((language) => CONTEXT_WORDS[language].you).join("|");
}

/** What begins a line of a context that tells of a place. */
function titles(): string {
  return LANGUAGES.flatMap((language) => {
    const { direct, server, channel, thread, topic, self, members, messages } = CONTEXT_WORDS[language];
    return [direct, server, channel, thread, topic, self, members, messages];
  }).join("|");
}
