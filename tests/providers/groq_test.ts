import assert from "node:assert/strict";
import type { Message } from "../../src/core/types.ts";
import { createGroq } from "../../src/providers/groq.ts";
import type { Behaviour } from "../support/fake_provider.ts";
import {
  API_KEY,
  assertProviderError,
  callOf,
  calm,
  collect,
  createTestLedger,
  GROQ,
  textOf,
  withBench,
} from "./subjects.ts";

/** An answer of exactly these chunks. */
function chunks(...objects: (object | string)[]): Behaviour {
  const body = objects.map((object) => `data: ${typeof object === "string" ? object : JSON.stringify(object)}\n\n`);
  return { kind: "status", status: 200, body: body.join(""), headers: { "content-type": "text/event-stream" } };
}

const delta = (fields: object, finish_reason: string | null = null, more: object = {}) => {
  return { choices: [{ index: 0, delta: fields, finish_reason }], ...more };
};
const USAGE = { prompt_tokens: 7, completion_tokens: 3, total_tokens: 10 };

Deno.test("groq.chat() sends everything a call can ask for", () =>
  withBench(GROQ, async ({ fake, provider }) => {
    const messages: Message[] = [
      { role: "system", content: "Be brief." },
      { role: "user", content: "What is this?", images: [{ mime_type: "image/png", data: "aGk=" }] },
      { role: "assistant", content: "", tool_calls: [{ id: "c1", name: "look_up", arguments: { city: "Málaga" } }] },
      { role: "tool", content: "22 degrees", tool_call_id: "c1", tool_name: "look_up" },
      { role: "user", content: "", images: [{ mime_type: "image/jpeg", data: "eA==" }] },
    ];
    const schema = { type: "object", properties: { a: { type: "integer" } } };
    const tools = [{ name: "look_up", description: "Looks up.", parameters: schema }, { name: "rain", parameters: {} }];
    const asked = { messages, tools, temperature: 0.2, max_tokens: 64, stop: ["END"], json_schema: schema };
    await collect(provider, callOf(GROQ, { ...asked, think: "high" }));
    assert.deepEqual(fake.chats[0]?.body, {
      model: "openai/gpt-oss-120b",
      messages: [
        { role: "system", content: "Be brief." },
        {
          role: "user",
          content: [
            { type: "text", text: "What is this?" },
            { type: "image_url", image_url: { url: "data:image/png;base64,aGk=" } },
          ],
        },
        {
          role: "assistant",
          content: "",
          tool_calls: [{ id: "c1", type: "function", function: { name: "look_up", arguments: '{"city":"Málaga"}' } }],
        },
        { role: "tool", content: "22 degrees", tool_call_id: "c1" },
        { role: "user", content: [{ type: "image_url", image_url: { url: "data:image/jpeg;base64,eA==" } }] },
      ],
      stream: true,
      temperature: 0.2,
      max_completion_tokens: 64,
      stop: ["END"],
      response_format: { type: "json_schema", json_schema: { name: "answer", schema } },
      tools: [
        { type: "function", function: { name: "look_up", description: "Looks up.", parameters: schema } },
        { type: "function", function: { name: "rain", parameters: {} } },
      ],
      reasoning_effort: "high",
    });
    assert.equal(fake.chats[0]?.headers.get("authorization"), `Bearer ${API_KEY}`);
  }));

Deno.test("groq.chat() sends no option that was not asked for", () =>
  withBench(GROQ, async ({ fake, provider }) => {
    await collect(provider, callOf(GROQ, { tools: [] }));
    await collect(provider, callOf(GROQ, { think: true }));
    const [plain, thinking] = fake.chats.map(({ body }) => body);
    assert.deepEqual(Object.keys(plain ?? {}).sort(), ["messages", "model", "stream"]);
    assert.equal(thinking?.["reasoning_effort"], "medium");
  }));

Deno.test("groq.chat() refuses a call that must stay local, at the transport", () =>
  withBench(GROQ, async ({ fake, provider }) => {
    const { error } = await collect(provider, callOf(GROQ, { localOnly: true }));
    assertProviderError(error, "egress_denied", GROQ);
    assert.equal(fake.connections, 0);
  }));

