import assert from "node:assert/strict";
import fc from "fast-check";
import { createSplitter, splitText } from "../../src/discord/split.ts";

/** Words until the text has exactly so many units. */
function prose(length: number, word = "lorem"): string {
  return `${word} `.repeat(Math.ceil(length / (word.length + 1))).slice(0, length - 1) + "x";
}

Deno.test("splitText() leaves a text alone that fits", () => {
  for (const text of ["a", " Hola, ¿qué tal? ", "x".repeat(2000), "```js\nlet x;\n```", "type ``` to start"]) {
    assert.deepEqual(splitText(text), [text]);
  }
});

Deno.test("splitText() gives nothing for a text that shows nothing", () => {
  for (const text of ["", " ", "\n\n\t", " \n".repeat(5000)]) assert.deepEqual(splitText(text), []);
});

Deno.test("splitText() counts in UTF-16 units, as the stricter reading of the limit wants it", () => {
  assert.deepEqual(splitText("😀".repeat(1001)).map((part) => part.length), [2000, 2]);
});

Deno.test("splitText() prefers the end of a paragraph, then of a line, of a sentence, of a word", () => {
  const tail = prose(2100);
  const cases: [text: string, first: string][] = [
    [`One.\n\nTwo.\nThree. Four ${tail}`, "One.\n\n"],
    [`One. \r\n \t\r\nTwo.\r\nThree. Four ${tail}`, "One. \r\n \t\r\n"],
    [`One. One\nThree. Four ${tail}`, "One. One\n"],
    [`One. "Three?" Four ${tail}`, 'One. "Three?" '],
    [`一。二！三${"字".repeat(2100)}`, "一。二！"],
    [`One two ${"x".repeat(1999)}`, "One two "],
  ];
  for (const [text, first] of cases) assert.equal(splitText(text)[0], first);
});

Deno.test("splitText() fills a part to the last unit when it ends there by itself", () => {
  for (const gap of ["\n\n", "\n", " "]) {
    const [first, second] = splitText(`${prose(1000)}\n\n${prose(998)}${gap}${prose(1500)}`);
    assert.equal(first?.length, gap === "\n\n" ? 2000 : 1002, JSON.stringify(gap));
    assert.ok(second);
  }
  assert.equal(splitText(`${prose(2000)} ${prose(10)}`)[0], prose(2000));
});

Deno.test("splitText() never cuts between the two halves of a line break", () => {
  const text = `${"x".repeat(1999)}\r\n${"y".repeat(100)}`;
  assert.deepEqual(splitText(text), ["x".repeat(1999), `\r\n${"y".repeat(100)}`]);
});

Deno.test("splitText() keeps characters whole that consist of several code points", () => {
  for (const character of ["👩‍👩‍👧‍👦", "🇪🇸", "é", "각", "👍🏽"]) {
    const parts = splitText(character.repeat(1500));
    assert.equal(parts.join(""), character.repeat(1500));
    for (const part of parts) assert.equal(part.length % character.length, 0, character);
  }
  const endless = `e${"\u0301".repeat(5000)}`; // one character that no part can hold
  assert.deepEqual(splitText(endless).map((part) => part.length), [2000, 2000, 1001]);
});

Deno.test("splitText() tears no character at the beginning of a code block apart to fill a part", () => {
  const family = "👩‍👩‍👧‍👦";
  assert.deepEqual(splitText(`${"x".repeat(80)}\n\`\`\`\n\n${family}`, 100), [
    `${"x".repeat(80)}\n`,
    `\`\`\`\n\n${family}\n\`\`\``,
  ]);
});

Deno.test("splitText() keeps links, mentions, emoji and times whole, wherever the end of a part falls in them", () => {
  const tokens = [
    "https://example.org/a/very/long/path?with=query&more=1",
    "[a link with words, and a sentence. Yes](https://example.org/wiki/Deno_(software))",
    '[titled](https://example.org "The title of it")',
    "<@123456789012345678>",
    "<@!123456789012345678>",
    "<@&123456789012345678>",
    "<#123456789012345678>",
    "<:party_blob:123456789012345678>",
    "<a:party_blob:123456789012345678>",
    "<t:1618953630:R>",
    "</usage by model:123456789012345678>",
    "<id:customize>",
    "<https://example.org/quiet/link>",
  ];
  for (const token of tokens) {
    for (let at = 1995 - token.length; at < 2000; at++) {
      for (const filler of ["x".repeat(at - 1), prose(at - 1)]) {
        const parts = splitText(`${filler} ${token} ${prose(50)}`);
        assert.ok(parts.some((part) => part.includes(token)), `${token} at ${at}`);
      }
    }
  }
});

