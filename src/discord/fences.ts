/** What opens and closes a code block in Discord's Markdown, wherever on a line it stands. */
export const FENCE = "```";
/** A language is named right behind the fence and ends with the line; a longer word is not one. */
const LANGUAGE = /([\w+\-.#]{0,40})(\r?\n)/y;
/** What may stand before a fence that opens a block of Markdown: indentation, quotes, the mark of a list. */
const LINE_START = /^(?:[ \t>]|(?:[-*+]|\d{1,9}[.)])[ \t])*$/;

const LONGEST_INDENTATION = 80;

/** A code block, by index in UTF-16 units. */
export interface CodeBlock {
  readonly start: number;
  /** Behind the opening fence and the line that names the language. */
  readonly open: number;
  /** Behind the closing fence; infinite when there is none. */
  readonly end: number;
  /** May be empty. */
  readonly language: string;
}

/**
 * The code blocks of a text, in their order. A last fence that nothing closes opens a block only where a line begins:
 * elsewhere Discord shows it as it is written.
 */
export function findCodeBlocks(text: string): CodeBlock[] {
  const blocks: CodeBlock[] = [];
  for (let start = nextFence(text, 0); start >= 0;) {
    const behind = start + FENCE.length;
    LANGUAGE.lastIndex = behind;
    const [line = "", language = ""] = LANGUAGE.exec(text) ?? [];
    const closing = text.indexOf(FENCE, behind);
    if (closing >= 0) {
      const end = closing + FENCE.length;
      blocks.push({ start, open: behind + line.length, end, language });
      start = nextFence(text, end);
    } else {
      if (indentationOf(text, start) !== undefined) {
        blocks.push({ start, open: behind + line.length, end: Infinity, language });
      }
      start = -1;
    }
  }
  return blocks;
}

/** The next fence that can open a block: a backslash before it takes that away, unless another takes it from that. */
function nextFence(text: string, from: number): number {
  for (let at = text.indexOf(FENCE, from); at >= 0; at = text.indexOf(FENCE, at + 1)) {
    let backslashes = 0;
    while (at - backslashes > from && text[at - backslashes - 1] === "\\") backslashes++;
    if (backslashes % 2 === 0) return at;
  }
  return -1;
}

/** Where the line of a block's fence begins, when nothing but its indentation stands before it; else the fence. */
export function beginningOf({ start }: CodeBlock, text: string): number {
  return start - (indentationOf(text, start)?.length ?? 0);
}

/** What stands on a line before a fence, if that is where a line begins. */
function indentationOf(text: string, fence: number): string | undefined {
  const before = text.slice(Math.max(0, fence - LONGEST_INDENTATION), fence);
  const line = before.slice(before.lastIndexOf("\n") + 1);
  return LINE_START.test(line) && line.length < LONGEST_INDENTATION ? line : undefined;
}
