/** What holds for the rows of every call, whatever becomes of it. */
import assert from "node:assert/strict";
import type { ModelResponse } from "../../src/core/types.ts";
import type { UsageRow } from "../../src/storage/usage.ts";
import { assertSound, begun, briefRows, outcomeOf, requestsSeen } from "../support/booked.ts";
import { CALL_SCENARIOS } from "../support/call_scenarios.ts";
import type { Behaviour, FakeProvider } from "../support/fake_provider.ts";
import { API_KEY, ask, brief, GEMINI, GPT, LLAMA, readStream, startRig, until } from "../support/rig.ts";

/** The row says the same as the response. */
function assertSame(row: UsageRow | undefined, response: ModelResponse): void {
  assert.ok(row);
  const { role, profile, provider, model, usage, cost_usd, fallback, latency_ms } = response;
  assert.deepEqual(
    [row.role, row.profile, row.provider, row.model, row.cost_usd, row.fallback, row.outcome],
    [role, profile, provider, model, cost_usd, fallback, "ok"],
  );
  assert.deepEqual(
    [row.input_tokens, row.cached_input_tokens, row.output_tokens, row.reasoning_tokens, row.total_tokens, row.source],
    [usage.input, usage.cached_input, usage.output, usage.reasoning, usage.total, usage.source],
  );
  assert.ok(row.latency_ms <= Math.ceil(latency_ms), "the attempt is a part of the call");
}

for (const { name, begun: expected, call, unheard = false, ...options } of CALL_SCENARIOS) {
  Deno.test(`Router books the attempts its caller is told of, and no others: ${name}`, async () => {
    await using rig = startRig(options);
    const { attempts, response } = await call(rig);
    assert.equal(rig.rows.length, expected);
    assert.deepEqual(briefRows(rig.rows), brief(begun(attempts)));
    if (!unheard) assert.equal(requestsSeen(rig), expected, "a row for every request that arrived");
    for (const { provider, model, fallback, chain_position } of rig.rows) {
      const place = options.chain.indexOf(`${provider}/${model}`) + 1;
      assert.deepEqual([chain_position, fallback], [place, place !== 1], `${provider}/${model}`);
    }
    if (response) assertSame(rig.rows.at(-1), response);
    assertSound(rig.rows);
  });
}

/** 40 requests to Groq: how it meets them, and what the rows of them come to. */
const FATES: readonly { readonly count: number; readonly behaviour: Behaviour; readonly row: string }[] = [
  { count: 16, behaviour: { kind: "answer", usage: { input: 1000, cached: 400, output: 100 } }, row: `${GPT} ok` },
  { count: 6, behaviour: { kind: "status", status: 503 }, row: `${GPT} failed unavailable` },
  { count: 6, behaviour: { kind: "cut", after: 2 }, row: `${GPT} failed protocol` },
  { count: 4, behaviour: { kind: "stall", after: 1 }, row: `${GPT} failed timeout` },
  { count: 4, behaviour: { kind: "blocked_prompt" }, row: `${GPT} failed content_filter` },
  { count: 4, behaviour: { kind: "status", status: 404 }, row: `${GPT} failed model_not_found` },
];

function sum(rows: readonly UsageRow[], column: "input_tokens" | "total_tokens" | "cost_usd"): number {
  return rows.reduce((total, row) => total + Number(row[column]), 0);
}

