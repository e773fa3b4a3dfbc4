/** Vectors that are the same in every run. */

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
