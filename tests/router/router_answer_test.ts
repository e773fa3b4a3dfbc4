import assert from "node:assert/strict";
import { AgentError, EXIT } from "../../src/core/errors.ts";
import type { GenerateRequest } from "../../src/core/types.ts";
import { ask, brief, DEFAULT_ANSWER, failureOf, GEMINI, GPT, LLAMA, readStream, startRig } from "../support/rig.ts";

function assertUsd(actual: number | null, expected: number): void {
  assert.ok(actual !== null && Math.abs(actual - expected) < 1e-9, `${actual} USD instead of ${expected}`);
}

Deno.test("Router.generate() reports the provider's counts, cached tokens within the input, and what they cost", async () => {
  await using rig = startRig({ chain: [GPT] });
  rig.groq.next({ kind: "answer", usage: { input: 1000, cached: 400, output: 100, reasoning: 30 } });
  const { usage, cost_usd } = await ask(rig);
  const { raw, ...counts } = usage;
  assert.deepEqual(counts, {
    input: 1000,
    cached_input: 400,
    output: 100,
    reasoning: 30,
    total: 1100,
    source: "provider",
  });
  assert.ok(raw, "the provider's own object");
  assertUsd(cost_usd, (600 * 0.15 + 400 * 0.075 + 100 * 0.6) / 1e6);
});

Deno.test("Router.generate() estimates the counts when the provider sends none, and says so", async () => {
  await using rig = startRig({ chain: [GPT] });
  rig.groq.next({ kind: "answer", usage: null });
  const { usage, cost_usd } = await ask(rig, { prompt: "x".repeat(400), system_prompt: "y".repeat(40) });
  const output = Math.ceil(DEFAULT_ANSWER.length / 4);
  assert.deepEqual(usage, {
    input: 110,
    cached_input: 0,
    output,
    reasoning: 0,
    total: 110 + output,
    source: "estimated",
    raw: null,
  });
  assertUsd(cost_usd, (110 * 0.15 + output * 0.6) / 1e6);
});

Deno.test("Router.generate() books no cost for a model without a price, and zero for one of this machine", async () => {
  await using rig = startRig({ chain: ["gemini/gemini-unpriced"] });
  assert.equal((await ask(rig)).cost_usd, null);
  assert.equal((await ask(rig, { model: LLAMA })).cost_usd, 0);
});

Deno.test("Router.generate() bills the model that answered", async () => {
  await using rig = startRig({ chain: [GPT, GEMINI] });
  rig.groq.next({ kind: "cut", after: 4 });
  rig.gemini.next({ kind: "answer", usage: { input: 10, output: 2 } });
  const { usage, cost_usd } = await ask(rig);
  assert.deepEqual([usage.input, usage.output], [10, 2]);
  assertUsd(cost_usd, (10 * 0.3 + 2 * 2.5) / 1e6);
});

Deno.test("Router measures the first token and the whole call from its start, failed attempts included", async () => {
  await using rig = startRig({ chain: [GPT, GEMINI] });
  rig.groq.next({ kind: "cut", after: 2 });
  rig.gemini.next({ kind: "answer", firstTokenDelayMs: 40, gapMs: 10 });
  const { first_token_ms, latency_ms, attempts } = await ask(rig);
  assert.ok(first_token_ms >= 39, `${first_token_ms} ms to the first token of the answer that counts`);
  assert.ok(latency_ms >= first_token_ms + 30, `${latency_ms} ms`);
  assert.ok((attempts[1]?.ms ?? 0) >= 39 && (attempts[0]?.ms ?? 0) > 0);
});

Deno.test("Router counts the latency of answers for its status", async () => {
  await using rig = startRig({ chain: [GPT] });
  rig.groq.next({ kind: "answer", firstTokenDelayMs: 20 });
  await ask(rig);
  const { latency_p50_ms, latency_p95_ms } = rig.router.lanes["groq"] ?? assert.fail("no lane");
  assert.ok(latency_p50_ms !== null && latency_p50_ms >= 19);
  assert.equal(latency_p50_ms, latency_p95_ms);
});

