/** What a soak found, for people: a table, slopes, and everything that is not as it should be. */
import { table } from "../../src/cli/output.ts";
import { MEMORY_RISE_MB } from "../bench/bounds.ts";
import { judgeGrowth, laterHalf, slopeOf } from "../support/trend.ts";
import type { Vitals } from "../support/vitals.ts";
import type { SoakResult, SoakSample } from "./run.ts";
import type { UsageCount } from "./world.ts";

/** What is granted. */
export interface Bounds {
  /** MB that the program may take more over the second half of the work. */
  readonly growthMb: number;
}

/** The sum of what the benchmark grants the bot and `serve`, each on its own. */
export const BOUNDS: Bounds = { growthMb: MEMORY_RISE_MB.bot + MEMORY_RISE_MB.serve };
/** Descriptors that are open from the first question on: databases with their logs. */
const MOST_FILES = 4;
/** Rows of the table: every fourth of forty samples. */
const EVERY = 4;

/** What is not as it should be, a sentence each; empty for a good run. */
export function problemsOf(result: SoakResult, bounds: Bounds = BOUNDS): string[] {
  return [
    ...growthProblems(result, bounds),
    ...handleProblems(result),
    ...replyProblems(result),
    ...answerProblems(result),
    ...usageProblems(result),
    ...problem(result.exitCode !== 0, `The program ended with ${result.exitCode} when it was asked to end.`),
  ];
}

/** The whole report. */
export function renderReport(result: SoakResult, bounds: Bounds = BOUNDS): string {
  const { samples, replies, answers, usage, messages, requests } = result;
  const problems = problemsOf(result, bounds);
  const rows = samples.filter((_, index) => index % EVERY === EVERY - 1);
  return [
    table([HEADINGS, ...rows.map(cellsOf)], { from: 0, to: HEADINGS.length - 1 }),
    `Memory: ${
      round(growthOf(samples, bounds).growth)
    } MB more over the second half; at most ${bounds.growthMb} wanted.`,
    ...(["messages", "requests"] as const).filter((what) => result[what] > 0).map((what) => renderSlope(samples, what)),
    `Handles: ${renderHandles(result.atStart)} at the start; at most ${most(samples, "descriptors")} and ` +
    `${most(samples, "sockets")} under way; ${renderHandles(result.atRest)} at rest.`,
    `Discord: ${count(messages)} messages, ${count(replies.asked)} for the bot; ${count(replies.answered)} answered, ` +
    `${replies.lost} lost, ${replies.doubled} doubled, ${replies.wrong} wrong, ${count(replies.takenBack)} taken back.`,
    `/v1: ${count(requests)} requests; ${count(answers.whole)} answered (${
      count(answers.fallbacks)
    } by the next model), ` +
    `${count(answers.hungUp)} hung up, ${count(answers.refused)} refused, ${answers.wrong.length} wrong.`,
    `Usage: ${count(sum(usage))} rows; the models were asked ${count(total(Object.values(result.asked)))} times.`,
    `It took ${Math.round(result.seconds)} s.`,
    ...problems,
    `Verdict: ${problems.length === 0 ? "ok" : growthProblems(result, bounds).length > 0 ? "grows" : "not ok"}`,
  ].join("\n");
}

const HEADINGS = ["messages", "requests", "RSS MB", "peak MB", "open", "sockets", "threads", "seconds"];

function cellsOf(sample: SoakSample): string[] {
  const { messages, requests, rssMb, peakMb, descriptors, sockets, threads, seconds } = sample;
  return [count(messages), count(requests), round(rssMb), round(peakMb), descriptors, sockets, threads, round(seconds)]
    .map(String);
}

/** How far a run has come, in a line. */
export function renderProgress({ messages, requests, rssMb, sockets, seconds }: SoakSample): string {
  return `${Math.round(seconds)} s: ${count(messages)} messages, ${count(requests)} requests; ${round(rssMb)} MB, ` +
    `${sockets} sockets`;
}

function growthOf(samples: readonly SoakSample[], { growthMb }: Bounds) {
  return judgeGrowth(samples.map(({ rssMb }, at) => ({ at, value: rssMb })), growthMb);
}

