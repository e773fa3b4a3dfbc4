import { COLOR_NAMES, DEFAULT_COLOR, parseColor } from "../discord/colors.ts";
import type { Draft } from "../discord/compose.ts";
import {
  allowMentions,
  type Attachment,
  type Embed,
  type EmbedField,
  FLAGS,
  MENTION_KINDS,
  type WebhookMessage,
} from "../discord/message.ts";
import { usageError } from "./usage_error.ts";

/** The options of `post`, as they were written. */
export interface PostOptions {
  readonly embed?: true;
  readonly file?: string;
  readonly title?: string;
  readonly description?: string;
  readonly url?: string;
  readonly color?: string;
  readonly author?: string;
  readonly authorUrl?: string;
  readonly authorIcon?: string;
  readonly footer?: string;
  readonly footerIcon?: string;
  readonly image?: string;
  readonly thumbnail?: string;
  readonly field?: readonly string[];
  /** True without a value: now. */
  readonly timestamp?: string | true;
  readonly attach?: readonly string[];
  /** A file with a whole payload. */
  readonly json?: string;
  readonly username?: string;
  readonly avatarUrl?: string;
  readonly threadId?: string;
  readonly threadName?: string;
  readonly tts?: true;
  readonly silent?: true;
  readonly suppressEmbeds?: true;
  readonly ping?: readonly string[];
  readonly edit?: string;
  readonly delete?: string;
  readonly webhook?: string;
  readonly skipParts?: string;
  readonly dryRun?: true;
  readonly jsonOutput?: true;
  readonly timeout?: string;
}

type Name = keyof PostOptions;

/** What makes an embed, its colour aside. */
const EMBED_OPTIONS: readonly Name[] = [
  "embed",
  "title",
  "description",
  "url",
  "author",
  "authorUrl",
  "authorIcon",
  "footer",
  "footerIcon",
  "image",
  "thumbnail",
  "field",
  "timestamp",
];
const SENDER_OPTIONS: readonly Name[] = ["username", "avatarUrl"];
const CONTENT_OPTIONS: readonly Name[] = [
  ...EMBED_OPTIONS,
  "color",
  "file",
  "ping",
  "suppressEmbeds",
];

/** What cannot stand beside an option, and why. */
const CONFLICTS: readonly (readonly [option: Name, others: readonly Name[], why: string])[] = [
  ["json", [...CONTENT_OPTIONS, ...SENDER_OPTIONS, "tts", "silent", "threadName"], "the payload says it all"],
  ["delete", [
    ...CONTENT_OPTIONS,
    ...SENDER_OPTIONS,
    ...["edit", "json", "attach", "tts", "silent", "threadName", "skipParts"] as const,
  ], "there is nothing to write"],
  ["edit", [...SENDER_OPTIONS, "tts", "silent", "threadName", "skipParts"], "that cannot be changed any more"],
  ["threadId", ["threadName"], "one is for a thread that is there, the other begins one"],
  ["suppressEmbeds", EMBED_OPTIONS, "it would hide the embed"],
];

/** @throws AgentError (exit 64) for options that contradict each other, and for what is named by anything but an id */
export function checkOptions(options: PostOptions, text: string | undefined): void {
  for (const name of ["edit", "delete", "threadId"] as const) {
    const id = options[name];
    if (id !== undefined) requireId(id, flagOf(name)); // it becomes part of a path: `..` would be the webhook itself
  }
  for (const [option, others, why] of CONFLICTS) {
    const other = options[option] !== undefined && others.find((name) => options[name] !== undefined);
    if (other) throw usageError(`${flagOf(option)} and ${flagOf(other)} cannot be given together: ${why}`);
  }
  if (text !== undefined) {
    const taken = (["json", "delete", "file"] as const).find((name) => options[name] !== undefined);
    if (taken) throw usageError(`A text and ${flagOf(taken)} cannot be given together`);
  }
  if (options.embed && options.description !== undefined && (text !== undefined || options.file !== undefined)) {
    throw usageError(
      "With --embed the text is the description, and --description gives another",
      "Leave one of them out.",
    );
  }
  if (options.color !== undefined && !hasEmbed(options)) {
    throw usageError("--color is the colour of an embed, and there is none", "Add --embed.");
  }
  if (options.authorUrl ?? options.authorIcon) requireOther(options, "author", "authorUrl", "authorIcon");
  if (options.footerIcon !== undefined) requireOther(options, "footer", "footerIcon");
}

function requireOther(options: PostOptions, wanted: Name, ...given: readonly Name[]): void {
  if (options[wanted] !== undefined) return;
  const flag = flagOf(given.find((name) => options[name] !== undefined) ?? wanted);
  throw usageError(`${flag} needs ${flagOf(wanted)}`, `Add ${flagOf(wanted)}, or leave ${flag} out.`);
}

/** True when the options alone make something to post, so that nothing needs to be read. */
export function hasContent(options: PostOptions): boolean {
  const { embed, description, attach, json, edit, suppressEmbeds } = options;
  const needsText = embed && description === undefined; // the text is the description
  return hasEmbed(options) && !needsText || attach !== undefined || json !== undefined ||
    options.delete !== undefined || edit !== undefined && suppressEmbeds === true;
}

function hasEmbed(options: PostOptions): boolean {
  return EMBED_OPTIONS.some((name) => options[name] !== undefined);
}

/**
 * What the options and the text make.
 * @throws AgentError (exit 64) for a value that cannot be read
 */
