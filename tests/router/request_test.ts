import assert from "node:assert/strict";
import { AgentError, EXIT } from "../../src/core/errors.ts";
import type { GenerateRequest, Image } from "../../src/core/types.ts";
import { messagesOf, optionsOf } from "../../src/router/request.ts";

const IMAGE: Image = { mime_type: "image/png", data: "AAAA" };

Deno.test("messagesOf() makes a user message of the prompt, its images with it and the system prompt before it", () => {
  assert.deepEqual(messagesOf({ prompt: "Hi" }), [{ role: "user", content: "Hi" }]);
  assert.deepEqual(messagesOf({ prompt: "Hi", images: [IMAGE], system_prompt: "Be brief." }), [
    { role: "system", content: "Be brief." },
    { role: "user", content: "Hi", images: [IMAGE] },
  ]);
});

Deno.test("messagesOf() keeps given messages as they are", () => {
  const messages = [
    { role: "user", content: "Look" },
    { role: "assistant", content: "", tool_calls: [{ id: "1", name: "look", arguments: {} }] },
    { role: "tool", content: "", tool_call_id: "1" },
  ] as const;
  assert.deepEqual(messagesOf({ messages }), messages);
  assert.deepEqual(messagesOf({ messages, system_prompt: "Be brief." }).length, 4);
});

Deno.test("messagesOf() accepts a picture without words", () => {
  assert.equal(messagesOf({ prompt: "", images: [IMAGE] }).length, 1);
  assert.equal(messagesOf({ messages: [{ role: "user", content: " ", images: [IMAGE] }] }).length, 1);
});

Deno.test("messagesOf() refuses a request with nothing to answer, as wrong usage with a remedy", () => {
  const empty: Record<string, GenerateRequest> = {
    "neither": {},
    "both": { prompt: "Hi", messages: [{ role: "user", content: "Hi" }] },
    "empty prompt": { prompt: "" },
    "white space": { prompt: " \n\t " },
    "no images": { prompt: "", images: [] },
    "no messages": { messages: [] },
    "system alone": { messages: [{ role: "system", content: "Be brief." }] },
    "system prompt alone": { prompt: "", system_prompt: "Be brief." },
    "stray images": { messages: [{ role: "user", content: "Hi" }], images: [IMAGE] },
  };
  for (const [name, request] of Object.entries(empty)) {
    assert.throws(() => messagesOf(request), (error) => {
      assert.ok(error instanceof AgentError, name);
      assert.equal(error.exitCode, EXIT.usage, name);
      assert.ok(error.remedy, name);
      return true;
    });
  }
});

Deno.test("optionsOf() passes on what the provider needs, zero and false included, and nothing else", () => {
  const options = {
    temperature: 0,
    max_tokens: 0,
    stop: ["\n"],
    json_schema: { type: "object" },
    tools: [{ name: "look", parameters: {} }],
    think: false,
  } as const;
  const request: GenerateRequest = {
    ...options,
    prompt: "Hi",
    role: "business",
    model: "auto",
    priority: "background",
  };
  assert.deepEqual(optionsOf(request), options);
  assert.deepEqual(optionsOf({ prompt: "Hi" }), {});
});
