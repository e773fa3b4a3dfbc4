import { BusyError } from "../core/errors.ts";

/** Messages that may wait for their turn in one conversation. */
const MOST_WAITING = 16;

/** Lets one message after the other into a conversation, in the order they came; conversations do not wait for each other. */
export class Turns {
  /** By conversation: the end of the last turn, and how many there are. */
  readonly #last = new Map<string, { over: Promise<void>; count: number }>();

  /** How many conversations somebody is in. */
  get size(): number {
    return this.#last.size;
  }

  /**
   * Waits for the turn; disposing of it lets the next one in.
   * @throws BusyError when too many wait already; the reason of the signal
   */
  async take(id: string, signal: AbortSignal): Promise<Disposable> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const before = this.#last.get(id) ?? { over: Promise.resolve(), count: 0 };
    if (before.count > MOST_WAITING) throw new BusyError("Too many messages wait in this conversation already");
    const turn = { over: before.over.then(() => promise), count: before.count + 1 };
    this.#last.set(id, turn);
    const release = () => {
      resolve();
      const last = this.#last.get(id);
      if (last && --last.count === 0) this.#last.delete(id);
    };
    try {
      await untilOver(before.over, signal);
    } catch (error) {
      release(); // those behind it wait for those before it only
      throw error;
    }
    return { [Symbol.dispose]: release };
  }
}

async function untilOver(over: Promise<void>, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const gone = Promise.withResolvers<never>();
  const leave = () => gone.reject(signal.reason);
  signal.addEventListener("abort", leave, { once: true });
  try {
    await Promise.race([over, gone.promise]);
  } finally {
    signal.removeEventListener("abort", leave);
  }
}
