/** Numbers and vectors that are the same in every run. */

/** Uniform numbers from 0 to 1 (mulberry32). */
export function createRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = state + 0x6d2b79f5 >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A vector whose numbers are normally distributed (Box, Muller 1958). */
export function randomVector(random: () => number, dimensions: number): number[] {
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return Array.from({ length: dimensions }, normal);
}

/** A vector somewhere around another one. */
export function nearby(centre: readonly number[], spread: number, random: () => number): number[] {
  const away = randomVector(random, centre.length);
  return centre.map((value, at) => value + spread * (away[at] ?? 0));
}
