import { parseSilence } from "../chat/silence.ts";
import type { Language } from "../core/language.ts";
import { type EnvelopeNames, openEnvelope } from "./envelope.ts";
import { withoutInvisible } from "./readable.ts";
import { createSplitter, MAX_CONTENT, type Splitter } from "./split.ts";

export interface ReplyOptions {
  /** Of the conversation. */
  readonly language: Language;
  /** The message that is answered; undefined to refer to none. */
  readonly replyTo: string | undefined;
  /** The same for a retry of this reply, another for every other; usually the id of the message that is answered. */
  readonly nonceSeed: string;
  readonly names: EnvelopeNames;
  /** Messages that one answer may become. Default 5. */
  readonly mostMessages?: number;
}

/** What is to be sent of an answer. */
export interface ReplyPlan {
  /** In the order they are sent in; empty when the answer says nothing. */
  readonly parts: readonly ReplyPart[];
  /** True when the model chose to say nothing. */
  readonly silent: boolean;
}

/** One message to be sent. */
export interface ReplyPart {
  /** 2,000 UTF-16 units at most. Shows something; it is sent with allowed mentions that ping nobody. */
  readonly content: string;
  /** Id of the message that this one replies to: only the first part refers to it. */
  readonly replyTo: string | undefined;
  /** 25 characters at most, unlike that of every other part. */
  readonly nonce: string;
}

/** Says that there was more, for an answer that became too many messages. */
const CUT_NOTES: Readonly<Record<Language, string>> = {
  es: "(Mi respuesta era más larga; la corto aquí.)",
  en: "(My answer was longer; I cut it off here.)",
};

/**
 * What of a model's answer is sent: nothing when it is silence, or nothing but mentions and punctuation. What a model
 * wrongly puts before its answer is left out, so is what nobody sees. Too long an answer is cut, and its last line says
 * so.
 */
export function planReply(answer: string, options: ReplyOptions): ReplyPlan {
  const { language, replyTo, nonceSeed, names, mostMessages = 5 } = options;
  const { silent, text } = parseSilence(openEnvelope(withoutInvisible(answer), names));
  if (silent || !saysSomething(text)) return { parts: [], silent };
  const contents = splitAnswer(text, Math.max(1, Math.floor(mostMessages)), CUT_NOTES[language]);
  const parts = contents.map((content, index) => ({
    content,
    replyTo: index === 0 ? replyTo : undefined,
    nonce: nonceOf(nonceSeed, index),
  }));
  return { parts, silent };
}

/** Mentions of anybody and anything; `@everyone` needs no id. Source: Discord's API documentation, "Message Formatting". */
const MENTIONS = /<(?:@[!&]?|#)\d{1,20}>|@everyone|@here/g;
/** Letters and digits of any script, and emoji. */
const SPEECH = /[\p{L}\p{N}\p{Extended_Pictographic}\p{Regional_Indicator}]/u;

/** False for a text of nothing but mentions, punctuation and blanks. An emoji says something. */
export function saysSomething(text: string): boolean {
  return SPEECH.test(text.replace(MENTIONS, ""));
}

function splitAnswer(text: string, most: number, note: string): string[] {
  // No part is longer, so what comes later can be in none of them.
  const beginning = text.slice(0, (most + 1) * MAX_CONTENT);
  const whole = takeParts(createSplitter(beginning), most, MAX_CONTENT);
  if (whole.isAll && beginning.length === text.length) return whole.parts;
  const splitter = createSplitter(beginning);
  const { parts } = takeParts(splitter, most - 1, MAX_CONTENT);
  const last = takeParts(splitter, 1, MAX_CONTENT - note.length - GAP.length).parts[0];
  return [...parts, last === undefined ? note : `${last.trimEnd()}${GAP}${note}`];
}

const GAP = "\n\n";

/** Parts that show something, so many at most, and whether they are all. */
function takeParts(splitter: Splitter, most: number, limit: number): { parts: string[]; isAll: boolean } {
  const parts: string[] = [];
  while (!splitter.done) {
    if (parts.length === most) return { parts, isAll: false };
    const part = splitter.next(limit);
    if (VISIBLE.test(part)) parts.push(part);
  }
  return { parts, isAll: true };
}

/** Without it Discord calls a message empty. */
const VISIBLE = /[^\s\p{DI}\p{Cf}\p{M}]/u;

/** Room for `-` and the number of a part. */
const LONGEST_ID = 20;

/** Ids of Discord stay readable; any other seed is hashed to 64 bits (FNV-1a over UTF-16 units). */
function nonceOf(seed: string, index: number): string {
  if (/^\d+$/.test(seed) && seed.length <= LONGEST_ID) return `${seed}-${index}`;
  let hash = 0xcbf29ce484222325n;
  for (let at = 0; at < seed.length; at++) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(seed.charCodeAt(at))) * 0x100000001b3n);
  }
  return `h${hash.toString(36)}-${index}`;
}
