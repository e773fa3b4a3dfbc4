/** Nearest-rank percentile of ascending numbers; `null` of none. `share` is 0.5 for the median. */
export function percentile(sorted: ArrayLike<number>, share: number): number | null {
  return sorted[Math.ceil(sorted.length * share) - 1] ?? null;
}
