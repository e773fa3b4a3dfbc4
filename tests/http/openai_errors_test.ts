import assert from "node:assert/strict";
import { type ApiModels, startApi } from "../support/api.ts";
import type { Behaviour } from "../support/fake_behaviour.ts";
import { bodySeen, complete, connectClient, errorIn, PLAIN, QUESTION, refusalOf } from "../support/openai_client.ts";

const PATH = "/v1/chat/completions";
const QUICK_BREAKER = { circuit_breaker: { failure_threshold: 1, recovery_seconds: 1800 } };

interface ShownAttempt {
  readonly provider: string;
  readonly model: string;
  readonly outcome: string;
  readonly error_kind: string;
}

Deno.test("POST /v1/chat/completions says 400 and where for a body of the wrong shape", async () => {
  await using api = await startApi();
  const expected: [object, string][] = [
    [{ messages: QUESTION }, "model"],
    [{ ...PLAIN, model: 7 }, "model"],
    [{ model: "auto" }, "messages"],
    [{ ...PLAIN, messages: [] }, "messages"],
    [{ ...PLAIN, messages: "Hola" }, "messages"],
    [{ ...PLAIN, messages: [{ role: "nobody", content: "Hola" }] }, "messages[0].role"],
    [{ ...PLAIN, messages: [{ role: "user", content: null }] }, "messages[0].content"],
    [{ ...PLAIN, stream: "yes" }, "stream"],
    [{ ...PLAIN, stream_options: { include_usage: 1 } }, "stream_options.include_usage"],
    [{ ...PLAIN, temperature: 2.1 }, "temperature"],
    [{ ...PLAIN, temperature: -0.1 }, "temperature"],
    [{ ...PLAIN, top_p: 1.1 }, "top_p"],
    [{ ...PLAIN, seed: 1.5 }, "seed"],
    [{ ...PLAIN, presence_penalty: 2.1 }, "presence_penalty"],
    [{ ...PLAIN, frequency_penalty: -2.1 }, "frequency_penalty"],
    [{ ...PLAIN, max_tokens: 0 }, "max_tokens"],
    [{ ...PLAIN, max_completion_tokens: 1.5 }, "max_completion_tokens"],
    [{ ...PLAIN, stop: ["a", "b", "c", "d", "e"] }, "stop"],
    [{ ...PLAIN, response_format: { type: "xml" } }, "response_format.type"],
    [{ ...PLAIN, response_format: { type: "json_schema", json_schema: {} } }, "response_format.json_schema.schema"],
    [{ ...PLAIN, reasoning_effort: "heroic" }, "reasoning_effort"],
  ];
  for (const [body, param] of expected) {
    const response = await api.send("POST", PATH, body);
    const { type, code, param: shown, message } = await errorIn(response);
    assert.deepEqual(
      [response.status, type, code, shown],
      [400, "invalid_request_error", "invalid_value", param],
      param,
    );
    assert.ok(String(message).startsWith(`${param}: `), String(message));
  }
  assert.equal(api.first.requests.length, 0);
});

Deno.test("POST /v1/chat/completions refuses what it cannot honour, by name", async () => {
  await using api = await startApi();
  const unsupported: Record<string, unknown> = {
    audio: { voice: "alloy", format: "wav" },
    function_call: "auto",
    functions: [{ name: "weather" }],
    logit_bias: { "50256": -100 },
    modalities: ["text", "audio"],
    prediction: { type: "content", content: "x" },
    top_logprobs: 3,
    web_search_options: {},
    logprobs: true,
    n: 2,
  };
  for (const [name, value] of Object.entries(unsupported)) {
    const error = await refusalOf(complete(connectClient(api), { [name]: value }));
    assert.deepEqual([error.status, error.param, error.type], [400, name, "invalid_request_error"], name);
    assert.ok(error.message.includes(name) && error.message.includes("supported"), error.message);
  }
  assert.equal(api.first.requests.length, 0);
});

Deno.test("POST /v1/chat/completions ignores what nobody knows and what changes nothing", async () => {
  await using api = await startApi();
  const ignored = {
    n: 1,
    logprobs: false,
    user: "ana",
    store: true,
    metadata: { a: "b" },
    service_tier: "auto",
    verbosity: "low",
    prompt_cache_key: "x",
    something_new: [1, 2, 3],
    functions: null,
    audio: null,
  };
  const { data } = await complete(connectClient(api), ignored as never);
  assert.equal(data.choices.length, 1);
  const { messages, stream, model, ...rest } = bodySeen(api.first);
  assert.deepEqual([messages, stream, model], [[{ role: "user", content: "¿Quién eres?" }], true, "llama3.2"]);
  assert.deepEqual(rest, { truncate: false, shift: false, think: false, options: { num_ctx: 8192 } });
});

