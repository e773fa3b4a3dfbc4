import { emptySums, formatDay, type OpenGroup } from "./summary.ts";
import type { Grouping, UsageQuery } from "./usage.ts";

/** What the sums are made of, after `seq` and the columns of the key. */
const COUNTED = [
  "outcome",
  "fallback",
  "source",
  "input_tokens",
  "cached_input_tokens",
  "output_tokens",
  "reasoning_tokens",
  "total_tokens",
  "cost_usd",
  "latency_ms",
  "first_token_ms",
] as const;

/** The columns the key of a group is made of; a model's name is unique only together with its provider's. */
const KEYS: Readonly<Record<Grouping, readonly string[]>> = {
  day: ["at_ms"],
  provider: ["provider"],
  model: ["provider", "model"],
  role: ["role"],
  outcome: ["outcome"],
  instance: [],
};

type Value = string | number | null;

/**
 * Adds up rows of the local table one by one. Faster than SQL can do it: SQLite would sort the rows by their key first,
 * and once more for every percentile.
 */
export class Tally {
  readonly columns: readonly string[];
  readonly #by: Grouping;
  readonly #dayStarts: readonly number[];
  /** By the parts of the key: joining them for every row would take longer than all the rest. */
  readonly #groups = new Map<Value, Map<Value, Sums>>();

  constructor({ by, dayStarts }: UsageQuery) {
    this.columns = [...COUNTED, ...KEYS[by]];
    this.#by = by;
    this.#dayStarts = dayStarts;
  }

  /** Takes a row in: `seq`, then `columns`. */
  add(row: readonly Value[]): void {
    const [
      ,
      outcome,
      fallback,
      source,
      input,
      cached,
      output,
      reasoning,
      total,
      cost,
      latency,
      first,
      head = null,
      tail = null,
    ] = row;
    const group = this.#groupOf(head, tail);
    const ok = outcome === "ok";
    group.calls++;
    if (ok) group.ok++;
    else if (outcome === "failed") group.failed++;
    else group.aborted++;
    if (ok && fallback === 1) group.fallbacks++;
    if (source === "estimated") group.estimated++;
    group.input_tokens += Number(input);
    group.cached_input_tokens += Number(cached);
    group.output_tokens += Number(output);
    group.reasoning_tokens += Number(reasoning);
    group.total_tokens += Number(total);
    if (typeof cost === "number") group.cost_usd = (group.cost_usd ?? 0) + cost;
    else if (Number(total) > 0) group.unpriced++;
    if (!ok && this.#by !== "outcome") return;
    group.latencies.push(Number(latency));
    if (typeof first === "number") group.firstTokens.push(first);
  }

  /** @param instanceId the key of the one group there is by installation */
  groups(instanceId: string): OpenGroup[] {
    return [...this.#groups].flatMap(([head, tails]) =>
      [...tails].map(([tail, { latencies, firstTokens, ...sums }]) => ({
        key: this.#nameOf(head, tail, instanceId),
        ...sums,
        latencies: Int32Array.from(latencies),
        firstTokens: Int32Array.from(firstTokens),
      }))
    );
  }

  #nameOf(head: Value, tail: Value, instanceId: string): string {
    if (this.#by === "instance") return instanceId;
    if (this.#by === "day") return formatDay(Number(head));
    return tail === null ? String(head) : `${head}/${tail}`;
  }

  #groupOf(head: Value, tail: Value): Sums {
    const key = this.#by === "day" ? this.#dayOf(Number(head)) : head;
    let tails = this.#groups.get(key);
    if (!tails) this.#groups.set(key, tails = new Map());
    let group = tails.get(tail);
    if (!group) tails.set(tail, group = emptyGroup());
    return group;
  }

  /** The start of the day a moment lies in. */
  #dayOf(epochMs: number): number {
    const starts = this.#dayStarts;
    let low = 0;
    for (let high = starts.length - 1; low < high;) {
      const middle = (low + high + 1) >> 1;
      if ((starts[middle] ?? 0) <= epochMs) low = middle;
      else high = middle - 1;
    }
    return starts[low] ?? 0;
  }
}

type Sums = ReturnType<typeof emptyGroup>;

function emptyGroup() {
  return { ...emptySums(), latencies: [] as number[], firstTokens: [] as number[] };
}
