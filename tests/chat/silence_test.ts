import assert from "node:assert/strict";
import fc from "fast-check";
import { parseSilence, SilenceFilter } from "../../src/chat/silence.ts";

/** The word, in any form in which a reader would take it for one. */
const WORD = /\\?\[\s{0,3}silent\s{0,3}\\?\]/i;

const SILENT = [
  "[SILENT]",
  "  [SILENT]\n",
  "[silent]",
  "[Silent].",
  "[SILENT]!",
  "[SILENT]…",
  "([SILENT])",
  '"[SILENT]"',
  "«[SILENT]»",
  "**[SILENT]**",
  "`[SILENT]`",
  "```\n[SILENT]\n```",
  "> [SILENT]",
  "- [SILENT]",
  "\\[SILENT\\]",
  "[ SILENT ]",
  "[SILENT\n]",
  "🤫 [SILENT]",
  "[SILENT] Nobody spoke to me.",
  "[SILENT]\n\nNo me hablan a mí.",
  "[SILENT][SILENT]",
  "Nothing to add. [SILENT]",
  "Nothing to add.[SILENT]",
  "Nada que añadir: [SILENT].",
  "Nada que añadir\n[SILENT]\n",
  "It has been answered (**[SILENT]**).",
  "[SILENT] first, and again [SILENT]",
  "【SILENT】",
  "[\u200bSILENT]",
];

const SPOKEN: readonly (readonly [string, string])[] = [
  ["Hola.", "Hola."],
  ["", ""],
  [" \n ", ""],
  ["SILENT", "SILENT"],
  ["silent", "silent"],
  ["[SILEN", "[SILEN"],
  ["SILENT]", "SILENT]"],
  ["[SILENTLY] he left", "[SILENTLY] he left"],
  ["[silent film]", "[silent film]"],
  ["[SILENCIO]", "[SILENCIO]"],
  ["[1] and [2]", "[1] and [2]"],
  ["I write [SILENT] when I say nothing.", "I write … when I say nothing."],
  ["one [SILENT] two [SILENT] three", "one … two … three"],
];

/** What a reader is shown of an answer in these pieces, and in the end. */
function show(pieces: readonly string[]): string {
  const filter = new SilenceFilter();
  return pieces.map((piece) => filter.push(piece)).join("") + filter.end();
}

/** What a reader is shown of an answer until it turns out to be silence. */
function showSoFar(pieces: readonly string[]): string {
  const filter = new SilenceFilter();
  return pieces.map((piece) => filter.push(piece)).join("");
}

Deno.test("parseSilence() takes the word alone, at the beginning or at the end for silence", () => {
  for (const answer of SILENT) assert.deepEqual(parseSilence(answer), { silent: true, text: "" }, answer);
});

Deno.test("parseSilence() takes the word for silence that a limit of tokens has cut off", () => {
  assert.deepEqual(parseSilence("[SILENT"), { silent: true, text: "" });
});

Deno.test("parseSilence() takes everything else for speech, without the word", () => {
  for (const [answer, text] of SPOKEN) assert.deepEqual(parseSilence(answer), { silent: false, text }, answer);
});

Deno.test("parseSilence() leaves no word behind that is put together from what stood around another", () => {
  for (const answer of ["Well [SI[SILENT]LENT] then.", "a [ [SILENT]SILENT] b", "x [SILE[SI[SILENT]LENT]NT] y"]) {
    assert.doesNotMatch(parseSilence(answer).text, WORD, answer);
    assert.doesNotMatch(show([...answer]), WORD, answer);
  }
});

Deno.test("SilenceFilter shows every answer that is speech, wherever it is cut in two", () => {
  for (const [answer, text] of SPOKEN) {
    for (let at = 0; at <= answer.length; at++) {
      assert.equal(show([answer.slice(0, at), answer.slice(at)]).trim(), text, `${answer} cut at ${at}`);
    }
    assert.equal(show([...answer]).trim(), text, answer);
  }
});