Deno.test("splitText() cuts a link that no part can hold, and loses nothing of it", () => {
  const text = `See https://example.org/${"a".repeat(4500)} now`;
  const parts = splitText(text);
  assert.equal(parts.join(""), text);
  assert.equal(parts[0], "See ");
});

Deno.test("splitText() closes a code block that has to be cut, and opens it again with its language", () => {
  const code = Array.from({ length: 300 }, (_, line) => `let x${line} = ${line};\n`).join("");
  const parts = splitText(`Look:\n\n\`\`\`js\n${code}\`\`\`\nThat is it.`);
  assert.equal(parts[0], "Look:\n\n");
  for (const part of parts.slice(1, -1)) assert.match(part, /^```js\nlet x[^]+;\n```$/);
  assert.match(parts.at(-1) ?? "", /^```js\nlet x[^]+;\n```\nThat is it\.$/);
});

Deno.test("splitText() moves a code block as a whole to the next part when it fits there", () => {
  const block = `\`\`\`py\n${"print()\n".repeat(100)}\`\`\``;
  assert.deepEqual(splitText(`${prose(1500)}\n${block}\nend`), [`${prose(1500)}\n`, `${block}\nend`]);
  assert.deepEqual(splitText(`${prose(1500)}\n- ${block}\nend`), [`${prose(1500)}\n`, `- ${block}\nend`]);
});

Deno.test("splitText() does not open a block again only to close it", () => {
  for (const ending of ["\n```", "\n\n```", "\r\n```", " \n \n```", "\n\n"]) {
    for (let length = 1960; length < 2000; length++) {
      const parts = splitText(`\`\`\`\n${"x".repeat(length)}${ending}\n${ending.includes("`") ? prose(300) : ""}`);
      for (const part of parts) assert.doesNotMatch(part, /```\s*```/, `${length} ${JSON.stringify(ending)}`);
    }
  }
});

Deno.test("splitText() closes a block that the text leaves open, but not a fence in the middle of a line", () => {
  assert.deepEqual(splitText("Here:\n```js\nlet x"), ["Here:\n```js\nlet x\n```"]);
  assert.deepEqual(splitText(`\`\`\`\n${"x".repeat(1996)}`).map((part) => part.length), [2000, 12]);
  const long = `type \`\`\` to start\n${prose(2500)}`;
  assert.equal(splitText(long).join(""), long);
});

Deno.test("createSplitter() gives every part the limit it is asked for", () => {
  const splitter = createSplitter(prose(6500));
  const lengths = [4096, 1904, 4096].map((limit) => splitter.next(limit).length);
  assert.deepEqual(lengths.map((length) => Math.ceil(length / 10) * 10), [4100, 1910, 510]);
  assert.equal(splitter.done, true);
});

Deno.test("splitText() refuses a limit that leaves no room for fences", () => {
  assert.throws(() => splitText("x", 99), RangeError);
});

// Properties, on texts made of everything that is hard to cut.

const PIECES = [
  "```",
  "```js\n",
  "```\n",
  "\n```\n",
  "````",
  "`",
  "\n",
  "\n\n",
  "\r\n",
  " ",
  "   ",
  "\t",
  "word",
  "A sentence. ",
  "¿Qué?! ",
  "文。",
  "漢字",
  "👩‍👩‍👧‍👦",
  "🇪🇸",
  "e\u0301\u0302",
  "\u200d",
  "https://example.org/x_(y)",
  "[some words](https://example.org/z)",
  "[",
  "](",
  "<@12345>",
  "<",
  "- ",
  "> ",
  "x".repeat(70),
  "x".repeat(400),
];
const texts = fc.array(fc.constantFrom(...PIECES), { maxLength: 120 }).map((pieces) => pieces.join(""));
const limits = fc.integer({ min: 100, max: 300 });

const OPENING = /^```[\w+\-.#]*\n/;

interface Place {
  readonly at: number;
  readonly length: number;
}

/** Where in the text a part may stand, from `from` on; first with the most of it that is left when fences are taken off. */
function* placesOf(part: string, text: string, from: number): Generator<Place> {
  const heads = ["", OPENING.exec(part)?.[0] ?? ""];
  const tails = ["", "```", "\n```"].filter((tail) => part.endsWith(tail));
  const owns = heads.flatMap((head) => tails.map((tail) => part.slice(head.length, part.length - tail.length)));
  const [leftOut = ""] = LEFT_OUT.exec(text.slice(from)) ?? [];
  for (const own of owns.sort((a, b) => b.length - a.length)) {
    for (let at = from; own !== "" && at <= from + leftOut.length; at++) {
      if (text.startsWith(own, at)) yield { at, length: own.length };
    }
  }
}

/** What may be missing between two parts: it shows nothing, or is the end of a block that was closed already. */
const LEFT_OUT = /^\s*(```\s*)?/;