Deno.test("POST /v1/chat/completions does not know models that are not configured or do not chat", async () => {
  await using api = await startApi();
  const models = [
    "gpt-4o",
    "first/unknown",
    "nobody/llama3.2",
    "first/embeddinggemma",
    "role:nobody",
    "",
    "/",
    "first/",
  ];
  for (const model of [...models, "__proto__/constructor", "first/__proto__", "role:embeddings"]) {
    for (const stream of [false, true]) {
      const error = await refusalOf(connectClient(api).chat.completions.create({ ...PLAIN, model, stream }));
      assert.deepEqual([error.status, error.code, error.param], [404, "model_not_found", "model"], model);
      assert.equal(error.type, "invalid_request_error");
    }
  }
  const long = await refusalOf(complete(connectClient(api), { model: "x".repeat(100_000) }));
  assert.ok(long.message.length < 300, "the whole name is repeated");
  assert.equal(api.first.requests.length, 0);
});

Deno.test("POST /v1/chat/completions says 409 when the model is outside and this run is sealed", async () => {
  await using api = await startApi();
  for (const stream of [false, true]) {
    const error = await refusalOf(
      connectClient(api).chat.completions.create({ ...PLAIN, model: "groq/openai/gpt-oss-120b", stream }),
    );
    assert.deepEqual([error.status, error.code], [409, "egress_sealed"]);
    assert.match(error.message, /--cloud/);
  }
  assert.equal(api.first.chats.length, 0, "another model than the one asked for has answered");
});

Deno.test("POST /v1/chat/completions says 400 when there is nothing to answer", async () => {
  await using api = await startApi();
  for (const messages of [[{ role: "user", content: " \n" }], [{ role: "system", content: "Be brief." }]] as const) {
    const error = await refusalOf(complete(connectClient(api), { messages: [...messages] }));
    assert.deepEqual([error.status, error.code], [400, "invalid_value"]);
    assert.match(error.message, /empty/);
  }
});

Deno.test("POST /v1/* says 413 for a body over its limit: 16 MiB with images, 1 MiB without", async () => {
  await using api = await startApi();
  const client = connectClient(api);
  const content = "x".repeat(16 * 1024 * 1024);
  const chat = await refusalOf(complete(client, { messages: [{ role: "user", content }] }));
  assert.deepEqual([chat.status, chat.code, chat.type], [413, "body_too_large", "invalid_request_error"]);
  assert.match(chat.message, /16 MiB/);
  const vectors = await refusalOf(client.embeddings.create({ model: "auto", input: "x".repeat(1024 * 1024) }));
  assert.deepEqual([vectors.status, vectors.code], [413, "body_too_large"]);
  assert.match(vectors.message, /1 MiB/);
  // Just under the limit it is read, and refused for its length in tokens only.
  const words = "word ".repeat(3 * 1024 * 1024);
  const read = await refusalOf(complete(client, { messages: [{ role: "user", content: words }] }));
  assert.deepEqual([read.status, read.code], [400, "context_length_exceeded"]);
});

Deno.test("/v1 says what is wrong with requests that no client of OpenAI would send", async () => {
  await using api = await startApi();
  const json = { "content-type": "application/json" };
  const expected: [string, string, string | undefined, Record<string, string>, number, string][] = [
    ["POST", PATH, "{", json, 400, "malformed_body"],
    ["POST", PATH, " ", json, 400, "malformed_body"],
    ["POST", PATH, "[]", json, 400, "invalid_value"],
    ["POST", PATH, "null", json, 400, "invalid_value"],
    ["POST", PATH, JSON.stringify(PLAIN), { "content-type": "text/plain" }, 415, "unsupported_media_type"],
    ["GET", PATH, undefined, {}, 405, "method_not_allowed"],
    ["POST", "/v1/completions", JSON.stringify(PLAIN), json, 404, "not_found"],
    ["POST", "/v1/models", "{}", json, 405, "method_not_allowed"],
  ];
  for (const [method, path, body, headers, status, code] of expected) {
    const response = await api.send(method, path, body, headers);
    const { type, code: shown } = await errorIn(response);
    assert.deepEqual(
      [response.status, type, shown],
      [status, "invalid_request_error", code],
      `${method} ${path} ${body}`,
    );
  }
});

