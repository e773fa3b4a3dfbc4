import assert from "node:assert/strict";
import fc from "fast-check";
import { detectLanguage, isFunctionWord, plain, wordsOf } from "../../src/core/language.ts";
import { assertLinear } from "../support/linear.ts";

Deno.test("detectLanguage() tells Spanish from English", () => {
  const texts = {
    es: [
      "Hola, ¿quién eres?",
      "dime como se riega el tomate",
      "CUANDO VIENE LA FURGONETA",
      "mañana",
      "¡vale!",
      "La receta de la abuela que nos dio Remigio",
    ],
    en: [
      "Who are you?",
      "how do I water the tomatoes",
      "WHEN DOES THE VAN COME",
      "The café in Málaga was closed when we came", // a foreign name makes no other language of it
      "tell me what is in the shed",
    ],
  };
  for (const [language, examples] of Object.entries(texts)) {
    for (const text of examples) assert.equal(detectLanguage(text), language, text);
  }
});

Deno.test("detectLanguage() says nothing of a text that does not tell", () => {
  for (const text of ["", "   ", "12345", "🙂🙂", "tomate", "\0", "https://example.org", "东京"]) {
    assert.equal(detectLanguage(text), undefined, JSON.stringify(text));
  }
});

Deno.test("detectLanguage() looks at the beginning of a long text only", () => {
  assert.equal(detectLanguage(`${"the man was here. ".repeat(50_000)}¿y ahora?`), "en");
});

Deno.test("plain() takes diacritics and capitals away, however a letter is put together", () => {
  assert.equal(plain("CANCIÓN Pingüino Ñandú"), "cancion pinguino nandu");
  assert.equal(plain("cancio\u0301n"), plain("canción"));
  assert.equal(plain("İstanbul"), "istanbul");
});

Deno.test("wordsOf() gives runs of letters and digits", () => {
  assert.deepEqual(wordsOf("¿Qué pasó el 24-N, señor O'Neil? x_y 3,5"), [
    ..."que paso el 24 n senor o neil x y 3 5".split(" "),
  ]);
  assert.deepEqual(wordsOf(""), []);
  assert.deepEqual(wordsOf("\0\n🙂 -- \ud800"), []);
});

Deno.test("wordsOf(): no text makes it fail, and its words are words already", () => {
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 200 }), (text) => {
    const words = wordsOf(text);
    assert.deepEqual(wordsOf(words.join(" ")), words);
  }));
});

Deno.test("isFunctionWord() knows those of both languages, and no others", () => {
  for (const word of ["el", "que", "como", "donde", "the", "what", "how", "where"]) {
    assert.ok(isFunctionWord(word), word);
  }
  for (const word of ["", "tomate", "boiler", "toString", "constructor", "__proto__"]) {
    assert.ok(!isFunctionWord(word), word);
  }
});

Deno.test("plain() takes a letter under 100,000 marks in its stride", () => {
  const mixed = (length: number) => "\u0301\u0316".repeat(length / 2);
  const sorted = (length: number) => "\u0301".repeat(length / 2) + "\u0316".repeat(length / 2);
  for (const [what, make] of Object.entries({ mixed, sorted })) {
    const ask = (length: number) =>
      assert.deepEqual(wordsOf(`Django${make(length)} a${make(length)}`), ["django", "a"]);
    ask(100_000);
    assertLinear(what, 5_000, ask);
  }
});
