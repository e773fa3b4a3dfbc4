import type { Usage } from "../core/types.ts";

/** US dollars per million tokens, as in models.json. */
export interface Price {
  readonly input: number;
  /** Default: the price of `input`. */
  readonly cached_input?: number | undefined;
  readonly output: number;
}

type TokenCounts = Pick<Usage, "input" | "cached_input" | "output">;

/**
 * Cost of one answer in US dollars: each kind of token times its price. Cached tokens are a part of the input and
 * reasoning tokens a part of the output, so neither is counted twice. `null` when the price is not known.
 */
export function costOf(usage: TokenCounts, price: Price | null): number | null {
  if (!price) return null;
  const cached = Math.min(usage.cached_input, usage.input);
  const millionths = (usage.input - cached) * price.input + cached * (price.cached_input ?? price.input) +
    usage.output * price.output;
  return millionths / 1e6;
}
