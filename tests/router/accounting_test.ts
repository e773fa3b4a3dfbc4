import assert from "node:assert/strict";
import type { UsageRow } from "../../src/storage/usage.ts";
import {
  assertRow,
  assertSound,
  assertUsd,
  briefRows,
  estimated,
  NO_TOKENS,
  requestsSeen,
  tokensOf,
} from "../support/booked.ts";
import type { Behaviour } from "../support/fake_provider.ts";
import {
  ask,
  DEFAULT_ANSWER,
  failureOf,
  GEMINI,
  GPT,
  LLAMA,
  QWEN,
  type Rig,
  SMALL_GPT,
  startRig,
  until,
} from "../support/rig.ts";

const PROMPT = "¿Quién eres?"; // what `ask` asks: 12 characters, 3 tokens by the rule of thumb
const UNPRICED = "gemini/gemini-unpriced";

function status(code: number): Behaviour {
  return { kind: "status", status: code };
}

function priceWarnings(rig: Rig) {
  return rig.eventsOf("system.warning").filter(({ code }) => code === "price_unknown");
}

const USAGE = { input: 2000, cached: 500, output: 300, reasoning: 120 };
const ANSWERS: readonly {
  readonly ref: string;
  readonly fake: "ollama" | "groq" | "gemini";
  readonly row: Partial<UsageRow>;
  readonly usd: number;
}[] = [
  {
    // Ollama counts neither cached nor reasoning tokens.
    ref: LLAMA,
    fake: "ollama",
    row: { provider: "ollama", model: "llama3.2", cached_input_tokens: 0, reasoning_tokens: 0 },
    usd: 0,
  },
  {
    ref: GPT,
    fake: "groq",
    row: { provider: "groq", model: "openai/gpt-oss-120b", cached_input_tokens: 500, reasoning_tokens: 120 },
    usd: (1500 * 0.15 + 500 * 0.075 + 300 * 0.6) / 1e6,
  },
  {
    // Without a price of their own, cached tokens cost what the others do.
    ref: GEMINI,
    fake: "gemini",
    row: { provider: "gemini", model: "gemini-3.5-flash-lite", cached_input_tokens: 500, reasoning_tokens: 120 },
    usd: (2000 * 0.3 + 300 * 2.5) / 1e6,
  },
];
for (const { ref, fake, row, usd } of ANSWERS) {
  Deno.test(`Router.generate() books an answer of ${fake} with its counts, its cost and its times`, async () => {
    await using rig = startRig({ chain: [ref] });
    rig[fake].next({ kind: "answer", usage: USAGE, firstTokenDelayMs: 20, gapMs: 5 });
    const before = Date.now();
    const response = await ask(rig, { role: "technical" });
    const [booked, ...others] = rig.rows;
    assert.deepEqual(others, []);
    assertRow(booked, {
      ...row,
      conversation_id: null,
      role: "technical",
      profile: "open",
      input_tokens: 2000,
      output_tokens: 300,
      total_tokens: 2300,
      source: "provider",
      cost_usd: response.cost_usd,
      outcome: "ok",
      error_kind: null,
      fallback: false,
      chain_position: 1,
    });
    assertUsd(booked?.cost_usd, usd);
    const { at_ms = 0, first_token_ms, latency_ms = 0 } = booked ?? {};
    assert.ok(at_ms >= before && at_ms <= Date.now(), `${at_ms}`);
    assert.ok((first_token_ms ?? 0) >= 19, `${first_token_ms} ms to the first token`);
    assert.ok(latency_ms >= (first_token_ms ?? 0) + 10, `${latency_ms} ms, some gaps later`);
    assertSound(rig.rows);
  });
}

