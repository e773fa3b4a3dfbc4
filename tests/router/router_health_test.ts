import assert from "node:assert/strict";
import { EXIT } from "../../src/core/errors.ts";
import type { Behaviour } from "../support/fake_provider.ts";
import { ask, brief, failureOf, GEMINI, GPT, LLAMA, type Rig, startRig, until } from "../support/rig.ts";

const RESET: Behaviour = { kind: "reset" };
const STRICT = { failure_threshold: 1 };

function breakerOf({ router }: Rig, provider: string) {
  const { breaker, failures } = router.lanes[provider] ?? assert.fail("no lane");
  return { breaker, failures };
}

Deno.test("Router opens a provider's breaker after three failures and then skips it without a connection", async () => {
  await using rig = startRig({ chain: [GPT, GEMINI] });
  rig.groq.always(RESET);
  const failed = `${GPT} failed unavailable`;
  assert.deepEqual(brief((await ask(rig)).attempts), [failed, failed, `${GEMINI} ok`]);
  assert.deepEqual(brief((await ask(rig)).attempts), [failed, `${GEMINI} ok`], "no retry once the breaker is open");
  assert.deepEqual([breakerOf(rig, "groq"), rig.groq.connections], [{ breaker: "open", failures: 3 }, 3]);
  for (let count = 0; count < 5; count++) {
    const { attempts, fallback } = await ask(rig);
    assert.deepEqual([brief(attempts), fallback], [[`${GPT} skipped unavailable`, `${GEMINI} ok`], true]);
    assert.match(attempts[0]?.reason ?? "", /^Breaker open \(failures in a row: 3\), next try in \d+ s$/);
  }
  assert.equal(rig.groq.connections, 3);
  const [change, ...others] = rig.eventsOf("router.breaker_changed");
  assert.ok(change);
  assert.deepEqual([change.provider, change.from, change.to, change.failures, others], [
    "groq",
    "closed",
    "open",
    3,
    [],
  ]);
  assert.match(change.reason, /^unavailable: .*groq/);
  const retryInMs = Date.parse(change.retry_at ?? "") - Date.now();
  assert.ok(retryInMs > 0 && retryInMs <= 30_000, `${retryInMs} ms`);
});

Deno.test("Router skips a provider with an open breaker without waiting for a place at it", async () => {
  await using rig = startRig({ chain: [GPT, GEMINI], breaker: STRICT, providers: { groq: { max_concurrent: 2 } } });
  rig.groq.next({ kind: "answer", firstTokenDelayMs: 150 }, { kind: "status", status: 503 });
  const slow = ask(rig);
  await until(() => rig.groq.chats.length === 1);
  assert.equal((await ask(rig)).provider, "gemini");
  rig.reload({ chain: [GPT, GEMINI], breaker: STRICT, providers: { groq: { max_concurrent: 1 } } });
  assert.equal((await ask(rig)).provider, "gemini");
  assert.equal(rig.router.lanes["groq"]?.in_flight, 1, "the only place is still taken");
  assert.equal((await slow).provider, "groq");
  assert.equal(breakerOf(rig, "groq").breaker, "open", "a call begun before it opened cannot close it");
});

const COUNTED: readonly (readonly [string, Behaviour])[] = [
  ["unavailable", { kind: "status", status: 503 }],
  ["timeout", { kind: "silence" }],
  ["protocol", { kind: "html" }],
  ["protocol", { kind: "cut", after: 2 }],
];
for (const [kind, behaviour] of COUNTED) {
  Deno.test(`Router counts ${kind} (${behaviour.kind}) against the breaker`, async () => {
    const groq = { deadlines: { first_token_seconds: 0.08 } };
    await using rig = startRig({ chain: [GPT, GEMINI], breaker: STRICT, providers: { groq } });
    rig.groq.next(behaviour);
    assert.equal((await ask(rig)).provider, "gemini");
    assert.equal(breakerOf(rig, "groq").breaker, "open");
    assert.match(rig.eventsOf("router.breaker_changed")[0]?.reason ?? "", new RegExp(`^${kind}: `));
  });
}