export function draftOf(options: PostOptions, text: string | undefined, files: readonly Attachment[]): Draft {
  const { embed, threadName } = options;
  return {
    content: embed ? undefined : text,
    embed: hasEmbed(options) ? embedOf(options, embed ? text : undefined) : undefined,
    files,
    common: options.edit === undefined ? commonOf(options) : editableOf(options),
    threadName,
  };
}

/** What every message carries. */
function commonOf(options: PostOptions): WebhookMessage {
  const { username = "Django", avatarUrl, tts } = options;
  const { flags, allowed_mentions } = editableOf(options);
  const bits = (flags ?? 0) | (options.silent ? FLAGS.silent : 0);
  return {
    username,
    ...(avatarUrl !== undefined && { avatar_url: avatarUrl }),
    ...(tts && { tts }),
    ...(bits !== 0 && { flags: bits }),
    ...(allowed_mentions && { allowed_mentions }),
  };
}

/** The part of it that can be changed in a message that is there. */
function editableOf({ suppressEmbeds, ping = [] }: PostOptions): WebhookMessage {
  const kinds = MENTION_KINDS.filter((kind) => ping.includes(kind));
  const ids = ping.filter((who) => !kinds.some((kind) => kind === who));
  for (const id of ids) requireId(id, "--ping", "users, roles, everyone or an id");
  return {
    ...(suppressEmbeds && { flags: FLAGS.suppressEmbeds }),
    allowed_mentions: allowMentions(kinds, [...new Set(ids)]),
  };
}

function embedOf(options: PostOptions, text: string | undefined): Embed {
  const { title, url, author, authorUrl, authorIcon, footer, footerIcon, image, thumbnail, timestamp } = options;
  const description = text ?? options.description;
  return {
    ...(title !== undefined && { title }),
    ...(description !== undefined && { description }),
    ...(url !== undefined && { url }),
    ...(timestamp !== undefined && { timestamp: parseTime(timestamp) }),
    color: colorOf(options.color),
    ...(author !== undefined && {
      author: {
        name: author,
        ...(authorUrl !== undefined && { url: authorUrl }),
        ...(authorIcon !== undefined && { icon_url: authorIcon }),
      },
    }),
    ...(thumbnail !== undefined && { thumbnail: { url: thumbnail } }),
    ...(options.field && { fields: options.field.map(parseField) }),
    ...(image !== undefined && { image: { url: image } }),
    ...(footer !== undefined && {
      footer: { text: footer, ...(footerIcon !== undefined && { icon_url: footerIcon }) },
    }),
  };
}

function colorOf(text: string | undefined): number {
  if (text === undefined) return DEFAULT_COLOR;
  const color = parseColor(text);
  if (color !== undefined) return color;
  throw usageError("--color is no colour", `Write #5865F2, 0x5865F2 or one of: ${COLOR_NAMES.join(", ")}.`);
}

/** `name|value`, or `name|value|inline`; `\|` stands for a | in either. */
function parseField(text: string): EmbedField {
  const [name = "", ...rest] = text.split(/(?<!\\)\|/).map((part) => part.replaceAll("\\|", "|"));
  const inline = rest.length > 1 && rest.at(-1)?.trim().toLowerCase() === "inline";
  const value = (inline ? rest.slice(0, -1) : rest).join("|");
  if (rest.length === 0) {
    throw usageError("A --field has no value", 'Write it like "name|value" or "name|value|inline".');
  }
  return { name: name.trim(), value: value.trim(), ...(inline && { inline }) };
}

/** ISO 8601: in the zone of this machine where it names none. */
function parseTime(when: string | true): string {
  if (when === true || when === "now") return new Date().toISOString();
  const [, year, month, day] = /^(\d{4})-(\d{2})-(\d{2})/.exec(when) ?? [];
  const lastDay = new Date(Date.UTC(Number(year), Number(month), 0)).getUTCDate();
  const ms = Number(day) <= lastDay ? Date.parse(when.length === 10 ? `${when}T00:00` : when) : NaN;
  if (!Number.isNaN(ms)) return new Date(ms).toISOString();
  throw usageError(
    "--timestamp is followed by something that is no time",
    "Write a time like 2026-01-31T12:00:00Z, or --timestamp=now where a text follows.",
  );
}

/** How many messages are there already. */
export function skipOf({ skipParts, threadName }: PostOptions): number {
  if (skipParts === undefined) return 0;
  const count = Number(skipParts);
  if (!/^\d{1,6}$/.test(skipParts)) {
    throw usageError("--skip-parts must be a whole number", "Write how many are there already.");
  }
  if (count > 0 && threadName !== undefined) {
    throw usageError(
      "--thread-name begins another thread, and the first messages are in one",
      "Name it with --thread-id.",
    );
  }
  return count;
}

/** Milliseconds; undefined without the option. */
export function timeoutOf({ timeout }: PostOptions): number | undefined {
  if (timeout === undefined) return undefined;
  const seconds = Number(timeout);
  if (timeout.trim() !== "" && seconds > 0 && seconds <= 86_400) return seconds * 1000;
  throw usageError("--timeout must be a number of seconds", "Write one above 0, a day (86400) at most.");
}

/** @throws AgentError (exit 64) */
export function requireId(text: string, flag: string, what = "an id"): void {
  if (/^\d{1,20}$/.test(text)) return;
  throw usageError(`${flag} is not ${what}`, "An id is a number: developer mode of Discord, right click, Copy ID.");
}

/** True when `--webhook` names an address, which holds a token, and not the variable that has it. */
export function isAddress(webhook: string): boolean {
  return /[:/]/.test(webhook);
}

/** `threadId` as it is written on the command line. */
export function flagOf(name: string): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}
