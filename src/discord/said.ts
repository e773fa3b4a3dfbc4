/** What of a message its author says, rather than quotes or shows as code. */
export interface Said {
  /** The text without quotes and code; what is left of it keeps its lines. */
  readonly text: string;
  readonly hasCode: boolean;
}

/** No message of Discord's is longer than 4000; a server that lets more pass gets the beginning looked at. */
const MOST_CHARACTERS = 20_000;

/** Where something may begin or end: an escaped sign, a line, a run of backticks. */
const POINT = /\\[^\s\w]|\n|`+/g;
/** A quote, where a line begins: of that line with one mark, of all that follows with three. The blank belongs to it. */
const QUOTE = / {0,100}(>|>>>) /y;

/**
 * Takes code and quotes out of a message as Discord shows them: whichever begins first holds what is in it. Backticks
 * that nothing closes are backticks. This is not the splitter's reading (`fences.ts`), which must be right about blocks
 * that its own cuts leave open. Takes time in proportion to the length, whatever is in it.
 */
export function whatIsSaid(content: string): Said {
  const text = content.slice(0, MOST_CHARACTERS);
  const closing = new ClosingTicks(text);
  const parts: string[] = [];
  let hasCode = false;
  let at = quoteEnd(text, 0);
  while (at < text.length) {
    POINT.lastIndex = at;
    const [point] = POINT.exec(text) ?? [];
    if (point === undefined) {
      parts.push(text.slice(at));
      break;
    }
    const behind = POINT.lastIndex;
    const codeEnd = point.startsWith("`") ? closing.endOfCode(behind, point.length) : undefined;
    if (codeEnd !== undefined) {
      parts.push(text.slice(at, behind - point.length), " ");
      hasCode = true;
      at = codeEnd;
    } else {
      parts.push(text.slice(at, behind));
      at = point === "\n" ? quoteEnd(text, behind) : behind;
    }
  }
  return { text: parts.join(""), hasCode };
}

/** Where the quote ends that begins with this line; the same place when there is none. */
function quoteEnd(text: string, lineStart: number): number {
  QUOTE.lastIndex = lineStart;
  const mark = QUOTE.exec(text)?.[1];
  if (mark === undefined) return lineStart;
  const lineEnd = mark === ">" ? text.indexOf("\n", lineStart) : -1;
  return lineEnd < 0 ? text.length : lineEnd;
}

/** Finds the backticks that close code. Asked from the front to the back, so that it looks at each of them once. */
class ClosingTicks {
  /** Runs of one, of two, and of three or more, by where they end. */
  readonly #runs: readonly [number[], number[], number[]] = [[], [], []];
  readonly #passed: [number, number, number] = [0, 0, 0];

  constructor(text: string) {
    for (const { 0: ticks, index } of text.matchAll(/`+/g)) this.#runs[kindOf(ticks.length)].push(index + ticks.length);
  }

  /** Where code ends that was opened with `length` backticks and begins at `from`; undefined when nothing closes it. */
  endOfCode(from: number, length: number): number | undefined {
    const kind = kindOf(length);
    const runs = this.#runs[kind];
    let passed = this.#passed[kind];
    while ((runs[passed] ?? Infinity) <= from) passed++;
    this.#passed[kind] = passed;
    return runs[passed];
  }
}

function kindOf(length: number): 0 | 1 | 2 {
  return length === 1 ? 0 : length === 2 ? 1 : 2;
}
