import { v7 as newTimeOrderedId } from "uuid";
import type { EventBus } from "../core/events.ts";
import type { ErrorKind, Usage } from "../core/types.ts";
import type { UsageOutcome, UsageRow } from "../storage/usage.ts";
import type { RunningAttempt } from "./attempt.ts";
import { costOf } from "./pricing.ts";

/** How an attempt ended and what it used. */
export interface AttemptEnd {
  readonly outcome: UsageOutcome;
  readonly error_kind: ErrorKind | null;
  /** Null when nothing came back that could be counted. */
  readonly usage: Usage | null;
}

/** Takes down how an attempt ended. Never throws and never waits. */
export type BookAttempt = (attempt: RunningAttempt, end: AttemptEnd) => void;

export interface AccountingDependencies {
  /** Keeps a row; must neither throw nor wait. */
  readonly record: (row: UsageRow) => void;
  /** Told once of each model that was used and has no price. */
  readonly events: Pick<EventBus, "emit">;
}

/** Longest conversation id that is kept, in UTF-16 code units. */
const MAX_ID_LENGTH = 200;

/** Turns every attempt into its row of the usage table. */
export function createAccounting({ record, events }: AccountingDependencies): BookAttempt {
  const unpriced = new Set<string>();
  const warnOnce = (ref: string) => {
    if (unpriced.has(ref)) return;
    unpriced.add(ref);
    events.emit("system.warning", {
      code: "price_unknown",
      message: `${ref} has no price in models.json, so what it costs is unknown`,
      remedy: `Add "usd_per_million": { "input": …, "output": … } to it.`,
    });
  };
  return (attempt, end) => {
    const row = rowOf(attempt, end);
    if (row.cost_usd === null && row.total_tokens > 0) warnOnce(attempt.candidate.ref);
    record(row);
  };
}

function rowOf(attempt: RunningAttempt, { outcome, error_kind, usage }: AttemptEnd): UsageRow {
  const { call, candidate } = attempt;
  const { input, cached_input, output, reasoning, total, source } = usage ?? NOTHING;
  const firstTokenMs = attempt.firstTokenMs();
  return {
    id: newTimeOrderedId(),
    at_ms: Date.now(),
    conversation_id: storableId(call.conversationId),
    role: call.role,
    profile: call.snapshot.profile.name,
    provider: candidate.provider,
    model: candidate.model,
    input_tokens: input,
    cached_input_tokens: cached_input,
    output_tokens: output,
    reasoning_tokens: reasoning,
    total_tokens: total,
    source,
    cost_usd: costOf({ input, cached_input, output }, candidate.price),
    latency_ms: Math.round(attempt.elapsedMs),
    first_token_ms: firstTokenMs === null ? null : Math.round(firstTokenMs),
    outcome,
    error_kind,
    fallback: call.isFallback(candidate),
    chain_position: call.placeOf(candidate),
  };
}

const NOTHING = { input: 0, cached_input: 0, output: 0, reasoning: 0, total: 0, source: "none" } as const;

/** A conversation id comes from outside, and a database refuses control characters and half characters. */
function storableId(id: string | undefined): string | null {
  return id === undefined ? null : id.slice(0, MAX_ID_LENGTH).replace(/\p{Cc}/gu, "").toWellFormed();
}
