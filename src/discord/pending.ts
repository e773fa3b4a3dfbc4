import type { CognitiveMode } from "../core/types.ts";
import type { ChannelMessage } from "./events.ts";

/** Why something is to be said: somebody is waiting for it, or the bot may have something to add. */
export type TurnKind = "addressed" | "ambient";

/** What is answered together: one message, or several that one person wrote in a row. */
export interface Turn {
  readonly kind: TurnKind;
  readonly mode: CognitiveMode;
  /** Oldest first, never empty. */
  readonly messages: readonly ChannelMessage[];
  /** Where the answer goes; undefined for the channel. */
  readonly output?: Output | undefined;
}

/** Sends an answer somewhere else than to the channel, in the order of its parts. */
export type Output = (contents: readonly string[]) => Promise<void>;

/** How a message is to be answered. */
export interface TurnOptions {
  readonly mode?: CognitiveMode | undefined;
  readonly output?: Output | undefined;
}

/** UTF-16 units of what is answered together: more of it would be too long for a small model. */
const MOST_TOGETHER = 8000;
/** Turns that may wait in a channel. */
const MOST_WAITING = 16;

/**
 * What waits to be answered in one channel. People who spoke to the bot come first, in their order, and none of them is
 * ever dropped; what one of them writes in a row is one turn. Of what the bot may comment on only the latest waits.
 */
export class PendingTurns {
  #turns: Turn[] = [];

  get size(): number {
    return this.#turns.length;
  }

  add(kind: TurnKind, message: ChannelMessage, { mode = 2, output }: TurnOptions = {}): void {
    const last = this.#turns.at(-1);
    const isAlike = last?.kind === kind && last.mode === mode && !last.output && !output;
    if (kind === "addressed" && isAlike && isBySame(last, message) && hasRoom(last, message)) {
      this.#turns[this.#turns.length - 1] = { ...last, messages: [...last.messages, message] };
      return;
    }
    if (kind === "ambient") this.dropAmbient();
    this.#turns.push({ kind, mode, messages: [message], output });
    if (this.#turns.length > MOST_WAITING) this.dropAmbient();
  }

  /** The turn that `take()` would give. */
  get next(): Turn | undefined {
    return this.#turns.find(({ kind }) => kind === "addressed") ?? this.#turns[0];
  }

  /** The next turn; an older chance to comment is over once somebody who waits is answered. */
  take(): Turn | undefined {
    const at = this.#turns.findIndex(({ kind }) => kind === "addressed");
    if (at < 0) return this.#turns.shift();
    const turn = this.#turns[at];
    this.#turns = this.#turns.filter((each, index) => index > at || each.kind === "addressed" && index !== at);
    return turn;
  }

  /** Puts a message as it reads now in the place of what it was. False when it does not wait here. */
  edit(message: ChannelMessage): boolean {
    let isHere = false;
    this.#turns = this.#turns.map((turn) => {
      const edited = withEdited(turn, message);
      if (edited !== turn) isHere = true;
      return edited;
    });
    return isHere;
  }

  /** Forgets messages that were deleted. */
  remove(messageIds: readonly string[]): void {
    this.#turns = this.#turns.flatMap((turn) => withoutMessages(turn, messageIds) ?? []);
  }

  /** Forgets what somebody has written; gives the turns that are gone. */
  forget(userId: string): readonly Turn[] {
    const gone = this.#turns.filter((turn) => isOf(turn, userId));
    this.#turns = this.#turns.filter((turn) => !isOf(turn, userId));
    return gone;
  }

  dropAmbient(): void {
    this.#turns = this.#turns.filter(({ kind }) => kind === "addressed");
  }

  /** Forgets everything; gives the turns that are gone. */
  clear(): readonly Turn[] {
    const gone = this.#turns;
    this.#turns = [];
    return gone;
  }
}

/** The same turn with a message as it reads now; the very same when the message is not in it. */
export function withEdited(turn: Turn, message: ChannelMessage): Turn {
  if (!turn.messages.some(({ id }) => id === message.id)) return turn;
  return { ...turn, messages: turn.messages.map((each) => each.id === message.id ? message : each) };
}

/** The same turn without these messages; undefined when nothing is left of it. */
export function withoutMessages(turn: Turn, messageIds: readonly string[]): Turn | undefined {
  const messages = turn.messages.filter(({ id }) => !messageIds.includes(id));
  if (messages.length === turn.messages.length) return turn;
  return messages.length === 0 ? undefined : { ...turn, messages };
}

/** Whether somebody wrote it: all messages of a turn are one person's. */
export function isOf({ messages }: Turn, userId: string): boolean {
  return messages.some(({ author }) => author.id === userId);
}

function isBySame({ messages }: Turn, { author }: ChannelMessage): boolean {
  return messages[0]?.author.id === author.id && messages[0].author.name === author.name;
}

function hasRoom({ messages }: Turn, { content }: ChannelMessage): boolean {
  return messages.reduce((sum, each) => sum + each.content.length, content.length) <= MOST_TOGETHER;
}
