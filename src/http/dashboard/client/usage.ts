/// <reference lib="dom" />
import { type ComponentChild, h } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { TokenUsage, UsageGroup } from "./api_types.ts";
import {
  Card,
  type Column,
  failureOf,
  formatCost,
  formatNumber,
  Notice,
  type Outcome,
  Select,
  Table,
  type ViewProps,
} from "./elements.ts";
import { useValue } from "./observable.ts";
import type { Language, Words } from "./words.ts";

const DAYS = [7, 30, 90] as const;
const REFRESH_MS = 10_000;
const BY = ["day", "provider", "model", "role"] as const;

interface Reports {
  readonly days: number;
  readonly all: readonly TokenUsage[];
}

/** Tokens, cost and latency. */
export function Usage({ words, language, api, knowledge }: ViewProps): ComponentChild {
  const { answers, atMs } = useValue(knowledge.known);
  const tick = Math.floor(atMs / REFRESH_MS); // calls that are no conversation tell nobody
  const [days, setDays] = useState<number>(DAYS[0]);
  const [reports, setReports] = useState<Reports>({ days, all: [] });
  const [outcome, setOutcome] = useState<Outcome>();
  useEffect(() => {
    const leaving = new AbortController();
    const { signal } = leaving;
    const read = (by: string) =>
      api.ask<TokenUsage>("GET", `/api/token-usage?days=${days}&by=${by}&rows=0`, { signal });
    Promise.all(BY.map(read)).then((all) => {
      setReports({ days, all });
      setOutcome(undefined);
    }, (error) => signal.aborted || setOutcome(failureOf(error)));
    return () => leaving.abort();
  }, [days, answers, tick]);
  const isEmpty = reports.all[0]?.total.calls === 0;
  return h(
    "div",
    { class: "stack" },
    h(Select, {
      label: words.days,
      value: String(days),
      choices: DAYS.map((count) => ({ value: String(count), text: words.lastDays(count) })),
      onChange: (value) => setDays(Number(value)),
    }),
    h(Notice, { outcome }),
    isEmpty && h("p", null, words.noUsage),
    h(
      "div",
      { class: "stack", "aria-busy": reports.days !== days },
      reports.all.map((report) => h(Report, { key: report.by, report, days: reports.days, words, language })),
    ),
  );
}

interface ReportProps {
  readonly report: TokenUsage;
  readonly days: number;
  readonly words: Words;
  readonly language: Language;
}

function Report({ report: { by, groups, total }, days, words, language }: ReportProps): ComponentChild {
  const titles: Readonly<Record<string, string>> = {
    day: words.day,
    provider: words.provider,
    model: words.model,
    role: words.role,
  };
  const title = titles[by] ?? by;
  const share = ({ total_tokens }: UsageGroup) =>
    h("meter", { min: 0, max: Math.max(1, total.total_tokens), value: total_tokens, "aria-label": words.share });
  const cost = ({ cost_usd, unpriced }: UsageGroup) =>
    [formatCost(cost_usd, language, words), unpriced > 0 && cost_usd !== null ? words.unpricedCalls(unpriced) : ""]
      .join(" ");
  const milliseconds = (value: number | null) => value === null ? "–" : formatNumber(value, language);
  const columns: Column<UsageGroup>[] = [
    { title, of: ({ key }) => key },
    { title: words.calls, isNumber: true, of: ({ calls }) => formatNumber(calls, language) },
    { title: words.tokensIn, isNumber: true, of: ({ input_tokens }) => formatNumber(input_tokens, language) },
    { title: words.tokensOut, isNumber: true, of: ({ output_tokens }) => formatNumber(output_tokens, language) },
    ...(by === "day" ? [] : [{ title: words.share, of: share }]),
    { title: words.cost, isNumber: true, of: cost },
    { title: words.fallbacks, isNumber: true, of: ({ fallbacks }) => fallbacks },
    { title: words.failed, isNumber: true, of: ({ failed }) => failed },
    { title: words.p50, isNumber: true, of: ({ latency_ms: { p50 } }) => milliseconds(p50) },
    { title: words.p95, isNumber: true, of: ({ latency_ms: { p95 } }) => milliseconds(p95) },
  ];
  return h(
    Card,
    { title },
    by === "day" && total.calls > 0 && h(Charts, { groups, days, words, language }),
    h(Table<UsageGroup>, {
      caption: `${words.usage}: ${title}`,
      columns,
      rows: [...groups, { ...total, key: words.total }],
      keyOf: ({ key }) => key,
    }),
  );
}

