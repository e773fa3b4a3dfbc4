import assert from "node:assert/strict";
import fc from "fast-check";
import { lettersFor, lettersOf, TokenRatios } from "../../src/chat/window.ts";
import type { Message, Usage } from "../../src/core/types.ts";

const said = (letters: number): Message[] => [{ role: "user", content: "x".repeat(letters) }];

function counted(input: number, source: Usage["source"] = "provider"): Usage {
  return { input, cached_input: 0, output: 1, reasoning: 0, total: input + 1, source, raw: null };
}

Deno.test("lettersFor() leaves room for an answer and for what a template adds to each message", () => {
  assert.equal(lettersFor(1000, 2, 0), 1500); // a quarter for the answer
  assert.equal(lettersFor(100_000, 2, 0), (100_000 - 2048) * 2);
  assert.equal(lettersFor(1000, 2, 10), 1500 - 160);
});

Deno.test("lettersOf() counts what is said in all messages", () => {
  assert.equal(lettersOf([{ role: "system", content: "abc" }, { role: "user", content: "de" }]), 5);
});

Deno.test("TokenRatios assumes fewer letters a token than is usual until a provider has counted", () => {
  const first = new TokenRatios().of("a/b");
  assert.ok(first < 4 && first > 2, String(first));
});

Deno.test("TokenRatios learns what a provider counted, for that model alone", () => {
  const ratios = new TokenRatios();
  const before = ratios.of("a/b");
  ratios.learn("a/b", said(2000), counted(1000));
  assert.equal(ratios.of("a/b"), 2);
  assert.equal(ratios.of("a/c"), before);
  for (let times = 0; times < 20; times++) ratios.learn("a/b", said(5000), counted(1000));
  assert.ok(Math.abs(ratios.of("a/b") - 5) < 0.01, "it follows what is counted later");
});

Deno.test("TokenRatios is moved only a little by a single count", () => {
  const ratios = new TokenRatios();
  ratios.learn("a/b", said(4000), counted(1000));
  ratios.learn("a/b", said(2000), counted(1000));
  assert.ok(ratios.of("a/b") > 3 && ratios.of("a/b") < 4);
});

Deno.test("TokenRatios believes neither estimates, nor short prompts, nor what cannot be", () => {
  const ratios = new TokenRatios();
  const before = ratios.of("a/b");
  ratios.learn("a/b", said(2000), counted(1000, "estimated"));
  ratios.learn("a/b", said(100), counted(50));
  ratios.learn("a/b", said(100_000), counted(1000)); // the provider has cut the prompt, or counted what was new alone
  ratios.learn("a/b", said(300), counted(1000));
  ratios.learn("a/b", [], counted(0));
  assert.equal(ratios.of("a/b"), before);
});

Deno.test("TokenRatios stays within what letters and tokens can be, for any counts", () => {
  fc.assert(fc.property(fc.array(fc.tuple(fc.nat(50_000), fc.nat(50_000)), { maxLength: 20 }), (counts) => {
    const ratios = new TokenRatios();
    for (const [letters, tokens] of counts) ratios.learn("a/b", said(letters), counted(tokens));
    assert.ok(ratios.of("a/b") >= 1 && ratios.of("a/b") <= 8);
  }));
});
