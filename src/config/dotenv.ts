import type { ConfigProblem } from "../core/errors.ts";

export interface DotEnv {
  readonly values: ReadonlyMap<string, string>;
  /** Lines that cannot be read, by number; never with anything the line says. */
  readonly problems: readonly ConfigProblem[];
}

/**
 * Reads `NAME=value` lines: comments, blank lines, a leading `export`, values in single or double quotes. What stands
 * between quotes counts as it is written: nothing is expanded or unescaped. The last line of a name counts.
 */
export function parseDotEnv(text: string): DotEnv {
  const values = new Map<string, string>();
  const problems: ConfigProblem[] = [];
  text.replace(/^\uFEFF/, "").split(/\r\n|\r|\n/).forEach((line, index) => {
    if (/^\s*(#|$)/.test(line)) return;
    const [, name, rest] = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=(.*)$/.exec(line) ?? [];
    const value = rest === undefined ? undefined : parseValue(rest.trim());
    if (name !== undefined && value !== undefined) {
      values.set(name, value);
      return;
    }
    problems.push({
      path: `line ${index + 1}`,
      message: name === undefined ? "This is not NAME=value" : `The value of ${name} is malformed`,
      remedy: name === undefined
        ? "Write one NAME=value on a line, and # before a comment."
        : "Write it on one line, without control characters, and close the quote it begins with.",
    });
  });
  return { values, problems };
}

function parseValue(text: string): string | undefined {
  const quote = /^["']/.exec(text)?.[0];
  const [, value] = quote ? quotedBy(quote).exec(text) ?? [] : [, text.replace(/(^|\s)#.*$/, "").trim()];
  // A control character would break the header or the address that the value becomes part of.
  return value === undefined || /\p{Cc}/u.test(value) ? undefined : value;
}

function quotedBy(quote: string): RegExp {
  return quote === '"' ? /^"([^"]*)"\s*(?:#.*)?$/ : /^'([^']*)'\s*(?:#.*)?$/;
}
