import assert from "node:assert/strict";
import fc from "fast-check";
import { ThinkingFilter } from "../../src/chat/thinking.ts";
import { VisibleAnswer } from "../../src/chat/visible.ts";

/** What is left of an answer in these pieces once it is complete. */
function left(pieces: readonly string[]): string {
  const filter = new ThinkingFilter();
  let text = "";
  for (const piece of pieces) {
    const uttered = filter.push(piece);
    text = uttered.restart ? uttered.text : text + uttered.text;
  }
  return text + filter.end();
}

const CASES: readonly (readonly [string, string])[] = [
  ["Hola.", "Hola."],
  ["<think>Who is it?</think>Hola.", "Hola."],
  ["<thinking>Who is it?</thinking>Hola.", "Hola."],
  ["<THINK>x</Think>Hola.", "Hola."],
  ["Hola <think>what more?</think>mundo", "Hola mundo"],
  ["<think>one</think>a<think>two</think>b", "ab"],
  ["<think>a <think> b</think>Hola.", "Hola."],
  ["<think>never closed", ""],
  ["Hola.<think>never closed", "Hola."],
  ["begun by the template</think>Hola.", "Hola."],
  ["Write `<think>` for it.", "Write `<think>` for it."],
  ["Write `</think>` at its end.", "Write `</think>` at its end."],
  ["1 < 2 and a <b>word</b>", "1 < 2 and a <b>word</b>"],
  ["a<", "a<"],
  ["a `", "a `"],
  ["<thin", "<thin"],
  ["<think>is a<b or b<a?</think>It is.", "It is."],
  ["<think>x <</think>It is.", "It is."],
  ["a<b<think>secret</think>c", "a<bc"],
  ["<<think>secret</think>c", "<c"],
];

Deno.test("ThinkingFilter takes out what a model thinks aloud, however the answer is cut in two", () => {
  for (const [answer, text] of CASES) {
    assert.equal(left([answer]), text, answer);
    for (let at = 0; at <= answer.length; at++) {
      assert.equal(left([answer.slice(0, at), answer.slice(at)]), text, `${answer} cut at ${at}`);
    }
  }
});

Deno.test("ThinkingFilter takes out what a model thinks aloud when the answer comes letter by letter", () => {
  for (const [answer, text] of CASES) assert.equal(left([...answer]), text, answer);
});

Deno.test("ThinkingFilter shows a text without tags at once", () => {
  const filter = new ThinkingFilter();
  assert.deepEqual(filter.push("Hola, 1 < 2."), { text: "Hola, 1 < 2.", restart: false });
  assert.deepEqual(filter.push(" a <"), { text: " a ", restart: false });
  assert.deepEqual(filter.push("b"), { text: "<b", restart: false });
});

const fragment = fc.constantFrom(
  "<think>",
  "</think>",
  "<thinking>",
  "</thinking>",
  "<",
  "</",
  "<th",
  "ink>",
  "`",
  "a",
  " ",
  "[SILENT]",
  "[SIL",
  "Hola",
  "\n",
);
const answers = fc.array(fragment, { maxLength: 10 }).map((parts) => parts.join(""));

function cut(text: string, places: readonly number[]): string[] {
  const at = [...new Set(places.map((place) => place % (text.length + 1)))].sort((one, other) => one - other);
  return [0, ...at].map((from, index) => text.slice(from, at[index] ?? text.length));
}

Deno.test("ThinkingFilter leaves the same text for every way of cutting an answer into pieces", () => {
  fc.assert(
    fc.property(answers, fc.array(fc.nat(200), { maxLength: 8 }), (answer, places) => {
      assert.equal(left(cut(answer, places)), left([answer]));
    }),
    { numRuns: 3000 },
  );
});

/** An answer as a reader sees it come, and what it is in the end. */
function see(pieces: readonly string[]) {
  const visible = new VisibleAnswer();
  const deltas = pieces.map((piece) => visible.push(piece)).join("");
  const { silent, text, rest } = visible.end();
  return { silent, text, shown: deltas + rest, kept: visible.shown };
}

Deno.test("VisibleAnswer comes to the same for every way of cutting an answer into pieces", () => {
  fc.assert(
    fc.property(answers, fc.array(fc.nat(200), { maxLength: 8 }), (answer, places) => {
      const { silent, text } = see([answer]);
      const seen = see(cut(answer, places));
      assert.deepEqual([seen.silent, seen.text], [silent, text]);
      assert.equal(seen.kept, seen.shown);
      // A thought whose beginning the template swallowed is known for one when it ends: too late for what was shown.
      if (!silent && !new ThinkingFilter().push(answer).restart) assert.equal(seen.shown.trim(), text);
    }),
    { numRuns: 3000 },
  );
});

Deno.test("VisibleAnswer keeps silent after a thought, and speaks after a thought of silence", () => {
  assert.deepEqual(see(["<think>They do not mean me.</think>", "\n\n[SIL", "ENT]"]), {
    silent: true,
    text: "",
    shown: "",
    kept: "",
  });
  assert.equal(see(["<think>Should I say [SILENT]? No.</think>", "\n\nHola."]).shown, "Hola.");
  assert.equal(see(["[SILENT]? No.</think>", "Hola."]).text, "Hola.");
});