Deno.test("POST /v1/chat/completions says 429 and when to come back while every provider wants a pause", async () => {
  await using api = await startApi();
  const busy = { kind: "status", status: 429, headers: { "retry-after": "86400" } } as const;
  api.first.next(busy);
  api.second.next(busy);
  const client = connectClient(api);
  for (const stream of [false, true]) { // the second call is not even sent on
    const error = await refusalOf(client.chat.completions.create({ ...PLAIN, stream }));
    assert.deepEqual([error.status, error.code, error.type], [429, "rate_limit_exceeded", "rate_limit_error"]);
    const seconds = Number(error.headers?.get("retry-after"));
    assert.ok(Number.isInteger(seconds) && seconds > 80_000 && seconds <= 86_400, String(seconds));
  }
  assert.deepEqual([api.first.chats.length, api.second.chats.length], [1, 1]);
});

Deno.test("POST /v1/chat/completions says 502 with every attempt when no model could answer", async () => {
  await using api = await startApi();
  api.first.next({ kind: "html" });
  api.second.next({ kind: "status", status: 404 });
  const error = await refusalOf(complete(connectClient(api)));
  assert.deepEqual([error.status, error.code, error.type], [502, "no_answer", "server_error"]);
  const { attempts } = error.error as { attempts: ShownAttempt[] };
  assert.deepEqual(
    attempts.map(({ provider, model, outcome, error_kind }) => [provider, model, outcome, error_kind]),
    [["first", "llama3.2", "failed", "protocol"], ["second", "small", "failed", "model_not_found"]],
  );
  assert.match(error.message, /ollama pull small/);
});

Deno.test("POST /v1/chat/completions says 503 and when to come back while every breaker is open", async () => {
  await using api = await startApi({ change: (models: ApiModels) => ({ ...models, ...QUICK_BREAKER }) });
  const client = connectClient(api);
  api.first.next({ kind: "html" });
  api.second.next({ kind: "html" });
  assert.equal((await refusalOf(complete(client))).status, 502);
  for (const stream of [false, true]) {
    const error = await refusalOf(client.chat.completions.create({ ...PLAIN, stream }));
    assert.deepEqual([error.status, error.code, error.type], [503, "unavailable", "server_error"]);
    const seconds = Number(error.headers?.get("retry-after"));
    assert.ok(Number.isInteger(seconds) && seconds > 1500 && seconds <= 1800, String(seconds));
    const { attempts } = error.error as { attempts: ShownAttempt[] };
    assert.deepEqual(attempts.map(({ outcome }) => outcome), ["skipped", "skipped"]);
  }
  assert.deepEqual([api.first.chats.length, api.second.chats.length], [1, 1]);
});

Deno.test("POST /v1/chat/completions says 504 when no model was quick enough", async () => {
  const deadlines = { load_seconds: 0.05, first_token_seconds: 0.05, idle_seconds: 5, total_seconds: 20 };
  await using api = await startApi({ change: (models: ApiModels) => ({ ...models, deadlines }) });
  api.first.always({ kind: "silence" });
  api.second.always({ kind: "silence" });
  const error = await refusalOf(complete(connectClient(api)));
  assert.deepEqual([error.status, error.code, error.type], [504, "timeout", "server_error"]);
  const { attempts } = error.error as { attempts: ShownAttempt[] };
  assert.deepEqual(attempts.map(({ error_kind }) => error_kind), ["timeout", "timeout"]);
});

Deno.test("POST /v1/chat/completions says 400 when the fault is with the request, whoever finds it", async () => {
  await using api = await startApi();
  const expected: [Behaviour, string][] = [
    [{ kind: "status", status: 400 }, "bad_request"],
    [{ kind: "status", status: 400, body: { error: '"llama3.2" does not support tools' } }, "bad_request"],
    [{ kind: "blocked_prompt" }, "content_filter"],
  ];
  for (const [behaviour, code] of expected) {
    api.first.next(behaviour);
    const error = await refusalOf(complete(connectClient(api)));
    assert.deepEqual([error.status, error.code, error.type], [400, code, "invalid_request_error"]);
  }
  assert.equal(api.second.chats.length, 0, "another model was asked the same");
});
