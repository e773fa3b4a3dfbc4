/** What a run of the chaos means: everything that is not as it should be, and the page that says so. */
import { judgeGrowth, slopeOf } from "../support/vitals.ts";
import { type Chaos, MOST_KEPT } from "./run.ts";

/**
 * What the memory may grow over the later half of a run, in MB: what V8 takes before it collects, seen as the rise
 * between two collections under this load.
 */
const MOST_GROWTH_MB = 40;

/** Empty when all is well. */
export function judgeChaos(chaos: Chaos): string[] {
  return [...judgeCallers(chaos), ...judgeBooks(chaos), ...judgeProcess(chaos)];
}

function judgeCallers({ fates, replies }: Chaos): string[] {
  const complaints = fates.wrong.map((what) => `a request had no proper end: ${what}`);
  if (fates.answered === 0) complaints.push("no request was answered");
  if (replies.answered === 0) complaints.push("no question on Discord was answered");
  if (replies.lost.length > 0) complaints.push(`questions on Discord without a reply: ${replies.lost.join(", ")}`);
  if (replies.doubled.length > 0) complaints.push(`questions with two replies: ${replies.doubled.join(", ")}`);
  return complaints;
}

function judgeBooks({ fates, replies, books }: Chaos): string[] {
  const complaints: string[] = [];
  const got = fates.answered + replies.answered;
  if (books.answered !== got) {
    complaints.push(`${got} answers were given, and ${books.answered} are in the usage table`);
  }
  if (books.miscounted > 0) complaints.push(`${books.miscounted} answers are booked with wrong counts`);
  if (books.unshared > 0) complaints.push(`${books.unshared} rows never reached PostgreSQL`);
  if (books.unknown > 0) complaints.push(`${books.unknown} rows are in PostgreSQL alone`);
  return complaints;
}

function judgeProcess({ memory, before, atRest, exitCode, faults }: Chaos): string[] {
  const complaints = faults.map((fault) => `the program told of a fault of its own: ${fault}`);
  const { growth, verdict } = judgeGrowth(memory, MOST_GROWTH_MB);
  if (verdict === "grows") complaints.push(`memory grew by ${growth.toFixed(1)} MB over the later half`);
  for (const what of ["descriptors", "sockets"] as const) {
    const [then, now] = [before?.[what] ?? 0, atRest?.[what] ?? 0];
    if (now > then + MOST_KEPT) complaints.push(`${now} ${what} are open at rest, ${then} were before`);
  }
  if (exitCode !== 0) complaints.push(`it ended with ${exitCode}`);
  return complaints;
}

/** The page for people. */
export function renderChaos(chaos: Chaos): string {
  const { seconds, seed, adversities, fates, replies, books, memory, before, atRest } = chaos;
  const complaints = judgeChaos(chaos);
  const broken = Object.values(adversities).reduce((sum, count) => sum + count, 0);
  const lines = [
    ["seed", `${seed}, ${seconds} s`],
    ["broken", `${broken} times: ${renderCounts(adversities)}`],
    ["API", `${fates.answered} answered, ${fates.hungUp} left by their client`],
    ["", `refused: ${renderCounts(fates.refused)}; broken off: ${renderCounts(fates.brokenOff)}`],
    ["Discord", `${replies.asked} questions: ${replies.answered} answered, ${replies.excused} excused`],
    ["", `${replies.lost.length} lost, ${replies.doubled.length} doubled`],
    ["usage", `${books.rows} rows, ${books.answered} answers, ${books.unshared + books.unknown} not in both tables`],
    ["memory", renderMemory(memory)],
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

function renderMemory(memory: Chaos["memory"]): string {
  const first = memory.at(0);
  const last = memory.at(-1);
  if (!first || !last) return "not told by this system";
  const most = Math.max(...memory.map(({ value }) => value));
  const slope = slopeOf(memory.slice(memory.length / 2), 60);
  const { growth } = judgeGrowth(memory, MOST_GROWTH_MB);
  return `${first.value.toFixed(0)} to ${last.value.toFixed(0)} MB, ${most.toFixed(0)} at most; later half: ` +
    `${slope.toFixed(1)} MB a minute, ${growth.toFixed(1)} MB in all (${MOST_GROWTH_MB} at most)`;
}

function renderVitals(vitals: Chaos["before"]): string {
  return vitals ? `${vitals.descriptors} (${vitals.sockets} sockets)` : "unknown";
}
