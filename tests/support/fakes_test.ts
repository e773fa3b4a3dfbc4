import assert from "node:assert/strict";
import type { Behaviour, FakeProvider } from "./fake_provider.ts";
import { startFakeGemini } from "./fake_gemini.ts";
import { startFakeGroq } from "./fake_groq.ts";
import { startFakeOllama } from "./fake_ollama.ts";
import { startRawServer } from "./raw_server.ts";

const TURN = { role: "user", content: "¿Quién eres?" };

function postJson(url: string, body: unknown, headers: Record<string, string> = {}, signal?: AbortSignal) {
  return fetch(url, { method: "POST", body: JSON.stringify(body), headers, ...(signal && { signal }) });
}

function askOllama(fake: FakeProvider, signal?: AbortSignal): Promise<Response> {
  return postJson(`${fake.origin}/api/chat`, { model: "llama3.2", messages: [TURN] }, {}, signal);
}

function events(text: string): Record<string, unknown>[] {
  const data = text.split(/\r?\n\r?\n/).filter((event) => event !== "").map((event) => event.replace(/^data: /, ""));
  return data.filter((event) => event !== "[DONE]").map((event) => JSON.parse(event));
}

Deno.test("startRawServer() echoes bodies of either framing and keeps the connection", async () => {
  const server = startRawServer(async ({ method, path, body }, reply) => {
    await reply.head(200, { "x-request": `${method} ${path}` });
    await reply.write(body.subarray(0, 1));
    await reply.end(body.subarray(1));
  });
  const chunked = await fetch(`${server.origin}/a?b=1`, { method: "POST", body: new Blob(["ñandú"]).stream() });
  assert.equal(chunked.headers.get("x-request"), "POST /a?b=1");
  assert.equal(await chunked.text(), "ñandú");
  assert.equal(await (await fetch(server.origin, { method: "PUT", body: "12345" })).text(), "12345");
  assert.equal(server.connections, 1);
  await server.stop();
});

Deno.test("startRawServer() delivers what was written before a cut, then breaks the body", async () => {
  const server = startRawServer(async (_request, reply) => {
    await reply.head(200);
    await reply.write("half");
    reply.cut();
  });
  const response = await fetch(server.origin);
  const received: string[] = [];
  await assert.rejects(async () => {
    for await (const piece of response.body ?? []) received.push(new TextDecoder().decode(piece));
  }, TypeError);
  assert.deepEqual(received, ["half"]);
  await server.stop();
});

Deno.test("startRawServer() refuses connections while down and serves on the same port once up again", async () => {
  const server = startRawServer(async (_request, reply) => {
    await reply.head(200);
    await reply.end("here");
  });
  assert.equal(await (await fetch(server.origin)).text(), "here");
  await server.down();
  await assert.rejects(Deno.connect({ hostname: "127.0.0.1", port: server.port }), Deno.errors.ConnectionRefused);
  await server.up();
  assert.equal(await (await fetch(server.origin)).text(), "here");
  assert.equal(server.connections, 2);
  await server.stop();
});

Deno.test("startRawServer() tells a handler that the client has left, and stop() reports a handler's error", async () => {
  const left = Promise.withResolvers<unknown>();
  const server = startRawServer(async (_request, reply) => {
    await reply.hang();
    left.resolve(reply.gone.reason);
    throw new Error("handler broke");
  });
  await assert.rejects(fetch(server.origin, { signal: AbortSignal.timeout(20) }));
  assert.equal(await left.promise, "client");
  await assert.rejects(server.stop(), /handler broke/);
});

Deno.test("startFakeOllama() streams a counted answer and knows its models", async () => {
  await using fake = startFakeOllama({ resident: [] });
  const lines = (await (await askOllama(fake)).text()).trim().split("\n").map((line) => JSON.parse(line));
  assert.equal(lines.map(({ message }) => message.content).join(""), "Hola, soy Django.");
  assert.deepEqual([lines.at(-1).done_reason, lines.at(-1).eval_count], ["stop", 5]);
  assert.equal(fake.chats[0]?.model, "llama3.2");
  const { models } = await (await fetch(`${fake.origin}/api/ps`)).json();
  assert.deepEqual(models.map(({ name }: { name: string }) => name), ["llama3.2:latest"]);
  const missing = await postJson(`${fake.origin}/api/chat`, { model: "x", messages: [TURN] });
  assert.deepEqual([missing.status, await missing.json()], [404, { error: "model 'x' not found" }]);
  const embedded = await (await postJson(`${fake.origin}/api/embed`, { model: "embeddinggemma", input: ["a", "b"] }))
    .json();
  assert.deepEqual(embedded.embeddings.map((vector: number[]) => vector.length), [8, 8]);
});

