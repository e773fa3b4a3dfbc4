/** One scenario of the catalogue, for one protocol, asked in one way; and the verdict on it. */
import type { StoredUsageRow } from "../../src/storage/usage.ts";
import type { Outcome } from "../support/api_ways.ts";
import type { RecordedChat } from "../support/fake_provider.ts";
import type { Expected, ProtocolName, Scenario, Timings } from "./scenario.ts";
import type { Way } from "./ways.ts";
import { ANSWERS, API_KEY, type FaultWorld, startWorld, USD_PER_MILLION } from "./world.ts";

export interface Trial {
  readonly scenario: Scenario;
  readonly protocol: ProtocolName;
  readonly way: Way;
  readonly timings: Timings;
}

/** What happened, in words for the table, and what is wrong with it. */
export interface Verdict {
  readonly got: string;
  readonly primarySaw: string;
  readonly fallbackSaw: string;
  /** Empty when all is well. */
  readonly complaints: readonly string[];
}

/** What one trial left behind. */
export interface Evidence {
  readonly outcomes: readonly Outcome[];
  readonly primary: readonly RecordedChat[];
  readonly fallback: readonly RecordedChat[];
  /** Which of the two are Ollamas: those cost nothing. */
  readonly free: Readonly<Record<"primary" | "fallback", boolean>>;
  /** One for every attempt, oldest first. */
  readonly rows: readonly StoredUsageRow[];
  /** Everything anybody was told, events included. */
  readonly words: string;
}

const QUESTION = "¿Quién lo dice?";
/** Content that the malformed chunk carries, and the key: neither may be seen by anybody. */
const SECRETS = [API_KEY, "SECRET-CONTENT"];
/** How long a connection may take to close after its caller was answered. */
const CLOSING_MS = 5000;

/** Asks as often as the scenario says, in a world of its own. */
export async function runTrial(trial: Trial): Promise<Verdict> {
  const { scenario, protocol, way, timings } = trial;
  const { limits: which, model, sealed, asks = 1, prompt = QUESTION, between } = scenario;
  const primaryLimits = which === undefined ? timings.limits : timings[which];
  await using world = await startWorld({ protocol, timings, primaryLimits, model, sealed });
  const events: string[] = [];
  world.agent.events.subscribe((event) => events.push(JSON.stringify(event)));
  scenario.arrange(world, timings);
  const outcomes: Outcome[] = [];
  for (let asked = 0; asked < asks; asked++) {
    if (asked > 0) await between?.(world);
    outcomes.push(await way.ask(world, prompt));
  }
  const { primary: { chats: primary }, fallback: { chats: fallback } } = world;
  const words = [...outcomes.map((outcome) => outcome.words), ...events].join("\n");
  const free = { primary: world.primary.protocol === "ollama", fallback: world.fallback.protocol === "ollama" };
  const evidence = { outcomes, primary, fallback, free, rows: await readRows(world), words };
  const complaints = judge(trial, evidence);
  if (scenario.hangs && !(await isLeft(primary))) complaints.push("the connection to the primary stays open");
  return {
    got: [...new Set(outcomes.map(describe))].join(", then "),
    primarySaw: count(primary.length),
    fallbackSaw: count(fallback.length),
    complaints,
  };
}

/** The usage table as the API shows it. */
export async function readRows({ origin }: Pick<FaultWorld, "origin">): Promise<StoredUsageRow[]> {
  const response = await fetch(`${origin}/api/token-usage?days=1&rows=1000`);
  const { rows } = await response.json();
  return rows.toReversed();
}

/** Everything that is not as the scenario wants it. */
export function judge({ scenario, way }: Pick<Trial, "scenario" | "way">, evidence: Evidence): string[] {
  const expected = way.streamed ? scenario.streamed : scenario.whole;
  const complaints = evidence.outcomes.flatMap((outcome) => judgeOutcome(outcome, expected, way));
  for (const who of ["primary", "fallback"] as const) {
    const seen = evidence[who].length;
    if (seen !== expected[who]) complaints.push(`the ${who} saw ${count(seen)} instead of ${expected[who]}`);
  }
  complaints.push(...judgeRows(evidence));
  for (const secret of SECRETS) if (evidence.words.includes(secret)) complaints.push(`${secret} was shown`);
  return complaints;
}

function judgeOutcome(outcome: Outcome, { ending, kind }: Expected, way: Way): string[] {
  const { by, text, reason } = outcome;
  const whole = (who: "primary" | "fallback") => ANSWERS[who].tokens.join("");
  switch (ending) {
    case "primary":
    case "fallback":
      return by === ending && text === whole(ending)
        ? []
        : [`got ${describe(outcome)} instead of the ${ending}'s answer`];
    case "refused":
    case "told": {
      const wanted = kind === undefined ? undefined : way.reasonFor(kind);
      const shown = ending === "refused" ? text === "" : text !== "" && whole("primary").startsWith(text);
      return by === undefined && reason === wanted && shown ? [] : [`got ${describe(outcome)} instead of ${wanted}`];
    }
  }
}

/** Whoever answered is billed for what it counted, and nobody else for anything like an answer. */
function judgeRows({ outcomes, rows, free }: Evidence): string[] {
  const answers = outcomes.flatMap(({ by }) => by === undefined ? [] : [by]);
  const billed = rows.filter(({ outcome }) => outcome === "ok");
  if (billed.map(({ provider }) => provider).join() !== answers.join()) {
    return [`billed: ${billed.map(({ provider }) => provider).join() || "nobody"}`];
  }
  return billed.flatMap(({ provider, source, input_tokens, output_tokens, cost_usd }) => {
    const who = provider === "primary" ? "primary" : "fallback";
    const { input, output } = ANSWERS[who].usage;
    const usd = free[who] ? 0 : (input * USD_PER_MILLION.input + output * USD_PER_MILLION.output) / 1e6;
    const isRight = source === "provider" && input_tokens === input && output_tokens === output &&
      cost_usd !== null && Math.abs(cost_usd - usd) < 1e-12;
    return isRight ? [] : [`booked: ${input_tokens} + ${output_tokens} tokens, ${cost_usd} USD`];
  });
}

async function isLeft(chats: readonly RecordedChat[]): Promise<boolean> {
  for (let waitedMs = 0; waitedMs < CLOSING_MS; waitedMs += 10) {
    if (chats.every(({ goneAtMs }) => goneAtMs !== undefined)) return true;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return false;
}

function describe({ by, text, reason, status }: Outcome): string {
  if (by !== undefined) return `the ${by}'s answer`;
  const where = status === undefined ? "" : `${status} `;
  return text === "" ? `${where}${reason ?? "nothing"}` : `a part, then ${where}${reason ?? "the end"}`;
}

function count(requests: number): string {
  return requests === 1 ? "1 request" : `${requests} requests`;
}
