import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { codeOf } from "../../src/memory/code_index.ts";
import { type Hit, MemorySearch, relevanceOf } from "../../src/memory/search.ts";
import { unitVector } from "../../src/memory/vector_search.ts";
import type { MemoryTable } from "../../src/storage/memory_table.ts";
import { createTable, LEARNED } from "../support/memory_store.ts";
import { projectPath } from "../support/paths.ts";
import { trigramVector } from "../support/trigram_embedder.ts";

interface Question {
  readonly language: string;
  readonly question: string;
}

interface RecallSet {
  readonly passages: readonly { id: string; language: string; heading: string; text: string }[];
  readonly questions: readonly (Question & { readonly answers: readonly string[] })[];
  readonly unanswerable: readonly Question[];
}

const MODEL = "fake/trigrams";
const SET: RecallSet = JSON.parse(Deno.readTextFileSync(projectPath("tests/memory/recall_set.json")));

function fill(table: MemoryTable): void {
  for (const { id, heading, text } of SET.passages) {
    const hash = createHash("sha256").update(`${heading}\n${text}`).digest("hex");
    table.addPassages(table.beginSource(id), [{ heading, text, hash }], 1);
  }
}

function embed(table: MemoryTable): void {
  const made = table.vectors.missing(-1, 0, SET.passages.length).passages.map(({ id, heading, text }) => {
    const vector = unitVector(trigramVector(`${heading} ${text}`)) ?? assert.fail();
    return { memory_id: id, vector, code: codeOf(vector) };
  });
  table.vectors.put(table.vectors.modelId(MODEL, made[0]?.vector.length ?? 0), made);
}

type Ask = (question: string) => Hit[];

function asker(table: MemoryTable, withVectors: boolean): Ask {
  const search = new MemorySearch(table);
  return (text) => {
    const values = withVectors ? unitVector(trigramVector(text)) : undefined;
    return search.search({ text, vector: values && { ref: MODEL, values }, realms: [LEARNED], limit: 8 });
  };
}

/** The share of questions of a language with an answer among the first `count` hits. */
function shareFound(ask: Ask, count: number, language?: string): number {
  const questions = SET.questions.filter((each) => language === undefined || each.language === language);
  const found = questions.filter(({ question, answers }) =>
    ask(question).slice(0, count).some(({ passage }) => answers.includes(passage.source))
  );
  return found.length / questions.length;
}

function relevantHits(ask: Ask, questions: readonly Question[]): number[] {
  return questions.map(({ question }) => ask(question).filter((hit) => relevanceOf(hit) === "relevant").length);
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((one, other) => one - other)[Math.floor(numbers.length / 2)] ?? NaN;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

Deno.test("the set of questions is large enough, in both languages, and every answer is there", () => {
  const ids = new Set(SET.passages.map(({ id }) => id));
  assert.ok(SET.passages.length >= 200 && ids.size === SET.passages.length);
  assert.ok(SET.questions.length >= 60 && SET.unanswerable.length >= 20);
  for (const language of ["es", "en"]) {
    assert.ok(SET.questions.filter((each) => each.language === language).length >= 30);
    assert.ok(SET.passages.filter((each) => each.language === language).length >= 100);
  }
  for (const { answers, question } of SET.questions) {
    assert.ok(answers.length > 0 && answers.every((id) => ids.has(id)), question);
  }
});

Deno.test("full text alone finds the answer among the first three for at least 85 % of the questions", async (t) => {
  await using made = await createTable();
  fill(made.table);
  const ask = asker(made.table, false);
  for (const language of [undefined, "es", "en"]) {
    const [first, three] = [shareFound(ask, 1, language), shareFound(ask, 3, language)];
    await t.step(`${language ?? "all"}: ${percent(three)} in the first three, ${percent(first)} at first place`, () => {
      assert.ok(three >= 0.85, percent(three));
      assert.ok(first >= 0.6 && first < three, percent(first)); // a search that always hits looks at the answers
    });
  }
});

Deno.test("with vectors that know letters alone most answers are found as well", async (t) => {
  await using made = await createTable();
  fill(made.table);
  embed(made.table);
  const ask = asker(made.table, true);
  for (const language of [undefined, "es", "en"]) {
    const [first, three] = [shareFound(ask, 1, language), shareFound(ask, 3, language)];
    await t.step(`${language ?? "all"}: ${percent(three)} in the first three, ${percent(first)} at first place`, () => {
      assert.ok(three >= 0.7, percent(three)); // letters say less than a model does
    });
  }
});

Deno.test("questions that nothing answers find less that is about them", async (t) => {
  await using made = await createTable();
  fill(made.table);
  const ask = asker(made.table, false);
  const [answerable, unanswerable] = [SET.questions, SET.unanswerable].map((each) => relevantHits(ask, each));
  assert.ok(answerable && unanswerable);
  const none = unanswerable.filter((count) => count === 0).length / unanswerable.length;
  const some = answerable.filter((count) => count > 0).length / answerable.length;
  await t.step(`${percent(none)} of them find nothing; of the others ${percent(some)} find something`, () => {
    assert.ok(some >= 0.7, percent(some));
    const usual = median(answerable);
    const fewer = unanswerable.filter((count) => count < usual).length;
    assert.ok(fewer > unanswerable.length / 2, `${fewer} of ${unanswerable.length} find fewer than ${usual}`);
  });
});
