import type { Language } from "../core/language.ts";

/** One message of a conversation. */
export interface WorkingMessage {
  readonly role: "user" | "assistant";
  readonly content: string;
  /** Who said it, where that is known. */
  readonly user_id: string | null;
  /** Epoch milliseconds. */
  readonly at_ms: number;
  /** True where only what was remembered was told: to remember question and answer too would repeat it. */
  readonly recited?: boolean;
}

/** Limits of the working memory; those of the source system. */
const WORKING_LIMITS = { messages: 20, conversations: 50, idleMs: 60 * 60 * 1000 } as const;
/** What is left when a conversation has become too long: dropped in large steps, so that prompts keep their beginning. */
const KEPT_MESSAGES = 12;

interface Conversation {
  readonly messages: readonly WorkingMessage[];
  /** Undefined as long as nothing has told. */
  readonly language: Language | undefined;
  readonly usedAtMs: number;
}

/**
 * What was said in the conversations that are going on: in memory only, gone with the program. The one that has rested
 * longest makes room for a new one, and what has rested for an hour is forgotten.
 */
export class WorkingMemory {
  /** Least recently used first. */
  readonly #conversations = new Map<string, Conversation>();
  #clearings = 0;
  /** The clearing that was the last one of all conversations, and of single ones. */
  #allCleared = 0;
  readonly #cleared = new Map<string, number>();

  /** How many conversations there are. */
  get size(): number {
    this.#dropIdle();
    return this.#conversations.size;
  }

  /** How many messages there are in all of them. */
  get messages(): number {
    this.#dropIdle();
    return [...this.#conversations.values()].reduce((sum, { messages }) => sum + messages.length, 0);
  }

  /** What was said in a conversation, oldest first; nothing in one that is not known. To recall it is to use it. */
  recall(id: string): readonly WorkingMessage[] {
    this.#dropIdle();
    const known = this.#conversations.get(id);
    if (known) this.#put(id, known);
    return known?.messages ?? [];
  }

  /** The language a conversation is held in, as far as known. */
  languageOf(id: string): Language | undefined {
    this.#dropIdle();
    return this.#conversations.get(id)?.language;
  }

  /** Adds what was said. The first language that is known is that of the conversation. */
  add(id: string, added: readonly WorkingMessage[], language: Language | undefined): void {
    const all = [...this.recall(id), ...added];
    const messages = all.length > WORKING_LIMITS.messages ? lastMessages(all, KEPT_MESSAGES) : all;
    this.#put(id, { messages, language: this.languageOf(id) ?? language });
    const [oldest] = this.#conversations.keys();
    if (this.#conversations.size > WORKING_LIMITS.conversations && oldest !== undefined) {
      this.#conversations.delete(oldest);
    }
  }

  /** Keeps the last messages of a conversation only. */
  keepLast(id: string, count: number): void {
    const known = this.#conversations.get(id);
    if (known) this.#put(id, { ...known, messages: lastMessages(known.messages, count) });
  }

  /** Forgets one conversation, or all of them; says how many. */
  clear(id?: string): number {
    this.#dropIdle();
    this.#noteClearing(id);
    if (id !== undefined) return this.#conversations.delete(id) ? 1 : 0;
    const count = this.#conversations.size;
    this.#conversations.clear();
    return count;
  }

  /** How often something was cleared. */
  get clearings(): number {
    return this.#clearings;
  }

  /** Whether a conversation was cleared since there were `clearings`: what was going on in it then is not to come back. */
  wasCleared(id: string, clearings: number): boolean {
    return Math.max(this.#allCleared, this.#cleared.get(id) ?? 0) > clearings;
  }

  /** Forgets every conversation in which that person said something; says how many. */
  clearUser(userId: string): number {
    const theirs = [...this.#conversations].filter(([, { messages }]) =>
      messages.some(({ user_id }) => user_id === userId)
    );
    this.#noteClearing(undefined); // whoever is being answered may be that person
    for (const [id] of theirs) this.#conversations.delete(id);
    return theirs.length;
  }

  #put(id: string, conversation: Omit<Conversation, "usedAtMs">): void {
    this.#conversations.delete(id); // to stand last again
    this.#conversations.set(id, { ...conversation, usedAtMs: Date.now() });
  }

  #noteClearing(id: string | undefined): void {
    this.#clearings++;
    if (id !== undefined && this.#cleared.size < WORKING_LIMITS.conversations) {
      this.#cleared.set(id, this.#clearings);
    } else {
      this.#allCleared = this.#clearings; // too many to tell apart
      this.#cleared.clear();
    }
  }

  #dropIdle(): void {
    const before = Date.now() - WORKING_LIMITS.idleMs;
    for (const [id, { usedAtMs }] of this.#conversations) {
      if (usedAtMs <= before) this.#conversations.delete(id); // in no order: a clock may be set back
    }
  }
}

/** The last `count` messages, or fewer: no conversation begins with an answer. */
export function lastMessages(messages: readonly WorkingMessage[], count: number): readonly WorkingMessage[] {
  const from = Math.max(0, messages.length - count);
  const first = messages.findIndex(({ role }, at) => at >= from && role === "user");
  return first < 0 ? [] : messages.slice(first);
}
