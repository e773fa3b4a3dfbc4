/** Programs that ask the API, one request after the other, until they are told to stop. */
import { API_WAYS, type ApiWay, type Outcome } from "../support/api_ways.ts";
import { pause } from "../../src/core/pause.ts";
import { DEFAULT_ANSWER } from "../support/rig.ts";

/** What became of their requests. */
export interface ClientOutcomes {
  /** Whole answers. */
  answered: number;
  /** Errors before anything of an answer, by their code. */
  readonly refused: Record<string, number>;
  /** Errors after a part of the answer, by their code. */
  readonly brokenOff: Record<string, number>;
  /** Requests that were left before their end. */
  hungUp: number;
  /** Everything that should not be: no end, no reason, a cut connection. */
  readonly wrong: string[];
}

/** Conversations of clients that hang up begin with this; what becomes of those nobody can know from outside. */
export const LEAVING = "leaving-";

/** Between two requests of a client, in milliseconds, at most. */
const LONGEST_PAUSE_MS = 150;
/** One request in so many is left in the middle. */
const LEAVES_ONE_IN = 12;
/** Far more than the limit of a call: who has no end by then will never have one. */
const PATIENCE_MS = 60_000;

export interface ClientsOptions {
  readonly origin: string;
  readonly random: () => number;
  /** How many ask at the same time. */
  readonly clients: number;
}

export async function runClients(
  { origin, random, clients }: ClientsOptions,
  stop: AbortSignal,
): Promise<ClientOutcomes> {
  const outcomes: ClientOutcomes = { answered: 0, refused: {}, brokenOff: {}, hungUp: 0, wrong: [] };
  let leaving = 0;
  const client = async () => {
    while (!stop.aborted) {
      const way = API_WAYS[Math.floor(random() * API_WAYS.length)];
      if (!way || random() < 1 / LEAVES_ONE_IN) await leave(origin, `${LEAVING}${++leaving}`, random, outcomes);
      else await ask(origin, way, outcomes);
      await pause(random() * LONGEST_PAUSE_MS, stop);
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  return outcomes;
}

async function ask(origin: string, way: ApiWay, outcomes: ClientOutcomes): Promise<void> {
  try {
    const signal = AbortSignal.timeout(PATIENCE_MS);
    note(await way.ask(origin, "¿Quién eres?", signal), way, outcomes);
  } catch (error) {
    outcomes.wrong.push(`${way.name}: ${error instanceof Error ? `${error.name}: ${error.message}` : error}`);
  }
}

function note({ by, text, reason, words }: Outcome, way: ApiWay, outcomes: ClientOutcomes): void {
  if (by !== undefined && text === DEFAULT_ANSWER) outcomes.answered++;
  else if (by !== undefined || reason === undefined) outcomes.wrong.push(`${way.name}: ${words.slice(0, 300)}`);
  else count(text === "" ? outcomes.refused : outcomes.brokenOff, reason);
}

function count(counts: Record<string, number>, key: string): void {
  counts[key] = (counts[key] ?? 0) + 1;
}

/** Begins a conversation, and is gone after a moment. */
async function leave(
  origin: string,
  conversation_id: string,
  random: () => number,
  outcomes: ClientOutcomes,
): Promise<void> {
  const body = JSON.stringify({ message: "¿Quién eres?", conversation_id, stream: random() < 0.5 });
  const headers = { "content-type": "application/json" };
  const signal = AbortSignal.timeout(Math.ceil(random() * 40));
  try {
    const response = await fetch(`${origin}/api/chat`, { method: "POST", headers, body, signal });
    await response.text();
  } catch {
    // That is what it wanted.
  }
  outcomes.hungUp++;
}
