/** The usage table in the end: every answer that somebody got has its row, here and in PostgreSQL, and counts what it cost. */
import { DatabaseSync } from "node:sqlite";
import { LEAVING } from "./clients.ts";
import { type ChaosWorld, USAGE } from "./world.ts";

export interface UsageCheck {
  /** Rows, one for every attempt. */
  readonly rows: number;
  /** Answers by a model, without those to clients that hang up. */
  readonly answered: number;
  /** Answers whose counts are not what the provider said. */
  readonly miscounted: number;
  /** Rows that are not in PostgreSQL, and rows that are there alone. */
  readonly unshared: number;
  readonly unknown: number;
}

type Place = Pick<ChaosWorld, "folder" | "cluster" | "databaseUrl">;

/** Waits until PostgreSQL has every row, or the time is up. */
export async function awaitShared(place: Place, patienceMs: number): Promise<void> {
  for (const until = performance.now() + patienceMs; performance.now() < until;) {
    const { unshared } = await checkUsage(place);
    if (unshared === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

export async function checkUsage({ folder, cluster, databaseUrl }: Place): Promise<UsageCheck> {
  const rows = readLocal(`${folder}/data/django.db`);
  const stored = await cluster.query<{ id: string }>(databaseUrl, "SELECT id FROM token_usage");
  const [here, there] = [new Set(rows.map(({ id }) => id)), new Set(stored.map(({ id }) => id))];
  const answers = rows.filter(({ outcome }) => outcome === "ok");
  return {
    rows: rows.length,
    answered: answers.filter(({ conversation_id }) => !conversation_id?.startsWith(LEAVING)).length,
    miscounted: answers.filter((row) => row.input_tokens !== USAGE.input || row.output_tokens !== USAGE.output).length,
    unshared: here.difference(there).size,
    unknown: there.difference(here).size,
  };
}

/** What has been added. What is not in both places is counted as it is. */
export function since(before: UsageCheck, now: UsageCheck): UsageCheck {
  return {
    ...now,
    rows: now.rows - before.rows,
    answered: now.answered - before.answered,
    miscounted: now.miscounted - before.miscounted,
  };
}

interface Row {
  readonly id: string;
  readonly conversation_id: string | null;
  readonly outcome: string;
  readonly input_tokens: number;
  readonly output_tokens: number;
}

function readLocal(path: string): Row[] {
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    const sql = "SELECT id, conversation_id, outcome, input_tokens, output_tokens FROM token_usage";
    return database.prepare(sql).all().map((row) => ({
      id: String(row["id"]),
      conversation_id: row["conversation_id"] === null ? null : String(row["conversation_id"]),
      outcome: String(row["outcome"]),
      input_tokens: Number(row["input_tokens"]),
      output_tokens: Number(row["output_tokens"]),
    }));
  } finally {
    database.close();
  }
}
