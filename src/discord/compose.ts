import { embedSize, LIMITS } from "./limits.ts";
import {
  type Attachment,
  type Embed,
  FILE_SCHEME,
  picturesOf,
  type Post,
  type WebhookMessage,
  withPictures,
} from "./message.ts";
import { createSplitter, isBlank, LEAST_LIMIT, splitText } from "./split.ts";

/** What is to be posted, whatever its length. */
export interface Draft {
  /** The text beside the embed. */
  readonly content?: string | undefined;
  /** The embed, its description of any length; none when undefined. */
  readonly embed?: Embed | undefined;
  readonly files: readonly Attachment[];
  /** What every message carries. */
  readonly common: WebhookMessage;
  /** The thread that the first message begins. */
  readonly threadName?: string | undefined;
}

interface Group {
  readonly content?: string;
  readonly embeds: readonly Embed[];
  readonly files: Attachment[];
}

/** A message with less room than this is full: the description goes on in the next one. */
const LEAST_EMBED = 500;
/** Discord changes other names of files, and then an embed does not find them any more. */
const SAFE_NAME = /^[\w.-]+$/;

/**
 * The messages that together post a draft, in their order; none when there is nothing to show. A text that is too long
 * for one goes on in the next; so does the description of an embed, in further embeds. Title, author and thumbnail
 * stand at its beginning, fields, image, footer and time at its end. A file goes with the embed that shows it
 * (`attachment://name`), else with the last message.
 */
export function composePosts({ content = "", embed, files, common, threadName }: Draft): Post[] {
  const groups: Group[] = splitText(content).map((part) => ({ content: part, embeds: [], files: [] }));
  const [first, ...more] = embed ? packEmbeds(embed) : [];
  if (first) groups.push({ ...groups.pop(), embeds: first, files: [] });
  groups.push(...more.map((embeds) => ({ embeds, files: [] })));
  placeFiles(groups, files);
  return groups.map(({ content, embeds, files }, index) => ({
    message: {
      ...(content !== undefined && { content }),
      ...(embeds.length > 0 && { embeds }),
      ...common,
      ...(threadName !== undefined && index === 0 && { thread_name: threadName }),
    },
    files,
  }));
}

/**
 * The same post, but files that an embed shows have names that Discord leaves as they are; the embed names them so. Of
 * all other files the names stay.
 */
export function withSafeNames({ message, files }: Post): Post {
  const shown = new Set((message.embeds ?? []).flatMap(picturesOf));
  const renamed = new Map<string, string>();
  for (const [index, { name }] of files.entries()) {
    if (SAFE_NAME.test(name) || !shown.has(FILE_SCHEME + name)) continue;
    renamed.set(FILE_SCHEME + name, `file-${index}${/\.\w{1,10}$/.exec(name)?.[0] ?? ""}`);
  }
  if (renamed.size === 0) return { message, files };
  const addressOf = (url: string) => renamed.has(url) ? FILE_SCHEME + renamed.get(url) : url;
  return {
    message: { ...message, embeds: (message.embeds ?? []).map((embed) => withPictures(embed, addressOf)) },
    files: files.map(({ name, bytes }) => ({ name: renamed.get(FILE_SCHEME + name) ?? name, bytes })),
  };
}

/** The embeds of one message after the other. */
function packEmbeds({ title, url, author, thumbnail, color, description, ...end }: Embed): Embed[][] {
  const paint: Embed = color === undefined ? {} : { color };
  let frame: Embed = {
    ...(title !== undefined && { title }),
    ...(url !== undefined && { url }),
    ...(author !== undefined && { author }),
    ...(thumbnail !== undefined && { thumbnail }),
    ...paint,
  };
  let message: Embed[] = [];
  const messages = [message];
  for (const splitter = createSplitter(description ?? ""); !splitter.done;) {
    if (message.length > 0 && roomFor(frame, message) < LEAST_EMBED) messages.push(message = []);
    const part = splitter.next(Math.max(LEAST_LIMIT, roomFor(frame, message)));
    if (isBlank(part)) continue;
    message.push({ ...frame, description: part });
    frame = paint;
  }
  const last = message.pop() ?? frame;
  const whole = { ...last, ...end };
  if (sizeOf([...message, whole]) <= LIMITS.embedTotal) message.push(whole);
  else {
    message.push(last);
    messages.push([{ ...paint, ...end }]);
  }
  return messages;
}

/** How much description an embed may have that is added to a message; negative when the rest of it is too long. */
function roomFor(frame: Embed, message: readonly Embed[]): number {
  if (message.length >= LIMITS.embeds) return 0;
  return Math.min(LIMITS.description, LIMITS.embedTotal - sizeOf([...message, frame]));
}

function sizeOf(embeds: readonly Embed[]): number {
  return embeds.reduce((sum, embed) => sum + embedSize(embed), 0);
}

function placeFiles(groups: Group[], files: readonly Attachment[]): void {
  const rest = files.filter((file) => {
    const showing = groups.filter(({ embeds }) => embeds.some((embed) => shows(embed, file)));
    for (const group of showing) group.files.push(file);
    return showing.length === 0;
  });
  for (const file of rest) {
    const last = groups.at(-1);
    if (last && hasRoomFor(file, last.files)) last.files.push(file);
    else groups.push({ embeds: [], files: [file] });
  }
}

function shows(embed: Embed, { name }: Attachment): boolean {
  return picturesOf(embed).includes(FILE_SCHEME + name);
}

function hasRoomFor({ bytes }: Attachment, files: readonly Attachment[]): boolean {
  const total = files.reduce((sum, file) => sum + file.bytes.length, bytes.length);
  return files.length < LIMITS.files && total <= LIMITS.filesBytes;
}