Deno.test("SilenceFilter shows nothing of an answer that begins with the word, and no part of the word at its end", () => {
  for (const answer of SILENT) {
    for (let at = 0; at <= answer.length; at++) {
      const shown = showSoFar([answer.slice(0, at), answer.slice(at)]);
      assert.doesNotMatch(shown, /\[/, `${answer} cut at ${at}`);
    }
    const letters = showSoFar([...answer]);
    assert.doesNotMatch(letters, /\[/, answer);
    if (!/^\p{L}/u.test(answer)) assert.equal(letters, "", answer);
  }
});

Deno.test("SilenceFilter holds speech back no longer than it has to", () => {
  const filter = new SilenceFilter();
  assert.equal(filter.push("H"), "H");
  assert.equal(filter.push("ola, "), "ola,");
  assert.equal(filter.push("soy"), " soy");
  assert.equal(filter.push(" ["), "");
  assert.equal(filter.push("1]"), " [1]");
  assert.equal(filter.push(" [sil"), "");
  assert.equal(filter.push("la] azul"), " [silla] azul".slice(0, " [silla] azul".length));
});

Deno.test("SilenceFilter lets an answer of signs alone through in the end, and a long one on the way", () => {
  assert.equal(show(["…", "!", "?"]), "…!?");
  assert.notEqual(showSoFar(Array.from({ length: 300 }, () => "-")), "");
});

/** Texts that are nearly the word, or hold it. */
const fragment = fc.constantFrom(
  "[SILENT]",
  "[silent",
  "[",
  "]",
  "\\[",
  "\\",
  " ",
  "  ",
  "\n",
  "\t",
  ".",
  "**",
  "s",
  "SIL",
  "ENT]",
  "Hola",
  "ñ",
  "🤫",
  "[1]",
);
const answers = fc.array(fragment, { maxLength: 12 }).map((parts) => parts.join(""));

/** The text in pieces, cut at these places. */
function cut(text: string, places: readonly number[]): string[] {
  const at = [...new Set(places.map((place) => place % (text.length + 1)))].sort((one, other) => one - other);
  return [0, ...at].map((from, index) => text.slice(from, at[index] ?? text.length));
}

Deno.test("SilenceFilter shows the same text for every way of cutting an answer into pieces", () => {
  fc.assert(
    fc.property(answers, fc.array(fc.nat(200), { maxLength: 8 }), (answer, places) => {
      const { silent, text } = parseSilence(answer);
      if (silent) return;
      assert.equal(show(cut(answer, places)).trim(), text);
      assert.equal(show([...answer]).trim(), text);
    }),
    { numRuns: 3000 },
  );
});

Deno.test("SilenceFilter never shows the word, whatever is answered and however it is cut", () => {
  fc.assert(
    fc.property(answers, fc.array(fc.nat(200), { maxLength: 8 }), (answer, places) => {
      assert.doesNotMatch(parseSilence(answer).text, WORD);
      assert.doesNotMatch(showSoFar(cut(answer, places)), WORD);
      if (!parseSilence(answer).silent) assert.doesNotMatch(show(cut(answer, places)), WORD);
    }),
    { numRuns: 3000 },
  );
});

Deno.test("SilenceFilter shows no part of a word that ends the answer", () => {
  const speech = fc.array(fc.constantFrom("Hola", " ", "\n", ".", "s", "**", "ñ"), { maxLength: 6 });
  const word = fc.constantFrom("[SILENT]", " [silent].", "\\[SILENT\\]", "**[ SILENT ]**", "\n\n`[SILENT]`\n");
  fc.assert(
    fc.property(speech, word, fc.array(fc.nat(200), { maxLength: 8 }), (parts, end, places) => {
      const answer = parts.join("") + end;
      assert.deepEqual(parseSilence(answer), { silent: true, text: "" });
      assert.doesNotMatch(showSoFar(cut(answer, places)), /[\\[]/);
    }),
    { numRuns: 2000 },
  );
});
