import { parseSilence, SilenceFilter, type Spoken } from "./silence.ts";
import { ThinkingFilter } from "./thinking.ts";

/** Turns what a model says into what a reader may see: without what it thought aloud, and without the word of silence. */
export class VisibleAnswer {
  readonly #thinking = new ThinkingFilter();
  #silence = new SilenceFilter();
  #said = "";
  #shown = "";

  /** Takes a piece of the answer; gives what may be shown of it now. */
  push(piece: string): string {
    const { text, restart } = this.#thinking.push(piece);
    if (restart) {
      this.#said = "";
      this.#silence = new SilenceFilter();
    }
    this.#said += text;
    return this.#show(this.#silence.push(text));
  }

  /** The whole answer, and what of it has not been shown yet. */
  end(): Spoken & { readonly rest: string } {
    const last = this.#thinking.end();
    this.#said += last;
    const spoken = parseSilence(this.#said);
    if (spoken.silent) return { ...spoken, rest: "" };
    return { ...spoken, rest: this.#show(this.#silence.push(last) + this.#silence.end()) };
  }

  /** What has been shown so far. */
  get shown(): string {
    return this.#shown;
  }

  #show(text: string): string {
    this.#shown += text;
    return text;
  }
}