/** The places of a text that parts begin at: each behind the one before, and nothing between them that shows. */
function cutsOf(parts: readonly string[], text: string): number[] {
  const cuts = findCuts(parts, text, 0);
  assert.ok(cuts, `${JSON.stringify(parts)} are not ${JSON.stringify(text)}`);
  return cuts;
}

/** Looks for every place of a part: a line break before a closing fence may be the text's own or not. */
function findCuts([part, ...more]: readonly string[], text: string, end: number): number[] | undefined {
  if (part === undefined) return text.slice(end).replace(LEFT_OUT, "") === "" ? [] : undefined;
  for (const { at, length } of placesOf(part, text, end)) {
    const cuts = findCuts(more, text, at + length);
    if (cuts) return [at, ...cuts];
  }
  return undefined;
}

Deno.test("splitText(): every part is within its limit and shows something", () => {
  fc.assert(
    fc.property(texts, limits, (text, limit) => {
      for (const part of splitText(text, limit)) {
        assert.ok(part.length <= limit, `${part.length} of ${limit}`);
        assert.match(part, /\S/);
      }
    }),
    { numRuns: 3000 },
  );
});

Deno.test("splitText(): the parts joined are the text, but for the fences", () => {
  fc.assert(fc.property(texts, limits, (text, limit) => void cutsOf(splitText(text, limit), text)), { numRuns: 3000 });
});

Deno.test("splitText(): the fences of every part are balanced", () => {
  fc.assert(
    fc.property(texts, limits, (text, limit) => {
      const count = (part: string) => part.split("```").length - 1;
      const odd = splitText(text, limit).filter((part) => count(part) % 2 === 1);
      // A last fence in the middle of a line opens nothing: it stays as it is.
      const isLoose = count(text) % 2 === 1 &&
        !/^([ \t>]|[-*+][ \t])*$/.test(lineBefore(text, text.lastIndexOf("```")));
      assert.ok(odd.length <= (isLoose ? 1 : 0), JSON.stringify(odd));
    }),
    { numRuns: 3000 },
  );
});

function lineBefore(text: string, at: number): string {
  return text.slice(text.lastIndexOf("\n", at) + 1, at);
}

Deno.test("splitText(): no cut goes through a character", () => {
  const segmenter = new Intl.Segmenter(undefined, { granularity: "grapheme" });
  fc.assert(
    fc.property(texts, limits, (text, limit) => {
      const boundaries = new Set([...segmenter.segment(text)].map(({ index }) => index));
      for (const cut of cutsOf(splitText(text, limit), text)) assert.ok(boundaries.has(cut), `cut at ${cut}`);
    }),
    { numRuns: 2000 },
  );
});

Deno.test("splitText(): no cut goes through a link or mention outside code", () => {
  const numbered = [
    (id: number) => `<@${id}>`,
    (id: number) => `https://example.org/${id}`,
    (id: number) => `[words of ${id}. More](https://example.org/${id})`,
    (id: number) => `</command of ${id}:${id}>`,
    () => prose(60),
    () => "```js\nlet x;\n```",
    () => "\n\n",
  ];
  const kinds = fc.array(fc.constantFrom(...numbered), { maxLength: 60 });
  fc.assert(
    fc.property(kinds, limits, (made, limit) => {
      const tokens = made.map((make, index) => make(1_000_000 + index));
      const parts = splitText(tokens.join(" "), limit);
      for (const token of tokens.filter((each) => /\d{7}/.test(each))) {
        assert.ok(parts.some((part) => part.includes(token)), token);
      }
    }),
    { numRuns: 1000 },
  );
});
