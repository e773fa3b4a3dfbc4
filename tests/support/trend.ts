/** Whether what is sampled grows. */
import { median } from "./statistics.ts";

/** A value and how much work was done, or how much time had passed, when it was taken. */
export interface Sample {
  readonly at: number;
  readonly value: number;
}

/** What the later half of the samples says. */
export interface Growth {
  /** By how much the value has grown there, in its own unit. */
  readonly growth: number;
  readonly verdict: "ok" | "grows" | "too few samples";
}

/** Fewer in the later half say nothing. */
const LEAST_SAMPLES = 4;

/**
 * Slope of the line through the samples by ordinary least squares, Σ(x−x̄)(y−ȳ) / Σ(x−x̄)²
 * (https://en.wikipedia.org/wiki/Simple_linear_regression), in units of the value per `per` units of `at`: with `at` in
 * requests and `per` 1,000, MB per 1,000 requests; with `at` in hours and `per` 1, MB an hour. NaN without two samples
 * at different places.
 */
export function slopeOf(samples: readonly Sample[], per = 1): number {
  const [meanAt, meanValue] = [mean(samples.map(({ at }) => at)), mean(samples.map(({ value }) => value))];
  const covariance = sum(samples.map(({ at, value }) => (at - meanAt) * (value - meanValue)));
  const variance = sum(samples.map(({ at }) => (at - meanAt) ** 2));
  return covariance / variance * per;
}

/** The samples of the later half of the work. What came before is warm-up: code is compiled, caches and heaps fill. */
export function laterHalf(samples: readonly Sample[]): Sample[] {
  const { first, last } = rangeOf(samples);
  return samples.filter(({ at }) => at >= (first + last) / 2);
}

/**
 * Whether the value grows by more than `most` over the later half. Its growth is the lesser of two: that of the line
 * through the samples, and that between the medians of its own two halves, taken twice because their middles lie half as
 * far apart. A leak shows in both, one odd sample moves only the line.
 */
export function judgeGrowth(samples: readonly Sample[], most: number): Growth {
  const later = laterHalf(samples);
  const latest = laterHalf(later);
  const earlier = later.filter((sample) => !latest.includes(sample));
  const { first, last } = rangeOf(later);
  const byLine = slopeOf(later) * (last - first);
  const byMedians = 2 * (medianOf(latest) - medianOf(earlier));
  const growth = Math.min(byLine, byMedians);
  if (later.length < LEAST_SAMPLES || Number.isNaN(growth)) return { growth, verdict: "too few samples" };
  return { growth, verdict: growth > most ? "grows" : "ok" };
}

function rangeOf(samples: readonly Sample[]): { readonly first: number; readonly last: number } {
  return { first: samples.at(0)?.at ?? NaN, last: samples.at(-1)?.at ?? NaN };
}

function medianOf(samples: readonly Sample[]): number {
  return median(samples.map(({ value }) => value));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function mean(values: readonly number[]): number {
  return sum(values) / values.length;
}