Deno.test("Router.generate() books an estimate when the provider sends no counts", async () => {
  await using rig = startRig({ chain: [GPT] });
  rig.groq.next({ kind: "answer", usage: null });
  await ask(rig, { prompt: "x".repeat(400), system_prompt: "y".repeat(40) });
  const output = Math.ceil(DEFAULT_ANSWER.length / 4);
  assert.deepEqual(tokensOf(rig.rows[0]), estimated(110, output));
  assertUsd(rig.rows[0]?.cost_usd, (110 * 0.15 + output * 0.6) / 1e6);
});

Deno.test("Router.generate() books no first token of an answer without one", async () => {
  await using rig = startRig({ chain: [GPT] });
  rig.groq.next({ kind: "answer", tokens: [], usage: { input: 9, output: 0 }, firstTokenDelayMs: 10 });
  assert.equal((await ask(rig)).content, "");
  assertRow(rig.rows[0], { outcome: "ok", total_tokens: 9, source: "provider", first_token_ms: null });
});

Deno.test("Router.generate() books counts that no database takes as the nearest that it does", async () => {
  await using rig = startRig({ chain: [GPT] });
  rig.groq.next(
    { kind: "answer", usage: { input: 12.5, cached: 1.25, output: 7, reasoning: 2.75 } },
    { kind: "answer", usage: { input: 1e300, cached: 1e18, output: 2 ** 53, reasoning: 1e18 } },
  );
  await ask(rig);
  await ask(rig);
  assertRow(rig.rows[0], {
    input_tokens: 13,
    cached_input_tokens: 1,
    output_tokens: 7,
    reasoning_tokens: 3,
    total_tokens: 20,
  });
  assertSound(rig.rows);
});

Deno.test("Router.generate() books what it cost to fail: the model that failed and the one that answered", async () => {
  await using rig = startRig({ chain: [GPT, LLAMA, GEMINI] });
  rig.groq.next(status(503));
  rig.ollama.next(status(503));
  await ask(rig);
  assert.deepEqual(briefRows(rig.rows), [`${GPT} failed unavailable`, `${LLAMA} failed unavailable`, `${GEMINI} ok`]);
  assertRow(rig.rows[0], { ...NO_TOKENS, cost_usd: 0, first_token_ms: null, fallback: false, chain_position: 1 });
  assertRow(rig.rows[1], { ...NO_TOKENS, cost_usd: 0, first_token_ms: null, fallback: true, chain_position: 2 });
  assertRow(rig.rows[2], { source: "provider", fallback: true, chain_position: 3 });
  assertSound(rig.rows);
});

Deno.test("Router.generate() books the place in the chain of a model that was tried because others were skipped", async () => {
  const refusal = { kind: "auth", reason: "GROQ_API_KEY is not set", remedy: "Put it into .env." } as const;
  await using rig = startRig({ chain: [GPT, SMALL_GPT, GEMINI], refusals: { groq: refusal } });
  await ask(rig);
  assert.deepEqual(briefRows(rig.rows), [`${GEMINI} ok`]);
  assertRow(rig.rows[0], { fallback: true, chain_position: 3 });
});

Deno.test("Router.generate() books a retry at the same model as an attempt of its own", async () => {
  await using rig = startRig({ chain: [GPT, GEMINI] });
  rig.groq.next(status(500));
  await ask(rig);
  assert.deepEqual(briefRows(rig.rows), [`${GPT} failed unavailable`, `${GPT} ok`]);
  for (const row of rig.rows) assertRow(row, { fallback: false, chain_position: 1 });
  assertSound(rig.rows);
});

Deno.test("Router.generate() books an answer that broke off and was begun again elsewhere, each with its own", async () => {
  await using rig = startRig({ chain: [GPT, GEMINI] });
  rig.groq.next({ kind: "cut", after: 2 });
  rig.gemini.next({ kind: "answer", usage: { input: 10, output: 2 } });
  const { usage, cost_usd } = await ask(rig);
  assert.deepEqual(briefRows(rig.rows), [`${GPT} failed protocol`, `${GEMINI} ok`]);
  const [failed, ok] = rig.rows;
  assert.deepEqual(tokensOf(failed), estimated(3, 3), "the prompt, and “Hola, soy”");
  assertUsd(failed?.cost_usd, (3 * 0.15 + 3 * 0.6) / 1e6);
  assert.notEqual(failed?.first_token_ms, null);
  assertRow(ok, { input_tokens: 10, output_tokens: 2, total_tokens: 12, source: "provider", cost_usd });
  assert.equal(usage.total, ok?.total_tokens, "the answer bills the model that gave it alone");
  assertSound(rig.rows);
});

