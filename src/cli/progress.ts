import { printable } from "../core/format.ts";
import { writeError } from "./output.ts";

/** Columns that every terminal has. */
const WIDTH = 78;
/** How often a line is written anew, in milliseconds. */
const EVERY_MS = 100;

/** One line on a terminal that is written over and over; nothing where standard error is a file. */
export class Progress implements Disposable {
  #shownAt = -Infinity;
  readonly #terminal = Deno.stderr.isTerminal();

  show(text: string): void {
    const now = performance.now();
    if (!this.#terminal || now - this.#shownAt < EVERY_MS) return;
    this.#shownAt = now;
    writeError(`\r\u001b[K${[...printable(text).replace(/\s+/g, " ")].slice(0, WIDTH).join("")}`);
  }

  /** Takes the line away, before anything else is told. */
  clear(): void {
    if (this.#shownAt > 0) writeError("\r\u001b[K");
    this.#shownAt = -Infinity;
  }

  [Symbol.dispose](): void {
    this.clear();
  }
}
