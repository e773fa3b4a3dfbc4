import type { Log } from "../core/log.ts";

export interface MemberRequestsOptions {
  /** Asks for all members of a server; false when there is no connection. */
  readonly ask: (guildId: string) => boolean;
  readonly log: Log;
  /** Shortest time between two requests for the same server, in milliseconds. Default 30,000, as Discord wants it. */
  readonly gapMs?: number;
  /** How long the next part of a list may take, in milliseconds. Default 15,000. */
  readonly answerMs?: number;
}

const GAP_MS = 30_000;
const ANSWER_MS = 15_000;
/** Discord takes 120 packets a minute and hangs up at more: some at once, then one a second leaves room for the rest. */
const AT_ONCE = 40;
const REFILL_MS = 1000;

/** Asks for the members of one server after the other, and for none more often than Discord allows. */
export class MemberRequests {
  readonly #options: MemberRequestsOptions;
  /** By server that waits: when it may be asked for, on the clock of `performance.now()`. */
  readonly #dueMs = new Map<string, number>();
  readonly #askedMs = new Map<string, number>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** The server whose list is coming. */
  #current: string | undefined;
  #allowance = AT_ONCE;
  #countedMs = performance.now();
  #isConnected = false;

  constructor(options: MemberRequestsOptions) {
    this.#options = options;
  }

  /** The members of a server are wanted: as soon as they may be asked for. */
  want(guildId: string): void {
    this.#dueMs.set(guildId, (this.#askedMs.get(guildId) ?? -Infinity) + (this.#options.gapMs ?? GAP_MS));
    this.#schedule();
  }

  forget(guildId: string): void {
    this.#dueMs.delete(guildId);
  }

  /** A part of the list of a server has come. */
  received(guildId: string, isLast: boolean): void {
    if (guildId !== this.#current) return;
    if (isLast) this.#finish();
    else this.#awaitAnswer(guildId);
  }

  connected(): void {
    this.#isConnected = true;
    this.#schedule();
  }

  /** What was asked for and has not come is asked for again later. */
  disconnected(): void {
    this.#isConnected = false;
    clearTimeout(this.#timer);
    const lost = this.#current;
    this.#current = undefined;
    if (lost !== undefined) this.want(lost);
  }

  #schedule(): void {
    if (!this.#isConnected || this.#current !== undefined) return;
    clearTimeout(this.#timer);
    const [next] = [...this.#dueMs].sort(([, a], [, b]) => a - b);
    if (!next) return;
    const now = performance.now();
    this.#allowance = Math.min(AT_ONCE, this.#allowance + (now - this.#countedMs) / REFILL_MS);
    this.#countedMs = now;
    const [guildId, dueMs] = next;
    const waitMs = Math.max(dueMs - now, (1 - this.#allowance) * REFILL_MS, 0);
    this.#timer = setTimeout(() => this.#ask(guildId), waitMs);
  }

  #ask(guildId: string): void {
    if (!this.#options.ask(guildId)) return; // there will be a connection again
    this.#dueMs.delete(guildId);
    this.#askedMs.set(guildId, performance.now());
    this.#allowance--;
    this.#current = guildId;
    this.#awaitAnswer(guildId);
  }

  #awaitAnswer(guildId: string): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#options.log.warn(`Discord does not send the list of members of server ${guildId}`);
      this.#finish();
    }, this.#options.answerMs ?? ANSWER_MS);
  }

  #finish(): void {
    clearTimeout(this.#timer);
    this.#current = undefined;
    this.#schedule();
  }
}
