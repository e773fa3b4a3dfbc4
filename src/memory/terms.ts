import { isFunctionWord, wordsOf } from "../core/language.ts";
import type { Term } from "../storage/memory.ts";

/** Words of a question that are looked for at most; who pastes a page does not ask about every word of it. */
const MOST_TERMS = 24;
/** Letters of a text that are looked through for them. */
const MOST_LETTERS = 4000;
/** The least that is left of a word, in letters: shorter beginnings are shared by too many words. */
const LEAST_STEM = 4;

/** Endings of Spanish and English words, longest first: what is left finds the other forms of the word. */
const ENDINGS = `amientos imientos amiento imiento aciones iciones acion icion adores edores idores adoras edoras adora
  edora ador edor idor ancias encias ancia encia mente ables ibles able ible ando iendo yendo ados adas idos idas ado
  ada ido ida aron ieron aban aba arse erse irse amos emos imos aste iste ones ces es as os ar er ir en an a e o s z
  ations ation ements ement ments ment ings ing ied ies ier iest ed ers est ly ness ions ion y`
  .split(/\s+/).toSorted((one, other) => other.length - one.length);

/** What to look for when this is asked: the words that say something, without their endings. */
export function queryTerms(text: string): Term[] {
  const terms = new Map<string, Term>();
  for (const word of wordsOf(text.slice(0, MOST_LETTERS))) {
    if (isFunctionWord(word) || (word.length === 1 && !/\d/.test(word))) continue;
    const term = termOf(word);
    terms.set(term.stem, term);
    if (terms.size === MOST_TERMS) break;
  }
  return [...terms.values()];
}

/** A word as it is looked for; short ones and numbers as they are. */
export function termOf(word: string): Term {
  if (/\d/.test(word) || word.length < LEAST_STEM) return { stem: word, prefix: false };
  const ending = ENDINGS.find((each) => word.endsWith(each) && word.length - each.length >= LEAST_STEM) ?? "";
  return { stem: word.slice(0, word.length - ending.length), prefix: true };
}

/** True when `word` is a form of the term. */
export function isFormOf({ stem, prefix }: Term, word: string): boolean {
  return prefix ? word.startsWith(stem) : word === stem;
}
