import assert from "node:assert/strict";
import fc from "fast-check";
import { type Chunk, chunksOf } from "../../src/memory/chunks.ts";
import { startScript } from "../support/script.ts";

/** Letters of a piece at most, with some leave. */
const MOST_LETTERS = 4100;

function chunks(text: string): Chunk[] {
  return [...chunksOf(text)];
}

/** `heading | text` of each piece. */
function pieces(text: string): string[] {
  return chunks(text).map(({ heading, text: piece }) => `${heading} | ${piece}`);
}

function words(text: string): string[] {
  return text.match(/\S+/g) ?? [];
}

function numbered(count: number, first = 0): string {
  return Array.from({ length: count }, (_, index) => `word${first + index}`).join(" ");
}

/** The first words of a text that are in no piece. */
function lostWords(text: string): string[] {
  const kept = new Set(chunks(text).flatMap(({ heading, text: piece }) => [...words(heading), ...words(piece)]));
  return words(text).filter((word) => !kept.has(word) && !/^#+$/.test(word)).slice(0, 5);
}

Deno.test("chunksOf() cuts at headings and tells the path of headings above each piece", () => {
  const text = [
    "intro",
    "# House",
    "one",
    "## Boiler",
    "two",
    "### Pressure",
    "three",
    "## Roof",
    "four",
    "# Garden",
    "five",
  ]
    .join("\n");
  assert.deepEqual(pieces(text), [
    " | intro",
    "House | one",
    "House > Boiler | two",
    "House > Boiler > Pressure | three",
    "House > Roof | four",
    "Garden | five",
  ]);
});

Deno.test("headings as CommonMark knows them are headings, anything else is text", () => {
  const headings = {
    "# A": "A",
    "   ## A": "A",
    "###### A": "A",
    "# A #": "A",
    "# A ###   ": "A",
    "#\tA": "A",
    "# A#": "A#",
    "# C# and F#": "C# and F#",
    "# A\r": "A",
    "#": "",
    "## ##": "",
  };
  for (const [line, heading] of Object.entries(headings)) {
    assert.deepEqual(pieces(`${line}\nbody`), [`${heading} | body`], JSON.stringify(line));
  }
  for (const line of ["#A", "####### A", "    # A", "\\# A", "text # A", "#hashtag"]) {
    assert.deepEqual(chunks(`${line}\nbody`).map(({ heading }) => heading), [""], line);
  }
});

Deno.test("a level that is left out does not join what does not belong together", () => {
  assert.deepEqual(pieces("# A\n### B\nx\n## C\ny\n### D\nz"), ["A > B | x", "A > C | y", "A > C > D | z"]);
  assert.deepEqual(pieces("### B\nx\n# A\ny"), ["B | x", "A | y"]);
  assert.deepEqual(pieces("### B\nx\n## C\ny"), ["B | x", "C | y"]);
});

Deno.test("what looks like a heading within a code fence is text", async (t) => {
  const fenced = {
    "backticks": "```sh\n# no heading\n```",
    "tildes": "~~~\n# no heading\n~~~",
    "more marks than needed": "````\n```\n# no heading\n````",
    "another mark within": "```\n~~~\n# no heading\n```",
    "indented": "  ```\n# no heading\n   ```",
    "a line that would close it, but says something": "```\n``` sh\n# no heading\n```",
  };
  for (const [name, block] of Object.entries(fenced)) {
    await t.step(name, () => {
      assert.deepEqual(chunks(`# A\n${block}\n# B\nend`).map(({ heading }) => heading), ["A", "B"]);
    });
  }
  await t.step("without an end it goes on to the end of the text", () => {
    assert.deepEqual(pieces("# A\n```\n# no heading\nx"), ["A | ```\n# no heading\nx"]);
  });
  await t.step("code within a line opens none", () => {
    assert.deepEqual(chunks("```code``` in a line\n\n# A\nbody").map(({ heading }) => heading), ["", "A"]);
  });
});

Deno.test("a short section is one piece, as it was written", () => {
  const body = "First line,\n  indented second.\n\n- a list\n- of two\n\n| a | b |";
  assert.deepEqual(chunks(`# A\n\n${body}\n\n`), [{ heading: "A", text: body }]);
});

Deno.test("a text without words has no pieces", () => {
  for (const text of ["", " ", "\n\n\n", "\t\r\n ", "\u00a0\ufeff"]) assert.deepEqual(chunks(text), []);
});

Deno.test("a long section is cut into pieces of about 500 words, each repeating the end of the one before", () => {
  const paragraphs = Array.from({ length: 60 }, (_, index) => numbered(50, index * 50)).join("\n\n");
  const found = chunks(`# A\n\n${paragraphs}`);
  assert.ok(found.length >= 6 && found.length <= 9, `${found.length} pieces`);
  for (const { heading, text } of found) {
    assert.equal(heading, "A");
    assert.ok(words(text).length <= 550 && text.length <= MOST_LETTERS);
  }
  for (const { text } of found.slice(0, -1)) assert.ok(words(text).length >= 350, `${words(text).length} words`);
  found.slice(1).forEach(({ text }, at) => {
    const before = new Set(words(found[at]?.text ?? ""));
    const repeated = words(text).filter((word) => before.has(word));
    assert.ok(repeated.length >= 20 && repeated.length <= 80, `${repeated.length} words repeated`);
    assert.deepEqual(words(text).slice(0, repeated.length), repeated);
  });
  assert.deepEqual(lostWords(paragraphs), []);
});

Deno.test("pieces end at paragraphs where they can, else at sentences", () => {
  const paragraph = `${numbered(90)} end.`;
  for (const { text } of chunks(Array.from({ length: 30 }, () => paragraph).join("\n\n"))) {
    assert.match(text, /end\.$/);
  }
  const sentences = Array.from({ length: 200 }, (_, index) => `Sentence ${index} says little.`).join(" ");
  for (const { text } of chunks(sentences)) assert.match(text, /little\.$/);
});

Deno.test("chunksOf() loses no word of a body, and no piece is too long", () => {
  const word = fc.oneof(
    { weight: 20, arbitrary: fc.string({ unit: "grapheme", minLength: 1, maxLength: 12 }) },
    fc.integer({ min: 1, max: 450 }).map((length) => "x".repeat(length)),
  ).map((text) => text.replace(/[\s#`~]/gu, "") || "y");
  const blank = fc.constantFrom(" ", " ", " ", "\n", "\n\n", "\t", ". ", "\r\n", "   \n  \n", "\u00a0");
  const part = fc.tuple(word, blank, fc.integer({ min: 1, max: 120 }))
    .map(([text, between, times]) => `${text}${between}`.repeat(times));
  fc.assert(
    fc.property(fc.array(part, { maxLength: 40 }), (parts) => {
      const text = parts.map((each, index) => index % 7 === 3 ? `\n# head${index}\n${each}` : each).join("");
      assert.deepEqual(lostWords(text), []);
      for (const { text: piece } of chunks(text)) assert.ok(piece.length <= MOST_LETTERS && piece.trim() === piece);
    }),
    { numRuns: 1000 },
  );
});

Deno.test("the words at the ends of a long line stay apart from those of the next", async (t) => {
  for (const end of ["\n", "\r\n", "\n\n", ".\n", "? "]) {
    await t.step(JSON.stringify(end), () => {
      assert.deepEqual(lostWords(`${numbered(300)}${end}Next ${numbered(400, 300)}${end}Last`), []);
    });
  }
});

Deno.test("no word of a heading is lost", async (t) => {
  const texts = {
    "a heading with nothing under it": "# House\nx\n# Telephone 555123\n",
    "headings alone": "# One\n## Two\n# Three",
    "a heading that is very long": `# ${numbered(100)}\nbody`,
    "a whole paragraph in one heading": `# ${numbered(1000)}\nbody`,
    "lines that end as they once did": "# House\rThe boiler wants 1.3 bar.\r",
  };
  for (const [name, text] of Object.entries(texts)) {
    await t.step(name, () => assert.deepEqual(lostWords(text), []));
  }
});

Deno.test("no letter is cut in two", async (t) => {
  const texts = {
    "a long run": `a${"😀".repeat(20_000)}`,
    "long words": `${"😀".repeat(333)} `.repeat(100),
    "a long run after a blank": `ab ${"😀".repeat(20_000)}`,
    "a long heading": `# ${"a".repeat(199)}😀😀\nbody`,
    "a heading of more than a thousand letters": `# ${"a".repeat(997)}😀😀\nbody`,
  };
  for (const [name, text] of Object.entries(texts)) {
    await t.step(name, () => {
      for (const { heading, text: piece } of chunks(text)) assert.ok(heading.isWellFormed() && piece.isWellFormed());
    });
  }
});

Deno.test("one line of 50 MB is cut into pieces of bounded length and loses nothing", () => {
  const unit = `${numbered(1000)} `;
  const text = unit.repeat(Math.ceil(50e6 / unit.length));
  let letters = 0;
  const seen = new Set<string>();
  for (const { text: piece } of chunksOf(text)) {
    assert.ok(piece.length <= MOST_LETTERS);
    letters += piece.length;
    for (const word of words(piece)) seen.add(word);
  }
  assert.ok(letters >= text.length * 0.99 && letters <= text.length * 1.5, `${letters} letters of ${text.length}`);
  assert.equal(words(unit).filter((word) => !seen.has(word)).length, 0);
});

Deno.test("one word of 50 MB is cut into pieces of bounded length and loses nothing", () => {
  const text = "0123456789".repeat(5e6);
  let letters = 0;
  for (const { text: piece } of chunksOf(text)) {
    assert.ok(piece.length <= MOST_LETTERS);
    letters += piece.length;
  }
  assert.ok(letters >= text.length && letters <= text.length * 1.6, `${letters} letters`);
});

Deno.test("long runs of blanks are no part of any piece", async (t) => {
  const texts = {
    "between two words": `word${" ".repeat(50_000)}end`,
    "of lines": `word${"\n".repeat(50_000)}end`,
    "after a long text": `${numbered(400)}${" ".repeat(50_000)}end`,
  };
  for (const [name, text] of Object.entries(texts)) {
    await t.step(name, () => {
      for (const { text: piece } of chunks(text)) assert.ok(piece.length <= MOST_LETTERS, `${piece.length} letters`);
      assert.deepEqual(lostWords(text), []);
    });
  }
});

/** Only ends a program that hangs: what it does takes a few milliseconds, or else most of an hour. */
const WATCHDOG_MS = 30_000;

Deno.test("a megabyte of blanks at the end of a text does not keep the program busy for ever", async () => {
  await using script = startScript("memory/chunker.ts");
  const watchdog = setTimeout(() => script.kill("SIGKILL"), WATCHDOG_MS);
  try {
    assert.equal(await script.line(), "1");
    await script.end();
  } finally {
    clearTimeout(watchdog);
  }
});
