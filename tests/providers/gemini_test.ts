import assert from "node:assert/strict";
import type { Message } from "../../src/core/types.ts";
import { createGemini } from "../../src/providers/gemini.ts";
import type { Behaviour } from "../support/fake_provider.ts";
import {
  API_KEY,
  assertProviderError,
  callOf,
  calm,
  collect,
  createTestLedger,
  GEMINI,
  textOf,
  withBench,
} from "./subjects.ts";

/** An answer of exactly these chunks. */
function chunks(...objects: object[]): Behaviour {
  const body = objects.map((object) => `data: ${JSON.stringify(object)}\r\n\r\n`).join("");
  return { kind: "status", status: 200, body, headers: { "content-type": "text/event-stream" } };
}

const says = (parts: object[], more: object = {}) => ({ candidates: [{ content: { parts, role: "model" }, ...more }] });

/** One message of every kind. */
const CONVERSATION: Message[] = [
  { role: "system", content: "Be brief." },
  { role: "user", content: "What is this?", images: [{ mime_type: "image/png", data: "aGk=" }] },
  {
    role: "assistant",
    content: "I look.",
    tool_calls: [
      { id: "c1", name: "look_up", arguments: { city: "Málaga" }, signature: "c2ln" },
      { id: "c2", name: "rain", arguments: {} },
    ],
  },
  { role: "tool", content: "22 degrees", tool_call_id: "c1" },
  { role: "tool", content: "none", tool_call_id: "c2", tool_name: "rain" },
  { role: "system", content: "In Spanish." },
  { role: "assistant", content: "" },
];

Deno.test("gemini.chat() sends everything a call can ask for", () =>
  withBench(GEMINI, async ({ fake, provider }) => {
    const schema = { type: "object", properties: { a: { type: "integer" } } };
    const tools = [{ name: "look_up", description: "Looks up.", parameters: schema }, { name: "rain", parameters: {} }];
    const asked = {
      messages: CONVERSATION,
      tools,
      temperature: 0.2,
      max_tokens: 64,
      stop: ["END"],
      json_schema: schema,
    };
    await collect(provider, callOf(GEMINI, { ...asked, think: "low" }));
    assert.deepEqual(fake.chats[0]?.body, {
      systemInstruction: { parts: [{ text: "Be brief.\n\nIn Spanish." }], role: "user" },
      contents: [
        { role: "user", parts: [{ text: "What is this?" }, { inlineData: { mimeType: "image/png", data: "aGk=" } }] },
        {
          role: "model",
          parts: [
            { text: "I look." },
            {
              functionCall: { id: "c1", name: "look_up", args: { city: "Málaga" } },
              thoughtSignature: "c2ln",
            },
            { functionCall: { id: "c2", name: "rain", args: {} } },
          ],
        },
        {
          role: "user",
          parts: [
            { functionResponse: { id: "c1", name: "look_up", response: { output: "22 degrees" } } },
            { functionResponse: { id: "c2", name: "rain", response: { output: "none" } } },
          ],
        },
      ],
      tools: [{
        functionDeclarations: [
          { name: "look_up", description: "Looks up.", parametersJsonSchema: schema },
          { name: "rain", parametersJsonSchema: {} },
        ],
      }],
      generationConfig: {
        temperature: 0.2,
        maxOutputTokens: 64,
        stopSequences: ["END"],
        responseMimeType: "application/json",
        responseJsonSchema: schema,
        thinkingConfig: { includeThoughts: true, thinkingLevel: "LOW" },
      },
    });
    assert.equal(fake.chats[0]?.headers.get("x-goog-api-key"), API_KEY);
    assert.equal(fake.requests[0]?.path, "/v1beta/models/gemini-3.5-flash-lite:streamGenerateContent?alt=sse");
  }));

Deno.test("gemini.chat() sends no option that was not asked for", () =>
  withBench(GEMINI, async ({ fake, provider }) => {
    await collect(provider, callOf(GEMINI, { tools: [] }));
    await collect(provider, callOf(GEMINI, { think: true }));
    const [plain, thinking] = fake.chats.map(({ body }) => body);
    assert.deepEqual(plain?.["generationConfig"] ?? {}, {});
    assert.deepEqual(Object.keys(plain ?? {}).filter((key) => key !== "generationConfig"), ["contents"]);
    assert.deepEqual(thinking?.["generationConfig"], { thinkingConfig: { includeThoughts: true } });
  }));

