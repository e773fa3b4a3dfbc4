/** The languages the program itself speaks. */
export const LANGUAGES = ["es", "en"] as const;
export type Language = typeof LANGUAGES[number];

/** Words that say nothing about what a text is about, without diacritics: articles, pronouns, auxiliaries. */
const FUNCTION_WORDS: Readonly<Record<Language, ReadonlySet<string>>> = {
  es: wordSet(`a al algo algun alguna algunas alguno algunos ante antes aquel aquella aquello aqui asi aun aunque bajo
    bien cada como con contra cual cuales cualquier cuando cuanta cuantas cuanto cuantos de debe deben debo del desde
    dime donde dos durante e el ella ellas ello ellos en entre era eran eres es esa esas ese eso esos esta estaba estan
    estar estas este esto estos estoy fue fueron ha haber habia hace hacer hacia han hasta hay he hemos hizo la las le
    les lo los mas me mi mis mucha muchas mucho muchos muy nada ni no nos nosotros o os otra otras otro otros para pero
    poco por porque puede pueden puedo pues que quien quienes se sea segun ser si sido siempre sin sobre solo son soy
    su sus tal tambien tampoco tan tanto te tenemos tener tengo ti tiene tienen toda todas todo todos tu tus un una unas
    uno unos usted va vamos van ver vez voy y ya yo`),
  en: wordSet(`a about after again all also am an and any are as at be because been before being both but by can could
    did do does doing done each few for from get gets getting go going got had has have having he her here hers him his
    how i if in into is it its just let like made make may me might more most much must my no nor not now of off on once
    one only or other our out over own please s same shall she should so some such t tell than that the their them then
    there these they this those through to too under until up us very was we were what when where which while who whom
    whose why will with would you your`),
};

/** Words that say much about the language of a short message, and something about its subject too. */
const HINTS: Readonly<Record<Language, ReadonlySet<string>>> = {
  es: wordSet(`hola buenas buenos dias tardes noches gracias adios vale claro bueno bien mal favor escribe escribeme
    cuenta cuentame explica explicame resume traduce ayuda ayudame necesito quiero quisiera podrias puedes sabes
    conoces recuerdas hoy ayer manana ahora tiempo nueva nuevo casa`),
  en: wordSet(`hello hi hey thanks thank bye goodbye okay good morning evening night write show explain summarize
    summarise translate help need want know remember think today yesterday tomorrow new create give find house`),
};

function wordSet(text: string): ReadonlySet<string> {
  return new Set(text.split(/\s+/));
}

/**
 * True for a word that says nothing about the subject, without diacritics and in lower case. Without a language, of
 * either: "van" is nothing in Spanish and something in English.
 */
export function isFunctionWord(word: string, language?: Language): boolean {
  if (language !== undefined) return FUNCTION_WORDS[language].has(word);
  return FUNCTION_WORDS.es.has(word) || FUNCTION_WORDS.en.has(word);
}

/**
 * The words of a text as the full-text index sees them (SQLite's `unicode61` with `remove_diacritics 2`): runs of
 * letters and digits, in lower case, without diacritics.
 */
export function wordsOf(text: string): string[] {
  const letters = plain(text);
  // Most texts have nothing but these left, and they are found twice as fast.
  const words = NOT_ASCII.test(letters) ? letters.match(/[\p{L}\p{N}]+/gu) : letters.match(/[a-z0-9]+/g);
  return words ?? [];
}

const NOT_ASCII = /[\u0080-\uffff]/;

/** Putting marks in order takes the square of their number, and 100,000 of them 10 s; no script piles up this many. */
const MANY_MARKS = /(\p{M}{16})\p{M}+/gu;

/** A text in lower case, its Latin letters without diacritics: "Canción" becomes "cancion". */
export function plain(text: string): string {
  if (!NOT_ASCII.test(text)) return text.toLowerCase();
  const bounded = text.replace(MANY_MARKS, "$1");
  return bounded.normalize("NFD").replace(/(\p{Script=Latin})\p{M}+/gu, "$1").normalize("NFC").toLowerCase();
}

/** Which of the two languages a text is written in; undefined when nothing tells. */
export function detectLanguage(text: string): Language | undefined {
  const sample = text.slice(0, 2000);
  if (/[¿¡]/.test(sample)) return "es";
  const words = wordsOf(sample);
  const score = (language: Language) =>
    words.filter((word) => FUNCTION_WORDS[language].has(word) || HINTS[language].has(word)).length;
  const [spanish, english] = [score("es"), score("en")];
  if (spanish !== english) return spanish > english ? "es" : "en";
  return /[ñáéíóú]/i.test(sample) ? "es" : undefined;
}
