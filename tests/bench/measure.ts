/** One figure of the benchmark, with the bound the project set itself. */
export interface Figure {
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  readonly bound: { readonly kind: "at most" | "at least"; readonly value: number };
  /** What the figure was compared with, from the same run. */
  readonly note?: string;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const [low = NaN, high = low] = sorted.slice((sorted.length - 1) >> 1);
  return sorted.length % 2 ? low : (low + high) / 2;
}

export function isReached({ value, bound }: Figure): boolean {
  return bound.kind === "at most" ? value <= bound.value : value >= bound.value;
}

/** The figures as a table for people. */
export function renderTable(figures: readonly Figure[]): string {
  const rows = figures.map((figure) => [
    figure.what,
    `${format(figure.value)} ${figure.unit}`,
    `${figure.bound.kind} ${format(figure.bound.value)}`,
    isReached(figure) ? "reached" : "MISSED",
    figure.note ?? "",
  ]);
  const all = [["figure", "measured", "wanted", "", "note"], ...rows];
  const width = (column: number) => Math.max(...all.map((row) => [...(row[column] ?? "")].length));
  const widths = [0, 1, 2, 3, 4].map(width);
  return all.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ").trimEnd()).join("\n");
}

function format(value: number): string {
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString("en");
  return value.toFixed(Math.abs(value) >= 10 ? 1 : 3);
}
