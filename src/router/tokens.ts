import type { Message, Usage } from "../core/types.ts";

/** Characters a token stands for on average in European languages: a common rule of thumb, good to about ±30 %. */
const CHARS_PER_TOKEN = 4;

/** No tokenizer in use packs ordinary text denser than this, runs of white space aside. */
const MOST_CHARS_PER_TOKEN = 8;

/** Characters of everything a model would read in `messages`. */
export function countChars(messages: readonly Message[]): number {
  return messages.reduce((sum, { content }) => sum + content.length, 0);
}

/** True when `messages` cannot fit into a window of `contextTokens`, however the model counts. */
export function surelyExceeds(messages: readonly Message[], contextTokens: number): boolean {
  const limit = contextTokens * MOST_CHARS_PER_TOKEN;
  if (countChars(messages) <= limit) return false;
  return messages.reduce((sum, { content }) => sum + content.replace(/\s+/g, " ").length, 0) > limit;
}

/** Counts for an answer whose provider sent none. */
export function estimateUsage(messages: readonly Message[], output: string): Usage {
  const input = Math.ceil(countChars(messages) / CHARS_PER_TOKEN);
  const generated = Math.ceil(output.length / CHARS_PER_TOKEN);
  return {
    input,
    cached_input: 0,
    output: generated,
    reasoning: 0,
    total: input + generated,
    source: "estimated",
    raw: null,
  };
}
