/** Remembers the keys it was asked about last. */
export interface Seen {
  /** True the first time it is asked about a key, as long as it remembers. */
  isNew(key: string): boolean;
}

/**
 * Two sets, of which one is full: taking out single keys would cost more than the second one does.
 * @param least how many keys are remembered at least; twice as many at most
 */
export function createSeen(least: number): Seen {
  let [now, before] = [new Set<string>(), new Set<string>()];
  return {
    isNew(key) {
      if (now.has(key) || before.has(key)) return false;
      if (now.size >= least) [now, before] = [new Set(), now];
      now.add(key);
      return true;
    },
  };
}