Deno.test("groq.chat() puts parallel tool calls together from their pieces", () =>
  withBench(GROQ, async ({ fake, provider }) => {
    const piece = (index: number, more: object) => delta({ tool_calls: [{ index, ...more }] });
    fake.next(chunks(
      piece(0, { id: "a", type: "function", function: { name: "one", arguments: '{"x"' } }),
      piece(1, { id: "b", type: "function", function: { name: "two", arguments: "" } }),
      piece(0, { function: { arguments: ":1}" } }),
      delta({}, "stop", { x_groq: { usage: USAGE } }),
      "[DONE]",
    ));
    const { chunks: got } = await collect(provider, callOf(GROQ));
    assert.deepEqual(got.slice(0, 2), [
      { type: "tool_call", call: { id: "a", name: "one", arguments: { x: 1 } } },
      { type: "tool_call", call: { id: "b", name: "two", arguments: {} } },
    ]);
    const final = got.at(-1);
    assert.ok(final?.type === "final" && final.finish_reason === "tool_calls");
  }));

Deno.test("groq.chat() makes a tool call with broken arguments a protocol error", () =>
  withBench(GROQ, async ({ fake, provider }) => {
    for (const given of ['{"x": SECRET-CONTENT', "[1]", '"x"', "7"]) {
      const call = { index: 0, id: "a", type: "function", function: { name: "one", arguments: given } };
      fake.next(chunks(delta({ tool_calls: [call] }), delta({}, "tool_calls", { x_groq: { usage: USAGE } })));
      const { chunks: got, error } = await collect(provider, callOf(GROQ));
      assertProviderError(error, "protocol", GROQ);
      assert.deepEqual(got, []);
    }
  }));

Deno.test("groq.chat() finds the counts wherever they come, and keeps the provider's own object", () =>
  withBench(GROQ, async ({ fake, provider }) => {
    const ways = [
      [delta({ content: "hi" }), delta({}, "stop", { x_groq: { id: "r", usage: USAGE } })],
      [delta({ content: "hi" }), delta({}, "stop", { usage: USAGE })],
      [delta({ content: "hi" }), delta({}, "stop"), { choices: [], usage: USAGE }, "[DONE]"],
    ];
    for (const way of ways) {
      fake.next(chunks(...way));
      const { chunks: got, error } = await collect(provider, callOf(GROQ));
      assert.equal(error, undefined);
      const final = got.at(-1);
      assert.ok(final?.type === "final");
      assert.equal(final.usage?.total, 10);
      assert.deepEqual(final.usage?.raw, USAGE);
    }
  }));

Deno.test("groq.chat() counts an answer with its finish as complete, though the counts never come", () =>
  withBench(GROQ, async ({ fake, provider }) => {
    const parts = [delta({ content: "whole" }), delta({}, "stop")].map((part) => `data: ${JSON.stringify(part)}\n\n`);
    const head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 9999\r\n\r\n";
    fake.next({ kind: "raw", bytes: head + parts.join("") });
    const { chunks: got, error } = await collect(provider, callOf(GROQ));
    assert.equal(error, undefined);
    assert.equal(textOf(got), "whole");
    assert.deepEqual(got.at(-1), { type: "final", finish_reason: "stop", usage: null });
  }));

Deno.test("groq.chat() reports a content filter that stops the answer", () =>
  withBench(GROQ, async ({ fake, provider }) => {
    fake.next({ kind: "finish", raw: "content_filter" });
    assertProviderError((await collect(provider, callOf(GROQ))).error, "content_filter", GROQ);
  }));

Deno.test("groq.listModels() shows nothing of a key that is refused", () =>
  withBench(GROQ, async ({ fake }) => {
    const provider = createGroq({ id: "groq", apiKey: "another", baseUrl: fake.origin, ledger: createTestLedger() });
    const error = await provider.listModels(calm).catch((reason: unknown) => reason);
    const { message, remedy } = assertProviderError(error, "auth", GROQ);
    assert.ok(!`${message} ${remedy}`.includes("another"));
    assert.match(remedy ?? "", /API key of provider groq/);
  }));

Deno.test("createGroq() talks to Groq's own address unless told otherwise", () => {
  const provider = createGroq({ id: "groq", apiKey: API_KEY, ledger: createTestLedger() });
  assert.deepEqual([provider.origin, provider.local, provider.type], ["https://api.groq.com", false, "groq"]);
  assert.equal(provider.embed, undefined);
});
