/** Remembers the keys it was asked about last. */
export interface Seen {
  /** True the first time it is asked about a key, as long as it remembers. */
  isNew(key: string): boolean;
}

/** @param most how many keys are remembered; the oldest is forgotten first */
export function createSeen(most: number): Seen {
  const keys = new Set<string>();
  return {
    isNew(key) {
      if (keys.has(key)) return false;
      keys.add(key);
      const oldest = keys.values().next();
      if (keys.size > most && !oldest.done) keys.delete(oldest.value);
      return true;
    },
  };
}
