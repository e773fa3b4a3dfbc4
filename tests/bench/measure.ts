import { table } from "../../src/cli/output.ts";
import { quantile } from "../support/statistics.ts";

/** One figure of the benchmark, with the bound the project set itself. */
export interface Figure {
  /** Its name, no two of a part alike: figures of two runs are compared by both. It says all, wherever it stands. */
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  readonly bound: { readonly kind: "at most" | "at least"; readonly value: number };
  /** The same without the program: the provider, or an empty one, called directly in the same run; in `unit`. */
  readonly direct?: number;
  /** How far `value` may be off by chance, to either side, in `unit`; left out where it was measured once. */
  readonly spread?: number;
  /** What else was seen. */
  readonly note?: string;
}

/** A figure with the part of the program that it is about. */
export interface PartFigure extends Figure {
  readonly part: string;
}

/**
 * How far the median of these values may be off by chance: half the notch of a box plot, 1.57 interquartile ranges by
 * the square root of their number (McGill, Tukey, Larsen 1978, "Variations of Box Plots").
 */
export function spreadOf(values: readonly number[]): number {
  return 1.57 * (quantile(values, 0.75) - quantile(values, 0.25)) / Math.sqrt(values.length);
}

/** The same for the difference of two medians. */
export function spreadOfDifference(one: readonly number[], other: readonly number[]): number {
  return Math.hypot(spreadOf(one), spreadOf(other));
}

export function isReached({ value, bound }: Pick<Figure, "value" | "bound">): boolean {
  return bound.kind === "at most" ? value <= bound.value : value >= bound.value;
}

/** The figures as a table for people, with a line end. */
export function renderTable(figures: readonly PartFigure[]): string {
  const rows = figures.map((figure) => [
    figure.part,
    figure.what,
    `${format(figure.value)} ${figure.unit}`,
    figure.direct === undefined ? "" : format(figure.direct),
    `${figure.bound.kind} ${format(figure.bound.value)}`,
    isReached(figure) ? "reached" : "MISSED",
    figure.note ?? "",
  ]);
  return table([["part", "figure", "measured", "direct call", "wanted", "", "note"], ...rows]);
}

/** A number as short as it can be read: `12,345`, `12.3`, `1.234`. */
export function format(value: number): string {
  if (Number.isNaN(value)) return "not measured";
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString("en");
  return value.toFixed(Math.abs(value) >= 10 ? 1 : 3);
}

/** A time as people say it: `31.4 µs`, `3.12 ms`, `1.20 s`. */
export function formatMs(ms: number): string {
  const [value, unit] = ms < 1 ? [ms * 1000, "µs"] : ms < 1000 ? [ms, "ms"] : [ms / 1000, "s"];
  return `${value.toPrecision(3).replace(/e.*/, "")} ${unit}`;
}
