import assert from "node:assert/strict";
import { NoAnswerError } from "../../src/core/errors.ts";
import type { StreamItem } from "../../src/core/types.ts";
import { assertRow, assertSound, assertUsd, briefRows, estimated, NO_TOKENS, tokensOf } from "../support/booked.ts";
import type { Behaviour } from "../support/fake_provider.ts";
import { ask, GEMINI, GPT, LLAMA, readStream, type Rig, startRig, until } from "../support/rig.ts";

const REQUEST = { prompt: "¿Quién eres?", conversation_id: "talk-1" } as const;
/** The prompt, and `Hola`. */
const ONE_TOKEN = estimated(3, 1);

/** A stream of which the first delta has been read. */
async function openStream(rig: Rig, behaviour: Behaviour, signal?: AbortSignal) {
  rig.groq.next(behaviour);
  const stream = rig.router.stream({ ...REQUEST, ...(signal && { signal }) });
  assert.equal((await stream.next()).value?.type, "start");
  assert.equal((await stream.next()).value?.type, "text");
  assert.deepEqual(rig.rows, [], "an attempt is booked when it has ended");
  return stream;
}

/** The kind of the error that a stream ends in. */
async function kindOf(stream: AsyncIterable<StreamItem>): Promise<string> {
  const { error, response } = await readStream(stream);
  assert.equal(response, undefined);
  assert.ok(error instanceof NoAnswerError, String(error));
  return error.kind;
}

for (const ref of [LLAMA, GPT, GEMINI]) {
  Deno.test(`Router.stream() books an answer of ${ref} before its reader learns that it is complete`, async () => {
    await using rig = startRig({ chain: [ref] });
    for (const fake of [rig.ollama, rig.groq, rig.gemini]) {
      fake.always({ kind: "answer", usage: { input: 40, output: 8 }, firstTokenDelayMs: 15 });
    }
    for await (const item of rig.router.stream(REQUEST)) {
      if (item.type !== "done") {
        assert.deepEqual(rig.rows, []);
        continue;
      }
      assert.deepEqual(briefRows(rig.rows), [`${ref} ok`]);
      assertRow(rig.rows[0], {
        conversation_id: "talk-1",
        input_tokens: 40,
        output_tokens: 8,
        total_tokens: 48,
        source: "provider",
        cost_usd: item.response.cost_usd,
      });
    }
    assert.equal(rig.rows.length, 1);
    assert.ok((rig.rows[0]?.first_token_ms ?? 0) >= 14);
    assertSound(rig.rows);
  });

  Deno.test(`Router.stream() books what came of an answer of ${ref} that was cut half-way`, async () => {
    await using rig = startRig({ chain: [ref, QUIET] });
    for (const fake of [rig.ollama, rig.groq, rig.gemini]) fake.always({ kind: "cut", after: 2 });
    const { text, error } = await readStream(rig.router.stream(REQUEST));
    assert.ok(error instanceof NoAnswerError);
    assert.equal(text, "Hola, soy");
    assert.deepEqual(briefRows(rig.rows), [`${ref} failed protocol`]);
    assert.deepEqual(tokensOf(rig.rows[0]), estimated(3, 3));
    assertRow(rig.rows[0], { conversation_id: "talk-1", fallback: false, chain_position: 1 });
    assert.notEqual(rig.rows[0]?.first_token_ms, null);
    assertSound(rig.rows);
  });
}

/** Never asked: what has been shown is never continued by another model. */
const QUIET = "ollama/qwen3.5:2b";

Deno.test("Router.stream() books thinking that came before the answer broke off", async () => {
  await using rig = startRig({ chain: [GPT] });
  rig.groq.next({ kind: "answer", thinking: ["x".repeat(40)], tokens: ["y".repeat(20)], finish: "unheard of" });
  assert.equal(await kindOf(rig.router.stream(REQUEST)), "protocol");
  assert.deepEqual(tokensOf(rig.rows[0]), estimated(3, 15));
  assertUsd(rig.rows[0]?.cost_usd, (3 * 0.15 + 15 * 0.6) / 1e6);
});

Deno.test("Router.stream() books every attempt that failed before anything was shown, then the answer", async () => {
  await using rig = startRig({ chain: [GPT, GEMINI] });
  rig.groq.next({ kind: "status", status: 500 }, { kind: "cut", after: 0 });
  const { response } = await readStream(rig.router.stream(REQUEST));
  const failed = [`${GPT} failed unavailable`, `${GPT} failed protocol`];
  assert.deepEqual(briefRows(rig.rows), [...failed, `${GEMINI} ok`]);
  for (const row of rig.rows.slice(0, 2)) assertRow(row, { ...NO_TOKENS, first_token_ms: null, chain_position: 1 });
  assertRow(rig.rows[2], { fallback: true, chain_position: 2, total_tokens: response?.usage.total ?? -1 });
  assertSound(rig.rows);
});

Deno.test("Router.stream() books an answer whose caller aborts in the middle", async () => {
  await using rig = startRig({ chain: [GPT, GEMINI] });
  const controller = new AbortController();
  const stream = await openStream(rig, { kind: "stall", after: 1 }, controller.signal);
  const reading = kindOf(stream);
  controller.abort();
  assert.equal(await reading, "aborted");
  assert.deepEqual(briefRows(rig.rows), [`${GPT} aborted aborted`]);
  assert.deepEqual(tokensOf(rig.rows[0]), ONE_TOKEN);
  assertSound(rig.rows);
});