const UNCOUNTED: Readonly<Record<string, Behaviour>> = {
  "auth": { kind: "status", status: 401 },
  "model_not_found": { kind: "status", status: 404 },
  "rate_limit": { kind: "status", status: 429, headers: { "retry-after": "60" } },
  "context_length": { kind: "status", status: 413 },
  "bad_request": { kind: "status", status: 400 },
  "content_filter": { kind: "blocked_prompt" },
};
for (const [kind, behaviour] of Object.entries(UNCOUNTED)) {
  Deno.test(`Router does not count ${kind} against the breaker`, async () => {
    await using rig = startRig({ chain: [GPT], breaker: STRICT });
    rig.groq.next(behaviour);
    await failureOf(rig, ask(rig));
    assert.deepEqual(breakerOf(rig, "groq"), { breaker: "closed", failures: 0 });
    assert.equal(rig.router.lanes["groq"]?.last_error_kind, kind);
  });
}

Deno.test("Router does not count a slow load of a model against the breaker", async () => {
  await using rig = startRig({
    chain: [LLAMA],
    breaker: STRICT,
    deadlines: { load_seconds: 0.08 },
    ollama: { resident: [], loadMs: 20_000 },
  });
  const error = await failureOf(rig, ask(rig));
  assert.deepEqual([error.kind, breakerOf(rig, "ollama").breaker], ["timeout", "closed"]);
});

Deno.test("Router does not count against a provider what the limit of the whole call cut short", async () => {
  await using rig = startRig({
    chain: [LLAMA],
    breaker: STRICT,
    deadlines: { total_seconds: 0.08 },
    ollama: { resident: [], loadMs: 20_000 },
  });
  const error = await failureOf(rig, ask(rig));
  assert.deepEqual([error.kind, breakerOf(rig, "ollama").breaker], ["timeout", "closed"]);
});

Deno.test("Router says when to come back when every breaker is open", async () => {
  await using rig = startRig({ chain: [GPT, GEMINI], breaker: { ...STRICT, recovery_seconds: 40 } });
  for (const fake of [rig.groq, rig.gemini]) fake.always({ kind: "status", status: 503 });
  await failureOf(rig, ask(rig));
  const error = await failureOf(rig, ask(rig));
  assert.deepEqual(brief(error.attempts), [`${GPT} skipped unavailable`, `${GEMINI} skipped unavailable`]);
  assert.deepEqual([error.kind, error.exitCode], ["unavailable", EXIT.unavailable]);
  const waitMs = (error.retryAtMs ?? 0) - Date.now();
  assert.ok(waitMs > 20_000 && waitMs <= 40_000, `${waitMs} ms`);
});

Deno.test("Router goes back to a provider after its recovery time", async () => {
  await using rig = startRig({ chain: [GPT, GEMINI], breaker: { ...STRICT, recovery_seconds: 0.05 } });
  rig.groq.next({ kind: "status", status: 503 });
  assert.equal((await ask(rig)).provider, "gemini");
  await until(() => rig.router.lanes["groq"]?.retry_at === null);
  const response = await ask(rig);
  assert.deepEqual([response.provider, response.fallback, breakerOf(rig, "groq")], ["groq", false, {
    breaker: "closed",
    failures: 0,
  }]);
  const changes = rig.eventsOf("router.breaker_changed").map(({ from, to, reason }) => `${from} ${to}: ${reason}`);
  assert.deepEqual(changes.slice(1), [
    "open half_open: recovery time is over",
    "half_open closed: probe succeeded",
  ]);
});

Deno.test("Router leaves a provider alone for longer after a failed probe, without a retry of the probe", async () => {
  await using rig = startRig({ chain: [GPT, GEMINI], breaker: { ...STRICT, recovery_seconds: 0.05 } });
  rig.groq.always({ kind: "status", status: 500 });
  await ask(rig);
  await until(() => rig.router.lanes["groq"]?.retry_at === null);
  const { attempts } = await ask(rig);
  assert.deepEqual(brief(attempts), [`${GPT} failed unavailable`, `${GEMINI} ok`]);
  assert.equal(rig.groq.chats.length, 2);
  const last = rig.eventsOf("router.breaker_changed").at(-1);
  assert.deepEqual([last?.from, last?.to], ["half_open", "open"]);
  assert.match(last?.reason ?? "", /^probe failed: unavailable/);
});

