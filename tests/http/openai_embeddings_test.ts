import assert from "node:assert/strict";
import { type ApiModels, startApi } from "../support/api.ts";
import { fakeVector } from "../support/fake_behaviour.ts";
import { connectClient, errorIn, refusalOf } from "../support/openai_client.ts";

const TEXTS = ["the first text", "another one", "and a third"];

function withoutAssignment(models: ApiModels) {
  return { ...models, assignments: {} };
}

Deno.test("POST /v1/embeddings answers in OpenAI's shape, the vectors in the order of the texts", async () => {
  await using api = await startApi();
  const answer = await connectClient(api).embeddings.create({ model: "auto", input: TEXTS, encoding_format: "float" });
  assert.deepEqual({ ...answer }, {
    object: "list",
    data: TEXTS.map((text, index) => ({ object: "embedding", index, embedding: fakeVector(text) })),
    model: "first/embeddinggemma",
    usage: { prompt_tokens: 10, total_tokens: 10 },
  });
  const row = api.agent.usage.local?.latest(1)[0];
  assert.deepEqual([row?.role, row?.outcome, row?.input_tokens], ["embeddings", "ok", 10]);
});

Deno.test("POST /v1/embeddings sends base64 to clients that ask for it, as the official one does", async () => {
  await using api = await startApi();
  const { data } = await connectClient(api).embeddings.create({ model: "auto", input: TEXTS });
  assert.deepEqual(data.map(({ embedding }) => embedding), TEXTS.map((text) => fakeVector(text).map(Math.fround)));
  const response = await api.send("POST", "/v1/embeddings", { model: "auto", input: "x", encoding_format: "base64" });
  const [{ embedding }] = (await response.json()).data;
  const bytes = Uint8Array.fromBase64(embedding);
  const view = new DataView(bytes.buffer);
  assert.deepEqual(
    Array.from({ length: bytes.length / 4 }, (_, index) => view.getFloat32(index * 4, true)),
    fakeVector("x").map(Math.fround),
  );
});

Deno.test("POST /v1/embeddings takes a single text, and says nothing of an encoding as a list of numbers", async () => {
  await using api = await startApi();
  const response = await api.send("POST", "/v1/embeddings", { model: "auto", input: "one text" });
  assert.equal(response.status, 200);
  assert.deepEqual((await response.json()).data, [
    { object: "embedding", index: 0, embedding: fakeVector("one text") },
  ]);
});

Deno.test("POST /v1/embeddings takes auto, its role, or the assigned model by name", async () => {
  await using api = await startApi();
  for (const model of ["auto", "role:embeddings", "first/embeddinggemma"]) {
    const answer = await connectClient(api).embeddings.create({ model, input: "x" });
    assert.equal(answer.model, "first/embeddinggemma", model);
  }
});

Deno.test("POST /v1/embeddings does not know any other model", async () => {
  await using api = await startApi();
  for (const model of ["text-embedding-3-small", "first/llama3.2", "second/small", "role:technical", ""]) {
    const error = await refusalOf(connectClient(api).embeddings.create({ model, input: "x" }));
    assert.deepEqual([error.status, error.code, error.param], [404, "model_not_found", "model"], model);
    assert.equal(error.type, "invalid_request_error");
  }
  assert.equal(api.first.requests.length, 0);
});

Deno.test("POST /v1/embeddings says what to do when no model is assigned", async () => {
  await using api = await startApi({ change: withoutAssignment });
  const client = connectClient(api);
  const error = await refusalOf(client.embeddings.create({ model: "auto", input: "x" }));
  assert.deepEqual([error.status, error.code, error.param], [404, "model_not_found", "model"]);
  assert.match(error.message, /privacy_mode.*models assign embeddings/);
  const { data } = await client.models.list();
  assert.ok(!data.some(({ id }) => id === "role:embeddings"), "a role without a model is listed");
});

Deno.test("POST /v1/embeddings refuses what it cannot embed, with the place", async () => {
  await using api = await startApi();
  const expected: [object, string][] = [
    [{ model: "auto" }, "input"],
    [{ model: "auto", input: "" }, "input"],
    [{ model: "auto", input: [] }, "input"],
    [{ model: "auto", input: ["a", ""] }, "input[1]"],
    [{ model: "auto", input: [1, 2, 3] }, "input"],
    [{ model: "auto", input: Array(2049).fill("a") }, "input"],
    [{ model: "auto", input: "a", dimensions: 64 }, "dimensions"],
    [{ model: "auto", input: "a", encoding_format: "int8" }, "encoding_format"],
    [{ input: "a" }, "model"],
  ];
  for (const [body, param] of expected) {
    const response = await api.send("POST", "/v1/embeddings", body);
    const { type, code, param: shown } = await errorIn(response);
    assert.deepEqual(
      [response.status, type, code, shown],
      [400, "invalid_request_error", "invalid_value", param],
      JSON.stringify(body).slice(0, 100),
    );
  }
  const most = await connectClient(api).embeddings.create({ model: "auto", input: Array(2048).fill("a") });
  assert.equal(most.data.length, 2048);
});

Deno.test("POST /v1/embeddings ignores fields that nobody knows", async () => {
  await using api = await startApi();
  const body = { model: "auto", input: "x", user: "ana", encoding_format: null, something_new: { a: 1 } };
  const response = await api.send("POST", "/v1/embeddings", body);
  assert.equal(response.status, 200);
  await response.body?.cancel();
});

Deno.test("POST /v1/embeddings answers with the status of what went wrong", async () => {
  await using api = await startApi();
  const client = connectClient(api);
  const embed = (input: string) => refusalOf(client.embeddings.create({ model: "auto", input }));
  const long = await embed("MARKER ".repeat(3000));
  assert.deepEqual([long.status, long.code], [400, "context_length_exceeded"]);
  assert.ok(!JSON.stringify(long.error).includes("MARKER"));
  api.first.on("/api/embed", { kind: "status", status: 429, headers: { "retry-after": "86400" } });
  const limited = await embed("x");
  assert.deepEqual([limited.status, limited.code], [429, "rate_limit_exceeded"]);
  assert.ok(Number(limited.headers?.get("retry-after")) > 80_000);
  assert.equal(api.second.requests.length, 0, "vectors of two models cannot be compared");
});

Deno.test("POST /v1/embeddings names the attempts when the provider is away", async () => {
  await using api = await startApi();
  await api.first.down();
  const error = await refusalOf(connectClient(api).embeddings.create({ model: "auto", input: "x" }));
  assert.deepEqual([error.status, error.code, error.type], [502, "no_answer", "server_error"]);
  const { attempts } = error.error as { attempts: { provider: string; model: string; outcome: string }[] };
  assert.ok(attempts.every(({ model, outcome }) => model === "embeddinggemma" && outcome === "failed"));
});
