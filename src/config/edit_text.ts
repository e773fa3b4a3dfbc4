import { applyEdits, type Edit, findNodeAtLocation, modify, type Node, parseTree } from "jsonc-parser";

type Path = readonly string[];

/** Blanks and whole comments up to a comma: written so that no part of a comment can pass for the comma. */
const UP_TO_COMMA = /^(?:\s|\/\/[^\r\n]*(?![^\r\n])|\/\*(?:[^*]|\*(?!\/))*\*\/)*,/;

/** The tree of a JSON text with comments; as much of it as can be read when it is broken. */
export function parseText(text: string): Node | undefined {
  return parseTree(text, [], { allowTrailingComma: true });
}

/** The text at `path`, or undefined when there is none. */
export function textAt(root: Node | undefined, path: Path): string | undefined {
  const value: unknown = root && findNodeAtLocation(root, [...path])?.value;
  return typeof value === "string" ? value : undefined;
}

/**
 * Sets the text at `path` to `value` and leaves every other byte alone: comments, order, layout, line ends. Objects
 * that are missing on the way are added. What cannot be edited is returned as it was.
 */
export function setText(text: string, path: Path, value: string): string {
  const root = parseText(text);
  if (!root) return text;
  if (findNodeAtLocation(root, [...path])) return applyEdits(text, modify(text, [...path], value, {}));
  for (let depth = path.length - 1; depth >= 0; depth--) {
    const parent = findNodeAtLocation(root, path.slice(0, depth));
    if (parent?.type !== "object") continue;
    const property = path.slice(depth).reduceRight((inner, key, index) => {
      const pair = `${JSON.stringify(key)}: ${inner}`;
      return index === 0 ? pair : `{ ${pair} }`;
    }, JSON.stringify(value));
    return applyEdits(text, addProperty(text, parent, property));
  }
  return text;
}

/** The edits that add `property` as the last of an object. The library's own would lay whole lines out anew. */
function addProperty(text: string, object: Node, property: string): Edit[] {
  const last = object.children?.at(-1);
  return last ? addAfter(text, object, last, property) : fillEmpty(text, object, property);
}

function addAfter(text: string, object: Node, last: Node, property: string): Edit[] {
  const end = last.offset + last.length;
  const indent = ownLineIndent(text, last.offset);
  if (indent === undefined) return [insert(end, `, ${property}`)];
  const tail = text.slice(end, object.offset + object.length - 1);
  const comma = UP_TO_COMMA.exec(tail)?.[0] ?? "";
  // A comment on the line of the last property belongs to that property: the new one goes below it.
  const restOfLine = /^(?:[ \t]|\/\*.*?\*\/)*(?:\/\/[^\r\n]*)?/.exec(tail.slice(comma.length))?.[0].trimEnd() ?? "";
  const offset = end + comma.length + restOfLine.length;
  if (comma) return [insert(offset, `${lineEnd(text)}${indent}${property},`)];
  return [insert(end, ","), insert(offset, `${lineEnd(text)}${indent}${property}`)];
}

function fillEmpty(text: string, object: Node, property: string): Edit[] {
  const close = object.offset + object.length - 1;
  const indent = ownLineIndent(text, close);
  if (indent !== undefined) return [insert(close, `${indentUnit(text)}${property}${lineEnd(text)}${indent}`)];
  const isBlank = /[ \t]/.test(text[close - 1] ?? "");
  return [insert(close, isBlank ? `${property} ` : ` ${property} `)];
}

function insert(offset: number, content: string): Edit {
  return { offset, length: 0, content };
}

/** The blanks before `offset` when nothing else stands before it on its line. */
function ownLineIndent(text: string, offset: number): string | undefined {
  const before = text.slice(text.lastIndexOf("\n", offset - 1) + 1, offset);
  return offset > before.length && before.trim() === "" ? before : undefined;
}

function lineEnd(text: string): string {
  return text.includes("\r\n") ? "\r\n" : "\n";
}

function indentUnit(text: string): string {
  return /^([ \t]+)\S/m.exec(text)?.[1] ?? "  ";
}
