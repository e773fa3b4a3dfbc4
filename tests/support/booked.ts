/** What tests of the bookkeeping say about the rows of a rig. */
import assert from "node:assert/strict";
import { NoAnswerError } from "../../src/core/errors.ts";
import type { Attempt, EmbedResponse, ModelResponse } from "../../src/core/types.ts";
import type { UsageRow } from "../../src/storage/usage.ts";
import { readStream, type Rig } from "./rig.ts";

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const COUNTS = [
  "at_ms",
  "input_tokens",
  "cached_input_tokens",
  "output_tokens",
  "reasoning_tokens",
  "total_tokens",
  "latency_ms",
] as const;
/** Everything a row may say; a further column could carry content. */
const COLUMNS = [
  ...COUNTS,
  "id",
  "conversation_id",
  "role",
  "profile",
  "provider",
  "model",
  "source",
  "cost_usd",
  "first_token_ms",
  "outcome",
  "error_kind",
  "fallback",
  "chain_position",
].sort();

/** Rows in short, in the words of `brief()`: `groq/openai/gpt-oss-120b failed timeout`, `gemini/x ok`. */
export function briefRows(rows: readonly UsageRow[]): string[] {
  return rows.map(({ provider, model, outcome, error_kind }) =>
    [`${provider}/${model}`, outcome, error_kind].filter((part) => part !== null).join(" ")
  );
}

/** The token columns of a row. */
export function tokensOf(row: UsageRow | undefined): Partial<UsageRow> {
  const { input_tokens, cached_input_tokens, output_tokens, reasoning_tokens, total_tokens, source } = row ??
    assert.fail("no row");
  return { input_tokens, cached_input_tokens, output_tokens, reasoning_tokens, total_tokens, source };
}

/** The token columns of an attempt of which nothing came. */
export const NO_TOKENS: Partial<UsageRow> = {
  input_tokens: 0,
  cached_input_tokens: 0,
  output_tokens: 0,
  reasoning_tokens: 0,
  total_tokens: 0,
  source: "none",
};

/** The token columns of an answer whose provider sent no counts. */
export function estimated(input: number, output: number): Partial<UsageRow> {
  return {
    ...NO_TOKENS,
    input_tokens: input,
    output_tokens: output,
    total_tokens: input + output,
    source: "estimated",
  };
}

/** Fails unless the row is there and has these values. */
export function assertRow(row: UsageRow | undefined, expected: Partial<UsageRow>): void {
  assert.ok(row, "no row");
  const actual = Object.fromEntries(Object.keys(expected).map((name) => [name, row[name as keyof UsageRow]]));
  assert.deepEqual(actual, expected);
}

export function assertUsd(actual: number | null | undefined, expected: number): void {
  assert.ok(typeof actual === "number" && Math.abs(actual - expected) < 1e-12, `${actual} USD instead of ${expected}`);
}

/** What holds for the rows of every rig, whatever happened: what a table can keep, and that they fit together. */
export function assertSound(rows: readonly UsageRow[]): void {
  const ids = rows.map(({ id }) => id);
  assert.deepEqual(ids, [...new Set(ids)].sort(), "ids are unique and ascend");
  for (const row of rows) {
    const where = JSON.stringify(row);
    assert.deepEqual(Object.keys(row).sort(), COLUMNS, where);
    assert.match(row.id, UUID_V7);
    for (const name of COUNTS) assert.ok(Number.isSafeInteger(row[name]) && row[name] >= 0, `${name} in ${where}`);
    const { first_token_ms, latency_ms, source, total_tokens, outcome, error_kind, cost_usd } = row;
    if (first_token_ms !== null) {
      assert.ok(Number.isSafeInteger(first_token_ms) && first_token_ms >= 0 && latency_ms >= first_token_ms, where);
    }
    if (source === "none") assert.deepEqual([total_tokens, first_token_ms], [0, null], where);
    assert.equal(error_kind === null, outcome === "ok", where);
    assert.equal(error_kind === "aborted", outcome === "aborted", where);
    assert.ok(cost_usd === null || (Number.isFinite(cost_usd) && cost_usd >= 0), where);
  }
}

/** Attempts that have begun. One that was skipped never did, nor did one that waited in vain: it took no time. */
export function begun(attempts: readonly Attempt[]): Attempt[] {
  return attempts.filter(({ outcome, ms }) => outcome !== "skipped" && ms > 0);
}

/** Requests for an answer or for vectors that reached the fakes. */
export function requestsSeen({ ollama, groq, gemini }: Rig): number {
  const embeds = [...ollama.requests, ...gemini.requests].filter(({ path }) => /embed/i.test(path));
  return ollama.chats.length + groq.chats.length + gemini.chats.length + embeds.length;
}

/** How a call ended, as its caller sees it. */
export interface Outcome {
  readonly attempts: readonly Attempt[];
  /** Unset when the call failed, or gave vectors. */
  readonly response?: ModelResponse;
}

/** Waits for the end of a call, whether it ends well or not. */
export async function outcomeOf(call: Promise<ModelResponse | EmbedResponse>): Promise<Outcome> {
  try {
    const response = await call;
    return "attempts" in response ? { attempts: response.attempts, response } : { attempts: [] };
  } catch (error) {
    assert.ok(error instanceof NoAnswerError, String(error));
    return error;
  }
}

/** Reads a stream to its end, whether it ends well or not. */
export async function outcomeOfStream(stream: ReturnType<Rig["router"]["stream"]>): Promise<Outcome> {
  const { response, error } = await readStream(stream);
  if (response) return { attempts: response.attempts, response };
  assert.ok(error instanceof NoAnswerError, String(error));
  return error;
}