Deno.test("Router.stream() books an answer whose caller aborts between two items, read on or not", async () => {
  await using rig = startRig({ chain: [GPT] });
  const controller = new AbortController();
  const stream = await openStream(rig, { kind: "endless_body", of: "tokens" }, controller.signal);
  controller.abort();
  await until(() => rig.rows.length > 0);
  assert.deepEqual(briefRows(rig.rows), [`${GPT} aborted aborted`]);
  assert.equal(await kindOf(stream), "aborted");
  assert.equal(rig.rows.length, 1, "reading on books nothing");
});

Deno.test("Router.stream() books nothing for a caller who aborts before the first token but one row", async () => {
  await using rig = startRig({ chain: [GPT, GEMINI] });
  rig.groq.next({ kind: "stall", after: 0 });
  const controller = new AbortController();
  const reading = kindOf(rig.router.stream({ ...REQUEST, signal: controller.signal }));
  await until(() => rig.groq.chats.length === 1);
  controller.abort();
  assert.equal(await reading, "aborted");
  assert.deepEqual(briefRows(rig.rows), [`${GPT} aborted aborted`]);
  assertRow(rig.rows[0], { ...NO_TOKENS, first_token_ms: null });
});

Deno.test("Router.stream() books nothing for a stream that nobody reads, or whose caller leaves the queue", async () => {
  await using rig = startRig({ chain: [GPT], providers: { groq: { max_concurrent: 1 } } });
  await rig.router.stream(REQUEST).return();
  const first = await openStream(rig, { kind: "stall", after: 1 });
  const controller = new AbortController();
  const waiting = kindOf(rig.router.stream({ ...REQUEST, signal: controller.signal }));
  await until(() => rig.router.lanes["groq"]?.waiting === 1);
  controller.abort();
  assert.equal(await waiting, "aborted");
  assert.deepEqual(rig.rows, []);
  await first.return();
  assert.equal(rig.rows.length, 1);
});

Deno.test("Router.stream() books an answer whose reader walks away, by the time it has left", async () => {
  await using rig = startRig({ chain: [GPT, GEMINI] });
  const stream = await openStream(rig, { kind: "stall", after: 1 });
  await stream.return();
  assert.deepEqual(briefRows(rig.rows), [`${GPT} aborted aborted`]);
  assert.deepEqual(tokensOf(rig.rows[0]), ONE_TOKEN);
  assert.deepEqual(await stream.next(), { done: true, value: undefined });
  assert.equal((await ask(rig)).provider, "groq");
  assert.deepEqual(briefRows(rig.rows), [`${GPT} aborted aborted`, `${GPT} ok`]);
  assertSound(rig.rows);
});

Deno.test("Router.stream() books the whole answer for a reader who leaves with its last item", async () => {
  await using rig = startRig({ chain: [GPT] });
  for await (const item of rig.router.stream(REQUEST)) {
    if (item.type === "done") break;
  }
  assert.deepEqual(briefRows(rig.rows), [`${GPT} ok`]);
  assertRow(rig.rows[0], { source: "provider" });
});

Deno.test("Router.stream() books a reader who stops reading once, when the call's time is up, read on or not", async () => {
  await using rig = startRig({
    chain: [GPT, GEMINI],
    deadlines: { total_seconds: 0.25 },
    providers: { groq: { max_concurrent: 1 } },
  });
  const stream = await openStream(rig, { kind: "endless_body", of: "tokens" });
  await until(() => rig.rows.length > 0);
  assert.deepEqual(briefRows(rig.rows), [`${GPT} failed timeout`]);
  assert.equal(rig.rows[0]?.source, "estimated");
  assert.equal(await kindOf(stream), "timeout");
  assert.equal(rig.rows.length, 1, "reading on books nothing");
  await stream.return();
  assert.equal((await ask(rig)).provider, "groq", "its place is free");
  assert.deepEqual(briefRows(rig.rows), [`${GPT} failed timeout`, `${GPT} ok`]);
  assertSound(rig.rows);
});

Deno.test("Router.stream() books a reader who walks away after the call's time was up no second time", async () => {
  await using rig = startRig({ chain: [GPT], deadlines: { total_seconds: 0.25 } });
  const stream = await openStream(rig, { kind: "stall", after: 1 });
  await until(() => rig.rows.length > 0);
  await stream.return();
  assert.deepEqual(briefRows(rig.rows), [`${GPT} failed timeout`]);
  assert.deepEqual(tokensOf(rig.rows[0]), ONE_TOKEN);
});

Deno.test("Router.stream() books what came until the time for the whole call was up", async () => {
  await using rig = startRig({ chain: [GPT, GEMINI], deadlines: { total_seconds: 0.25 } });
  rig.groq.next({ kind: "stall", after: 3 });
  assert.equal(await kindOf(rig.router.stream(REQUEST)), "timeout");
  assert.deepEqual(briefRows(rig.rows), [`${GPT} failed timeout`]);
  assert.deepEqual(tokensOf(rig.rows[0]), estimated(3, 4), "the prompt, and “Hola, soy Djan”");
  assertSound(rig.rows);
});

Deno.test("Router.stream() books the time to the first token and to the end as its reader saw them", async () => {
  await using rig = startRig({ chain: [GPT] });
  const stream = await openStream(rig, { kind: "answer" });
  const since = performance.now();
  await until(() => performance.now() - since > 25);
  await readStream(stream);
  const { first_token_ms, latency_ms = 0 } = rig.rows[0] ?? {};
  assert.ok(latency_ms >= (first_token_ms ?? Infinity) + 24, `${first_token_ms} and ${latency_ms} ms`);
});