Deno.test("Router books fifty calls at once, every one of another fate, without losing or doubling a row", async () => {
  await using rig = startRig({
    chain: [GPT, GEMINI],
    breaker: { failure_threshold: 100 },
    providers: { groq: { deadlines: { idle_seconds: 0.2 } } },
  });
  const behaviours = FATES.flatMap(({ count, behaviour }) => Array.from({ length: count }, () => behaviour));
  rig.groq.next(...behaviours.map((_, at) => behaviours[at * 7 % 40] ?? assert.fail())); // all of them, mixed
  rig.gemini.always({ kind: "answer", usage: { input: 7, output: 3 } });
  rig.ollama.always({ kind: "silence" });
  const controller = new AbortController();
  const stopped = Array.from({ length: 10 }, () => ask(rig, { model: LLAMA, signal: controller.signal }));
  const stopping = Promise.allSettled(stopped);
  const responses = await Promise.all(Array.from({ length: 40 }, async (_, at) => {
    if (at % 2 === 0) return (await outcomeOf(ask(rig))).response;
    return (await readStream(rig.router.stream({ prompt: "¿Quién eres?" }))).response;
  }));
  await until(() => rig.ollama.chats.length === 1);
  controller.abort();
  await stopping;

  const ofGroq = rig.rows.filter(({ provider }) => provider === "groq");
  assert.deepEqual(
    briefRows(ofGroq).sort(),
    FATES.flatMap(({ count, row }) => Array.from({ length: count }, () => row)).sort(),
  );
  const ok = rig.rows.filter(({ outcome }) => outcome === "ok");
  const answered = responses.filter((response) => response !== undefined);
  assert.equal(ok.length, answered.length);
  assert.equal(sum(ok, "input_tokens"), 16 * 1000 + 7 * rig.gemini.chats.length);
  assert.equal(sum(ok, "total_tokens"), answered.reduce((total, { usage }) => total + usage.total, 0));
  const usd = answered.reduce((total, { cost_usd }) => total + Number(cost_usd), 0);
  assert.ok(usd > 0 && Math.abs(sum(ok, "cost_usd") - usd) < 1e-9, `${sum(ok, "cost_usd")} USD instead of ${usd}`);
  const ofOllama = rig.rows.filter(({ provider }) => provider === "ollama");
  assert.deepEqual(briefRows(ofOllama), [`${LLAMA} aborted aborted`], "nine of ten never had a place");
  assert.deepEqual([requestsSeen(rig), rig.rows.length], [rig.rows.length, 41 + rig.gemini.chats.length]);
  assertSound(rig.rows);
});

/** Stands in everything that must not be kept. */
const MARK = "Geheimnis";
const LEAKS: readonly Behaviour[] = [
  { kind: "answer", tokens: [MARK], thinking: [MARK], toolCalls: [{ name: MARK, arguments: { at: MARK } }] },
  { kind: "answer", tokens: [MARK], usage: null },
  { kind: "answer", tokens: [MARK], finish: MARK },
  { kind: "finish", raw: MARK },
  { kind: "error_in_stream", after: 1, message: MARK },
  { kind: "status", status: 400, body: { error: { message: MARK, code: MARK, type: MARK } } },
  { kind: "status", status: 401, body: { error: { message: MARK } } },
  { kind: "status", status: 500, body: `<html>${MARK}</html>` },
  { kind: "raw", bytes: `HTTP/1.1 200 OK\r\ncontent-type: ${MARK}\r\nconnection: close\r\n\r\n${MARK}` },
];
for (const ref of [LLAMA, GPT, GEMINI]) {
  Deno.test(`Router keeps nothing in its books of what ${ref} was asked, what it said and how it failed`, async () => {
    await using rig = startRig({ chain: [ref], breaker: { failure_threshold: 100 } });
    const fakes: readonly FakeProvider[] = [rig.ollama, rig.groq, rig.gemini];
    const shown: string[] = [];
    for (const behaviour of LEAKS) {
      for (const fake of fakes) fake.always(behaviour);
      const request = { prompt: `${MARK}?`, system_prompt: MARK, conversation_id: "talk-1" };
      const call = ask(rig, request);
      shown.push(await call.then(({ content }) => content, () => ""));
      shown.push((await readStream(rig.router.stream(request))).text);
      shown.push(await rig.router.test(ref).then(({ content }) => content, () => ""));
    }
    for (const model of ["ollama/embeddinggemma", "gemini/gemini-embedding-001"]) {
      rig.reload({ chain: [ref], assignments: { embeddings: model } });
      await rig.router.embed([MARK]);
    }
    assert.ok(shown.includes(MARK) && fakes.some(({ chats }) => JSON.stringify(chats).includes(MARK)), "it was there");
    const outcomes = new Set(rig.rows.map(({ outcome }) => outcome));
    assert.deepEqual([rig.rows.length >= 3 * LEAKS.length + 2, outcomes], [true, new Set(["ok", "failed"])]);
    const kept = JSON.stringify([rig.rows, rig.events]);
    assert.ok(!kept.includes(MARK) && !kept.includes(API_KEY), kept);
    assertSound(rig.rows);
  });
}
