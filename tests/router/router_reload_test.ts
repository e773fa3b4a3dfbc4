import assert from "node:assert/strict";
import { startFakeGroq } from "../support/fake_groq.ts";
import { ask, brief, GEMINI, GPT, LLAMA, readStream, SMALL_GPT, startRig, until } from "../support/rig.ts";

const UNAVAILABLE = { kind: "status", status: 503 } as const;

Deno.test("Router.apply() serves the new configuration from the next call on", async () => {
  await using rig = startRig({ chain: [GPT] });
  assert.equal((await ask(rig)).provider, "groq");
  rig.reload({ chain: [GEMINI], localOnly: false });
  assert.equal((await ask(rig)).provider, "gemini");
  rig.reload({ chain: [LLAMA], localOnly: true });
  const response = await ask(rig);
  assert.deepEqual([response.provider, response.profile, rig.router.snapshot.profile.name], [
    "ollama",
    "local",
    "local",
  ]);
});

Deno.test("Router.apply() keeps breaker, rate limit and latencies of a provider that stays where it is", async () => {
  await using rig = startRig({ chain: [GPT, GEMINI, LLAMA], breaker: { failure_threshold: 1 } });
  rig.groq.next(UNAVAILABLE);
  rig.gemini.next({ kind: "status", status: 429, headers: { "retry-after": "60" } });
  assert.equal((await ask(rig)).provider, "ollama");
  const before = rig.router.lanes;
  rig.reload({ chain: [GPT, GEMINI, LLAMA], breaker: { failure_threshold: 9 }, deadlines: { idle_seconds: 3 } });
  const { attempts } = await ask(rig);
  assert.deepEqual(brief(attempts), [`${GPT} skipped unavailable`, `${GEMINI} skipped rate_limit`, `${LLAMA} ok`]);
  assert.deepEqual([rig.groq.chats.length, rig.gemini.chats.length], [1, 1]);
  assert.equal(rig.router.lanes["groq"]?.failures, before["groq"]?.failures);
  assert.equal(typeof before["ollama"]?.latency_p50_ms, "number");
});

Deno.test("Router.apply() takes new limits over for calls that wait already", async () => {
  await using rig = startRig({ chain: [GPT], providers: { groq: { max_concurrent: 1 } } });
  rig.groq.next({ kind: "answer", firstTokenDelayMs: 60 }, { kind: "answer", firstTokenDelayMs: 60 });
  const calls = [ask(rig), ask(rig), ask(rig)];
  await until(() => rig.groq.chats.length === 1);
  rig.reload({ chain: [GPT], providers: { groq: { max_concurrent: 3 } } });
  const { in_flight, waiting } = rig.router.lanes["groq"] ?? assert.fail("no lane");
  assert.deepEqual({ in_flight, waiting }, { in_flight: 3, waiting: 0 });
  await Promise.all(calls);
  assert.equal(rig.groq.chats.length, 3);
});

Deno.test("Router.apply() begins anew for a provider that moves to another origin", async () => {
  await using rig = startRig({ chain: [GPT, GEMINI], breaker: { failure_threshold: 1 } });
  await using elsewhere = startFakeGroq();
  rig.groq.always(UNAVAILABLE);
  assert.equal((await ask(rig)).provider, "gemini");
  rig.reload({ chain: [GPT, GEMINI], providers: { groq: { base_url: elsewhere.origin } } });
  const { breaker, failures, last_error_kind } = rig.router.lanes["groq"] ?? assert.fail("no lane");
  assert.deepEqual([breaker, failures, last_error_kind], ["closed", 0, null]);
  assert.equal((await ask(rig)).provider, "groq");
  assert.deepEqual([rig.groq.chats.length, elsewhere.chats.length], [1, 1]);
});

Deno.test("Router.apply() lets calls in flight finish on the configuration they began with", async () => {
  await using rig = startRig({ chain: [GPT, SMALL_GPT] });
  rig.groq.next({ kind: "answer", firstTokenDelayMs: 50, usage: { input: 1_000_000, output: 0 } }, UNAVAILABLE);
  const running = ask(rig);
  const stream = rig.router.stream({ prompt: "¿Quién eres?" });
  const streaming = readStream(stream);
  await until(() => rig.groq.chats.length === 2);
  rig.reload({ chain: [LLAMA], localOnly: true, providers: { groq: { models: { dear: { context: 1 } } } } });
  const response = await running;
  assert.deepEqual([response.provider, response.profile, response.cost_usd], ["groq", "open", 0.15]);
  const { error } = await streaming;
  assert.match(String(error), /groq\/openai\/gpt-oss-120b: failed, unavailable/, "its own chain, not the new one");
  assert.equal(rig.ollama.connections, 0);
});

Deno.test("Router.apply() keeps the queue: a call of the new configuration waits for one of the old", async () => {
  await using rig = startRig({ chain: [LLAMA] });
  rig.ollama.next({ kind: "answer", firstTokenDelayMs: 60 });
  const old = ask(rig);
  await until(() => rig.ollama.chats.length === 1);
  rig.reload({ chain: [LLAMA], localOnly: true });
  const young = ask(rig);
  await until(() => rig.router.lanes["ollama"]?.waiting === 1);
  assert.equal(rig.ollama.chats.length, 1);
  assert.deepEqual([(await old).profile, (await young).profile], ["open", "local"]);
});
