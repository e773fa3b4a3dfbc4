/** Remembers the keys it was asked about last. */
export interface Seen {
  /** True the first time it is asked about a key, as long as it remembers. */
  isNew(key: string): boolean;
}

/** @param most how many keys are remembered; the oldest is forgotten first */
export function createSeen(most: number): Seen {
  const keys = new Set<string>();
  /** The same by age, in a circle: a set is slow to say which is its oldest once many have been taken out of it. */
  const circle: string[] = [];
  let next = 0;
  return {
    isNew(key) {
      if (keys.has(key)) return false;
      const oldest = circle[next];
      if (oldest !== undefined) keys.delete(oldest);
      keys.add(key);
      circle[next] = key;
      next = (next + 1) % most;
      return true;
    },
  };
}
