/** What Discord draws in a box beside the text of a message. */
export interface Embed {
  readonly title?: string | null;
  readonly description?: string | null;
  readonly url?: string | null;
  /** ISO 8601 */
  readonly timestamp?: string | null;
  /** 0xRRGGBB */
  readonly color?: number | null;
  readonly footer?: { readonly text: string; readonly icon_url?: string | null } | null;
  readonly image?: { readonly url: string } | null;
  readonly thumbnail?: { readonly url: string } | null;
  readonly author?: { readonly name: string; readonly url?: string | null; readonly icon_url?: string | null } | null;
  readonly fields?: readonly EmbedField[] | null;
}

export interface EmbedField {
  readonly name: string;
  readonly value: string;
  readonly inline?: boolean;
}

/** Whom a message may ping. What is not named here is shown, and nobody is told. */
export interface AllowedMentions {
  readonly parse?: readonly MentionKind[];
  /** Ids. */
  readonly users?: readonly string[];
  readonly roles?: readonly string[];
  readonly replied_user?: boolean;
}

export const MENTION_KINDS = ["users", "roles", "everyone"] as const;
export type MentionKind = typeof MENTION_KINDS[number];

/** The JSON of a message as a webhook takes it. */
export interface WebhookMessage {
  readonly content?: string | null;
  readonly embeds?: readonly Embed[] | null;
  readonly username?: string | null;
  readonly avatar_url?: string | null;
  readonly tts?: boolean | null;
  /** Bits of `FLAGS`. */
  readonly flags?: number | null;
  readonly allowed_mentions?: AllowedMentions | null;
  /** Begins a thread of this name in a forum or media channel. */
  readonly thread_name?: string | null;
  /** Ids of the tags of that thread. */
  readonly applied_tags?: readonly string[];
  readonly attachments?: readonly { readonly id: number | string }[];
  readonly poll?: object | null;
}

/** A file that goes with a message. */
export interface Attachment {
  readonly name: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** A message with its files: one request. */
export interface Post {
  readonly message: WebhookMessage;
  readonly files: readonly Attachment[];
}

/** Begins an address, in an embed, of a file that goes with the message; its name follows. */
export const FILE_SCHEME = "attachment://";

/** Addresses of the pictures that an embed shows. */
export function picturesOf({ image, thumbnail, author, footer }: Embed): string[] {
  return [image?.url, thumbnail?.url, author?.icon_url, footer?.icon_url].filter((url) => typeof url === "string");
}

/** The same embed with other addresses of its pictures. */
export function withPictures(embed: Embed, change: (url: string) => string): Embed {
  const { image, thumbnail, author, footer } = embed;
  return {
    ...embed,
    ...(image && { image: { url: change(image.url) } }),
    ...(thumbnail && { thumbnail: { url: change(thumbnail.url) } }),
    ...(author?.icon_url && { author: { ...author, icon_url: change(author.icon_url) } }),
    ...(footer?.icon_url && { footer: { ...footer, icon_url: change(footer.icon_url) } }),
  };
}

/** Bits of a message's `flags`. Source: Discord's API documentation, "Message Flags". */
export const FLAGS = { suppressEmbeds: 1 << 2, silent: 1 << 12 } as const;

/** Pings nobody. */
export const NO_MENTIONS: AllowedMentions = { parse: [] };

/**
 * Lets a message ping these kinds of names and these ids, which may be people's or roles'. Discord refuses a list beside
 * the kind that includes it.
 */
export function allowMentions(kinds: readonly MentionKind[], ids: readonly string[]): AllowedMentions {
  const list = (kind: "users" | "roles") => ids.length > 0 && !kinds.includes(kind) ? { [kind]: ids } : {};
  return { parse: kinds, ...list("users"), ...list("roles") };
}