Deno.test("Router.generate() books the time of the attempt, without the wait for a free place", async () => {
  await using rig = startRig({ chain: [GPT], providers: { groq: { max_concurrent: 1 } } });
  rig.groq.next({ kind: "silence" });
  const controller = new AbortController();
  const first = failureOf(rig, ask(rig, { signal: controller.signal }));
  await until(() => rig.groq.chats.length === 1);
  const second = ask(rig);
  const since = performance.now();
  await until(() => performance.now() - since > 25);
  assert.equal(rig.router.lanes["groq"]?.waiting, 1);
  const waitedMs = performance.now() - since;
  controller.abort();
  await first;
  const { latency_ms } = await second;
  assert.deepEqual(briefRows(rig.rows), [`${GPT} aborted aborted`, `${GPT} ok`]);
  const bookedMs = rig.rows[1]?.latency_ms ?? assert.fail();
  assert.ok(
    bookedMs <= latency_ms - waitedMs + 1,
    `${bookedMs} ms of ${latency_ms} ms, ${waitedMs} ms of them waiting`,
  );
});

Deno.test("Router.generate() books the profile the call began with, whatever is loaded meanwhile", async () => {
  await using rig = startRig({ chain: [LLAMA] });
  rig.ollama.next({ kind: "answer", firstTokenDelayMs: 30 });
  const running = ask(rig);
  await until(() => rig.ollama.chats.length === 1);
  rig.reload({ chain: [LLAMA], localOnly: true });
  await running;
  await ask(rig);
  assert.deepEqual(rig.rows.map(({ profile }) => profile), ["open", "local"]);
});

Deno.test("Router.generate() books an attempt whose caller aborts before the first token", async () => {
  await using rig = startRig({ chain: [GPT, GEMINI] });
  rig.groq.next({ kind: "silence" });
  const controller = new AbortController();
  const call = failureOf(rig, ask(rig, { signal: controller.signal }));
  await until(() => rig.groq.chats.length === 1);
  controller.abort();
  await call;
  assert.equal(rig.rows.length, 1);
  const expected = { outcome: "aborted", error_kind: "aborted", cost_usd: 0, first_token_ms: null } as const;
  assertRow(rig.rows[0], { ...expected, ...NO_TOKENS });
});

Deno.test("Router.generate() books nothing for a caller who aborts before there was a place, or before it began", async () => {
  await using rig = startRig({ chain: [GPT], providers: { groq: { max_concurrent: 1 } } });
  rig.groq.next({ kind: "silence" });
  const [running, waiting] = [new AbortController(), new AbortController()];
  const first = failureOf(rig, ask(rig, { signal: running.signal }));
  const second = failureOf(rig, ask(rig, { signal: waiting.signal }));
  await until(() => rig.router.lanes["groq"]?.waiting === 1 && rig.groq.chats.length === 1);
  waiting.abort();
  assert.equal((await second).kind, "aborted");
  assert.equal((await failureOf(rig, ask(rig, { signal: AbortSignal.abort() }))).kind, "aborted");
  assert.deepEqual(rig.rows, []);
  running.abort();
  await first;
  assert.deepEqual(briefRows(rig.rows), [`${GPT} aborted aborted`]);
});

