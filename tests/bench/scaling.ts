import { median } from "../support/statistics.ts";
import { type Figure, formatMs, spreadOf } from "./measure.ts";

export interface ScalingOptions {
  /** What is done, and of what there is more: `an answer of 1,000 → 10,000 → 100,000 tokens`. */
  readonly what: string;
  /** The work once, ten times and a hundred times. */
  readonly sizes: readonly [number, number, number];
  /**
   * Of what the cost is watched. `each`: of one of the many, where the whole has to grow in proportion. `whole`: of
   * the whole, which has to cost about the same however many there are.
   */
  readonly costOf: "each" | "whole";
  /** So many times may that cost rise on the way. */
  readonly mostTimes: number;
  /** Takes the time of the whole work of this size, milliseconds. */
  readonly measure: (size: number) => Promise<number>;
  /** The same without the program between. */
  readonly direct?: (size: number) => Promise<number>;
  readonly rounds?: number;
  /** Has every size do the same work in a round: the smallest a hundred times over. */
  readonly sameWork?: boolean;
}

/**
 * How the cost grows from 1 to 10 to 100 times the work. The sizes take turns within one run, so that no clock says how
 * fast a machine has to be; one round before them is not counted.
 */
export async function measureScaling(options: ScalingOptions): Promise<Figure> {
  const { what, sizes, costOf, mostTimes, measure, direct, rounds = 5 } = options;
  const routed: number[][] = [];
  const bare: number[][] = [];
  for (let round = -1; round < rounds; round++) {
    const turn = [await takeTurn(measure, options, round), direct && await takeTurn(direct, options, round)] as const;
    if (round < 0) continue;
    routed.push(turn[0]);
    if (turn[1]) bare.push(turn[1]);
  }
  const costs = mediansOf(routed);
  const rise = (times: readonly number[]) => largestRise(costOf === "each" ? perUnit(times, sizes) : times);
  const multiples = costs.map((cost) => cost / (costs[0] ?? NaN));
  return {
    what: `growth, ${what}`,
    value: rise(costs),
    unit: costOf === "each" ? "× for each" : "× in all",
    bound: { kind: "at most", value: mostTimes },
    ...(direct && { direct: rise(mediansOf(bare)) }),
    spread: spreadOf(routed.map(rise)),
    note: `${multiples.map(formatTimes).join(" → ")} times; ${costs.map(formatMs).join(", ")}; medians of ${rounds}`,
  };
}

/**
 * Every size in turn, in one round from the smallest and in the next from the largest; with `sameWork` each as often as
 * makes the work of the largest. The times of one piece of work each, in the order of the sizes.
 */
async function takeTurn(measure: ScalingOptions["measure"], options: ScalingOptions, round: number): Promise<number[]> {
  const { sizes, sameWork = false } = options;
  const times = new Map<number, number>();
  for (const size of round % 2 ? sizes : sizes.toReversed()) {
    const repeats = sameWork ? Math.max(...sizes) / size : 1;
    let spent = 0;
    for (let repeat = 0; repeat < repeats; repeat++) spent += await measure(size);
    times.set(size, spent / repeats);
  }
  return sizes.map((size) => times.get(size) ?? NaN);
}

/** The median of each column. */
function mediansOf(rows: readonly (readonly number[])[]): number[] {
  return (rows[0] ?? []).map((_, column) => median(rows.map((row) => row[column] ?? NaN)));
}

function perUnit(times: readonly number[], sizes: readonly number[]): number[] {
  return times.map((time, at) => time / (sizes[at] ?? NaN));
}

/**
 * How many times as much a later cost is as an earlier one, at most. Not only the last by the first: what every call
 * costs anyway makes the first look dear, and would hide that the last ones rise.
 */
export function largestRise(costs: readonly number[]): number {
  return Math.max(...costs.flatMap((cost, at) => costs.slice(at + 1).map((later) => later / cost)));
}

function formatTimes(times: number): string {
  return times.toFixed(times < 10 ? 1 : 0);
}
