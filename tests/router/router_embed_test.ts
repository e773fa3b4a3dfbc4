import assert from "node:assert/strict";
import { AgentError, EXIT } from "../../src/core/errors.ts";
import { ask, brief, failureOf, GEMINI, GPT, LLAMA, startRig, until } from "../support/rig.ts";

const EMBEDDER = "ollama/embeddinggemma";

Deno.test("Router.embed() gives one vector a text, in order, from the model of the embeddings role", async () => {
  await using rig = startRig({ chain: [GPT, LLAMA] });
  const { vectors, provider, model, usage, cost_usd, latency_ms } = await rig.router.embed(["uno", "dos", "uno"]);
  assert.deepEqual([provider, model, cost_usd, usage.source], ["ollama", "embeddinggemma", 0, "provider"]);
  assert.deepEqual([vectors.length, vectors[0]?.length], [3, 8]);
  assert.deepEqual(vectors[0], vectors[2]);
  assert.notDeepEqual(vectors[0], vectors[1]);
  assert.ok(latency_ms > 0);
  assert.equal(rig.groq.connections, 0);
});

Deno.test("Router.embed() estimates the counts and knows no cost where the provider gives neither", async () => {
  await using rig = startRig({ chain: [GPT], assignments: { embeddings: "gemini/gemini-embedding-001" } });
  const { provider, usage, cost_usd } = await rig.router.embed(["x".repeat(8), "y".repeat(12)]);
  assert.deepEqual([provider, cost_usd], ["gemini", null]);
  assert.deepEqual([usage.input, usage.output, usage.source], [5, 0, "estimated"]);
});

Deno.test("Router.embed() tries its model once more and no other: vectors of two models cannot be compared", async () => {
  await using rig = startRig({ chain: [GPT, GEMINI, LLAMA] });
  rig.ollama.on("/api/embed", { kind: "status", status: 500, body: { error: "failed" } });
  const error = await failureOf(rig, rig.router.embed(["uno"]));
  assert.deepEqual(brief(error.attempts), [`${EMBEDDER} failed unavailable`, `${EMBEDDER} failed unavailable`]);
  assert.deepEqual([rig.groq.connections, rig.gemini.connections], [0, 0]);
  rig.ollama.on("/api/embed");
  assert.equal((await rig.router.embed(["uno"])).vectors.length, 1);
});

Deno.test("Router.embed() says what to write when no model embeds", async () => {
  await using rig = startRig({ chain: [LLAMA] });
  const { snapshot } = rig.router;
  rig.router.apply({ ...snapshot, profile: { ...snapshot.profile, assignments: {} } });
  await assert.rejects(rig.router.embed(["uno"]), (error) => {
    assert.ok(error instanceof AgentError);
    assert.equal(error.exitCode, EXIT.config);
    assert.match(error.remedy ?? "", /"embeddings": "ollama\/embeddinggemma"/);
    return true;
  });
});

Deno.test("Router.embed() says that a provider cannot embed", async () => {
  await using rig = startRig({ chain: [LLAMA], assignments: { embeddings: GPT } });
  const error = await failureOf(rig, rig.router.embed(["uno"]));
  assert.deepEqual([error.kind, rig.groq.connections], ["bad_request", 0]);
  assert.match(error.message, /cannot embed\. → Assign embeddings to a model of Ollama or Gemini/);
});

Deno.test("Router.embed() waits behind conversations at the same provider, and stops when its caller does", async () => {
  await using rig = startRig({ chain: [LLAMA] });
  rig.ollama.next({ kind: "answer", firstTokenDelayMs: 40 });
  const order: string[] = [];
  const calls = [ask(rig, { prompt: "running" }).then(() => order.push("running"))];
  await until(() => rig.ollama.chats.length === 1);
  const controller = new AbortController();
  calls.push(rig.router.embed(["uno"]).then(() => order.push("embedding")));
  const leaving = failureOf(rig, rig.router.embed(["dos"], { signal: controller.signal }));
  calls.push(ask(rig, { prompt: "chat" }).then(() => order.push("chat")));
  controller.abort();
  assert.equal((await leaving).kind, "aborted");
  await Promise.all(calls);
  assert.deepEqual(order, ["running", "chat", "embedding"]);
});
