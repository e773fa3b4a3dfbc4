import { cutText } from "../core/format.ts";

/**
 * A text as it may be kept for long: the first `letters` UTF-16 units at most. A piece that V8 cuts off a long text
 * holds the whole of it in memory, so what is cut is copied.
 */
export function keepText(text: string, letters: number): string {
  return text.length <= letters ? text : [...cutText(text, letters)].join("");
}
