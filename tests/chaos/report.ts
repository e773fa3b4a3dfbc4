/** What a run of the chaos means: everything that is not as it should be, and the page that says so. */
import { judgeGrowth, laterHalf, slopeOf } from "../support/trend.ts";
import { type Chaos, MOST_KEPT } from "./run.ts";

/**
 * What the memory may grow over the later half of a run, in MB: what V8 takes before it collects, seen as the rise
 * between two collections under this load.
 */
const MOST_GROWTH_MB = 40;
/** A shorter run ends while code is still compiled and heaps still fill: nothing can be said of its memory. */
const JUDGED_FROM_SECONDS = 300;

/** Empty when all is well. */
export function judgeChaos(chaos: Chaos): string[] {
  return [...judgeCallers(chaos), ...judgeUsage(chaos), ...judgeProcess(chaos)];
}

function judgeCallers({ outcomes, replies, injected }: Chaos): string[] {
  const complaints = outcomes.wrong.map((what) => `a request had no proper end: ${what}`);
  if (Object.keys(injected).length === 0) complaints.push("the run was too short for anything to break");
  if (outcomes.answered === 0) complaints.push("no request was answered");
  if (replies.answered === 0) complaints.push("no question on Discord was answered");
  if (replies.lost.length > 0) complaints.push(`questions on Discord without a reply: ${replies.lost.join(", ")}`);
  if (replies.doubled.length > 0) complaints.push(`questions with two replies: ${replies.doubled.join(", ")}`);
  return complaints;
}

function judgeUsage({ outcomes, replies, usage }: Chaos): string[] {
  const complaints: string[] = [];
  const got = outcomes.answered + replies.answered;
  if (usage.answered !== got) {
    complaints.push(`${got} answers were given, and ${usage.answered} are in the usage table`);
  }
  if (usage.miscounted > 0) complaints.push(`${usage.miscounted} answers are booked with wrong counts`);
  if (usage.unshared > 0) complaints.push(`${usage.unshared} rows never reached PostgreSQL`);
  if (usage.unknown > 0) complaints.push(`${usage.unknown} rows are in PostgreSQL alone`);
  return complaints;
}

function judgeProcess({ memory, seconds, before, atRest, exitCode, internalErrors }: Chaos): string[] {
  const complaints = internalErrors.map((told) => `the program told of a fault of its own: ${told}`);
  if (exitCode !== 0) complaints.push(`it ended with ${exitCode}`);
  if (!before || !atRest) return [...complaints, "what the program holds could not be seen: that takes /proc"];
  for (const what of ["descriptors", "sockets"] as const) {
    const [then, now] = [before[what], atRest[what]];
    if (now > then + MOST_KEPT) complaints.push(`${now} ${what} are open at rest, ${then} were before`);
  }
  if (seconds < JUDGED_FROM_SECONDS) return complaints;
  const { growth, verdict } = judgeGrowth(memory, MOST_GROWTH_MB);
  if (verdict === "grows") complaints.push(`memory grew by ${growth.toFixed(1)} MB over the later half`);
  if (verdict === "too few samples") complaints.push("there are too few samples to judge memory by");
  return complaints;
}

/** The page for people. */
export function renderChaos(chaos: Chaos): string {
  const { seconds, seed, injected, outcomes, replies, usage, before, atRest } = chaos;
  const complaints = judgeChaos(chaos);
  const broken = Object.values(injected).reduce((sum, count) => sum + count, 0);
  const lines = [
    ["seed", `${seed}, ${seconds} s`],
    ["broken", `${broken} times: ${renderCounts(injected)}`],
    ["API", `${outcomes.answered} answered, ${outcomes.hungUp} left by their client`],
    ["", `refused: ${renderCounts(outcomes.refused)}; broken off: ${renderCounts(outcomes.brokenOff)}`],
    [
      "Discord",
      `${replies.asked} questions: ${replies.answered} answered, ${replies.excused} excused, ${replies.hushed} hushed`,
    ],
    ["", `${replies.lost.length} lost, ${replies.doubled.length} doubled`],
    ["usage", `${usage.rows} rows, ${usage.answered} answers, ${usage.unshared + usage.unknown} not in both tables`],
    ["memory", renderMemory(chaos)],
    ["descriptors", `${renderVitals(before)} before, ${renderVitals(atRest)} at rest afterwards`],
    ["verdict", complaints.length === 0 ? "ok" : "FAILED"],
    ...complaints.map((complaint) => ["", complaint]),
  ];
  return lines.map(([name = "", text = ""]) => `${name.padEnd(13)}${text}`).join("\n");
}

function renderCounts(counts: Readonly<Record<string, number>>): string {
  const entries = Object.entries(counts).toSorted(([, a], [, b]) => b - a);
  return entries.length === 0 ? "none" : entries.map(([name, count]) => `${name} ${count}`).join(", ");
}

function renderMemory({ memory, seconds }: Chaos): string {
  const [first, last] = [memory.at(0), memory.at(-1)];
  if (!first || !last) return "not told by this system";
  const most = Math.max(...memory.map(({ value }) => value));
  const range = `${first.value.toFixed(0)} to ${last.value.toFixed(0)} MB, ${most.toFixed(0)} at most`;
  if (seconds < JUDGED_FROM_SECONDS) return `${range}; not judged in so short a time`;
  const slope = slopeOf(laterHalf(memory), 60).toFixed(1);
  const { growth } = judgeGrowth(memory, MOST_GROWTH_MB);
  return `${range}; later half: ${slope} MB a minute, ${growth.toFixed(1)} MB in all (${MOST_GROWTH_MB} at most)`;
}

function renderVitals(vitals: Chaos["before"]): string {
  return vitals ? `${vitals.descriptors} (${vitals.sockets} sockets)` : "unknown";
}
