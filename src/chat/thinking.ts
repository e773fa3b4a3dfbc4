/** Tags between which some models think aloud within their answer. */
const TAG = /<(\/?)(think|thinking)>/i;
const TAGS = ["<think>", "</think>", "<thinking>", "</thinking>"];
/** What begins and ends a block of code. */
const FENCE = /```/g;

/** What a piece of an answer came to. */
export interface Uttered {
  readonly text: string;
  /** True when everything before it turns out to have been thought. */
  readonly restart: boolean;
}

/**
 * Takes what a model thinks aloud out of its answer, piece by piece. A tag in code is spoken of and stays; what is not
 * closed at the end was thought; an end without a beginning makes a thought of everything before it, which is what is
 * left when a template of the provider begins the thinking.
 */
export class ThinkingFilter {
  #waiting = "";
  #thinking = false;
  #inFence = false;

  push(piece: string): Uttered {
    this.#waiting += piece;
    let text = "";
    let restart = false;
    for (let tag = TAG.exec(this.#waiting); tag; tag = TAG.exec(this.#waiting)) {
      const before = this.#waiting.slice(0, tag.index);
      this.#waiting = this.#waiting.slice(tag.index + tag[0].length);
      const closes = tag[1] === "/";
      if (this.#thinking) this.#thinking = !closes;
      else if (this.#isCode(before)) text += before + tag[0];
      else if (closes) [text, restart, this.#inFence] = ["", true, false];
      else {
        text += before;
        this.#thinking = true;
      }
    }
    const end = this.#certain();
    const rest = this.#waiting.slice(0, end);
    this.#waiting = this.#waiting.slice(end);
    if (this.#thinking) return { text, restart };
    this.#isCode(rest);
    return { text: text + rest, restart };
  }

  /** What was still waiting at the end of the answer. */
  end(): string {
    const rest = this.#thinking ? "" : this.#waiting;
    this.#waiting = "";
    return rest;
  }

  /** Whether what follows `before` is code: right after a backtick, or in a block. */
  #isCode(before: string): boolean {
    if ((before.match(FENCE)?.length ?? 0) % 2) this.#inFence = !this.#inFence;
    return this.#inFence || before.endsWith("`");
  }

  /** How much of what is waiting is no beginning of a tag. Backticks at its end have to be seen with what follows. */
  #certain(): number {
    const at = this.#waiting.lastIndexOf("<");
    const begins = at >= 0 && TAGS.some((tag) => tag.startsWith(this.#waiting.slice(at).toLowerCase()));
    const end = begins ? at : this.#waiting.length;
    return end - (/`{0,8}$/.exec(this.#waiting.slice(0, end))?.[0].length ?? 0);
  }
}
