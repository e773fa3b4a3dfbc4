import { BusyError } from "./errors.ts";

/** Lets one after the other into a place, in the order they came; places do not wait for each other. */
export class Turns {
  readonly #tooMany: string;
  readonly #most: number;
  /** By place: the end of the last turn, and how many there are. */
  readonly #last = new Map<string, { over: Promise<void>; count: number }>();

  /**
   * @param tooMany what to say when too many wait already
   * @param most how many may wait for their turn in one place
   */
  constructor(tooMany: string, most = 16) {
    this.#tooMany = tooMany;
    this.#most = most;
  }

  /** How many places somebody is in. */
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
    if (before.count > this.#most) throw new BusyError(this.#tooMany);
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
