/** Breaks things at random, and mends them again. What it does, and in which order, depends on its numbers alone. */
import { pause } from "../../src/core/pause.ts";

/** Something that can go wrong for a while. */
export interface Fault {
  readonly name: string;
  begin(): void | Promise<void>;
  /** Everything is as before afterwards. */
  end(): void | Promise<void>;
}

export interface InjectionOptions {
  /** Numbers from 0 to 1. */
  readonly random: () => number;
  /** How long it leaves things alone, and how long it leaves them broken: shortest and longest, in milliseconds. */
  readonly calmMs: readonly [number, number];
  readonly brokenMs: readonly [number, number];
  /** Is told of every fault that begins. */
  readonly onFault: (name: string) => void;
}

/** One fault after the other. Resolves, with everything mended, soon after it is told to stop. */
export async function injectFaults(faults: readonly Fault[], options: InjectionOptions, stop: AbortSignal) {
  const { random, calmMs, brokenMs, onFault } = options;
  const between = ([least, most]: readonly [number, number]) => least + random() * (most - least);
  while (await pause(between(calmMs), stop)) {
    const fault = faults[Math.floor(random() * faults.length)];
    if (!fault) return;
    onFault(fault.name);
    await fault.begin();
    await pause(between(brokenMs), stop);
    await fault.end();
  }
}