interface ChartsProps {
  readonly groups: readonly UsageGroup[];
  readonly days: number;
  readonly words: Words;
  readonly language: Language;
}

function Charts({ groups, days, words, language }: ChartsProps): ComponentChild {
  const chart = (name: string, of: (group: UsageGroup) => number | null) =>
    h(Chart, { key: name, groups, days, words, language, of, name });
  return h("div", { class: "grid" }, [
    chart(words.tokens, ({ total_tokens }) => total_tokens),
    chart(words.cost, ({ cost_usd }) => cost_usd),
    chart(words.latency, ({ latency_ms }) => latency_ms.p95),
    chart(words.fallbacks, ({ fallbacks }) => fallbacks),
  ]);
}

interface ChartProps extends ChartsProps {
  /** Null where it is not known: the chart has a gap there. */
  readonly of: (group: UsageGroup) => number | null;
  readonly name: string;
}

/** What uPlot's bundle leaves in the page. */
interface Plot {
  destroy(): void;
  setSize(size: { width: number; height: number }): void;
}
declare const uPlot: {
  new (options: object, data: readonly (readonly (number | null)[])[], target: HTMLElement): Plot;
  readonly paths: { bars(options: object): unknown };
  tzDate(date: Date, zone: string): Date;
};

const CHART_HEIGHT = 180;
const DAY_SECONDS = 86_400;

function Chart({ groups, days, words, language, of, name }: ChartProps): ComponentChild {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const target = place.current;
    if (!target) return;
    const sorted = groups.toSorted((one, other) => one.key < other.key ? -1 : 1);
    const data = [sorted.map(({ key }) => Date.parse(key) / 1000), sorted.map(of)];
    const size = () => ({ width: target.clientWidth, height: CHART_HEIGHT });
    const plot = new uPlot({ ...size(), ...optionsFor(target, { days, language, name }) }, data, target);
    const observer = new ResizeObserver(() => plot.setSize(size()));
    observer.observe(target);
    return () => {
      observer.disconnect();
      plot.destroy();
    };
  }, [groups, days, language, name]);
  const picture = h("div", { ref: place, role: "img", "aria-label": words.chartLabel(name) });
  return h("figure", null, h("figcaption", null, name), picture);
}

/** A day is the server's; it stands for the same date wherever the page is looked at. */
function optionsFor(
  target: HTMLElement,
  { days, language, name }: Pick<ChartProps, "days" | "language" | "name">,
): object {
  const colour = (property: string) => getComputedStyle(target).getPropertyValue(property).trim();
  const axis = { stroke: colour("--text"), grid: { stroke: colour("--line"), width: 1 } };
  // uPlot stops at three digits behind the point, where every cost is 0.001.
  const values = (_plot: unknown, ticks: readonly number[]) =>
    ticks.map((tick) => tick.toLocaleString(language, { maximumSignificantDigits: 4 }));
  const today = Date.now() / 1000;
  return {
    legend: { show: false },
    cursor: { show: false },
    tzDate: (seconds: number) => uPlot.tzDate(new Date(seconds * 1000), "UTC"),
    scales: { x: { range: [today - days * DAY_SECONDS, today + DAY_SECONDS / 2] } },
    axes: [{ ...axis, values: "{YYYY}-{MM}-{DD}", space: 100 }, { ...axis, values, size: 70 }],
    series: [{}, {
      label: name,
      fill: colour("--accent"),
      points: { show: false },
      paths: uPlot.paths.bars({ size: [0.6, 60] }),
    }],
  };
}
