import assert from "node:assert/strict";
import fc from "fast-check";
import { roughTokens } from "../../src/core/tokens.ts";
import {
  dropRepeated,
  fitToBudget,
  RECALL_TOKENS,
  type Recalled,
  type RecalledKind,
  recallHits,
  recallWorking,
} from "../../src/memory/recall.ts";
import type { Hit } from "../../src/memory/search.ts";
import type { WorkingMessage } from "../../src/memory/working.ts";

function item(kind: RecalledKind, text: string, heading = ""): Recalled {
  return { kind, id: 1, source: "s", heading, text, at_ms: 1, relevant: true };
}

function message(content: string, options: Partial<WorkingMessage> = {}): WorkingMessage {
  return { role: "user", content, user_id: null, at_ms: 5, ...options };
}

function tokensOf(items: readonly Recalled[]): number {
  return items.reduce((sum, { heading, text }) => sum + roughTokens(heading) + roughTokens(text), 0);
}

function kinds(items: readonly Recalled[]): string[] {
  return items.map(({ kind }) => kind);
}

Deno.test("the budget is that of the source system", () => assert.equal(RECALL_TOKENS, 2000));

Deno.test("fitToBudget() puts this conversation first, then what was learned, then exchanges; each in its order", () => {
  const items = [
    item("episodic", "e1"),
    item("learned_knowledge", "k1"),
    item("working", "w1"),
    item("episodic", "e2"),
    item("working", "w2"),
    item("learned_knowledge", "k2"),
  ];
  assert.deepEqual(fitToBudget(items, 2000).map(({ text }) => text), ["w1", "w2", "k1", "k2", "e1", "e2"]);
});

Deno.test("fitToBudget() never gives more than the budget, headings counted", () => {
  const text = fc.integer({ min: 1, max: 900 }).map((length) => "some words ".repeat(length).slice(0, length * 4));
  const heading = fc.integer({ min: 0, max: 200 }).map((length) => "h".repeat(length));
  const kind = fc.constantFrom("working" as const, "learned_knowledge" as const, "episodic" as const);
  const items = fc.array(fc.tuple(kind, text, heading).map(([k, t, h]) => item(k, t, h)), { maxLength: 20 });
  fc.assert(fc.property(items, fc.integer({ min: 0, max: 3000 }), (all, tokens) => {
    const fitting = fitToBudget(all, tokens);
    assert.ok(tokensOf(fitting) <= tokens, `${tokensOf(fitting)} of ${tokens}`);
    for (const { text } of fitting) assert.notEqual(text.trim(), "");
  }));
});

Deno.test("a long conversation leaves room for what was learned", () => {
  const long = Array.from({ length: 20 }, (_, index) => item("working", `${index} ${"said ".repeat(100)}`));
  const fitting = fitToBudget([...long, item("learned_knowledge", "learned ".repeat(100))], 2000);
  assert.ok(kinds(fitting).includes("working") && kinds(fitting).includes("learned_knowledge"));
  assert.ok(tokensOf(fitting.filter(({ kind }) => kind === "working")) <= 1000);
});

Deno.test("what does not fit is shortened at a word, the best of its kind at least", () => {
  const [only] = fitToBudget([item("learned_knowledge", "palabra ".repeat(2000))], 500);
  assert.match(only?.text ?? "", /^(palabra )+…$/);
  assert.ok(roughTokens(only?.text ?? "") > 400);
  for (const text of ["😀".repeat(5000), `x${"😀".repeat(5000)}`, "x".repeat(9000)]) {
    const [cut] = fitToBudget([item("learned_knowledge", text)], 301);
    assert.ok(cut?.text.isWellFormed() && !cut.text.includes("\ufffd"), "a letter was cut in two");
  }
});

Deno.test("recallWorking() gives the messages that are about it, newest first", () => {
  const messages = [
    message("The boiler wants 1.3 bar.", { at_ms: 1 }),
    message("How are the roses?", { at_ms: 2 }),
    message("The pressure of the boiler fell.", { role: "assistant", at_ms: 3 }),
  ];
  const recalled = recallWorking("c1", messages, "boiler pressure");
  assert.deepEqual(recalled.map(({ at_ms }) => at_ms), [3, 1]);
  assert.deepEqual(recalled[0], {
    kind: "working",
    id: null,
    source: "c1",
    heading: "assistant",
    text: "The pressure of the boiler fell.",
    at_ms: 3,
    relevant: true,
  });
});

Deno.test("recallWorking() leaves out the question itself and answers that only told what was remembered", () => {
  const asked = "What is the boiler's pressure?";
  const messages = [message(asked), message("The boiler has 1.3 bar.", { role: "assistant", recited: true })];
  assert.deepEqual(recallWorking("c1", messages, asked), []);
  assert.deepEqual(recallWorking("c1", [message("anything")], "what is the"), []);
});

Deno.test("recallHits() leaves out what has nothing to do with it, and tells what only may have", () => {
  const hit = (coverage: number, cosine: number | null): Hit => ({
    passage: { id: 3, kind: "learned_knowledge", source: "a", heading: "h", text: `t${coverage}${cosine}`, at_ms: 1 },
    score: 1,
    coverage,
    cosine,
  });
  const recalled = recallHits([hit(1, null), hit(0, 0.1), hit(0.3, null), hit(0, 0.9)]);
  assert.deepEqual(recalled.map(({ relevant }) => relevant), [true, false, true]);
  assert.equal(recallHits([hit(1, null), hit(1, null)]).length, 1, "the same may stand in two files");
});

Deno.test("dropRepeated() does not tell the same exchange twice", () => {
  const items = [
    item("working", "where is the key"),
    item("working", "under the mat"),
    item("working", "something else"),
    item("episodic", "— where is the key\n— under the mat"),
  ];
  const texts = dropRepeated(items, []).map(({ text }) => text);
  assert.equal(texts.filter((text) => text.includes("under the mat")).length, 1);
  assert.ok(texts.includes("something else"));
});
