import { CHARS_PER_TOKEN } from "../core/tokens.ts";
import type { Message, ModelRef, Usage } from "../core/types.ts";

/** What a model is assumed to make of a letter before it has counted: fewer letters a token than is usual, to be safe. */
const FIRST_RATIO = CHARS_PER_TOKEN - 0.5;
/** How much the latest count weighs against those before. */
const LATEST_WEIGHT = 0.3;
/** Shorter prompts say more about the model's template than about its tokens. */
const LEAST_TOKENS = 200;
/** Nothing a count may come to: beyond it the provider has counted something else. */
const PLAUSIBLE = { least: 1, most: 8 };
/** Share of the window that is left for the answer, and tokens at most. */
const ANSWER = { share: 0.25, most: 2048 };
/** Tokens a template adds to each message, about. */
const TEMPLATE_TOKENS = 8;

/** Knows how many letters a token of each model has, from what the providers counted. */
export class TokenRatios {
  readonly #ratios = new Map<ModelRef, number>();

  /** Letters a token, on average. */
  of(model: ModelRef): number {
    return this.#ratios.get(model) ?? FIRST_RATIO;
  }

  /** Learns from what a provider counted. */
  learn(model: ModelRef, messages: readonly Message[], { input, source }: Usage): void {
    if (source !== "provider" || input < LEAST_TOKENS) return;
    const ratio = lettersOf(messages) / input;
    if (ratio < PLAUSIBLE.least || ratio > PLAUSIBLE.most) return;
    const before = this.#ratios.get(model);
    this.#ratios.set(model, before === undefined ? ratio : before + LATEST_WEIGHT * (ratio - before));
  }
}

/** Letters that messages may have so that they and an answer fit into a window. */
export function lettersFor(contextTokens: number, ratio: number, messages: number): number {
  const answer = Math.min(ANSWER.most, contextTokens * ANSWER.share);
  return Math.floor((contextTokens - answer - messages * TEMPLATE_TOKENS) * ratio);
}

export function lettersOf(messages: readonly Message[]): number {
  return messages.reduce((sum, { content }) => sum + content.length, 0);
}
