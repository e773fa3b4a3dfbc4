import assert from "node:assert/strict";
import { EXIT } from "../../src/core/errors.ts";
import type { Behaviour } from "../support/fake_provider.ts";
import { ask, brief, failureOf, GEMINI, GPT, type Rig, SMALL_GPT, startRig, until } from "../support/rig.ts";

/** A 429 that names the moment to come back in seconds; without one it names none. */
function tooMany(retryAfter?: number): Behaviour {
  const headers: Record<string, string> = retryAfter === undefined ? {} : { "retry-after": String(retryAfter) };
  return { kind: "status", status: 429, body: { error: { message: "Slow down." } }, headers };
}

function heldSeconds({ router }: Rig, provider: string): number {
  const { retry_at = null } = router.lanes[provider] ?? {};
  return retry_at === null ? 0 : (Date.parse(retry_at) - Date.now()) / 1000;
}

Deno.test("Router.generate() goes on at 429 and leaves the provider alone, with all its models", async () => {
  await using rig = startRig({ chain: [GPT, SMALL_GPT, GEMINI] });
  rig.groq.next(tooMany(60));
  const first = await ask(rig);
  assert.deepEqual(brief(first.attempts), [
    `${GPT} failed rate_limit`,
    `${SMALL_GPT} skipped rate_limit`,
    `${GEMINI} ok`,
  ]);
  const second = await ask(rig);
  assert.deepEqual([second.provider, second.fallback, rig.groq.chats.length], ["gemini", true, 1]);
  assert.match(second.attempts[0]?.reason ?? "", /Held back for \d+ s by a rate limit/);
  const held = heldSeconds(rig, "groq");
  assert.ok(held > 30 && held <= 60, `${held} s`);
  assert.deepEqual(rig.router.lanes["groq"]?.breaker, "closed");
});

Deno.test("Router.generate() never shortens a wait: the later of two moments counts", async () => {
  await using rig = startRig({ chain: [GPT, GEMINI] });
  rig.groq.next(tooMany(60), tooMany(1));
  await Promise.all([ask(rig), ask(rig)]);
  assert.equal(rig.groq.chats.length, 2, "both were on their way before either was turned away");
  assert.ok(heldSeconds(rig, "groq") > 30, `${heldSeconds(rig, "groq")} s`);
});

Deno.test("Router.generate() waits for a short rate limit when nothing else can answer", async () => {
  await using rig = startRig({ chain: [GPT] });
  rig.groq.next(tooMany(0.15));
  const response = await ask(rig);
  assert.deepEqual(brief(response.attempts), [`${GPT} failed rate_limit`, `${GPT} ok`]);
  assert.deepEqual([response.fallback, rig.events], [false, []]);
  const [first, second] = rig.groq.chats;
  assert.ok((second?.atMs ?? 0) - (first?.atMs ?? 0) >= 148, "the wait was honoured");
});

Deno.test("Router.generate() waits for the provider that is free first", async () => {
  await using rig = startRig({ chain: [GPT, GEMINI] });
  rig.groq.next(tooMany(60));
  rig.gemini.next(tooMany(0.05));
  const response = await ask(rig);
  assert.deepEqual(brief(response.attempts), [
    `${GPT} failed rate_limit`,
    `${GEMINI} failed rate_limit`,
    `${GEMINI} ok`,
  ]);
  assert.equal(rig.groq.chats.length, 1);
});

Deno.test("Router.generate() does not wait while another model can answer", async () => {
  await using rig = startRig({ chain: [GPT, GEMINI] });
  rig.groq.always(tooMany(0.05));
  const response = await ask(rig);
  assert.deepEqual([response.provider, rig.groq.chats.length], ["gemini", 1]);
});

