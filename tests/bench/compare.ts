import { table } from "../../src/cli/output.ts";
import { median } from "../support/statistics.ts";
import { format, isReached } from "./measure.ts";
import type { Report, ReportFigure } from "./report.ts";

/** A change counts when it is more than this share of the old value … */
const SHARE = 0.1;
/** … or than this, where one of the runs does not know how far a value may be off by chance … */
const SHARE_UNKNOWN = 0.25;
/** … and more than this share of the bound: beside it, less is nothing, however many per cent of a small value it is. */
const SHARE_OF_BOUND = 0.05;
/** The machine itself was not the same when direct calls took so many times as long, or as short. */
const MACHINE_TIMES = 1.2;

export type Verdict = "as before" | "better" | "WORSE" | "new" | "missing" | "not comparable";

/** One figure in two runs. */
export interface Comparison {
  readonly part: string;
  readonly what: string;
  readonly old: ReportFigure | undefined;
  readonly now: ReportFigure | undefined;
  readonly verdict: Verdict;
}

/** Figures that are not in `now` because their part was not run are left out. */
export function compareFigures(old: Report, now: Report): Comparison[] {
  const before = byName(old);
  const after = byName(now);
  const parts = new Set(now.figures.map(({ part }) => part));
  const gone = old.figures.filter((figure) => !after.has(nameOf(figure)) && parts.has(figure.part));
  return [
    ...now.figures.map((figure) => compare(figure, before.get(nameOf(figure)), figure)),
    ...gone.map((figure) => compare(figure, figure, undefined)),
  ];
}

function byName({ figures }: Report): ReadonlyMap<string, ReportFigure> {
  return new Map(figures.map((figure) => [nameOf(figure), figure]));
}

/** What is the same figure in another run; no two of a run have the same. */
function nameOf({ part, what }: ReportFigure): string {
  return `${part}: ${what}`;
}

function compare(
  { part, what }: ReportFigure,
  old: ReportFigure | undefined,
  now: ReportFigure | undefined,
): Comparison {
  return { part, what, old, now, verdict: judge(old, now) };
}

function judge(old: ReportFigure | undefined, now: ReportFigure | undefined): Verdict {
  if (!old) return "new";
  if (!now) return "missing";
  if (old.unit !== now.unit || Number.isNaN(old.value) || Number.isNaN(now.value)) return "not comparable";
  const change = now.value - old.value;
  if (Math.abs(change) <= noiseOf(old, now)) return "as before";
  return (change > 0) === (now.bound.kind === "at most") ? "WORSE" : "better";
}

/** A change up to this says nothing; in the unit of the figure. */
function noiseOf(old: ReportFigure, now: ReportFigure): number {
  const [before, after] = [known(old.spread), known(now.spread)];
  const byChance = before === undefined || after === undefined ? undefined : Math.hypot(before, after);
  const share = byChance === undefined ? SHARE_UNKNOWN : SHARE;
  return Math.max(Math.abs(old.value) * share, byChance ?? 0, now.bound.value * SHARE_OF_BOUND);
}

function known(spread: number | undefined): number | undefined {
  return Number.isNaN(spread) ? undefined : spread;
}

/** The comparison as a table for people. */
export function renderComparison(old: Report, now: Report): string {
  const compared = compareFigures(old, now);
  const verdicts = ["WORSE", "better", "as before", "new", "missing", "not comparable"] as const;
  const counts = verdicts.flatMap((verdict) => {
    const count = compared.filter((each) => each.verdict === verdict).length;
    return count > 0 ? `${count} ${verdict}` : [];
  });
  return [
    `Compared with the run of ${old.at}`,
    ...warningsOf(old, now),
    "",
    table([["part", "figure", "old", "new", "change", ""], ...compared.map(rowOf)]),
    `${counts.join(", ")}. A change counts when it is more than ${SHARE * 100} % (${
      SHARE_UNKNOWN * 100
    } % for what was`,
    `measured once), more than chance explains, and more than ${SHARE_OF_BOUND * 100} % of what is wanted.`,
  ].join("\n");
}

/** Why a difference may be the machine's and not the program's. */
function warningsOf(old: Report, now: Report): string[] {
  const times = slowdownOf(old, now);
  const differs = times > MACHINE_TIMES || times < 1 / MACHINE_TIMES;
  return [
    ...(old.machine === now.machine ? [] : [`Warning: that was another machine: ${old.machine}`]),
    ...(differs ? [`Warning: the direct calls take ${times.toFixed(2)} times as long as then, so may the rest.`] : []),
  ];
}

/** How many times as long the direct calls took, in the median; NaN when the runs have none in common. */
function slowdownOf(old: Report, now: Report): number {
  const before = byName(old);
  return median(now.figures.flatMap((figure) => {
    const [{ unit, direct = NaN }, then] = [figure, before.get(nameOf(figure))];
    const times = direct / (then?.direct ?? NaN);
    if (!(times > 0) || then?.unit !== unit) return [];
    return unit === "ms" ? times : unit.endsWith("/s") ? 1 / times : [];
  }));
}

function rowOf({ part, what, old, now, verdict }: Comparison): string[] {
  const missedNow = old && now && isReached(old) && !isReached(now) && !Number.isNaN(now.value);
  return [
    part,
    what,
    old ? `${format(old.value)} ${old.unit}` : "",
    now ? `${format(now.value)} ${now.unit}` : "",
    old && now && verdict !== "not comparable" ? formatChange(old.value, now.value) : "",
    `${verdict}${missedNow ? ", MISSED now" : ""}`,
  ];
}

/** Per cent of the old value; nothing where that says nothing. */
function formatChange(old: number, now: number): string {
  if (old <= 0) return "";
  if (now >= old * 10) return `× ${Math.round(now / old).toLocaleString("en")}`;
  const percent = (now / old - 1) * 100;
  return `${percent < 0 ? "−" : "+"}${Math.abs(percent).toFixed(Math.abs(percent) < 10 ? 1 : 0)} %`;
}