Deno.test("gemini.chat() refuses a call that must stay local, at the transport", () =>
  withBench(GEMINI, async ({ fake, provider }) => {
    const { error } = await collect(provider, callOf(GEMINI, { localOnly: true }));
    assertProviderError(error, "egress_denied", GEMINI);
    assert.equal(fake.connections, 0);
  }));

Deno.test("gemini.chat() gives a call's signature back, and stands in for one another model did not make", () =>
  withBench(GEMINI, async ({ fake, provider }) => {
    fake.next({ kind: "answer", toolCalls: [{ id: "c1", name: "now", arguments: {}, signature: "c2ln" }] });
    const { chunks: got } = await collect(provider, callOf(GEMINI));
    const [first] = got;
    assert.ok(first?.type === "tool_call");
    assert.deepEqual(first.call, { id: "c1", name: "now", arguments: {}, signature: "c2ln" });
    const { signature: _, ...foreign } = first.call;
    for (const [call, expected] of [[first.call, "c2ln"], [foreign, "skip_thought_signature_validator"]] as const) {
      const messages: Message[] = [
        { role: "user", content: "What time is it?" },
        { role: "assistant", content: "", tool_calls: [call] },
        { role: "tool", content: "noon", tool_call_id: "c1" },
      ];
      await collect(provider, callOf(GEMINI, { messages }));
      const contents = fake.chats.at(-1)?.body["contents"] as { parts: { thoughtSignature?: string }[] }[];
      assert.equal(contents[1]?.parts[0]?.thoughtSignature, expected);
    }
  }));

Deno.test("gemini.chat() asks once only, though the library would go on after a break by itself", () =>
  withBench(GEMINI, async ({ fake, provider }) => {
    fake.next(chunks({ ...says([{ text: "part" }]), continuationToken: "dG9rZW4=" }), {
      kind: "answer",
      tokens: ["a second one"],
    });
    const { chunks: got, error } = await collect(provider, callOf(GEMINI));
    assertProviderError(error, "protocol", GEMINI);
    assert.equal(textOf(got), "part");
    assert.equal(fake.chats.length, 1);
  }));