Deno.test("Router.generate() says when to come back instead of waiting ten seconds or more", async () => {
  await using rig = startRig({ chain: [GPT] });
  const before = Date.now();
  rig.groq.next(tooMany(11));
  const error = await failureOf(rig, ask(rig));
  assert.deepEqual([error.kind, error.exitCode], ["rate_limit", EXIT.tempfail]);
  const waitMs = (error.retryAtMs ?? 0) - before;
  assert.ok(waitMs >= 10_900 && waitMs < 20_000, `${waitMs} ms`);
  assert.match(error.remedy ?? "", /Try again in \d+ s/);
  const again = await failureOf(rig, ask(rig));
  assert.deepEqual(brief(again.attempts), [`${GPT} skipped rate_limit`]);
  assert.equal(rig.groq.chats.length, 1);
});

Deno.test("Router.generate() does not wait longer than the whole call may take", async () => {
  await using rig = startRig({ chain: [GPT], deadlines: { total_seconds: 2 } });
  rig.groq.next(tooMany(5));
  const error = await failureOf(rig, ask(rig));
  assert.deepEqual([error.kind, brief(error.attempts)], ["rate_limit", [`${GPT} failed rate_limit`]]);
});

Deno.test("Router.generate() leaves a provider alone that does not say for how long", async () => {
  await using rig = startRig({ chain: [GPT, GEMINI] });
  rig.groq.next(tooMany());
  await ask(rig);
  const held = heldSeconds(rig, "groq");
  assert.ok(held > 0 && held <= 5, `${held} s`);
});

Deno.test("Router.generate() gives up on a provider that says again and again to come back at once", async () => {
  await using rig = startRig({ chain: [GPT] });
  rig.groq.always(tooMany(0));
  const error = await failureOf(rig, ask(rig));
  assert.equal(error.kind, "rate_limit");
  assert.ok(rig.groq.chats.length > 1 && rig.groq.chats.length <= 11, `${rig.groq.chats.length} requests`);
});

Deno.test("Router.generate() asks a model no third time whose second try failed for another reason", async () => {
  await using rig = startRig({ chain: [GPT] });
  rig.groq.next(tooMany(0.05), { kind: "html" });
  const error = await failureOf(rig, ask(rig));
  assert.deepEqual(brief(error.attempts), [`${GPT} failed rate_limit`, `${GPT} failed protocol`]);
  assert.equal(rig.groq.chats.length, 2);
});

Deno.test("Router.generate() spares a rate-limited provider the calls that were waiting for their turn", async () => {
  await using rig = startRig({ chain: [GPT, GEMINI], providers: { groq: { max_concurrent: 1 } } });
  rig.groq.next(tooMany(60));
  const responses = await Promise.all([ask(rig), ask(rig), ask(rig)]);
  assert.deepEqual(responses.map(({ attempts }) => attempts[0]?.outcome), ["failed", "skipped", "skipped"]);
  assert.equal(rig.groq.chats.length, 1);
});

Deno.test("Router.generate() stops waiting for a rate limit when its caller aborts", async () => {
  await using rig = startRig({ chain: [GPT] });
  rig.groq.next(tooMany(9));
  const controller = new AbortController();
  const call = failureOf(rig, ask(rig, { signal: controller.signal }));
  await until(() => heldSeconds(rig, "groq") > 0);
  controller.abort();
  const error = await call;
  assert.deepEqual(brief(error.attempts), [`${GPT} failed rate_limit`, `${GPT} aborted aborted`]);
  assert.deepEqual([error.kind, rig.groq.chats.length], ["aborted", 1]);
});

Deno.test("Router.generate() lets many calls wait for one rate limit and answers them all", async () => {
  await using rig = startRig({ chain: [GPT], providers: { groq: { max_concurrent: 2 } } });
  rig.groq.next(tooMany(0.1), tooMany(0.1));
  const responses = await Promise.all(Array.from({ length: 12 }, () => ask(rig)));
  assert.equal(responses.length, 12);
  assert.equal(rig.groq.chats.length, 14);
});