Deno.test("startFakeGroq() streams tool calls in pieces and wants a key", async () => {
  await using fake = startFakeGroq();
  const url = `${fake.origin}/openai/v1/chat/completions`;
  const body = { model: "openai/gpt-oss-120b", messages: [TURN], stream: true };
  const refused = await postJson(url, body);
  assert.deepEqual([refused.status, (await refused.json()).error.code], [401, "invalid_api_key"]);
  fake.next({ kind: "answer", toolCalls: [{ name: "look", arguments: { at: "ñ" } }], usage: { input: 9, output: 4 } });
  const text = await (await postJson(url, body, { authorization: "Bearer key" })).text();
  // deno-fmt-ignore
  const chunks = events(text) as { choices: { delta: { tool_calls?: { function: { arguments: string } }[] }; finish_reason: string }[]; x_groq?: { usage?: { total_tokens: number } } }[];
  const pieces = chunks.flatMap(({ choices }) => choices[0]?.delta.tool_calls ?? []);
  assert.equal(pieces.map((piece) => piece.function.arguments).join(""), '{"at":"ñ"}');
  assert.equal(chunks.at(-1)?.choices[0]?.finish_reason, "tool_calls");
  assert.equal(chunks.at(-1)?.x_groq?.usage?.total_tokens, 13);
  assert.ok(text.endsWith("data: [DONE]\n\n"));
});

Deno.test("startFakeGemini() streams running totals, split inside characters", async () => {
  await using fake = startFakeGemini();
  const url = `${fake.origin}/v1beta/models/gemini-3.5-flash-lite`;
  const headers = { "x-goog-api-key": "key" };
  const refused = await postJson(`${url}:generateContent`, {});
  assert.deepEqual([refused.status, (await refused.json()).error.status], [403, "PERMISSION_DENIED"]);
  fake.next({ kind: "answer", tokens: ["¿Qué ", "tal?"], usage: { input: 3, output: 2 }, splitBytes: 1 });
  const stream = await postJson(`${url}:streamGenerateContent?alt=sse`, { contents: [] }, headers);
  // deno-fmt-ignore
  const chunks = events(await stream.text()) as { candidates: { content: { parts: { text: string }[] }; finishReason?: string }[]; usageMetadata: { totalTokenCount: number } }[];
  assert.equal(chunks.map(({ candidates }) => candidates[0]?.content.parts[0]?.text).join(""), "¿Qué tal?");
  assert.deepEqual(chunks.map(({ usageMetadata }) => usageMetadata.totalTokenCount), [4, 5, 5]);
  assert.equal(chunks.at(-1)?.candidates[0]?.finishReason, "STOP");
});

Deno.test("FakeProvider.next() plays every failure and records the client that hung up", async () => {
  await using fake = startFakeOllama();
  const outcomes: Record<string, RegExp> = {
    // First, on a fresh connection: fetch sends a request again by itself when a reused one is reset.
    reset: /^error/,
    cut: /^error/,
    no_finish: /^200 (?!.*"done":true)/s,
    malformed: /^200 .*SECRET-CONTENT.*"done":true/s,
    error_in_stream: /^200 .*\{"error":"The model failed/s,
    gzip_garbage: /^error/,
    html: /^200 <!DOCTYPE/,
    empty: /^200 $/,
  };
  for (const [kind, expected] of Object.entries(outcomes)) {
    fake.next({ kind, after: 2 } as Behaviour);
    const outcome = await askOllama(fake).then(async (response) => `${response.status} ${await response.text()}`)
      .catch((error) => `error ${error}`);
    assert.match(outcome, expected, kind);
  }
  for (const kind of ["silence", "stall", "endless_headers", "endless_body", "open_after_finish"] as const) {
    fake.next({ kind, after: 2 } as Behaviour);
    await assert.rejects(askOllama(fake, AbortSignal.timeout(40)).then((response) => response.text()), kind);
    const chat = fake.chats.at(-1);
    for (let tries = 0; tries < 500 && !chat?.goneAtMs; tries++) await new Promise((resolve) => setTimeout(resolve, 1));
  }
  const hungUp = fake.chats.map(({ goneAtMs }) => goneAtMs !== undefined);
  assert.deepEqual(hungUp, [...new Array(8).fill(false), ...new Array(5).fill(true)]);
});
