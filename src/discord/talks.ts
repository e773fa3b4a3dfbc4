import type { Language } from "../core/language.ts";
import type { ChannelState } from "./channel_state.ts";
import type { Conversation } from "./conversation.ts";
import type { ChannelMessage } from "./events.ts";

/** What is going on in one channel, thread or direct message. */
export interface Talk {
  readonly guildId: string | undefined;
  readonly conversation: Conversation;
  state: ChannelState;
  /** Spoken here last. */
  language: Language | undefined;
}

/** Channels whose talk is kept in mind at a time; the one that was silent for longest goes first. */
const MOST_TALKS = 1000;

/** The talks of all channels. */
export class Talks {
  readonly #begin: (place: TalkPlace) => Talk;
  /** By channel, those that were silent for longest first. */
  readonly #talks = new Map<string, Talk>();

  constructor(begin: (place: TalkPlace) => Talk) {
    this.#begin = begin;
  }

  /** The talk in the place of a message, which begins if there is none. */
  of({ channelId, guildId }: TalkPlace): Talk {
    const talk = this.#talks.get(channelId) ?? this.#begin({ channelId, guildId });
    this.#talks.delete(channelId);
    this.#talks.set(channelId, talk); // the latest
    if (this.#talks.size > MOST_TALKS) this.#dropIdle(talk);
    return talk;
  }

  /** The talk in a channel; undefined when there is none. */
  in(channelId: string): Talk | undefined {
    return this.#talks.get(channelId);
  }

  all(): Iterable<Talk> {
    return this.#talks.values();
  }

  #dropIdle(latest: Talk): void {
    const nowMs = Date.now();
    for (const [channelId, talk] of this.#talks) {
      if (this.#talks.size <= MOST_TALKS || talk === latest) return;
      // One that is muted is silent for long, and has to stay so.
      if (talk.conversation.isIdle && talk.state.mutedUntilMs <= nowMs) this.#talks.delete(channelId);
    }
  }
}

/** Where something is said. */
export type TalkPlace = Pick<ChannelMessage, "channelId" | "guildId">;
