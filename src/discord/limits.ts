import { type AllowedMentions, type Attachment, type Embed, FILE_SCHEME, picturesOf, type Post } from "./message.ts";
import { isBlank, MAX_CONTENT } from "./split.ts";

/**
 * Discord's limits; texts in UTF-16 units, the stricter reading of "characters". Source: Discord's API documentation,
 * "Embed Limits", "Uploading Files", "Allowed Mentions", "Create Webhook", "Start Thread in Forum".
 */
export const LIMITS = {
  content: MAX_CONTENT,
  embeds: 10,
  title: 256,
  description: 4096,
  fields: 25,
  fieldName: 256,
  fieldValue: 1024,
  footer: 2048,
  author: 256,
  /** All texts of all embeds of a message together. */
  embedTotal: 6000,
  username: 80,
  threadName: 100,
  mentions: 100,
  url: 2048,
  files: 10,
  fileBytes: 10 * 1024 * 1024,
  /** All files of a message: those 25 MiB that a request may have, without 256 KiB for everything else in it. */
  filesBytes: 25 * 1024 * 1024 - 256 * 1024,
} as const;

/** One thing about a message that Discord would refuse. Says how much is too much, never what the message says. */
export interface LimitProblem {
  /** `embeds[0].fields[3].value` */
  readonly field: string;
  readonly message: string;
}

/** Everything about a message that Discord would refuse, as far as it can be known before it is asked. */
export function findProblems({ message, files }: Post): LimitProblem[] {
  const embeds = message.embeds ?? [];
  return [
    ...tooLong("content", message.content, LIMITS.content),
    ...tooMany("embeds", embeds, LIMITS.embeds),
    ...embeds.flatMap((embed, index) => embedProblems(`embeds[${index}]`, embed)),
    ...embedTotalProblems(embeds),
    ...nameProblems("username", message.username, LIMITS.username),
    ...forbiddenNames(message.username),
    ...nameProblems("thread_name", message.thread_name, LIMITS.threadName),
    ...urlProblems("avatar_url", message.avatar_url, WEB),
    ...mentionProblems(message.allowed_mentions ?? {}),
    ...fileProblems(files),
  ];
}

/** Pictures that an embed shows of files that are not sent along, or of which there are two. */
export function findPictureProblems({ message: { embeds }, files }: Post): LimitProblem[] {
  const count = (url: string) => files.filter(({ name }) => url === FILE_SCHEME + name).length;
  return (embeds ?? []).flatMap((embed, index) => {
    const url = picturesOf(embed).find((each) => each.startsWith(FILE_SCHEME) && count(each) !== 1);
    if (url === undefined) return [];
    const message = count(url) === 0
      ? "It shows a file that is not sent along: --attach sends one, and NAME in attachment://NAME is without folders"
      : "It shows a file of whose name two are sent along";
    return [{ field: `embeds[${index}]`, message }];
  });
}

/** True for a message that Discord calls empty: no text, no embed, no poll, no file. */
export function showsNothing({ message: { content, embeds, poll }, files }: Post): boolean {
  return isBlank(content ?? "") && !embeds?.length && !poll && files.length === 0;
}

/** What an embed counts of the 6000 that all embeds of a message have together. */
export function embedSize({ title, description, footer, author, fields }: Embed): number {
  const texts = [title, description, footer?.text, author?.name, ...(fields ?? []).flatMap((f) => [f.name, f.value])];
  return texts.reduce((sum, text) => sum + (text?.length ?? 0), 0);
}

