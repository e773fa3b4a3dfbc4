const MINUTE_MS = 60_000;

/** Counts how often each person was answered in the last minute. */
export class AskLimit {
  /** By person, epoch milliseconds; those who asked longest ago first. */
  readonly #asked = new Map<string, readonly number[]>();

  /** Whether a person may be answered once more this minute; if so, this one counts. */
  take(userId: string, most: number, nowMs: number): boolean {
    const recent = (this.#asked.get(userId) ?? []).filter((atMs) => nowMs - atMs < MINUTE_MS);
    const isFree = recent.length < most;
    this.#asked.delete(userId);
    this.#asked.set(userId, isFree ? [...recent, nowMs] : recent);
    for (const [id, times] of this.#asked) {
      if (nowMs - (times.at(-1) ?? 0) < MINUTE_MS) break; // those after it have asked later
      this.#asked.delete(id);
    }
    return isFree;
  }
}
