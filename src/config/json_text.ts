import { createScanner, type Node, type ParseError, parseTree, printParseErrorCode } from "jsonc-parser";
import type { ConfigProblem } from "../core/errors.ts";
import { formatPath, quote } from "./words.ts";

const MAX_DEPTH = 32;

/** What the parser's error codes mean to a person. */
const MEANINGS: Readonly<Record<string, string>> = {
  InvalidSymbol: "a word JSON does not know (a text needs double quotes)",
  InvalidNumberFormat: "a malformed number",
  PropertyNameExpected: "a name in double quotes is missing",
  ValueExpected: "a value is missing",
  ColonExpected: "a colon is missing",
  CommaExpected: "a comma is missing",
  CloseBraceExpected: "a closing } is missing",
  CloseBracketExpected: "a closing ] is missing",
  EndOfFileExpected: "something follows after the end",
  UnexpectedEndOfComment: "a comment is not closed",
  UnexpectedEndOfString: "a text is not closed on its line",
  UnexpectedEndOfNumber: "a number breaks off",
  InvalidUnicode: "a malformed \\u escape",
  InvalidEscapeCharacter: "a malformed \\ escape",
  InvalidCharacter: "a character that is not allowed in a text",
};

export interface JsonText {
  /** What the text says; undefined when it is not JSON. */
  readonly value: unknown;
  /** Syntax that cannot be read, or names that stand twice. */
  readonly problems: readonly ConfigProblem[];
}

/** Reads JSON with comments and trailing commas. Never throws, and never repeats the text in a problem. */
export function readJsonText(text: string): JsonText {
  const tooDeep = findTooDeep(text);
  if (tooDeep !== undefined) {
    const message = `Nested deeper than ${MAX_DEPTH} levels, ${position(text, tooDeep)}`;
    return broken(message, "Remove the inner levels: no setting lies that deep.");
  }
  const errors: ParseError[] = [];
  const root = parseTree(text, errors, { allowTrailingComma: true });
  const [error] = errors;
  if (error) return broken(...describeSyntax(text, error)); // only the first: the rest are its consequences
  if (!root) {
    return broken("The file is empty", "Write the settings into it, or delete it to use the embedded defaults.");
  }
  const problems: ConfigProblem[] = [];
  return { value: build(root, [], problems), problems };
}

function broken(message: string, remedy: string): JsonText {
  return { value: undefined, problems: [{ path: "", message, remedy }] };
}

function describeSyntax(text: string, { error, offset, length }: ParseError): [message: string, remedy: string] {
  const code = printParseErrorCode(error);
  if (text.replaceAll(/\/\/.*|\/\*[^]*?\*\//g, "").trim() === "") {
    return ["The file is empty", "Write the settings into it, or delete it to use the embedded defaults."];
  }
  // A text or comment without its end is reported where it begins.
  const reached = code.startsWith("UnexpectedEnd") ? offset + length : offset;
  const atEnd = reached >= text.trimEnd().length;
  const meaning = MEANINGS[code] ?? "it cannot be read";
  return atEnd
    ? [`The file breaks off at ${position(text, offset)}: ${meaning}`, "Complete it; was it only half written?"]
    : [`This is not JSON at ${position(text, offset)}: ${meaning}`, "Correct that place."];
}

/** The offset of the first bracket beyond the limit. Must come first: the parser itself is recursive. */
function findTooDeep(text: string): number | undefined {
  const scanner = createScanner(text, true);
  let depth = 0;
  for (scanner.scan(); scanner.getTokenOffset() < text.length; scanner.scan()) {
    const character = text[scanner.getTokenOffset()];
    if (character === "{" || character === "[") depth++;
    if (character === "}" || character === "]") depth--;
    if (depth > MAX_DEPTH) return scanner.getTokenOffset();
  }
}

function position(text: string, offset: number): string {
  const before = text.slice(0, offset).split(/\r\n|\r|\n/);
  return `line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}`;
}

/** The value of a node, made here and not by the parser so that a name which stands twice is noticed. */
function build(node: Node, path: readonly (string | number)[], problems: ConfigProblem[]): unknown {
  const children = node.children ?? [];
  if (node.type === "array") return children.map((child, index) => build(child, [...path, index], problems));
  if (node.type !== "object") return node.value;
  const result: Record<string, unknown> = {};
  for (const { children: [key, value] = [] } of children) {
    if (!key || !value) continue;
    const name = String(key.value);
    const inner = [...path, name];
    if (name === "__proto__") {
      problems.push({ path: formatPath(inner), message: "This cannot be a name", remedy: "Remove it." });
    } else if (Object.hasOwn(result, name)) {
      const message = `${quote(name)} stands here twice, and only one can count`;
      problems.push({ path: formatPath(inner), message, remedy: "Remove one of the two." });
    } else {
      result[name] = build(value, inner, problems);
    }
  }
  return result;
}
