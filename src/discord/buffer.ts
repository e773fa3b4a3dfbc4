import type { Author, ChannelMessage } from "./events.ts";
import { keepText } from "./kept_text.ts";

/** Who wrote a message. */
export type Speaker = Pick<Author, "id" | "name" | "username" | "isBot" | "isWebhook">;

/** A message as far as it matters to those that follow. */
export interface BufferedMessage {
  readonly id: string;
  readonly author: Speaker;
  /** Raw and untrusted; the beginning of a long one. */
  readonly content: string;
  /** How many files go with it. */
  readonly attachments: number;
  /** Epoch milliseconds. */
  readonly atMs: number;
}

export interface BufferOptions {
  /** Messages kept of a channel. Default 30. */
  readonly perChannel?: number;
  /** Channels kept. Default 1,000. */
  readonly mostChannels?: number;
  /** UTF-16 units kept of a message. Default 1,200: more of it the model would not be shown anyway. */
  readonly messageLetters?: number;
  /** UTF-16 units kept of all messages together. Default 4,000,000: 4 MB of Latin text, 8 MB of any other. */
  readonly mostLetters?: number;
}

interface Kept {
  readonly guildId: string | undefined;
  /** Oldest first. */
  readonly messages: BufferedMessage[];
}

/**
 * The latest messages of each channel, in memory and nowhere else. Edits and deletions count here too. Beyond its bounds
 * the channels go first that were silent for longest.
 */
export class ChannelBuffer {
  readonly #perChannel: number;
  readonly #mostChannels: number;
  readonly #messageLetters: number;
  readonly #mostLetters: number;
  /** By channel, those silent for longest first. None of them is empty. */
  readonly #channels = new Map<string, Kept>();
  #letters = 0;

  constructor(options: BufferOptions = {}) {
    const { perChannel = 30, mostChannels = 1000, messageLetters = 1200, mostLetters = 4_000_000 } = options;
    this.#perChannel = perChannel;
    this.#mostChannels = mostChannels;
    this.#messageLetters = messageLetters;
    this.#mostLetters = mostLetters;
  }

  /** How much it holds; letters in UTF-16 units. */
  get size(): { readonly channels: number; readonly letters: number } {
    return { channels: this.#channels.size, letters: this.#letters };
  }

  /** Takes a message that it has not been given before. */
  add(message: ChannelMessage): void {
    const { id, channelId, guildId, author, content, attachments, atMs } = message;
    const channel = this.#channels.get(channelId) ?? { guildId, messages: [] };
    const { messages } = channel;
    const kept: BufferedMessage = {
      id,
      author: recentSpeaker(messages, author) ?? speakerOf(author),
      content: keepText(content, this.#messageLetters),
      attachments: attachments.length,
      atMs,
    };
    messages.push(kept);
    this.#letters += weightOf(kept);
    while (messages.length > this.#perChannel) this.#weighOut(messages.shift());
    this.#channels.delete(channelId);
    this.#channels.set(channelId, channel); // the latest
    this.#keepToBounds();
  }

  /** Takes the new form of a message; false when it is not there, and then it stays so. */
  edit({ id, channelId, content, attachments }: ChannelMessage): boolean {
    const messages = this.#channels.get(channelId)?.messages;
    const index = messages?.findIndex((message) => message.id === id) ?? -1;
    const before = messages?.[index];
    if (!messages || !before) return false;
    const now = { ...before, content: keepText(content, this.#messageLetters), attachments: attachments.length };
    messages[index] = now;
    this.#letters += weightOf(now) - weightOf(before);
    this.#keepToBounds();
    return true;
  }

  /** Messages were deleted. */
  remove(channelId: string, messageIds: readonly string[]): void {
    const gone = new Set(messageIds);
    this.#drop(channelId, ({ id }) => gone.has(id));
  }

  /** The messages of a channel, oldest first; as they are now, whatever happens later. */
  read(channelId: string): readonly BufferedMessage[] {
    return this.#channels.get(channelId)?.messages.slice() ?? [];
  }

  /** Nothing that a person wrote is left. */
  forget(userId: string): void {
    for (const channelId of [...this.#channels.keys()]) this.#drop(channelId, ({ author }) => author.id === userId);
  }

  /** Empties a channel: it was reset, or it is gone. */
  clear(channelId: string): void {
    this.#drop(channelId, () => true);
  }

  /** A server is gone, and its channels with it. */
  guildGone(guildId: string): void {
    const gone = [...this.#channels].filter(([, channel]) => channel.guildId === guildId);
    for (const [channelId] of gone) this.clear(channelId);
  }

  #drop(channelId: string, isGone: (message: BufferedMessage) => boolean): void {
    const channel = this.#channels.get(channelId);
    if (!channel) return;
    const { guildId, messages } = channel;
    const staying = messages.filter((message) => {
      if (!isGone(message)) return true;
      this.#weighOut(message);
      return false;
    });
    if (staying.length === 0) this.#channels.delete(channelId);
    else this.#channels.set(channelId, { guildId, messages: staying });
  }

  #keepToBounds(): void {
    // One channel at a time: there are never many more than the bound, so few gaps to be searched through.
    while (this.#channels.size > this.#mostChannels || this.#letters > this.#mostLetters) {
      const oldest = this.#channels.keys().next();
      if (oldest.done) return;
      this.clear(oldest.value);
    }
  }

  #weighOut(message: BufferedMessage | undefined): void {
    this.#letters -= message ? weightOf(message) : 0;
  }
}

/** UTF-16 units kept of a name. */
const NAME_LETTERS = 80;

function speakerOf({ id, name, username, isBot, isWebhook }: Author): Speaker {
  return { id, name: keepText(name, NAME_LETTERS), username: keepText(username, NAME_LETTERS), isBot, isWebhook };
}

/** How many of the last messages are searched for the same speaker: people take turns, or go on. */
const NEAR = 4;

/** One object stands for all: most messages of a channel come from few people. */
function recentSpeaker(messages: readonly BufferedMessage[], author: Author): Speaker | undefined {
  for (let back = 1; back <= NEAR; back++) {
    const speaker = messages.at(-back)?.author;
    if (speaker && isSame(speaker, author)) return speaker;
  }
  return undefined;
}

function isSame(kept: Speaker, { id, name, username, isBot }: Author): boolean {
  return kept.id === id && kept.name === name && kept.username === username && kept.isBot === isBot;
}

function weightOf({ content, author }: BufferedMessage): number {
  return content.length + author.name.length + author.username.length;
}