Deno.test("Router.generate() books the attempts that the time for the whole call allowed, and no more", async () => {
  await using rig = startRig({
    chain: [GPT, GEMINI, QWEN],
    deadlines: { first_token_seconds: 0.1, total_seconds: 0.18 },
  });
  for (const fake of [rig.groq, rig.gemini, rig.ollama]) fake.always({ kind: "silence" });
  await failureOf(rig, ask(rig));
  assert.deepEqual(briefRows(rig.rows), [`${GPT} failed timeout`, `${GEMINI} failed timeout`]);
  for (const row of rig.rows) assert.deepEqual(tokensOf(row), NO_TOKENS);
  assertSound(rig.rows);
});

Deno.test("Router.generate() warns once of each model that was used and has no price, however often that is", async () => {
  await using rig = startRig({ chain: [UNPRICED], assignments: { embeddings: "gemini/gemini-embedding-001" } });
  rig.gemini.next(status(503));
  await failureOf(rig, ask(rig));
  assert.deepEqual([rig.rows[0]?.cost_usd, priceWarnings(rig)], [null, []], "nothing was used yet");
  await Promise.all([ask(rig), ask(rig), ask(rig)]);
  await rig.router.test(UNPRICED);
  assert.deepEqual(rig.rows.slice(1).map(({ cost_usd }) => cost_usd), [null, null, null, null]);
  const [warning, ...others] = priceWarnings(rig);
  assert.match(warning?.message ?? "", /^gemini\/gemini-unpriced has no price in models\.json/);
  assert.match(warning?.remedy ?? "", /usd_per_million/);
  assert.deepEqual(others, []);
  for (let count = 0; count < 2; count++) await rig.router.embed(["uno"]);
  assert.deepEqual(priceWarnings(rig).slice(1).map(({ message }) => message.split(" ")[0]), [
    "gemini/gemini-embedding-001",
  ]);
  assert.equal(rig.rows.at(-1)?.cost_usd, null);
});

Deno.test("Router.generate() warns of a model without a price that failed after it had begun to answer", async () => {
  await using rig = startRig({ chain: [UNPRICED, LLAMA] });
  rig.gemini.next({ kind: "cut", after: 2 });
  await ask(rig);
  assert.deepEqual(rig.rows.map(({ cost_usd }) => cost_usd), [null, 0]);
  assert.equal(priceWarnings(rig).length, 1);
});

Deno.test("Router.generate() warns of no model with a price, one that is free included, and takes new prices over", async () => {
  const models = { "gemini-unpriced": { context: 8192, usd_per_million: { input: 2, output: 4 } } };
  await using rig = startRig({ chain: [UNPRICED], providers: { gemini: { models } } });
  for (const model of [LLAMA, GPT, UNPRICED]) await ask(rig, { model });
  assert.deepEqual(priceWarnings(rig), []);
  models["gemini-unpriced"].usd_per_million.input = 3;
  rig.reload({ chain: [UNPRICED], providers: { gemini: { models } } });
  rig.gemini.next({ kind: "answer", usage: { input: 1_000_000, output: 500_000 } });
  await ask(rig);
  assertUsd(rig.rows.at(-1)?.cost_usd, 5);
});

Deno.test("Router.embed() books its attempt in the role embeddings, of no conversation", async () => {
  await using rig = startRig({ chain: [GPT], assignments: { embeddings: "ollama/embeddinggemma" } });
  const { usage } = await rig.router.embed(["x".repeat(8), "y".repeat(12)]);
  rig.reload({ chain: [GPT], assignments: { embeddings: "gemini/gemini-embedding-001" } });
  await rig.router.embed(["x".repeat(8), "y".repeat(12)]);
  assert.deepEqual(briefRows(rig.rows), ["ollama/embeddinggemma ok", "gemini/gemini-embedding-001 ok"]);
  const shared = { role: "embeddings", conversation_id: null, first_token_ms: null, fallback: false } as const;
  const [ollama, gemini] = rig.rows;
  assert.deepEqual(tokensOf(ollama), { ...estimated(5, 0), source: "provider" });
  assertRow(ollama, { ...shared, cost_usd: 0, input_tokens: usage.input, chain_position: 1 });
  assert.deepEqual(tokensOf(gemini), estimated(5, 0));
  assertRow(gemini, { ...shared, cost_usd: null, chain_position: 1 });
  assertSound(rig.rows);
});

