import { plain, wordsOf } from "../core/language.ts";

/** Words that acknowledge and ask for nothing, in both languages, without accents. Yes and no are answers. */
const WORDS = new Set(
  `ok okay okey oki okis okis k kk vale dale genial guay perfecto listo entendido claro literal bien ya va
  nice cool great good wow wao guau omg oof uf uff ay oh ooh ah aah aha aja mm hm hmm meh
  lol lmao lmfao rofl xd gg rip bruh same fr ikr f pog kek ja je ha he jaj jej hah heh jsjs`.split(/\s+/),
);

/** The same in more than one word, as the whole of a message. */
const PHRASES = new Set(["de acuerdo", "ya veo", "muy bien", "got it", "i see", "makes sense", "well done", "no way"]);

/** Faces made of letters and digits; those of signs alone have no words to look at. */
const FACES = new Set(
  `:d ;d =d :-d xd :p ;p :-p :o :-o :v :s :x :3 <3 </3 c: :c d: t_t t.t o_o o.o u_u u.u n_n x_x q_q uwu owo +1 -1 ^o^
  \\o/`.split(/\s+/),
);

/** Pictures that would leave words behind: a server's own emoji, and a key with a digit on it. */
const PICTURE = /<a?:\w{1,32}:\d{1,20}>|[0-9#*]\ufe0f?\u20e3/g;
const REPEATED = /(.)\1+/gu;

/**
 * True for a text that only reacts: "lol", "ok", "jajaja", "xD", a thumb, custom emoji, or several of them. The text
 * must be free of code and quotes. A question mark alone is a question, and a text with nothing to see is no reaction.
 */
export function isReaction(text: string): boolean {
  if (text.trim() === "") return false;
  const tokens = plain(text.replace(PICTURE, " ")).split(/\s+/).filter((token) => token !== "");
  if (tokens.every(isReactionToken)) return true;
  return tokens.length <= 3 && PHRASES.has(tokens.flatMap(wordsOf).join(" "));
}

function isReactionToken(token: string): boolean {
  if (FACES.has(token)) return true;
  if (/[?¿]/.test(token)) return false;
  return wordsOf(token).every((word) => WORDS.has(word) || WORDS.has(word.replace(REPEATED, "$1")) || isLaughter(word));
}

/** "jajaja", "jeejee", "hahah", "jsjsjs", "jajsja", "lololol": made of few letters that take turns. */
function isLaughter(word: string): boolean {
  if (word.length < 4) return false;
  if (/^l[lo]*l$/.test(word)) return true;
  if (!/^[jhsaeiou]+$/.test(word) || (word.includes("s") && !word.includes("j"))) return false;
  const vowels = new Set(word.replace(/[jhs]/g, ""));
  const consonants = word.length - word.replace(/[jh]/g, "").length;
  return consonants >= 2 && (vowels.size === 1 || (vowels.size === 0 && word.includes("s")));
}
