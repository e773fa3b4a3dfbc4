import assert from "node:assert/strict";
import { startApi } from "../support/api.ts";
import type { Behaviour } from "../support/fake_behaviour.ts";
import {
  type Chunk,
  chunksOf,
  complete,
  connectClient,
  errorIn,
  PLAIN,
  refusalOf,
  stream,
  textOf,
} from "../support/openai_client.ts";

const USAGE = {
  prompt_tokens: 11,
  completion_tokens: 7,
  total_tokens: 18,
  prompt_tokens_details: { cached_tokens: 0 },
  completion_tokens_details: { reasoning_tokens: 0 },
};
const COUNTED = { kind: "answer", tokens: ["Ho", "la"], usage: { input: 11, output: 7 } } as const;
const STREAMED = { ...PLAIN, stream: true };

function deltasOf(chunks: readonly Chunk[]) {
  return chunks.map(({ choices }) => choices[0]?.delta);
}

Deno.test("POST /v1/chat/completions streams chunks in OpenAI's shape", async () => {
  await using api = await startApi();
  api.first.next(COUNTED);
  const { data, response } = await stream(connectClient(api));
  const chunks = await Array.fromAsync(data);
  const [{ id, created } = assert.fail("nothing came")] = chunks;
  assert.match(id, /^chatcmpl-[0-9a-f-]{36}$/);
  assert.ok(Number.isInteger(created));
  const chunk = (delta: object, finish_reason: string | null = null) => ({
    id,
    object: "chat.completion.chunk",
    created,
    model: "first/llama3.2",
    choices: [{ index: 0, delta, logprobs: null, finish_reason }],
  });
  assert.deepEqual(chunks, [
    chunk({ role: "assistant", content: "" }),
    chunk({ content: "Ho" }),
    chunk({ content: "la" }),
    chunk({}, "stop"),
  ]);
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("content-type"), "text/event-stream; charset=utf-8");
  assert.equal(response.headers.get("cache-control"), "no-store");
  assert.equal(response.headers.get("x-django-provider"), "first/llama3.2");
  assert.equal(response.headers.get("x-django-fallback"), "false");
});

Deno.test("POST /v1/chat/completions sends the counts in a chunk of their own when asked", async () => {
  await using api = await startApi();
  const client = connectClient(api);
  for (const include_usage of [false, true]) {
    api.first.next(COUNTED);
    const chunks = await chunksOf(client, { stream_options: { include_usage } });
    const counted = chunks.filter(({ usage }) => usage);
    assert.deepEqual(
      counted.map(({ choices, usage }) => ({ choices, usage })),
      include_usage ? [{ choices: [], usage: USAGE }] : [],
    );
    assert.equal(chunks.at(-1) === counted[0], include_usage, "it is the last one");
  }
});

Deno.test("POST /v1/chat/completions frames every chunk as one event and ends in [DONE]", async () => {
  await using api = await startApi();
  const tokens = ["a\n\ndata: [DONE]\n\n", "\r\n\u2028", "¡Olé! 🎸", '"\\'];
  api.first.next({ kind: "answer", tokens, splitBytes: 3 });
  const response = await api.send("POST", "/v1/chat/completions", STREAMED);
  const events = (await response.text()).split("\n\n");
  assert.equal(events.pop(), "", "the last event ends");
  assert.equal(events.pop(), "data: [DONE]");
  assert.ok(events.every((event) => event.startsWith("data: {") && !/[\r\n]/.test(event)));
  const chunks: Chunk[] = events.map((event) => JSON.parse(event.slice("data: ".length)));
  assert.equal(textOf(chunks), tokens.join(""));
  api.first.next({ kind: "answer", tokens, splitBytes: 3 });
  assert.equal(textOf(await chunksOf(connectClient(api))), tokens.join(""));
});

Deno.test("POST /v1/chat/completions serves the stream helper of the client", async () => {
  await using api = await startApi();
  api.first.next(COUNTED);
  const helper = connectClient(api).chat.completions.stream({ ...PLAIN, stream_options: { include_usage: true } });
  let heard = "";
  helper.on("content", (delta) => heard += delta);
  const completion = await helper.finalChatCompletion();
  assert.equal(heard, "Hola");
  assert.equal(completion.choices[0]?.message.content, "Hola");
  assert.equal(completion.choices[0]?.finish_reason, "stop");
  assert.deepEqual(completion.usage, USAGE);
});

