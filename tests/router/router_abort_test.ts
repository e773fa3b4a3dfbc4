import assert from "node:assert/strict";
import { NoAnswerError } from "../../src/core/errors.ts";
import { ask, brief, failureOf, GEMINI, GPT, readStream, type Rig, startRig, until } from "../support/rig.ts";

/** A chain of two whose breakers open at the first failure. */
function startStrictRig(): Rig {
  return startRig({
    chain: [GPT, GEMINI],
    breaker: { failure_threshold: 1 },
    providers: { groq: { max_concurrent: 1 } },
  });
}

/** Nothing was counted against the provider, and no place of it is taken. */
function assertUnharmed({ router }: Rig): void {
  const { breaker, failures, last_error_kind, in_flight, waiting } = router.lanes["groq"] ?? assert.fail("no lane");
  assert.deepEqual({ breaker, failures, last_error_kind, in_flight, waiting }, {
    breaker: "closed",
    failures: 0,
    last_error_kind: null,
    in_flight: 0,
    waiting: 0,
  });
}

Deno.test("Router.generate() stops at once when its caller aborts, and counts nothing against anyone", async () => {
  await using rig = startStrictRig();
  rig.groq.next({ kind: "silence" });
  const controller = new AbortController();
  const call = failureOf(rig, ask(rig, { signal: controller.signal }));
  await until(() => rig.groq.chats.length === 1);
  controller.abort();
  const error = await call;
  assert.deepEqual([error.kind, brief(error.attempts)], ["aborted", [`${GPT} aborted aborted`]]);
  assert.match(error.message, /^The call was stopped/);
  await until(() => rig.groq.chats[0]?.goneAtMs !== undefined);
  assert.deepEqual([rig.gemini.connections, rig.events], [0, []]);
  assertUnharmed(rig);
  assert.equal((await ask(rig)).provider, "groq");
});

Deno.test("Router.generate() asks nobody for a caller that has aborted already", async () => {
  await using rig = startStrictRig();
  const error = await failureOf(rig, ask(rig, { signal: AbortSignal.abort() }));
  assert.deepEqual([error.kind, rig.groq.connections, rig.gemini.connections], ["aborted", 0, 0]);
  assertUnharmed(rig);
});

Deno.test("Router.stream() stops in the middle of an answer when its caller aborts", async () => {
  await using rig = startStrictRig();
  rig.groq.next({ kind: "stall", after: 2 });
  const controller = new AbortController();
  const stream = rig.router.stream({ prompt: "¿Quién eres?", signal: controller.signal });
  assert.equal((await stream.next()).value?.type, "start");
  assert.deepEqual((await stream.next()).value, { type: "text", text: "Hola" });
  const rest = readStream(stream);
  await until(() => rig.groq.chats.length === 1);
  controller.abort();
  const { response, error } = await rest;
  assert.ok(error instanceof NoAnswerError);
  assert.deepEqual([error.kind, response], ["aborted", undefined]);
  assert.match(error.message, /not complete/);
  await until(() => rig.groq.chats[0]?.goneAtMs !== undefined);
  assertUnharmed(rig);
});

Deno.test("Router.stream() hangs up and gives its place back when its reader walks away", async () => {
  await using rig = startStrictRig();
  rig.groq.next({ kind: "endless_body", of: "tokens" });
  for await (const item of rig.router.stream({ prompt: "¿Quién eres?" })) {
    if (item.type === "start") continue;
    assert.equal(item.type, "text");
    break;
  }
  await until(() => rig.groq.chats[0]?.goneAtMs !== undefined);
  assertUnharmed(rig);
  assert.equal((await ask(rig)).provider, "groq");
});

Deno.test("Router.stream() lets a reader walk away who has aborted before, as servers do when a client is gone", async () => {
  await using rig = startStrictRig();
  rig.groq.next({ kind: "endless_body", of: "tokens" });
  const controller = new AbortController();
  for await (const item of rig.router.stream({ prompt: "¿Quién eres?", signal: controller.signal })) {
    if (item.type === "start") continue;
    assert.equal(item.type, "text");
    controller.abort();
    break;
  }
  await until(() => rig.groq.chats[0]?.goneAtMs !== undefined);
  assertUnharmed(rig);
});

Deno.test("Router.stream() gives the place of a reader who has stopped reading back when the call's time is up", async () => {
  await using rig = startRig({
    chain: [GPT],
    deadlines: { total_seconds: 0.1 },
    providers: { groq: { max_concurrent: 1 } },
  });
  rig.groq.next({ kind: "endless_body", of: "tokens" });
  const stalled = rig.router.stream({ prompt: "¿Quién eres?" });
  for (const type of ["start", "text"]) assert.equal((await stalled.next()).value?.type, type);
  assert.equal(rig.router.lanes["groq"]?.in_flight, 1);
  await until(() => rig.router.lanes["groq"]?.in_flight === 0);
  await until(() => rig.groq.chats[0]?.goneAtMs !== undefined);
  assert.equal((await ask(rig)).provider, "groq");
  const { error } = await readStream(stalled);
  assert.ok(error instanceof NoAnswerError && error.kind === "timeout");
  assert.equal(rig.router.lanes["groq"]?.breaker, "closed");
});

Deno.test("Router.generate() leaves the queue when its caller aborts, and others keep their turn", async () => {
  await using rig = startStrictRig();
  rig.groq.next({ kind: "answer", firstTokenDelayMs: 60 });
  const controller = new AbortController();
  const first = ask(rig, { prompt: "first" });
  const leaving = failureOf(rig, ask(rig, { prompt: "leaving", signal: controller.signal }));
  const last = ask(rig, { prompt: "last" });
  await until(() => rig.router.lanes["groq"]?.waiting === 2);
  controller.abort();
  assert.equal((await leaving).kind, "aborted");
  assert.equal(rig.router.lanes["groq"]?.waiting, 1);
  assert.deepEqual([(await first).provider, (await last).provider], ["groq", "groq"]);
  assert.ok(!JSON.stringify(rig.groq.chats.map(({ body }) => body)).includes("leaving"));
  assertUnharmed(rig);
});

Deno.test("Router.generate() breaks off the pause before a retry when its caller aborts", async () => {
  await using rig = startRig({ chain: [GPT, GEMINI], random: () => 0.99 });
  rig.groq.next({ kind: "status", status: 500 });
  const controller = new AbortController();
  const call = failureOf(rig, ask(rig, { signal: controller.signal }));
  await until(() => rig.router.lanes["groq"]?.failures === 1);
  controller.abort();
  const error = await call;
  assert.deepEqual(brief(error.attempts), [`${GPT} failed unavailable`, `${GPT} aborted aborted`]);
  assert.deepEqual([rig.groq.chats.length, rig.gemini.connections], [1, 0]);
});
