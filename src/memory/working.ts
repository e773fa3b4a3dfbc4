import type { Language } from "../core/language.ts";

/** One message of a conversation. */
export interface WorkingMessage {
  readonly role: "user" | "assistant";
  readonly content: string;
  /** Who said it, where that is known. */
  readonly user_id: string | null;
  /** Epoch milliseconds. */
  readonly at_ms: number;
  /** True for an answer that only told what was remembered: to remember that too would repeat it. */
  readonly recited?: boolean;
}

/** Limits of the working memory; those of the source system. */
export const WORKING_LIMITS = { messages: 20, conversations: 50, idleMs: 60 * 60 * 1000 } as const;
/** What is left when a conversation has become too long: dropped in large steps, so that prompts keep their beginning. */
const KEPT_MESSAGES = 12;

interface Conversation {
  messages: readonly WorkingMessage[];
  readonly language: Language;
  usedAtMs: number;
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

  /** What was said in a conversation, oldest first; nothing in one that is not known. */
  recall(id: string): readonly WorkingMessage[] {
    this.#dropIdle();
    return this.#conversations.get(id)?.messages ?? [];
  }

  /** The language a conversation is held in; undefined for one that is not known. */
  languageOf(id: string): Language | undefined {
    return this.#conversations.get(id)?.language;
  }

  /** Adds what was said; the language counts for a conversation that begins. */
  add(id: string, added: readonly WorkingMessage[], language: Language): void {
    const all = [...this.recall(id), ...added];
    const messages = all.length > WORKING_LIMITS.messages ? all.slice(-KEPT_MESSAGES) : all;
    const begun = { messages, language: this.languageOf(id) ?? language, usedAtMs: Date.now() };
    this.#conversations.delete(id); // to stand last again
    this.#conversations.set(id, begun);
    const [oldest] = this.#conversations.keys();
    if (this.#conversations.size > WORKING_LIMITS.conversations && oldest !== undefined) {
      this.#conversations.delete(oldest);
    }
  }

  /** Keeps the last messages of a conversation only. */
  keepLast(id: string, count: number): void {
    const conversation = this.#conversations.get(id);
    if (conversation) conversation.messages = count === 0 ? [] : conversation.messages.slice(-count);
  }

  /** Forgets one conversation, or all of them; says how many. */
  clear(id?: string): number {
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
      if (usedAtMs > before) return; // the others were used later
      this.#conversations.delete(id);
    }
  }
}
