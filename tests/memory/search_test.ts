import assert from "node:assert/strict";
import fc from "fast-check";
import { coverageOf, MemorySearch, relevanceOf } from "../../src/memory/search.ts";
import { unitVector } from "../../src/memory/vector_search.ts";
import type { MemoryStore, Realm } from "../../src/storage/memory.ts";
import { addExchange, createTable, giveVectors, LEARNED, sourcesFound, teach } from "../support/memory_store.ts";

const CONVERSATION: Realm = { kind: "episodic", conversation_id: "c1" };

async function teachAll(store: MemoryStore, documents: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(documents)) await teach(store, name, text);
}

function unit(values: readonly number[]): Float32Array {
  return unitVector(values) ?? assert.fail();
}

Deno.test("a word is found with and without diacritics, in capitals and in other forms", async (t) => {
  await using made = await createTable();
  const { table } = made;
  await teachAll(table, {
    song: "La canción del verano suena en la radio.",
    plain: "Una cancion antigua que nadie recuerda.",
    penguin: "El pingüino de la bañera es de goma.",
    filter: "The filters of the hood are washed in May.",
  });
  const questions: Record<string, string[]> = {
    "canción": ["plain", "song"],
    cancion: ["plain", "song"],
    "CANCIÓN": ["plain", "song"],
    "cancio\u0301n": ["plain", "song"],
    canciones: ["plain", "song"],
    "¿dónde está el pinguino?": ["penguin"],
    "pingüinos": ["penguin"],
    "banera": ["penguin"],
    filter: ["filter"],
    "when do I wash a filter": ["filter"],
  };
  for (const [question, expected] of Object.entries(questions)) {
    await t.step(question, () => assert.deepEqual(sourcesFound(table, question).toSorted(), expected));
  }
});

Deno.test("a word of any language is found as it was written", async (t) => {
  const texts: Record<string, [text: string, asked: string]> = {
    German: ["Die Größe der Straße", "Straße"],
    Polish: ["Łódź leży w Polsce", "łódź"],
    Turkish: ["İstanbul büyük", "istanbul"],
    Vietnamese: ["Tiếng Việt", "việt"],
    Russian: ["Чёрный чай и йогурт", "йогурт"],
    Greek: ["Ο δρόμος είναι μακρύς", "δρόμος"],
    Korean: ["김치찌개 맛있다", "김치찌개"],
    Japanese: ["ガラス です", "ガラス"],
    Hindi: ["हिन्दी दस्तावेज़", "हिन्दी"],
    Arabic: ["كِتَاب جديد", "كِتَاب"],
    Chinese: ["东京 很大", "东京"],
  };
  await using made = await createTable();
  for (const [name, [text]] of Object.entries(texts)) await teach(made.table, name, text);
  for (const [name, [, asked]] of Object.entries(texts)) {
    await t.step(name, () => assert.deepEqual(sourcesFound(made.table, asked), [name]));
  }
});

Deno.test("words that say nothing find nothing", async () => {
  await using made = await createTable();
  const { table } = made;
  await teachAll(table, { a: "Esto es lo que hay de la caldera.", b: "What is the state of the boiler?" });
  for (const question of ["¿qué es esto?", "what is the", "", "   ", "?!", "🙂", "a"]) {
    assert.deepEqual(sourcesFound(table, question), [], question);
  }
});

Deno.test("no text that is asked makes the search fail, and what it contains is found", async (t) => {
  await using made = await createTable();
  const { table } = made;
  await teach(table, "boiler", "The boiler wants 1.3 bar.");
  addExchange(table, { conversation_id: "c1", user_id: null, text: "the boiler again", at_ms: 1 });
  const search = new MemorySearch(table);
  const realms = [LEARNED, CONVERSATION];
  const hostile = [
    '"boiler',
    "boiler*",
    "boiler OR",
    "NEAR(boiler, 2)",
    "text:boiler",
    "scope : boiler",
    "^boiler - +",
    "(boiler",
    "boiler'; DROP TABLE memories; --",
    '{heading} : "boiler"',
    "boiler\0",
    "\0boiler",
    "boiler 🙂 \ud800",
    "bo\u0301iler boiler",
    `boiler ${"x ".repeat(512 * 1024)}`,
    `boiler ${"\n".repeat(1024 * 1024)}`,
    `boiler ${'"'.repeat(1024 * 1024)}`,
  ];
  for (const text of hostile) {
    await t.step(JSON.stringify(text.slice(0, 30)), () => {
      assert.equal(search.search({ text, realms, limit: 5 }).length, 2);
    });
  }
  await t.step("anything", () => {
    fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 200 }), (text) => {
      search.search({ text, realms, limit: 5 });
      // Whatever stands around it: a blank keeps the word apart.
      const found = search.search({ text: `boiler ${text.slice(0, 5)}`, realms, limit: 5 });
      assert.equal(found.length, 2);
    }));
  });
});

Deno.test("exchanges of another conversation are found by neither words nor vectors", async () => {
  await using made = await createTable();
  const { table } = made;
  await teach(table, "safe.md", "A safe protects.");
  const texts = { c1: "the code of the safe is swordfish", c2: "the safe is blue" };
  for (const [conversation_id, text] of Object.entries(texts)) {
    addExchange(table, { conversation_id, user_id: "ana", text, at_ms: 1 });
  }
  giveVectors(table, "m", new Map([[1, [1, 0]], [2, [1, 0.1]], [3, [1, 0.2]]]));
  const vector = { ref: "m", values: unit([1, 0.1]) };
  for (const text of ["safe swordfish", "unrelated"]) {
    const found = (realms: Realm[]) => sourcesFound(table, text, { vector, realms }).toSorted();
    assert.deepEqual(found([LEARNED, CONVERSATION]), ["c1", "safe.md"]);
    assert.deepEqual(found([{ kind: "episodic", conversation_id: "c2" }]), ["c2"]);
    assert.deepEqual(found([{ kind: "episodic", conversation_id: "c3" }]), []);
    assert.deepEqual(found([LEARNED]), ["safe.md"]);
    assert.deepEqual(found([]), []);
  }
});

