import { AgentError, EXIT } from "../core/errors.ts";

const encoder = new TextEncoder();

/** Thrown when whoever read our output has gone away (`| head`): there is nobody left to tell. */
export class ReaderGoneError extends Error {
  override readonly name = "ReaderGoneError";
}

/** Writes every byte of `text` to standard output, exactly as it is. */
export function writeOut(text: string): void {
  write(Deno.stdout, encoder.encode(text));
}

/** Writes bytes to standard output. */
export function writeBytes(bytes: Uint8Array): void {
  write(Deno.stdout, bytes);
}

/** A line for the person at the keyboard, on standard error. */
export function tell(line: string): void {
  writeError(`${line}\n`);
}

/** Writes to standard error, exactly as it is. Nobody can be told when that fails. */
export function writeError(text: string): void {
  try {
    write(Deno.stderr, encoder.encode(text));
  } catch {
    // standard error is closed or full
  }
}

/** Machine-readable output: one JSON document on standard output. */
export function writeJson(value: unknown): void {
  writeOut(`${JSON.stringify(value, null, 2)}\n`);
}

function write(stream: { writeSync(bytes: Uint8Array): number }, bytes: Uint8Array): void {
  try {
    for (let written = 0; written < bytes.length;) written += stream.writeSync(bytes.subarray(written));
  } catch (error) {
    if (error instanceof Deno.errors.BrokenPipe) throw new ReaderGoneError();
    throw new AgentError(`Cannot write the result: ${error instanceof Error ? error.message : error}`, {
      exitCode: EXIT.tempfail,
      remedy: "Make room where standard output goes, and run it again.",
    });
  }
}

type Paint = (text: string) => string;

/** Colours for what goes to standard output: none in a pipe and none with NO_COLOR. Never for `tell`. */
export const paint: Readonly<Record<"bold" | "green" | "yellow" | "red", Paint>> = {
  bold: colour(1, 22),
  green: colour(32, 39),
  yellow: colour(33, 39),
  red: colour(31, 39),
};

function colour(on: number, off: number): Paint {
  return (text) => (Deno.noColor || !Deno.stdout.isTerminal() ? text : `\u001b[${on}m${text}\u001b[${off}m`);
}

/** Columns `from` to `to`, counted from 0, are flush right: numbers. */
interface RightColumns {
  readonly from: number;
  readonly to: number;
}

/** Columns as wide as their widest cell, two spaces apart; the first row is the heading. */
export function table(rows: readonly (readonly string[])[], right: RightColumns = { from: 0, to: -1 }): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => width(row[column] ?? ""))));
  const pad = (cell: string, column: number) => {
    const blanks = " ".repeat(Math.max(0, (widths[column] ?? 0) - width(cell)));
    return column >= right.from && column <= right.to ? blanks + cell : cell + blanks;
  };
  const line = (row: readonly string[]) => row.map(pad).join("  ").trimEnd();
  return rows.map((row, index) => (index === 0 ? paint.bold(line(row)) : line(row))).join("\n") + "\n";
}

const NARROW = /[\p{M}\p{Cf}]/u;
const WIDE = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Emoji_Presentation}！-｠]/u;

/** Columns of a terminal a text takes up: colours none, East Asian letters and emoji two each. */
function width(text: string): number {
  let columns = 0;
  for (const letter of text.replace(/\p{Cc}\[\d+m/gu, "")) {
    columns += NARROW.test(letter) ? 0 : WIDE.test(letter) ? 2 : 1;
  }
  return columns;
}
