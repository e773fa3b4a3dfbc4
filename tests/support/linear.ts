/** Whether work grows with its input as it should, judged within one run: no clock says how fast a machine has to be. */
import assert from "node:assert/strict";

/** So many times the input: linear work takes about as many times as long, quadratic work that to the power of two. */
const TIMES = 8;
/** In between, with room for a machine that is busy with something else. */
const MOST_TIMES = 32;
/** Less is lost in what the clock cannot see. */
const LEAST_MS = 0.5;
const ROUNDS = 3;

/**
 * Asserts that `work` on eight times the input takes nothing like eight times eight as long.
 * @param length of the smaller input; quadratic work on the larger has to be bearable
 */
export function assertLinear(what: string, length: number, work: (length: number) => void): void {
  const repeats = repeatsFor(() => work(length));
  let least = Infinity;
  for (let round = 0; round < ROUNDS && least > MOST_TIMES; round++) {
    const small = timeOf(() => work(length), repeats);
    least = Math.min(least, timeOf(() => work(TIMES * length), repeats) / small);
  }
  assert.ok(least <= MOST_TIMES, `${what}: ${TIMES} times the input took ${least.toFixed(0)} times as long`);
}

function repeatsFor(work: () => void): number {
  work(); // the first time it is not compiled yet
  let repeats = 1;
  while (timeOf(work, repeats) < LEAST_MS) repeats *= 2;
  return repeats;
}

function timeOf(work: () => void, repeats: number): number {
  const began = performance.now();
  for (let repeat = 0; repeat < repeats; repeat++) work();
  return performance.now() - began;
}
