/** Breaks things at random, and mends them again. What it does depends on the numbers it is given alone. */

/** Something that can go wrong for a while. */
export interface Adversity {
  readonly name: string;
  begin(): void | Promise<void>;
  /** Everything is as before afterwards. */
  end(): void | Promise<void>;
}

export interface DemonOptions {
  /** Numbers from 0 to 1. */
  readonly random: () => number;
  /** How long it leaves things alone, and how long it leaves them broken: shortest and longest, in milliseconds. */
  readonly calmMs: readonly [number, number];
  readonly brokenMs: readonly [number, number];
  /** Is told of every one that begins. */
  readonly tell: (name: string) => void;
}

/** Resolves, with everything mended, soon after it is told to stop. */
export async function runDemon(adversities: readonly Adversity[], options: DemonOptions, stop: AbortSignal) {
  const { random, calmMs, brokenMs, tell } = options;
  const between = ([least, most]: readonly [number, number]) => least + random() * (most - least);
  while (!stop.aborted) {
    await pause(between(calmMs), stop);
    const adversity = adversities[Math.floor(random() * adversities.length)];
    if (stop.aborted || !adversity) return;
    tell(adversity.name);
    await adversity.begin();
    await pause(between(brokenMs), stop);
    await adversity.end();
  }
}

/** Waits, but not longer than until `stop`. */
export async function pause(ms: number, stop: AbortSignal): Promise<void> {
  if (stop.aborted) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  const wake = () => resolve();
  stop.addEventListener("abort", wake, { once: true });
  await promise;
  clearTimeout(timer);
  stop.removeEventListener("abort", wake);
}
