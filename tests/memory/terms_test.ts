import assert from "node:assert/strict";
import fc from "fast-check";
import { plain } from "../../src/core/language.ts";
import { isFormOf, queryTerms } from "../../src/memory/terms.ts";

function stems(text: string): string[] {
  return queryTerms(text).map(({ stem }) => stem);
}

/** True when a question with one word finds a text with the other. */
function finds(asked: string, written: string): boolean {
  return queryTerms(asked).some((term) => isFormOf(term, plain(written)));
}

Deno.test("queryTerms() leaves out the words that say nothing, in both languages", () => {
  assert.deepEqual(stems("¿Cuándo se riegan los tomates?").length, 2);
  assert.deepEqual(stems("what is the pressure of the boiler").length, 2);
  assert.deepEqual([...stems("¿qué es esto?"), ...stems("who are you?")], []);
  assert.deepEqual(stems("a b c 7"), ["7"]);
});

Deno.test("queryTerms() gives the same for a word with and without diacritics or capitals", () => {
  assert.deepEqual(queryTerms("CANCIÓN"), queryTerms("cancion"));
  assert.deepEqual(queryTerms("cancio\u0301n"), queryTerms("canción"));
});

Deno.test("a word finds its other forms, and they find it", () => {
  const forms = [
    ["canción", "canciones"],
    ["tomates", "tomate"],
    ["caldera", "calderas"],
    ["limpiar", "limpiamos"],
    ["calles", "calle"],
    ["watering", "watered"],
    ["boilers", "boiler"],
    ["battery", "batteries"],
    ["filters", "filter"],
    ["cleaning", "cleaned"],
  ];
  for (const [one = "", other = ""] of forms) {
    assert.ok(finds(one, other), `${one} finds ${other}`);
    assert.ok(finds(other, one), `${other} finds ${one}`);
  }
});

Deno.test("a short word finds its other forms, and they find it", async (t) => {
  const forms = [["dog", "dogs"], ["key", "keys"], ["bus", "buses"], ["sol", "soles"], ["flor", "flores"], [
    "regar",
    "regando",
  ]];
  for (const [one = "", other = ""] of forms) {
    await t.step(`${one}, ${other}`, () => assert.deepEqual([finds(one, other), finds(other, one)], [true, true]));
  }
});

Deno.test("a word does not find every word with the same beginning", () => {
  for (const [asked, written] of [["sol", "solicitud"], ["car", "carpet"], ["casa", "casco"], ["10", "100"]] as const) {
    assert.ok(!finds(asked, written), `${asked} finds ${written}`);
  }
});

Deno.test("a number is looked for as it is", () => {
  for (const asked of ["e4", "2024", "b2s"]) {
    assert.deepEqual(queryTerms(asked), [{ stem: asked, prefix: false, forms: [] }]);
  }
});

Deno.test("queryTerms() looks for a bounded number of words in a text of any length", () => {
  const many = Array.from({ length: 100_000 }, (_, index) => `palabra${index}`).join(" ");
  assert.ok(queryTerms(many).length <= 30);
  assert.equal(queryTerms("tomates ".repeat(150_000)).length, 1);
  assert.ok(queryTerms("x".repeat(1024 * 1024)).length <= 1);
});

Deno.test("queryTerms() gives letters and digits only, each word once, whatever it is asked", () => {
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 300 }), (text) => {
    const found = stems(text);
    for (const stem of found) assert.match(stem, /^[\p{L}\p{N}]+$/u);
    assert.equal(new Set(found).size, found.length);
  }));
});

Deno.test("a word that says nothing in the other language only is looked for", async (t) => {
  const questions = {
    "Where is the van?": "van",
    "how far is the sea": "sea",
    "who brings the hay": "hay",
    "what is my son allergic to": "son",
    "¿quién llega a las once?": "once",
  };
  for (const [question, word] of Object.entries(questions)) {
    await t.step(`${question} looks for ${word}`, () => assert.ok(stems(question).includes(word)));
  }
});
