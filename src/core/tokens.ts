import type { Message, Usage } from "./types.ts";

/** Characters a token stands for on average in European languages: a common rule of thumb, good to about ±30 %. */
export const CHARS_PER_TOKEN = 4;

/** No tokenizer in use packs more characters of ordinary text into a token on average; runs of one character aside. */
const MOST_CHARS_PER_TOKEN = 8;

/** The fewest tokens that `messages` can possibly be, however a model counts. Runs of one character share tokens. */
export function fewestTokens(messages: readonly Message[]): number {
  const chars = messages.reduce((sum, { content }) => sum + foldRuns(content).length, 0);
  return Math.floor(chars / MOST_CHARS_PER_TOKEN);
}

/** True when `messages` cannot fit into a window of `contextTokens`. */
export function surelyExceeds(messages: readonly Message[], contextTokens: number): boolean {
  const chars = messages.reduce((sum, { content }) => sum + content.length, 0); // cheap, and enough for most calls
  return chars > contextTokens * MOST_CHARS_PER_TOKEN && fewestTokens(messages) > contextTokens;
}

/** Counts for an answer whose provider sent none: what was said, tool calls included, by the rule of thumb. */
export function estimateUsage(messages: readonly Message[], answer: string): Usage {
  const input = tokensOf(messages.reduce((sum, message) => sum + charsOf(message), 0));
  const output = tokensOf(answer.length);
  return {
    input,
    cached_input: 0,
    output,
    reasoning: 0,
    total: input + output,
    source: "estimated",
    raw: null,
  };
}

/** About how many tokens a text is, by the rule of thumb. */
export function roughTokens(text: string): number {
  return tokensOf(text.length);
}

function tokensOf(chars: number): number {
  return Math.ceil(chars / CHARS_PER_TOKEN);
}

function charsOf(message: Message): number {
  const calls = message.role === "assistant" ? message.tool_calls : undefined;
  return message.content.length + (calls?.length ? JSON.stringify(calls).length : 0);
}

function foldRuns(text: string): string {
  return text.replace(/\s+/g, " ").replace(/(.)\1+/gs, "$1");
}
