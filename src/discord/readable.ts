import { quoteName } from "../chat/quote.ts";
import { cutText, printable } from "../core/format.ts";
import type { ChannelMessage } from "./events.ts";
import { findCodeBlocks } from "./fences.ts";

/** What ids are called; undefined what is not known. Raw names: they are made safe where they are used. */
export interface Names {
  user(id: string): string | undefined;
  role(id: string): string | undefined;
  channel(id: string): string | undefined;
}

/** Mentions of people, roles and channels, and custom emoji. Source: Discord's API documentation, "Message Formatting". */
const MENTIONS = /<(@[!&]?|#)(\d{1,20})>|<a?:(\w{1,32}):\d{1,20}>/g;
/** UTF-16 units shown of a name. Discord's own have 32 at most. */
const NAME_LETTERS = 64;

/** A text of somebody's with the names that Discord's clients would show; everybody unknown goes by the same name. */
export function readMentions(content: string, names: Names): string {
  return content.replace(MENTIONS, (_, kind: string | undefined, id: string, emoji: string | undefined) => {
    if (kind === undefined) return `:${emoji}:`;
    if (kind === "#") return `#${shortName(names.channel(id), "unknown-channel")}`;
    if (kind === "@&") return `@${shortName(names.role(id), "unknown-role")}`;
    return `@${shortName(names.user(id), "unknown-user")}`;
  });
}

function shortName(name: string | undefined, otherwise: string): string {
  const shown = name === undefined ? "" : cleanName(name);
  return shown === "" ? otherwise : shown;
}

/** On one line, with nothing in it that cannot be seen. */
function cleanName(name: string): string {
  return withoutInvisible(cutText(name, NAME_LETTERS)).replace(/\s+/g, " ").trim();
}

/** Somebody as far as a name can be made of it. */
export interface Named {
  readonly id: string;
  readonly name: string;
  readonly username: string;
}

/**
 * A person's name as a prompt may hold it: one short line without a bare bracket or brace. Whose name shows nothing goes
 * by the user name, else by the id.
 */
export function safeName({ id, name, username }: Named): string {
  const shown = [name, username].map(cleanName).find((text) => SHOWS.test(text));
  return quoteName(shown ?? id);
}

const SHOWS = /[\p{L}\p{N}\p{P}\p{S}]/u;

/**
 * A text of somebody's as one line, `letters` UTF-16 units at most, with nothing in it that cannot be seen and every
 * bracket behind a backslash: it cannot begin something new.
 */
export function safeLine(text: string, letters: number): string {
  const beginning = cutText(text, 2 * letters); // further in it may be whatever it likes, nobody sees it
  const lines = withoutInvisible(beginning).replaceAll("\t", " ").split("\n").map((line) => line.trim());
  const escaped = lines.filter((line) => line !== "").join(BREAK).replace(/[[\]│\\]/g, (sign) => `\\${sign}`);
  if (escaped.length <= letters && beginning.length === text.length) return escaped;
  return `${cutText(escaped, letters - 1).replace(LONE_BACKSLASH, "$1")}…`;
}

/** What shows that a new line began here. */
const BREAK = " ⏎ ";
/** A backslash whose sign was cut off. */
const LONE_BACKSLASH = /(?<!\\)((?:\\\\)*)\\$/;

/**
 * What no reader sees and a model reads all the same: signs of direction, fillers, letters in disguise. What joins
 * letters and emoji stays, or chooses how they look.
 */
const INVISIBLE = /(?![\u200c\u200d\ufe0e\ufe0f])[\p{DI}\ufff9-\ufffb]/gu;

/**
 * A text with nothing in it that cannot be seen. Whatever ends a line somewhere ends it everywhere, so that nothing can
 * begin a line unseen.
 */
export function withoutInvisible(text: string): string {
  const lines = text.replace(/\r\n|[\r\v\f\u0085\u2028\u2029]/g, "\n");
  return printable(lines).toWellFormed().replace(INVISIBLE, "");
}

/**
 * What is said to the model: `[name] message`, with readable mentions. A further line that looks as if somebody else
 * spoke gets a backslash, but in code, which must stay what it is.
 * @param label the speaker as the context calls them, when it tells two of the same name apart
 */
export function taggedMessage({ author, content }: ChannelMessage, names: Names, label = safeName(author)): string {
  return `[${label}] ${unlikeSpeakers(withoutInvisible(readMentions(content, names)).trim())}`;
}

/** `[name]` where a line begins, behind the marks of quotations, lists and bold text at most. */
const SPEAKER_LIKE = /^([ \t>*_~-]{0,20})\[(?=[^[\]\n]{1,100}\])/;

function unlikeSpeakers(text: string): string {
  if (!text.includes("\n")) return text;
  const blocks = findCodeBlocks(text);
  let [at, block] = [0, 0];
  return text.split("\n").map((line, index) => {
    while (at >= (blocks[block]?.end ?? Infinity)) block++;
    const isCode = at > (blocks[block]?.start ?? Infinity);
    at += line.length + 1;
    return index === 0 || isCode ? line : line.replace(SPEAKER_LIKE, "$1\\[");
  }).join("\n");
}

/** The conversation that a message belongs to: every channel, thread and direct message has one of its own. */
export function conversationIdFor({ channelId }: Pick<ChannelMessage, "channelId">): string {
  return `discord:${channelId}`;
}
