/**
 * The word with which a model says nothing. It also comes in lower case, in bold or code, with backslashes, with a full
 * stop glued to it.
 */
const TOKEN = String.raw`\\?[\[【][\s\u200b]{0,3}silent[\s\u200b]{0,3}\\?[\]】]`;
/** What may stand around it without saying anything. */
const DECORATION = String.raw`[\s\p{P}\p{S}\p{Cf}]*`;
const ANYWHERE = new RegExp(TOKEN, "iu");
const LEADING = new RegExp(`^${DECORATION}?${TOKEN}`, "iu");
const TRAILING = new RegExp(`${TOKEN}${DECORATION}$`, "iu");
const EVERY = new RegExp(TOKEN, "giu");
/** The word alone, cut off by a limit of tokens. */
const CUT = /^\W{0,3}\[\s{0,3}silent$/iu;
const MERE_DECORATION = new RegExp(`^${DECORATION}$`, "u");
/** The beginning of the word at the end of a text, with what may stand before it. */
const BEGINNING = /[ \t]?(\\|\\?[[【][\s\u200b]{0,3}(s(i(l(e(n(t[\s\u200b]{0,3}\\?)?)?)?)?)?)?|(?<=[ \t]))$/iu;
/** Letters of the word at most. */
const LONGEST = 20;
/** Signs before or after the word that are waited for at most. */
const LONGEST_DECORATION = 200;

/** An answer as a reader may see it. */
export interface Spoken {
  readonly silent: boolean;
  /** Empty when silent; never holds the word. */
  readonly text: string;
}

/** The one place where silence is told from speech: the word alone, at the beginning or at the end means silence. */
export function parseSilence(answer: string): Spoken {
  const text = answer.trim();
  if (CUT.test(text)) return { silent: true, text: "" };
  if (!ANYWHERE.test(text)) return { silent: false, text };
  if (LEADING.test(text) || TRAILING.test(text)) return { silent: true, text: "" };
  return { silent: false, text: withoutWord(text) };
}

/** A text of whomever without the word. Something takes its place, lest what stood around it make the word anew. */
export function withoutWord(text: string): string {
  return text.replace(EVERY, "…");
}

/** Lets an answer through piece by piece, but never the word, whole or in part, nor anything after silence. */
export class SilenceFilter {
  #pending = "";
  #speaking = false;

  /** What may be shown now. */
  push(piece: string): string {
    this.#pending += piece;
    if (!this.#speaking) {
      if (!this.#begins()) return "";
      this.#pending = this.#pending.trimStart();
      this.#speaking = true;
    }
    const end = this.#certain();
    const shown = withoutWord(this.#pending.slice(0, end));
    this.#pending = this.#pending.slice(end);
    return shown;
  }

  /** What was still held back at the end of an answer that is not silence. */
  end(): string {
    const rest = withoutWord(this.#pending);
    this.#pending = "";
    return this.#speaking ? rest : rest.trim();
  }

  /** True once it is sure that the answer does not begin with the word. */
  #begins(): boolean {
    if (LEADING.test(this.#pending)) {
      this.#pending = this.#pending.slice(0, LONGEST + this.#pending.search(ANYWHERE)); // nothing more will be shown
      return false;
    }
    if (this.#pending.length > LONGEST_DECORATION) return true;
    const begun = BEGINNING.exec(this.#pending);
    return !MERE_DECORATION.test(begun ? this.#pending.slice(0, begun.index) : this.#pending);
  }

  /** How much of what is held back cannot belong to a word that ends the answer. */
  #certain(): number {
    const waits = this.#pending.length <= LONGEST + LONGEST_DECORATION;
    const trailing = waits ? TRAILING.exec(this.#pending) : null;
    const begun = BEGINNING.exec(this.#pending);
    const end = Math.min(trailing?.index ?? Infinity, begun?.index ?? Infinity, this.#pending.length);
    return /[ \t]/.test(this.#pending[end - 1] ?? "") ? end - 1 : end;
  }
}