Deno.test("Router.embed() books how long its attempt took, and every attempt that failed or was stopped", async () => {
  await using rig = startRig({ chain: [GPT] });
  rig.ollama.on("/api/embed", { kind: "status", status: 500, body: { error: "failed" } });
  await failureOf(rig, rig.router.embed(["uno"]));
  rig.ollama.on("/api/embed", { kind: "silence" });
  const controller = new AbortController();
  const call = failureOf(rig, rig.router.embed(["uno"], { signal: controller.signal }));
  await until(() => requestsSeen(rig) === 3);
  const since = performance.now();
  await until(() => performance.now() - since > 25);
  controller.abort();
  await call;
  const ref = "ollama/embeddinggemma";
  const failed = `${ref} failed unavailable`;
  assert.deepEqual(briefRows(rig.rows), [failed, failed, `${ref} aborted aborted`]);
  for (const row of rig.rows) assertRow(row, { ...NO_TOKENS, role: "embeddings", cost_usd: 0 });
  const { latency_ms = 0 } = rig.rows[2] ?? {};
  assert.ok(latency_ms >= 25, `${latency_ms} ms`);
  assertSound(rig.rows);
});

Deno.test("Router.test() books its attempt like any other, whether the model answers or not", async () => {
  await using rig = startRig({ chain: [GEMINI, GPT] });
  rig.groq.next({ kind: "answer", usage: { input: 20, output: 1 } }, status(400));
  await rig.router.test(GPT);
  await failureOf(rig, rig.router.test(GPT));
  assert.deepEqual(briefRows(rig.rows), [`${GPT} ok`, `${GPT} failed bad_request`]);
  const shared = { role: "identity_core", conversation_id: null, fallback: false, chain_position: 1 } as const;
  for (const row of rig.rows) assertRow(row, shared);
  assertRow(rig.rows[0], { total_tokens: 21, source: "provider" });
  assertUsd(rig.rows[0]?.cost_usd, (20 * 0.15 + 0.6) / 1e6);
  assertSound(rig.rows);
});

const CONVERSATIONS: readonly (readonly [string, string | undefined, string | null])[] = [
  ["passes an id on", "discord:1180/πß-🙂", "discord:1180/πß-🙂"],
  ["books null where there is none", undefined, null],
  ["cuts one that is too long", "x".repeat(201), "x".repeat(200)],
  ["keeps the longest there may be", "y".repeat(200), "y".repeat(200)],
  ["takes control characters out of", "a\u0000b\u001bc\u007fd\u0085e\r\n\t", "abcde"],
  ["replaces half characters in", "a\ud83d-\ude42b", "a\ufffd-\ufffdb"],
  ["leaves no half character where it cuts", `${"z".repeat(199)}🙂`, `${"z".repeat(199)}\ufffd`],
];
for (const [what, conversation_id, expected] of CONVERSATIONS) {
  Deno.test(`Router ${what} (conversation_id), and sends it to no provider`, async () => {
    await using rig = startRig({ chain: [GPT] });
    const request = { prompt: PROMPT, ...(conversation_id !== undefined && { conversation_id }) };
    await rig.router.generate(request);
    rig.groq.next({ kind: "cut", after: 1 });
    await Array.fromAsync(rig.router.stream(request)).catch(() => {});
    assert.deepEqual(rig.rows.map((row) => row.conversation_id), [expected, expected]);
    const sent = JSON.stringify(rig.groq.chats.map(({ body }) => body));
    assert.ok(!sent.includes("conversation") && (expected === null || !sent.includes(expected)), sent);
  });
}
