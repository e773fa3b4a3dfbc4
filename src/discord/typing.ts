export interface TypingOptions {
  /** Milliseconds from one request to the next. Default 8,000: Discord shows it for ten seconds. */
  readonly refreshMs?: number;
  /** Milliseconds from the first request after which it ends by itself. Default 120,000. */
  readonly mostMs?: number;
}

/** Failures in a row after which it is given up: whoever is refused again and again is banned in the end. */
const MOST_FAILURES = 2;

/**
 * Shows that an answer is being written, as long as it is: tells Discord so again and again, until it is disposed of. A
 * request that fails costs nothing but the sign itself. No request goes out while another is under way.
 */
export class Typing implements Disposable {
  readonly #send: (signal: AbortSignal) => Promise<unknown>;
  readonly #refreshMs: number;
  readonly #mostMs: number;
  readonly #ended = new AbortController();
  #refresh: ReturnType<typeof setInterval> | undefined;
  #end: ReturnType<typeof setTimeout> | undefined;
  #isSending = false;
  #failures = 0;

  /** @param send tells Discord once; given up through its signal when the typing ends before */
  constructor(
    send: (signal: AbortSignal) => Promise<unknown>,
    { refreshMs = 8000, mostMs = 120_000 }: TypingOptions = {},
  ) {
    this.#send = send;
    this.#refreshMs = refreshMs;
    this.#mostMs = mostMs;
  }

  /** Begins, at once. Does nothing when it has begun or is over already. */
  start(): void {
    if (this.#refresh !== undefined || this.#ended.signal.aborted) return;
    this.#refresh = setInterval(() => this.#tell(), this.#refreshMs);
    this.#end = setTimeout(() => this.stop(), this.#mostMs);
    this.#tell();
  }

  /** Ends for good: no request follows, and one under way is given up. */
  stop(): void {
    clearInterval(this.#refresh);
    clearTimeout(this.#end);
    this.#ended.abort();
  }

  [Symbol.dispose](): void {
    this.stop();
  }

  /** Once; whatever goes wrong stays here. */
  async #tell(): Promise<void> {
    if (this.#isSending) return;
    this.#isSending = true;
    try {
      await this.#send(this.#ended.signal);
      this.#failures = 0;
    } catch {
      if (++this.#failures >= MOST_FAILURES) this.stop();
    } finally {
      this.#isSending = false;
    }
  }
}

export interface WritingTime {
  /** UTF-16 units of what was read or is written. */
  readonly letters: number;
  /** Letters a second; 0 for no delay at all. */
  readonly lettersPerSecond: number;
  /** Milliseconds that the answer has taken already: nobody waits for them twice. */
  readonly tookMs: number;
  /** Milliseconds that reading and writing are taken to last at most. Default 8,000. */
  readonly mostMs?: number;
}

/** How long to wait still, in milliseconds, so that an answer does not come faster than a person reads and writes. */
export function remainingDelayMs({ letters, lettersPerSecond, tookMs, mostMs = 8000 }: WritingTime): number {
  if (!(lettersPerSecond > 0)) return 0;
  const wantedMs = Math.min(mostMs, (letters / lettersPerSecond) * 1000);
  return Math.max(0, Math.round(wantedMs - Math.max(0, tookMs)));
}
