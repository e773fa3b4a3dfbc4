import { wordsOf } from "../core/language.ts";

/** Mentions of people, roles and channels, custom emoji, times and commands as they stand in a message. */
const TOKEN = /<(?:@[!&]?\d{1,20}|#\d{1,20}|a?:\w{1,32}:\d{1,20}|t:-?\d{1,15}(?::\w)?|\/[^<>\n]{1,100}:\d{1,20})>/g;
const MENTION = /<@([!&]?)(\d{1,20})>/g;
const EVERYONE = /@(?:everyone|here)\b/;
const URL_IN_TEXT = /https?:\/\/\S+/gi;

/** Whom a text names by mentioning them. */
export interface Mentioned {
  readonly userIds: ReadonlySet<string>;
  readonly roleIds: ReadonlySet<string>;
  readonly everyone: boolean;
}

/** The mentions in a text that is free of code and quotes. */
export function findMentions(text: string): Mentioned {
  const userIds = new Set<string>();
  const roleIds = new Set<string>();
  for (const [, mark, id = ""] of text.matchAll(MENTION)) (mark === "&" ? roleIds : userIds).add(id);
  return { userIds, roleIds, everyone: EVERYONE.test(text) };
}

/** The text without mentions, custom emoji and what else only Discord writes: their names are nobody's words. */
export function withoutTokens(text: string): string {
  return text.replace(TOKEN, " ");
}

/**
 * True when one of the names stands in the text as whole words, in this order and next to each other, without regard to
 * capitals and accents. Addresses of web pages do not count: they name a place and not the bot.
 */
export function isNamed(text: string, names: readonly string[]): boolean {
  const words = wordsOf(withoutTokens(text).replace(URL_IN_TEXT, " "));
  return names.some((name) => contains(words, wordsOf(name)));
}

function contains(words: readonly string[], sought: readonly string[]): boolean {
  const [first] = sought;
  if (first === undefined) return false;
  for (let at = words.indexOf(first); at >= 0; at = words.indexOf(first, at + 1)) {
    if (sought.every((word, index) => words[at + index] === word)) return true;
  }
  return false;
}