Deno.test("Router.generate() tries a model asked for by name first, then the chain", async () => {
  await using rig = startRig({ chain: [GPT], assignments: { technical: GPT } });
  const named = await ask(rig, { role: "technical", model: GEMINI });
  assert.deepEqual([named.provider, named.fallback], ["gemini", false]);
  rig.gemini.next({ kind: "status", status: 503 });
  const { attempts, fallback } = await ask(rig, { model: GEMINI });
  assert.deepEqual([brief(attempts), fallback], [[`${GEMINI} failed unavailable`, `${GPT} ok`], true]);
});

Deno.test("Router.generate() refuses a model that models.json does not list, naming those it does", async () => {
  await using rig = startRig({ chain: [GPT] });
  await assert.rejects(ask(rig, { model: "groq/gone" }), (error) => {
    assert.ok(error instanceof AgentError);
    assert.deepEqual([error.exitCode, error.message], [
      EXIT.usage,
      'There is no model "groq/gone" that chats in the configuration',
    ]);
    assert.match(error.remedy ?? "", /ollama\/llama3\.2, .*groq\/openai\/gpt-oss-120b/);
    return true;
  });
});

Deno.test("Router refuses a request with nothing to answer before it asks anybody", async () => {
  await using rig = startRig({ chain: [GPT] });
  const wrong: GenerateRequest = { prompt: "  " };
  await assert.rejects(rig.router.generate(wrong), { name: "AgentError", exitCode: EXIT.usage });
  const { error } = await readStream(rig.router.stream(wrong));
  assert.ok(error instanceof AgentError && error.exitCode === EXIT.usage);
  assert.equal(rig.groq.connections, 0);
});

Deno.test("Router passes options on to the provider that answers", async () => {
  await using rig = startRig({ chain: [GPT] });
  await ask(rig, { temperature: 0, max_tokens: 7, stop: ["fin"], system_prompt: "Be brief." });
  const { temperature, max_completion_tokens, stop, messages } = rig.groq.chats[0]?.body ?? {};
  assert.deepEqual({ temperature, max_completion_tokens, stop }, {
    temperature: 0,
    max_completion_tokens: 7,
    stop: ["fin"],
  });
  assert.deepEqual(messages, [
    { role: "system", content: "Be brief." },
    { role: "user", content: "¿Quién eres?" },
  ]);
});

Deno.test("Router.test() asks one model straight, past breaker and rate limit, and tells them nothing", async () => {
  await using rig = startRig({ chain: [GPT, GEMINI], breaker: { failure_threshold: 1 } });
  rig.groq.next({ kind: "status", status: 503 });
  await ask(rig);
  const before = rig.router.lanes["groq"];
  assert.equal(before?.breaker, "open");
  const response = await rig.router.test(GPT);
  assert.deepEqual([response.provider, brief(response.attempts)], ["groq", [`${GPT} ok`]]);
  rig.groq.next({ kind: "status", status: 503 });
  const error = await failureOf(rig, rig.router.test(GPT));
  assert.deepEqual(brief(error.attempts), [`${GPT} failed unavailable`]);
  const { retry_at: _, ...after } = rig.router.lanes["groq"] ?? assert.fail("no lane");
  assert.deepEqual({ ...after, retry_at: before.retry_at }, before);
  await assert.rejects(rig.router.test("groq/gone"), { name: "AgentError", exitCode: EXIT.usage });
});

Deno.test("Router.generate() does not chat in the role embeddings", async () => {
  await using rig = startRig({ chain: [LLAMA] });
  await assert.rejects(rig.router.generate({ prompt: "hi", role: "embeddings" }), (error) => {
    assert.ok(error instanceof AgentError);
    assert.equal(error.exitCode, 64);
    return true;
  });
  assert.equal(rig.ollama.requests.length, 0);
});
