import assert from "node:assert/strict";
import { parseModelRef } from "../../src/core/types.ts";

Deno.test("parseModelRef() ends the provider at the first slash", () => {
  assert.deepEqual(parseModelRef("ollama/llama3.2"), { provider: "ollama", model: "llama3.2" });
  assert.deepEqual(parseModelRef("groq/openai/gpt-oss-120b"), { provider: "groq", model: "openai/gpt-oss-120b" });
  assert.deepEqual(parseModelRef("ollama/hf.co/a/b:Q4_K_M"), { provider: "ollama", model: "hf.co/a/b:Q4_K_M" });
  assert.deepEqual(parseModelRef("groq//x"), { provider: "groq", model: "/x" });
});

Deno.test("parseModelRef() refuses what lacks a provider or a model", () => {
  for (const ref of ["", "/", "ollama", "ollama/", "/llama3.2", "//x"]) assert.equal(parseModelRef(ref), undefined);
});
