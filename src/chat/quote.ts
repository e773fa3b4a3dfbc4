/** Everything that ends a line somewhere: in Unicode, in a terminal, in a model's training text. */
const LINE_BREAKS = /\r\n|[\n\r\v\f\u0085\u2028\u2029]/;
/** What begins a line of quoted data. */
const BAR = "│ ";

/**
 * A text of somebody else as data: every line of it begins with a bar, so that nothing in it can stand where an
 * instruction would.
 */
export function quoteLines(text: string): string {
  return text.split(LINE_BREAKS).map((line) => BAR + line).join("\n");
}

const LONGEST_NAME = 80;

/** A name on one line, with everything that could close what it stands in, or begin something new, escaped. */
export function quoteName(name: string): string {
  const plain = name.toWellFormed().replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, " ").trim();
  const letters = [...plain];
  const shown = letters.length > LONGEST_NAME ? `${letters.slice(0, LONGEST_NAME - 1).join("")}…` : plain;
  return shown.replace(/[[\]{}<>│`\\]/g, (sign) => `\\${sign}`);
}
