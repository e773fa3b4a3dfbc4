/// <reference lib="dom" />
import { type ComponentChild, h } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { ask } from "./api.ts";
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
import type { Words } from "./words.ts";

const DAYS = [7, 30, 90] as const;
const BY = ["day", "provider", "model", "role"] as const;

/** Tokens, cost and latency. */
export function Usage({ words, language }: ViewProps): ComponentChild {
  const [days, setDays] = useState<number>(DAYS[0]);
  const [reports, setReports] = useState<readonly TokenUsage[]>([]);
  const [outcome, setOutcome] = useState<Outcome>();
  useEffect(() => {
    const leaving = new AbortController();
    const read = (by: string) =>
      ask<TokenUsage>("GET", `/api/token-usage?days=${days}&by=${by}&rows=0`, { signal: leaving.signal });
    Promise.all(BY.map(read)).then(setReports, (error) => leaving.signal.aborted || setOutcome(failureOf(error)));
    return () => leaving.abort();
  }, [days]);
  const [byDay] = reports;
  const titles = { day: words.day, provider: words.provider, model: words.model, role: words.role };
  const columns = (by: string): Column<UsageGroup>[] => [
    { title: titles[by as keyof typeof titles] ?? by, of: ({ key }) => key },
    { title: words.calls, isNumber: true, of: ({ calls }) => formatNumber(calls, language) },
    { title: words.tokensIn, isNumber: true, of: ({ input_tokens }) => formatNumber(input_tokens, language) },
    { title: words.tokensOut, isNumber: true, of: ({ output_tokens }) => formatNumber(output_tokens, language) },
    { title: words.cost, isNumber: true, of: ({ cost_usd }) => formatCost(cost_usd, words) },
    { title: words.fallbacks, isNumber: true, of: ({ fallbacks }) => fallbacks },
    { title: words.failed, isNumber: true, of: ({ failed }) => failed },
    { title: words.p50, isNumber: true, of: ({ latency_ms: { p50 } }) => p50 ?? "–" },
    { title: words.p95, isNumber: true, of: ({ latency_ms: { p95 } }) => p95 ?? "–" },
  ];
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
    byDay && byDay.total.calls === 0 && h("p", null, words.noUsage),
    reports.map((report) =>
      h(
        Card,
        { key: report.by, title: titles[report.by as keyof typeof titles] },
        report.by === "day" && report.total.calls > 0 && h(Charts, { groups: report.groups, days, words }),
        h(Table<UsageGroup>, {
          caption: `${words.usage}: ${titles[report.by as keyof typeof titles]}`,
          columns: columns(report.by),
          rows: [...report.groups, { ...report.total, key: words.total }],
          keyOf: ({ key }) => key,
        }),
      )
    ),
  );
}

interface ChartsProps {
  readonly groups: readonly UsageGroup[];
  readonly days: number;
  readonly words: Words;
}

function Charts({ groups, days, words }: ChartsProps): ComponentChild {
  const chart = (name: string, of: (group: UsageGroup) => number) =>
    h(Chart, { key: name, groups, days, of, label: words.chartLabel(name), name });
  return h("div", { class: "grid" }, [
    chart(words.tokens, ({ total_tokens }) => total_tokens),
    chart(words.cost, ({ cost_usd }) => cost_usd ?? 0),
  ]);
}

interface ChartProps extends Pick<ChartsProps, "groups" | "days"> {
  readonly of: (group: UsageGroup) => number;
  readonly label: string;
  readonly name: string;
}

/** What uPlot's bundle leaves in the page. */
interface Plot {
  destroy(): void;
  setSize(size: { width: number; height: number }): void;
}
declare const uPlot: {
  new (options: object, data: readonly (readonly number[])[], target: HTMLElement): Plot;
  readonly paths: { bars(options: object): unknown };
};

const CHART_HEIGHT = 200;
const DAY_SECONDS = 86_400;

function Chart({ groups, days, of, label, name }: ChartProps): ComponentChild {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const target = place.current;
    if (!target) return;
    const colour = (property: string) => getComputedStyle(target).getPropertyValue(property).trim();
    const axis = { stroke: colour("--text"), grid: { stroke: colour("--line"), width: 1 } };
    const sorted = groups.toSorted((one, other) => one.key < other.key ? -1 : 1);
    const today = Date.now() / 1000;
    const size = () => ({ width: target.clientWidth, height: CHART_HEIGHT });
    const plot = new uPlot(
      {
        ...size(),
        legend: { show: false },
        cursor: { show: false },
        scales: { x: { range: [today - days * DAY_SECONDS, today + DAY_SECONDS / 2] } },
        axes: [{ ...axis, values: "{YYYY}-{MM}-{DD}", space: 100 }, { ...axis, size: 70 }],
        series: [{}, {
          label: name,
          fill: colour("--accent"),
          points: { show: false },
          paths: uPlot.paths.bars({ size: [0.6, 60] }),
        }],
      },
      [sorted.map(({ key }) => Date.parse(key) / 1000), sorted.map(of)],
      target,
    );
    const observer = new ResizeObserver(() => plot.setSize(size()));
    observer.observe(target);
    return () => {
      observer.disconnect();
      plot.destroy();
    };
  }, [groups, days, name]);
  return h("figure", null, h("figcaption", null, name), h("div", { ref: place, role: "img", "aria-label": label }));
}
