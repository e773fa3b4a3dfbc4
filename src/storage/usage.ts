import type { ErrorKind, Role } from "../core/types.ts";

/** How an attempt at a model ended. */
export const USAGE_OUTCOMES = ["ok", "failed", "aborted"] as const;
export type UsageOutcome = typeof USAGE_OUTCOMES[number];

/** One attempt at one model as the table `token_usage` keeps it. It says how much, never what: no content. */
export interface UsageRow {
  /** UUIDv7 (RFC 9562). */
  readonly id: string;
  /** Epoch milliseconds of the end of the attempt. */
  readonly at_ms: number;
  readonly conversation_id: string | null;
  readonly role: Role;
  readonly profile: string;
  readonly provider: string;
  readonly model: string;
  readonly input_tokens: number;
  /** Part of `input_tokens`. */
  readonly cached_input_tokens: number;
  readonly output_tokens: number;
  /** Part of `output_tokens`. */
  readonly reasoning_tokens: number;
  readonly total_tokens: number;
  /** Who counted: the provider, our rule of thumb, or nobody because nothing came. */
  readonly source: "provider" | "estimated" | "none";
  /** US dollars; null when models.json names no price. */
  readonly cost_usd: number | null;
  /** Whole milliseconds of the attempt, waiting for a free place not included. */
  readonly latency_ms: number;
  /** Whole milliseconds to the first piece of the answer; null when there was none. */
  readonly first_token_ms: number | null;
  readonly outcome: UsageOutcome;
  readonly error_kind: ErrorKind | null;
  /** True when the model was not the first choice of the call. */
  readonly fallback: boolean;
  /** Place of the model among those the call could try, from 1. */
  readonly chain_position: number;
}

/** What a row is made of, in the order in which tables and files hold it. */
export const USAGE_COLUMNS = [
  "id",
  "at_ms",
  "conversation_id",
  "role",
  "profile",
  "provider",
  "model",
  "input_tokens",
  "cached_input_tokens",
  "output_tokens",
  "reasoning_tokens",
  "total_tokens",
  "source",
  "cost_usd",
  "latency_ms",
  "first_token_ms",
  "outcome",
  "error_kind",
  "fallback",
  "chain_position",
] as const satisfies readonly (keyof UsageRow)[];

/** A row as it is stored, with the installation that wrote it. */
export interface StoredUsageRow extends UsageRow {
  /** UUID of the data folder. */
  readonly instance_id: string;
}

/** What a summary can be made by. */
export const GROUPINGS = ["day", "provider", "model", "role", "outcome", "instance"] as const;
export type Grouping = typeof GROUPINGS[number];

export interface UsageQuery {
  readonly by: Grouping;
  /** Epoch milliseconds at which the days begin, ascending; the first is where the summary begins. */
  readonly dayStarts: readonly number[];
}

/** Median and 95th percentile (nearest rank) in whole milliseconds; null when there is nothing to measure. */
export interface Percentiles {
  readonly p50: number | null;
  readonly p95: number | null;
}

/** Sums over a group of attempts. */
export interface UsageSums {
  /** Attempts at a model, failed ones included. */
  readonly calls: number;
  readonly ok: number;
  readonly failed: number;
  readonly aborted: number;
  /** Answers by another model than the first choice. */
  readonly fallbacks: number;
  readonly input_tokens: number;
  readonly cached_input_tokens: number;
  readonly output_tokens: number;
  readonly reasoning_tokens: number;
  readonly total_tokens: number;
  /** Calls whose tokens we had to estimate. */
  readonly estimated: number;
  /** US dollars of the calls whose price is known; null when none is. */
  readonly cost_usd: number | null;
  /** Calls that used tokens at an unknown price. */
  readonly unpriced: number;
}

export interface UsageGroup extends UsageSums {
  /** The day as `YYYY-MM-DD`, or the provider, `provider/model`, role, outcome or installation. */
  readonly key: string;
  /** Of answers; in a summary by outcome, of every call. */
  readonly latency_ms: Percentiles;
  readonly first_token_ms: Percentiles;
}

export interface UsageSummary {
  readonly by: Grouping;
  /** ISO 8601 */
  readonly since: string;
  /** Days in order; anything else by tokens, the most first. */
  readonly groups: readonly UsageGroup[];
  readonly total: UsageGroup;
}

/** Where usage can be read: this installation's own table, or the one it shares with others. */
export interface UsageReader {
  summarize(query: UsageQuery): Promise<UsageSummary>;
  /** Rows from `sinceMs` on, in pages: the local table's as they were kept, the shared one's by time. */
  rows(sinceMs: number): AsyncIterable<readonly StoredUsageRow[]>;
}

/** This installation's own table. */
export interface LocalUsage extends UsageReader {
  /** UUID of this installation: of the data folder. */
  readonly instanceId: string;
  readonly count: number;
  /** Whether any of its rows has ever been confirmed by a shared table. */
  readonly shares: boolean;
  /**
   * How many rows a shared table has not confirmed yet: that of this `storeId`, or else the one that confirmed last. All
   * of them when none ever has.
   */
  countUnshared(storeId?: string): number;
  /**
   * Deletes what is older than `beforeMs` and gives its space back.
   * @param keepUnshared leaves what no shared database has confirmed
   * @returns how many rows are gone, and how many of that age were kept
   */
  prune(beforeMs: number, keepUnshared: boolean): { readonly deleted: number; readonly kept: number };
  /** The latest rows, newest first. */
  latest(limit: number): readonly StoredUsageRow[];
  /** Looks through the whole file. @throws AgentError when it is damaged */
  check(): void;
}

/** How the shared table is doing. */
export interface SharingStatus {
  /** `off`: there is none to use. `idle`: nothing has been sent yet. `away`: it is tried again by and by. */
  readonly state: "off" | "idle" | "connected" | "away";
  /** `postgres://host:port` of it; null without DATABASE_URL. */
  readonly origin: string | null;
  /** Why it is not used although DATABASE_URL is set, or why it is away. */
  readonly problem: string | null;
}

/** Everything this program does with usage: keeps it, shares it, gives it out. Disposing of it sends what can be soon. */
export interface UsageBook extends AsyncDisposable {
  /** The file of this installation's own table. */
  readonly path: string;
  readonly sharing: SharingStatus;
  /** This installation's own table; undefined while it cannot be used and rows wait beside it. */
  readonly local: LocalUsage | undefined;
  /** Keeps a row. Never throws and never waits. */
  record(row: UsageRow): void;
  /**
   * Opens this installation's own table, with what waited beside it brought in.
   * @throws AgentError
   */
  openLocal(): Promise<LocalUsage>;
  /**
   * Connects to the shared table.
   * @throws AgentError
   */
  openShared(): Promise<UsageReader & { readonly storeId: string }>;
}
