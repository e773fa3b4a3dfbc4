import assert from "node:assert/strict";
import type { Message } from "../../src/core/types.ts";
import { countChars, estimateUsage, surelyExceeds } from "../../src/router/tokens.ts";

function user(content: string): Message {
  return { role: "user", content };
}

Deno.test("countChars() adds up everything a model would read", () => {
  assert.equal(countChars([]), 0);
  assert.equal(countChars([{ role: "system", content: "abc" }, user("de"), { role: "assistant", content: "" }]), 5);
});

Deno.test("surelyExceeds() is sure only beyond eight characters a token", () => {
  assert.equal(surelyExceeds([user("x".repeat(800))], 100), false);
  assert.equal(surelyExceeds([user("x".repeat(801))], 100), true);
  assert.equal(surelyExceeds([user("x".repeat(500)), user("y".repeat(301))], 100), true);
});

Deno.test("surelyExceeds() does not take runs of white space for text", () => {
  assert.equal(surelyExceeds([user(`a${" ".repeat(50_000)}b`)], 100), false);
  assert.equal(surelyExceeds([user("word ".repeat(200))], 100), true);
});

Deno.test("estimateUsage() counts four characters a token, rounded up, and says that it estimated", () => {
  assert.deepEqual(estimateUsage([user("12345")], "123456789"), {
    input: 2,
    cached_input: 0,
    output: 3,
    reasoning: 0,
    total: 5,
    source: "estimated",
    raw: null,
  });
  assert.equal(estimateUsage([], "").total, 0);
});
