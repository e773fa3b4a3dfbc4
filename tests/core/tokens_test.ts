import assert from "node:assert/strict";
import { estimateUsage, fewestTokens, surelyExceeds } from "../../src/core/tokens.ts";
import type { Message } from "../../src/core/types.ts";

function user(content: string): Message {
  return { role: "user", content };
}

Deno.test("fewestTokens() takes eight characters for a token, over all messages", () => {
  assert.equal(fewestTokens([]), 0);
  assert.equal(fewestTokens([user("ab".repeat(4)), { role: "assistant", content: "cd".repeat(8) }]), 3);
});

Deno.test("surelyExceeds() is sure only beyond eight characters a token", () => {
  assert.equal(surelyExceeds([user("xy".repeat(400))], 100), false);
  assert.equal(surelyExceeds([user("xy".repeat(404))], 100), true);
  assert.equal(surelyExceeds([user("xy".repeat(250)), user("yz".repeat(154))], 100), true);
});

Deno.test("surelyExceeds() does not take runs of one character for text", () => {
  assert.equal(surelyExceeds([user(`a${" ".repeat(50_000)}b`)], 100), false);
  assert.equal(surelyExceeds([user("-".repeat(80_000))], 100), false);
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

Deno.test("estimateUsage() counts the tool calls of the conversation too", () => {
  const call = { id: "1", name: "search", arguments: { query: "the weather in Madrid" } };
  const { input } = estimateUsage([{ role: "assistant", content: "", tool_calls: [call] }], "");
  assert.ok(input > 10);
});
