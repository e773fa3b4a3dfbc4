import { detectLanguage, isFunctionWord, wordsOf } from "../core/language.ts";
import type { Term } from "../storage/memory.ts";

/** Words of a question that are looked for at most; who pastes a page does not ask about every word of it. */
const MOST_TERMS = 24;
/** Letters of a text that are looked through for them. */
const MOST_LETTERS = 4000;
/** The least that is left of a word when every word that begins with it counts, in letters. */
const LEAST_STEM = 4;
/** The least that is left of one whose forms are spelled out. */
const LEAST_ROOT = 3;

/** Endings of Spanish and English words: what is left finds the other forms of the word. */
const ENDINGS = longestFirst(`amientos imientos amiento imiento aciones iciones acion icion adores edores idores adoras
  edoras adora edora ador edor idor ancias encias ancia encia mente ables ibles able ible ando iendo yendo ados adas
  idos idas ado ada ido ida aron ieron aban aba arse erse irse amos emos imos aste iste ones ces es as os ar er ir en an
  a e o s z ations ation ements ement ments ment ings ing ied ies ier iest ed ers est ly ness ions ion y`);
/** Endings by which a short word is known to be a verb, and those its other forms have. */
const VERB_ENDINGS = longestFirst("ando iendo ados adas idos idas ado ada ido ida aron ieron aba ar er ir ing ed");
const VERB_FORMS = `o a e as es an en ar er ir amos emos imos ado ada ados adas ido ida idos idas ando iendo aron ieron
  aba aban s ing ed`.split(/\s+/);
const PLURALS = ["s", "es"];

function longestFirst(endings: string): string[] {
  return endings.split(/\s+/).toSorted((one, other) => other.length - one.length);
}

/** One letter says nothing, but where a letter is a syllable or a word. */
const LETTER = /^[\p{Script=Latin}\p{Script=Greek}\p{Script=Cyrillic}]$/u;

/** What to look for when this is asked: the words that say something, in every form. */
export function queryTerms(text: string): Term[] {
  const asked = text.slice(0, MOST_LETTERS);
  const language = detectLanguage(asked);
  const terms = new Map<string, Term>();
  for (const word of wordsOf(asked)) {
    if (isFunctionWord(word, language) || LETTER.test(word)) continue;
    const term = termOf(word);
    terms.set(term.stem, term);
    if (terms.size === MOST_TERMS) break;
  }
  return [...terms.values()];
}

/** A word as it is looked for: the beginning of a long one, the forms of a short one, a number as it is. */
function termOf(word: string): Term {
  if (/\d/.test(word)) return { stem: word, prefix: false, forms: [] };
  const stem = strip(word, ENDINGS, LEAST_STEM);
  if (stem !== undefined) return { stem, prefix: true, forms: shortForms(word) };
  const root = strip(word, VERB_ENDINGS, LEAST_ROOT);
  if (root !== undefined) return formsOf(root, VERB_FORMS);
  const single = strip(word, ["es", "s"], LEAST_ROOT) ?? word;
  if (single.length >= LEAST_STEM) return { stem: single, prefix: true, forms: [] };
  return formsOf(single, single.length < LEAST_ROOT ? [] : PLURALS);
}

/** The other forms of a word that is long by its ending alone: "soles", "regando". */
function shortForms(word: string): string[] {
  const [, root, ending] = /^(.{3})(es|ando|iendo)$/.exec(word) ?? [];
  if (root === undefined) return [];
  return ending === "es" ? [root] : VERB_FORMS.map((each) => root + each);
}

/** What is left without its ending; undefined when it has none of these, or too little would be left. */
function strip(word: string, endings: readonly string[], least: number): string | undefined {
  const ending = endings.find((each) => word.endsWith(each) && word.length - each.length >= least);
  return ending === undefined ? undefined : word.slice(0, word.length - ending.length);
}

function formsOf(stem: string, endings: readonly string[]): Term {
  return { stem, prefix: false, forms: endings.map((ending) => stem + ending) };
}

/** True when `word` is a form of the term. */
export function isFormOf({ stem, prefix, forms }: Term, word: string): boolean {
  return (prefix ? word.startsWith(stem) : word === stem) || forms.includes(word);
}