Deno.test("POST /v1/chat/completions streams thoughts apart, and says how the answer ended", async () => {
  await using api = await startApi();
  api.first.next({ kind: "answer", thinking: ["Who ", "am I?"], tokens: ["Django."], finish: "length" });
  const chunks = await chunksOf(connectClient(api), { reasoning_effort: "low" });
  assert.deepEqual(deltasOf(chunks), [
    { role: "assistant", content: "" },
    { reasoning_content: "Who " },
    { reasoning_content: "am I?" },
    { content: "Django." },
    {},
  ]);
  assert.deepEqual(chunks.map(({ choices }) => choices[0]?.finish_reason), [null, null, null, null, "length"]);
});

Deno.test("POST /v1/chat/completions shows the first token while the rest is still to come", async () => {
  await using api = await startApi();
  api.first.next({ kind: "stall", after: 1 });
  const { data } = await stream(connectClient(api));
  const seen: Chunk[] = [];
  for await (const chunk of data) {
    seen.push(chunk);
    if (textOf(seen) !== "") break; // the fake would never say more
  }
  assert.equal(textOf(seen), "Hola");
});

Deno.test("POST /v1/chat/completions streams the answer of the next model when nothing had been shown", async () => {
  await using api = await startApi();
  const client = connectClient(api);
  const failures: Behaviour[] = [{ kind: "status", status: 404 }, { kind: "cut", after: 0 }, { kind: "html" }];
  for (const failure of failures) {
    api.first.next(failure);
    const { data, response } = await stream(client);
    assert.equal(textOf(await Array.fromAsync(data)), "Hola, soy Django.", failure.kind);
    assert.equal(response.headers.get("x-django-provider"), "second/small", failure.kind);
    assert.equal(response.headers.get("x-django-fallback"), "true", failure.kind);
    // The breaker of the first is closed again by an answer.
    await complete(client);
  }
});

Deno.test("POST /v1/chat/completions ends a stream that breaks half-way in an error", async () => {
  await using api = await startApi();
  const failures: Behaviour[] = [
    { kind: "cut", after: 2 },
    { kind: "no_finish", after: 2 },
    { kind: "malformed", after: 2 },
    { kind: "error_in_stream", after: 2, message: "SECRET-CONTENT" },
  ];
  for (const failure of failures) {
    api.first.next(failure);
    const { data } = await stream(connectClient(api));
    const seen: Chunk[] = [];
    const error = await refusalOf((async () => {
      for await (const chunk of data) seen.push(chunk);
    })());
    assert.equal(textOf(seen), "Hola, soy", failure.kind);
    assert.equal(seen.at(-1)?.choices[0]?.finish_reason, null, failure.kind);
    assert.equal(error.code, "no_answer", failure.kind);
    assert.equal(error.type, "server_error", failure.kind);
    assert.match(error.message, /broke off/, failure.kind);
    assert.ok(!JSON.stringify(error.error).includes("SECRET-CONTENT"), failure.kind);
    await complete(connectClient(api)); // closes the breaker again
  }
  assert.equal(api.second.chats.length, 0, "a second model went on with the answer of the first");
});

Deno.test("POST /v1/chat/completions sends no [DONE] after an error", async () => {
  await using api = await startApi();
  api.first.next({ kind: "cut", after: 2 });
  const response = await api.send("POST", "/v1/chat/completions", STREAMED);
  assert.equal(response.status, 200);
  const text = await response.text();
  const last = text.trimEnd().split("\n\n").at(-1) ?? "";
  assert.equal(JSON.parse(last.slice("data: ".length)).error.attempts[0].outcome, "failed");
  assert.ok(text.endsWith("\n\n"));
  assert.ok(!text.includes("[DONE]") && !text.includes('"finish_reason":"'));
});

Deno.test("POST /v1/chat/completions answers with a status while nothing has been streamed", async () => {
  await using api = await startApi();
  api.first.next({ kind: "status", status: 404 });
  api.second.next({ kind: "cut", after: 0 });
  const response = await api.send("POST", "/v1/chat/completions", STREAMED);
  assert.equal(response.status, 502);
  assert.equal(response.headers.get("content-type"), "application/json");
  assert.equal((await errorIn(response))["code"], "no_answer");
  await complete(connectClient(api));
  api.first.next({ kind: "status", status: 404 });
  api.second.next({ kind: "html" });
  assert.equal((await refusalOf(stream(connectClient(api)))).status, 502);
});