Deno.test("Router sends a single probe to a provider that may have recovered", async () => {
  await using rig = startRig({ chain: [GPT, GEMINI], breaker: { ...STRICT, recovery_seconds: 0.2 } });
  rig.groq.next({ kind: "status", status: 503 }, { kind: "answer", firstTokenDelayMs: 50 });
  await ask(rig);
  await until(() => rig.router.lanes["groq"]?.retry_at === null);
  const responses = await Promise.all(Array.from({ length: 6 }, () => ask(rig)));
  assert.deepEqual(responses.map(({ provider }) => provider).sort(), [...Array(5).fill("gemini"), "groq"]);
  assert.equal(rig.groq.chats.length, 2);
  const skipped = responses.find(({ provider }) => provider === "gemini")?.attempts[0];
  assert.equal(skipped?.reason, "Breaker open (failures in a row: 1), being tried by another call");
});

const DEAD_PRIMARIES = [
  { name: "eight places", primary: GPT, mostFailures: 10 },
  { name: "one place", primary: LLAMA, mostFailures: 3 },
];
for (const { name, primary, mostFailures } of DEAD_PRIMARIES) {
  Deno.test(`Router answers ten calls at once from the fallback when the primary (${name}) is dead`, async () => {
    await using rig = startRig({ chain: [primary, GEMINI] });
    rig.groq.always(RESET);
    await rig.ollama.down();
    const responses = await Promise.all(Array.from({ length: 10 }, () => ask(rig)));
    assert.deepEqual(responses.map(({ provider, fallback }) => [provider, fallback]), Array(10).fill(["gemini", true]));
    const hits = responses.map(({ attempts }) => attempts.filter(({ outcome }) => outcome === "failed").length);
    assert.ok(Math.max(...hits) === 1, "no call hits the dead primary twice");
    assert.ok(hits.reduce((sum, count) => sum + count) <= mostFailures, `${hits}`);
    assert.equal(rig.gemini.chats.length, 10);
  });
}

Deno.test("Router runs no more calls at a provider than max_concurrent", async () => {
  await using rig = startRig({ chain: [GPT], providers: { groq: { max_concurrent: 2 } } });
  rig.groq.next({ kind: "answer", firstTokenDelayMs: 100 }, { kind: "answer", firstTokenDelayMs: 100 });
  const calls = Array.from({ length: 6 }, () => ask(rig));
  await until(() => rig.groq.chats.length === 2);
  const { in_flight, waiting } = rig.router.lanes["groq"] ?? assert.fail("no lane");
  assert.deepEqual({ in_flight, waiting, connections: rig.groq.connections }, {
    in_flight: 2,
    waiting: 4,
    connections: 2,
  });
  await Promise.all(calls);
  assert.deepEqual([rig.groq.chats.length, rig.router.lanes["groq"]?.in_flight], [6, 0]);
});

Deno.test("Router goes on to the next model when too many calls wait, and says so when there is none", async () => {
  const providers = { groq: { max_concurrent: 1, max_waiting: 1 } };
  for (const chain of [[GPT, GEMINI], [GPT]]) {
    await using rig = startRig({ chain, providers });
    rig.groq.next({ kind: "answer", firstTokenDelayMs: 40 });
    const calls = [ask(rig), ask(rig)];
    const third = ask(rig);
    if (chain.length === 2) {
      assert.deepEqual(brief((await third).attempts), [`${GPT} skipped rate_limit`, `${GEMINI} ok`]);
    } else {
      const error = await failureOf(rig, third);
      assert.deepEqual([error.kind, error.exitCode], ["rate_limit", EXIT.tempfail]);
      assert.match(error.message, /The queue is full, 1 calls are waiting/);
    }
    await Promise.all(calls);
  }
});

Deno.test("Router serves interactive calls before background calls", async () => {
  await using rig = startRig({ chain: [GPT], providers: { groq: { max_concurrent: 1 } } });
  const calls = [
    ask(rig, { prompt: "running" }),
    ask(rig, { prompt: "background", priority: "background" }),
    ask(rig, { prompt: "interactive" }),
  ];
  await Promise.all(calls);
  const prompts = rig.groq.chats.map(({ body }) => /running|background|interactive/.exec(JSON.stringify(body))?.[0]);
  assert.deepEqual(prompts, ["running", "interactive", "background"]);
});