function embedProblems(at: string, embed: Embed): LimitProblem[] {
  const { title, description, footer, author, fields, image, thumbnail } = embed;
  return [
    ...(isEmpty(embed) ? [{ field: at, message: "The embed shows nothing: no text, no picture, no time" }] : []),
    ...tooLong(`${at}.title`, title, LIMITS.title),
    ...tooLong(`${at}.description`, description, LIMITS.description),
    ...tooLong(`${at}.footer.text`, footer?.text, LIMITS.footer),
    ...tooLong(`${at}.author.name`, author?.name, LIMITS.author),
    ...tooMany(`${at}.fields`, fields ?? [], LIMITS.fields),
    ...(fields ?? []).flatMap(({ name, value }, index) => [
      ...nameProblems(`${at}.fields[${index}].name`, name, LIMITS.fieldName),
      ...nameProblems(`${at}.fields[${index}].value`, value, LIMITS.fieldValue),
    ]),
    ...urlProblems(`${at}.url`, embed.url, WEB),
    ...urlProblems(`${at}.author.url`, author?.url, WEB),
    ...urlProblems(`${at}.author.icon_url`, author?.icon_url, IMAGE),
    ...urlProblems(`${at}.footer.icon_url`, footer?.icon_url, IMAGE),
    ...urlProblems(`${at}.image.url`, image?.url, IMAGE),
    ...urlProblems(`${at}.thumbnail.url`, thumbnail?.url, IMAGE),
  ];
}

function isEmpty({ title, description, footer, author, fields, image, thumbnail, timestamp }: Embed): boolean {
  const texts = [title, description, footer?.text, author?.name];
  return texts.every((text) => isBlank(text ?? "")) && !fields?.length && !image && !thumbnail && !timestamp;
}

function embedTotalProblems(embeds: readonly Embed[]): LimitProblem[] {
  const total = embeds.reduce((sum, embed) => sum + embedSize(embed), 0);
  if (total <= LIMITS.embedTotal) return [];
  return [{ field: "embeds", message: `${total} characters over all embeds, ${LIMITS.embedTotal} is the most` }];
}

function forbiddenNames(username: string | null | undefined): LimitProblem[] {
  const word = /clyde|discord/i.exec(username ?? "")?.[0].toLowerCase();
  return word === undefined ? [] : [{ field: "username", message: `Discord allows no name with "${word}" in it` }];
}

function mentionProblems({ parse, users, roles }: AllowedMentions): LimitProblem[] {
  const lists = { users, roles };
  return Object.entries(lists).flatMap(([kind, ids]) => [
    ...tooMany(`allowed_mentions.${kind}`, ids ?? [], LIMITS.mentions),
    ...(ids && ids.length > 0 && parse?.some((each) => each === kind)
      ? [{ field: `allowed_mentions.${kind}`, message: `A list of ids cannot stand beside "${kind}" in parse` }]
      : []),
  ]);
}

function fileProblems(files: readonly Attachment[]): LimitProblem[] {
  const total = files.reduce((sum, { bytes }) => sum + bytes.length, 0);
  return [
    ...tooMany("files", files, LIMITS.files),
    ...(total <= LIMITS.filesBytes
      ? []
      : [{ field: "files", message: `${total} bytes in one message, ${LIMITS.filesBytes} is the most` }]),
    ...files.flatMap(({ bytes }, index) =>
      bytes.length <= LIMITS.fileBytes
        ? []
        : [{ field: `files[${index}]`, message: `${bytes.length} bytes, ${LIMITS.fileBytes} is the most` }]
    ),
  ];
}

function tooLong(field: string, text: string | null | undefined, most: number): LimitProblem[] {
  const count = text?.length ?? 0;
  return count <= most ? [] : [{ field, message: `${count} characters, ${most} is the most` }];
}

function tooMany(field: string, list: readonly unknown[], most: number): LimitProblem[] {
  return list.length <= most ? [] : [{ field, message: `${list.length} of them, ${most} is the most` }];
}

/** For what must not be empty when it is there. */
function nameProblems(field: string, text: string | null | undefined, most: number): LimitProblem[] {
  if (typeof text === "string" && isBlank(text)) return [{ field, message: "It must not be empty" }];
  return tooLong(field, text, most);
}

const WEB = /^https?:\/\//i;
const IMAGE = /^(https?|attachment):\/\/./i;

function urlProblems(field: string, url: string | null | undefined, schemes: RegExp): LimitProblem[] {
  if (url === null || url === undefined) return [];
  if (!schemes.test(url) || !url.startsWith(FILE_SCHEME) && !URL.canParse(url)) {
    const also = schemes === IMAGE ? ` or ${FILE_SCHEME}FILE` : "";
    return [{ field, message: `It must be an address that begins with https:// or http://${also}` }];
  }
  return tooLong(field, url, LIMITS.url);
}
