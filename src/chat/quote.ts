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

/**
 * Signs by which templates of models tell their parts apart (llama, Qwen, Gemma, Mistral, DeepSeek): a model takes them
 * for what they are wherever they stand, past every quotation.
 */
const CONTROL_TOKENS = new RegExp(
  [
    String.raw`<(?=\|[\w ./-]{1,40}\|>)`,
    String.raw`<(?=｜[^｜\n]{1,40}｜>)`,
    String.raw`<(?=\/?(start_of_turn|end_of_turn|bos|eos|pad|unk|s)>)`,
    String.raw`<(?=<\/?SYS>>)`,
    String.raw`\[(?=\/?(INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS)\])`,
  ].join("|"),
  "gi",
);

/** A text in which no template begins a part of its own: a blank after their first sign makes them plain text. */
export function defuse(text: string): string {
  return text.replace(CONTROL_TOKENS, "$& ");
}
