/** Tags between which some models think aloud within their answer. */
const TAG = /<(\/?)(think|thinking)>/i;
const TAGS = ["<think>", "</think>", "<thinking>", "</thinking>"];
const LONGEST_TAG = Math.max(...TAGS.map(({ length }) => length));

/** What a piece of an answer came to. */
export interface Uttered {
  readonly text: string;
  /** True when everything before it turns out to have been thought. */
  readonly restart: boolean;
}

/**
 * Takes what a model thinks aloud out of its answer, piece by piece. A tag within backticks is spoken of and stays; what
 * is not closed at the end was thought; an end without a beginning makes a thought of everything before it, which is
 * what is left when a template of the provider begins the thinking.
 */
export class ThinkingFilter {
  #waiting = "";
  #thinking = false;

  push(piece: string): Uttered {
    this.#waiting += piece;
    let text = "";
    let restart = false;
    for (let tag = TAG.exec(this.#waiting); tag; tag = TAG.exec(this.#waiting)) {
      const before = this.#waiting.slice(0, tag.index);
      const after = this.#waiting.slice(tag.index + tag[0].length);
      const closes = tag[1] === "/";
      if (!this.#thinking && before.endsWith("`")) text += before + tag[0];
      else if (closes && !this.#thinking) [text, restart] = ["", true];
      else if (!this.#thinking) text += before;
      if (!before.endsWith("`") || this.#thinking) this.#thinking = !closes;
      this.#waiting = after;
    }
    const end = this.#certain();
    if (!this.#thinking) text += this.#waiting.slice(0, end);
    this.#waiting = this.#waiting.slice(end);
    return { text, restart };
  }

  /** What was still waiting at the end of the answer. */
  end(): string {
    const rest = this.#thinking ? "" : this.#waiting;
    this.#waiting = "";
    return rest;
  }

  /** How much of what is waiting cannot be the beginning of a tag. A backtick before one has to be seen with it. */
  #certain(): number {
    const { length } = this.#waiting;
    const from = Math.max(0, length - LONGEST_TAG);
    const at = this.#waiting.indexOf("<", from);
    if (at < 0 || !TAGS.some((tag) => tag.startsWith(this.#waiting.slice(at).toLowerCase()))) {
      return this.#waiting.endsWith("`") ? length - 1 : length;
    }
    return this.#waiting[at - 1] === "`" ? at - 1 : at;
  }
}