Deno.test("gemini.chat() makes each finish that is none the error it stands for", () =>
  withBench(GEMINI, async ({ fake, provider }) => {
    const filtered = ["SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY"];
    const broken = ["MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "LANGUAGE", "OTHER", "CONTINUATION", "NEW_ONE"];
    for (const raw of [...filtered, ...broken]) {
      fake.next({ kind: "finish", raw });
      const { error } = await collect(provider, callOf(GEMINI));
      assertProviderError(error, filtered.includes(raw) ? "content_filter" : "protocol", GEMINI);
    }
  }));

Deno.test("gemini.chat() keeps the latest counts, for each chunk brings running totals", () =>
  withBench(GEMINI, async ({ fake, provider }) => {
    const usage = (candidatesTokenCount: number, thoughtsTokenCount: number) => ({
      usageMetadata: {
        promptTokenCount: 20,
        cachedContentTokenCount: 8,
        candidatesTokenCount,
        thoughtsTokenCount,
        toolUsePromptTokenCount: 5,
        totalTokenCount: 25 + candidatesTokenCount + thoughtsTokenCount,
      },
    });
    fake.next(chunks(
      { ...says([{ text: "hm", thought: true }]), ...usage(0, 4) },
      { ...says([{ text: "a" }]), ...usage(3, 9) },
      { ...says([{ text: "b" }], { finishReason: "STOP" }), ...usage(7, 9) },
    ));
    const { chunks: got } = await collect(provider, callOf(GEMINI));
    const final = got.at(-1);
    assert.ok(final?.type === "final");
    const { raw, ...counts } = final.usage ?? { raw: null };
    assert.deepEqual(counts, {
      input: 25,
      cached_input: 8,
      output: 16,
      reasoning: 9,
      total: 41,
      source: "provider",
    });
    assert.deepEqual(raw, usage(7, 9).usageMetadata);
  }));

Deno.test("gemini.chat() takes parts apart and gives calls the finish of calls", () =>
  withBench(GEMINI, async ({ fake, provider }) => {
    const parts = [{ text: "hm", thought: true }, { text: "so: " }, { functionCall: { name: "now" } }, { text: "" }];
    fake.next(chunks(says(parts, { finishReason: "STOP" })));
    const { chunks: got } = await collect(provider, callOf(GEMINI));
    assert.deepEqual(got.map(({ type }) => type), ["thinking", "text", "tool_call", "final"]);
    assert.deepEqual(got.at(-1), { type: "final", finish_reason: "tool_calls", usage: null });
  }));

Deno.test("gemini.chat() makes a model name no address can have a bad request", () =>
  withBench(GEMINI, async ({ fake, provider }) => {
    const { error } = await collect(provider, callOf(GEMINI, { model: "../secrets?x=1" }));
    assertProviderError(error, "bad_request", GEMINI);
    assert.equal(fake.connections, 0);
  }));

Deno.test("gemini.chat() takes an unknown key for what it is", () =>
  withBench(GEMINI, async ({ fake }) => {
    const provider = createGemini({
      id: "gemini",
      apiKey: "another",
      baseUrl: fake.origin,
      ledger: createTestLedger(),
    });
    const { error } = await collect(provider, callOf(GEMINI));
    const { message } = assertProviderError(error, "auth", GEMINI);
    assert.match(message, /\(HTTP 400, API_KEY_INVALID\)/);
  }));

const EMBED = {
  model: "gemini-embedding-001",
  contextTokens: 2048,
  deadlines: callOf(GEMINI).deadlines,
  localOnly: false,
};

Deno.test("gemini.embed() gives one vector a text, with every model", () =>
  withBench(GEMINI, async ({ fake, provider }) => {
    for (const model of ["gemini-embedding-001", "gemini-embedding-2"]) {
      const result = await provider.embed?.({ ...EMBED, model, texts: ["one text", "another"] }, calm);
      assert.equal(result?.vectors.length, 2);
      assert.equal(result.vectors[0]?.length, 8);
      assert.notDeepEqual(result.vectors[0], result.vectors[1]);
      assert.equal(result.usage, null);
    }
    assert.equal(fake.requests.length, 2);
  }));

Deno.test("gemini.embed() fails in the ways chat() does", () =>
  withBench(GEMINI, async ({ fake, provider }) => {
    const ask = (changes: Partial<typeof EMBED> = {}, signal = calm) =>
      provider.embed?.({ ...EMBED, texts: ["x"], ...changes }, signal).catch((error: unknown) => error);
    assertProviderError(await ask({ localOnly: true }), "egress_denied", GEMINI);
    assertProviderError(await ask({}, AbortSignal.abort()), "aborted", GEMINI);
    const path = "/v1beta/models/gemini-embedding-001:batchEmbedContents";
    const odd = [[], [{}], [{ values: [] }], [{ values: ["x"] }], "x"].map((embeddings) => ({ embeddings }));
    for (const body of [...odd, {}, "not JSON", "null"]) {
      fake.on(path, { kind: "status", status: 200, body });
      assertProviderError(await ask(), "protocol", GEMINI);
    }
    fake.on(path, { kind: "status", status: 429 });
    assertProviderError(await ask(), "rate_limit", GEMINI);
    fake.on(path, { kind: "silence" });
    const deadlines = { loadMs: 50, firstTokenMs: 50, idleMs: 50 };
    assertProviderError(await ask({ deadlines }), "timeout", GEMINI);
  }));

Deno.test("createGemini() talks to Google's own address unless told otherwise", () => {
  const { origin, local, type } = createGemini({ id: "gemini", apiKey: API_KEY, ledger: createTestLedger() });
  assert.deepEqual([origin, local, type], ["https://generativelanguage.googleapis.com", false, "gemini"]);
});