/** Messages and requests go side by side, so that each slope holds all of the growth. */
function renderSlope(samples: readonly SoakSample[], what: "messages" | "requests"): string {
  const later = laterHalf(samples.map((sample) => ({ at: sample[what], value: sample.rssMb })));
  return `Slope of the second half: ${slopeOf(later, 100_000).toFixed(2)} MB per 100,000 ${what}.`;
}

function renderHandles({ descriptors, sockets }: Vitals): string {
  return `${descriptors} open, ${sockets} of them sockets`;
}

function growthProblems({ samples }: SoakResult, bounds: Bounds): string[] {
  const { verdict, growth } = growthOf(samples, bounds);
  if (verdict === "too few samples") return ["There are too few samples to judge memory by."];
  const told = `Memory grows: by ${round(growth)} MB over the second half; at most ${bounds.growthMb} MB are wanted.`;
  return problem(verdict === "grows", told);
}

function handleProblems({ atStart, atRest }: SoakResult): string[] {
  const sockets = `Sockets stay open: ${atStart.sockets} at the start, ${atRest.sockets} at rest.`;
  const files = `Descriptors stay open: ${atStart.descriptors} at the start, ${atRest.descriptors} at rest; at most ` +
    `${MOST_FILES} more are wanted.`;
  return [
    ...problem(atRest.sockets > atStart.sockets, sockets),
    ...problem(atRest.descriptors > atStart.descriptors + MOST_FILES, files),
  ];
}

function replyProblems({ replies: { lost, doubled, wrong } }: SoakResult): string[] {
  return problem(
    lost + doubled + wrong > 0,
    `On Discord ${lost} answers were lost, ${doubled} came twice, ${wrong} were not what was asked for.`,
  );
}

function answerProblems({ answers, requests }: SoakResult): string[] {
  const seen = answers.whole + answers.hungUp + answers.refused;
  return [
    ...answers.wrong.map((what) => `An answer of /v1 was wrong: ${what}`),
    ...problem(seen !== requests, `Of ${requests} requests to /v1 ${seen} came out as they should.`),
  ];
}

/** Every attempt has its row, and no row is of anything else. What was taken back on its way may not have arrived. */
function usageProblems({ usage, asked, answers, replies }: SoakResult): string[] {
  const rows = (is: Partial<UsageCount>) =>
    sum(usage.filter((row) => Object.entries(is).every(([key, value]) => row[key as keyof UsageCount] === value)));
  const differs = (what: string, found: number, wanted: number, more = 0) =>
    problem(
      found < wanted || found > wanted + more,
      `The usage table has ${found} rows of ${what}, and ${wanted} are right.`,
    );
  const givenUp = rows({ from: "bot", outcome: "aborted" });
  return [
    ...differs("answers of /v1", rows({ from: "api", outcome: "ok" }), answers.whole),
    ...differs("clients that hung up", rows({ from: "api", outcome: "aborted" }), answers.hungUp),
    ...differs("failures", rows({ outcome: "failed" }), answers.fallbacks),
    ...differs("the first model", rows({ model: "bench" }), asked["bench"] ?? 0, givenUp),
    ...differs("the second model", rows({ model: "flaky" }), asked["flaky"] ?? 0),
    ...differs("answers on Discord", rows({ from: "bot", outcome: "ok" }), replies.byModel, replies.takenBack),
    ...problem(givenUp > replies.takenBack, `${givenUp} answers on Discord were given up, and nobody asked for that.`),
  ];
}

function problem(isOne: boolean, text: string): string[] {
  return isOne ? [text] : [];
}

function most(samples: readonly SoakSample[], what: "descriptors" | "sockets"): number {
  return Math.max(...samples.map((sample) => sample[what]));
}

function sum(counts: readonly UsageCount[]): number {
  return total(counts.map(({ count }) => count));
}

function total(values: readonly number[]): number {
  return values.reduce((all, value) => all + value, 0);
}

function count(value: number): string {
  return value.toLocaleString("en");
}

function round(value: number): string {
  return value.toFixed(1);
}