Deno.test("what is near in meaning is found without a word in common, and what is both comes first", async () => {
  await using made = await createTable();
  const { table } = made;
  await teachAll(table, {
    words: "The heating was serviced by Remigio.",
    both: "The heating of the house makes noise.",
    meaning: "The boiler gurgles.",
    neither: "The roses are red.",
  });
  for (let index = 0; index < 10; index++) await teach(table, `other${index}`, `Rose number ${index}.`);
  const others = Array.from({ length: 10 }, (_, index): [number, number[]] => [5 + index, [-1, 1 + index]]);
  giveVectors(table, "m", new Map([[1, [0, 1]], [2, [1, 0.1]], [3, [1, 0]], [4, [-1, 0]], ...others]));
  const vector = { ref: "m", values: unit([1, 0]) };
  const found = sourcesFound(table, "heating", { vector });
  assert.equal(found[0], "both");
  assert.deepEqual(found.toSorted(), ["both", "meaning", "words"]); // there is always a nearest one, near or not
  assert.deepEqual(sourcesFound(table, "heating").toSorted(), ["both", "words"]);
});

Deno.test("of passages that fit as well the newest comes first", async () => {
  await using made = await createTable();
  const { table } = made;
  for (const [at_ms, day] of [[3, "tuesday"], [9, "friday"], [1, "monday"]] as const) {
    addExchange(table, { conversation_id: "c1", user_id: null, text: `the plumber comes on ${day}`, at_ms });
  }
  const hits = new MemorySearch(table).search({ text: "when comes the plumber", realms: [CONVERSATION], limit: 3 });
  assert.deepEqual(hits.map(({ passage }) => passage.at_ms), [9, 3, 1]);
});

Deno.test("passages that say the same do not crowd out another that says something else", async () => {
  await using made = await createTable();
  const { table } = made;
  const same = "The boiler in the cellar wants a pressure of 1.3 bar when it is cold outside in winter";
  for (let index = 0; index < 10; index++) await teach(table, `same${index}`, `${same}, note ${index}.`);
  await teach(table, "other", "Boiler pressure: Remigio refills it through the black tap below on the left side.");
  assert.ok(sourcesFound(table, "boiler pressure", { limit: 3 }).includes("other"));
});

Deno.test("MemorySearch.search() gives as many as are wanted at most, each once", async () => {
  await using made = await createTable();
  const { table } = made;
  for (let index = 0; index < 60; index++) await teach(table, `n${index}`, `Boiler number ${index}.`);
  for (const limit of [0, 1, 5, 30]) {
    const found = sourcesFound(table, "boiler", { limit });
    assert.equal(found.length, limit);
    assert.equal(new Set(found).size, limit);
  }
  assert.ok(sourcesFound(table, "boiler", { limit: 50 }).length === 50);
});

Deno.test("a question full of common words is answered by the rare one", async () => {
  await using made = await createTable();
  const { table } = made;
  const common = Array.from({ length: 3000 }, (_, index) => `# ${index}\n\nThe house has a garden, part ${index}.`);
  await teach(table, "house", common.join("\n\n"));
  await teach(table, "shed", "The house has a garden with a xylophone.");
  assert.equal(sourcesFound(table, "house garden part xylophone", { limit: 1 }).join(), "shed");
  assert.equal(sourcesFound(table, "house garden", { limit: 5 }).length, 5); // common words alone find something
});

Deno.test("coverage is the share of what was asked that a passage contains", async () => {
  await using made = await createTable();
  const { table } = made;
  await teachAll(table, { all: "boiler pressure", half: "boiler here", none: "roses" });
  const hits = new MemorySearch(table).search({ text: "boiler pressure", realms: [LEARNED], limit: 5 });
  const coverage = new Map(hits.map((hit) => [hit.passage.source, hit.coverage]));
  assert.equal(coverage.get("all"), 1);
  assert.ok((coverage.get("half") ?? 0) > 0.2 && (coverage.get("half") ?? 1) < 0.6);
  assert.ok(!coverage.has("none"));
  for (const { cosine } of hits) assert.equal(cosine, null);
});

Deno.test("coverageOf() weighs rare words more, and knows forms of a word", () => {
  const terms = [{ stem: "boiler", prefix: true, forms: [], idf: 3 }, {
    stem: "house",
    prefix: false,
    forms: ["casas"],
    idf: 1,
  }];
  assert.equal(coverageOf(terms, ["boilers"]), 0.75);
  assert.equal(coverageOf(terms, ["houses", "house"]), 0.25);
  assert.equal(coverageOf(terms, []), 0);
  assert.equal(coverageOf([], ["boiler"]), 0);
});

Deno.test("relevanceOf() tells what is about it, what may be, and what is not, by words or by meaning", () => {
  const of = (coverage: number, cosine: number | null) => relevanceOf({ coverage, cosine });
  assert.deepEqual([of(1, null), of(0, 0.9), of(1, -1)], ["relevant", "relevant", "relevant"]);
  assert.deepEqual([of(0.3, null), of(0, 0.5)], ["related", "related"]);
  assert.deepEqual([of(0, null), of(0.1, 0.1)], ["none", "none"]);
});
