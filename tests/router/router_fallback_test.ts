import assert from "node:assert/strict";
import { EXIT } from "../../src/core/errors.ts";
import type { ErrorKind } from "../../src/core/types.ts";
import type { Behaviour } from "../support/fake_provider.ts";
import {
  ask,
  brief,
  DEFAULT_ANSWER,
  failureOf,
  GEMINI,
  GPT,
  LLAMA,
  QWEN,
  type Rig,
  SMALL_GPT,
  startRig,
} from "../support/rig.ts";

const status = (code: number, headers: Record<string, string> = {}): Behaviour => ({
  kind: "status",
  status: code,
  headers,
});
const SILENCE: Behaviour = { kind: "silence" };
/** Short enough to wait for in a test. */
const IMPATIENT = { first_token_seconds: 0.1 };

function modelsAsked({ chats }: Rig["groq"]): string[] {
  return chats.map(({ model }) => model);
}

/** Runs `test` and returns the delays of all timers it asked for, in milliseconds. */
async function recordDelays(test: () => Promise<unknown>): Promise<number[]> {
  const { setTimeout: original } = globalThis;
  const delays: number[] = [];
  globalThis.setTimeout = ((...args: Parameters<typeof original>) => {
    delays.push(args[1] ?? 0);
    return original(...args);
  }) as typeof original;
  try {
    await test();
  } finally {
    globalThis.setTimeout = original;
  }
  return delays;
}

Deno.test("Router.generate() asks the first model of the chain and no other", async () => {
  await using rig = startRig({ chain: [GPT, GEMINI, LLAMA] });
  const response = await ask(rig, { role: "technical" });
  assert.deepEqual([response.content, response.provider, response.model], [
    DEFAULT_ANSWER,
    "groq",
    "openai/gpt-oss-120b",
  ]);
  assert.deepEqual([response.role, response.profile, response.finish_reason], ["technical", "open", "stop"]);
  assert.deepEqual([response.fallback, brief(response.attempts)], [false, [`${GPT} ok`]]);
  assert.deepEqual([rig.gemini.connections, rig.ollama.connections, rig.events], [0, 0, []]);
});

Deno.test("Router.generate() tries the role's model first, then the chain without it", async () => {
  await using rig = startRig({ chain: [GPT, GEMINI], assignments: { business: GEMINI } });
  rig.gemini.next(status(503));
  const response = await ask(rig, { role: "business" });
  assert.deepEqual(brief(response.attempts), [`${GEMINI} failed unavailable`, `${GPT} ok`]);
  assert.equal(response.fallback, true);
});

for (const code of [500, 502]) {
  Deno.test(`Router.generate() asks the same model once more after a ${code}`, async () => {
    await using rig = startRig({ chain: [GPT, GEMINI] });
    rig.groq.next(status(code));
    const response = await ask(rig);
    assert.deepEqual(brief(response.attempts), [`${GPT} failed unavailable`, `${GPT} ok`]);
    assert.deepEqual([response.fallback, rig.groq.chats.length, rig.gemini.connections], [false, 2, 0]);
    assert.deepEqual(rig.events, []);
  });

  Deno.test(`Router.generate() goes on to the next model after a second ${code}`, async () => {
    await using rig = startRig({ chain: [GPT, SMALL_GPT] });
    rig.groq.next(status(code), status(code));
    const response = await ask(rig);
    assert.deepEqual(brief(response.attempts), [
      `${GPT} failed unavailable`,
      `${GPT} failed unavailable`,
      `${SMALL_GPT} ok`,
    ]);
    assert.equal(response.fallback, true);
    const expected = { role: "identity_core", from: GPT, to: SMALL_GPT, kind: "unavailable" };
    assert.deepEqual(rig.eventsOf("router.fallback"), [expected]);
  });
}

/** Shorter ones belong to a connection that is read to its end, longer ones are deadlines. */
const isPause = (ms: number) => ms >= 50 && ms < 1000;

Deno.test("Router.generate() pauses 100 to 300 ms before it asks again", async () => {
  for (const [random, expected] of [[0, 100], [0.999, 299.8]] as const) {
    await using rig = startRig({ chain: [GPT], random: () => random });
    rig.groq.next(status(500));
    const delays = await recordDelays(() => ask(rig));
    assert.deepEqual(delays.filter(isPause), [expected]);
  }
});

Deno.test("Router.generate() leaves a provider that cannot be reached after one retry, with all its models", async () => {
  await using rig = startRig({ chain: [GPT, SMALL_GPT, GEMINI] });
  await rig.groq.down();
  const response = await ask(rig);
  const refused = `${GPT} failed unavailable`;
  assert.deepEqual(brief(response.attempts), [refused, refused, `${GEMINI} ok`]);
  assert.match(response.attempts[0]?.reason ?? "", /cannot be reached at http:\/\/127\.0\.0\.1:\d+/);
  assert.ok(response.attempts[0]?.remedy);
});

Deno.test("Router.generate() leaves a provider that resets the connection after one retry", async () => {
  await using rig = startRig({ chain: [GPT, SMALL_GPT, GEMINI] });
  rig.groq.always({ kind: "reset" });
  const response = await ask(rig);
  assert.deepEqual([response.provider, rig.groq.chats.length], ["gemini", 2]);
  assert.deepEqual(brief(response.attempts).slice(0, 2), [`${GPT} failed unavailable`, `${GPT} failed unavailable`]);
});

Deno.test("Router.generate() answers from the retry when the reset was a single one", async () => {
  await using rig = startRig({ chain: [GPT, GEMINI] });
  rig.groq.next({ kind: "reset" });
  const response = await ask(rig);
  assert.deepEqual([response.provider, response.fallback, rig.gemini.connections], ["groq", false, 0]);
});

Deno.test("Router.generate() leaves a provider at once on 503, without a pause and with all its models", async () => {
  await using rig = startRig({ chain: [GPT, SMALL_GPT, GEMINI] });
  rig.groq.next(status(503));
  const delays = await recordDelays(() => ask(rig));
  assert.deepEqual([rig.groq.chats.length, rig.gemini.chats.length], [1, 1]);
  assert.deepEqual(delays.filter(isPause), []);
});

Deno.test("Router.generate() spends two retries a call, whatever the length of the chain", async () => {
  const context = { context: 8192 };
  await using rig = startRig({
    chain: ["groq/a", "groq/b", "groq/c", GEMINI],
    breaker: { failure_threshold: 100 },
    providers: { groq: { models: { a: context, b: context, c: context } } },
  });
  rig.groq.always(status(500));
  const response = await ask(rig);
  assert.deepEqual(modelsAsked(rig.groq), ["a", "a", "b", "b", "c"]);
  assert.equal(response.provider, "gemini");
});

const SILENT: Readonly<Record<string, Behaviour>> = {
  "a silent provider": SILENCE,
  "a provider whose first token is late": { kind: "answer", firstTokenDelayMs: 20_000 },
};
for (const [name, behaviour] of Object.entries(SILENT)) {
  Deno.test(`Router.generate() leaves ${name} and never asks the same model again`, async () => {
    await using rig = startRig({ chain: [GPT, SMALL_GPT], deadlines: IMPATIENT });
    rig.groq.next(behaviour);
    const response = await ask(rig);
    assert.deepEqual(modelsAsked(rig.groq), ["openai/gpt-oss-120b", "openai/gpt-oss-20b"]);
    assert.deepEqual(brief(response.attempts), [`${GPT} failed timeout`, `${SMALL_GPT} ok`]);
    assert.ok(rig.groq.chats[0]?.goneAtMs, "the router hung up");
  });
}

Deno.test("Router.generate() never goes back to a silent model, even when it waits for the rate limit of another", async () => {
  await using rig = startRig({ chain: [GPT, SMALL_GPT], deadlines: IMPATIENT });
  rig.groq.next(SILENCE, status(429, { "retry-after": "0.05" }));
  const response = await ask(rig);
  assert.deepEqual(modelsAsked(rig.groq), ["openai/gpt-oss-120b", "openai/gpt-oss-20b", "openai/gpt-oss-20b"]);
  assert.equal(response.model, "openai/gpt-oss-20b");
});

for (const code of [401, 403]) {
  Deno.test(`Router.generate() goes on to another provider after a ${code} and warns with the remedy`, async () => {
    await using rig = startRig({ chain: [GPT, SMALL_GPT, GEMINI] });
    rig.groq.next(status(code));
    const response = await ask(rig);
    assert.deepEqual(brief(response.attempts), [`${GPT} failed auth`, `${GEMINI} ok`]);
    const [warning] = rig.eventsOf("system.warning");
    assert.equal(warning?.code, "auth");
    assert.match(warning?.remedy ?? "", /API key of provider groq/);
    assert.equal(rig.router.lanes["groq"]?.failures, 0);
  });
}

Deno.test("Router.generate() goes on to the next model when one is missing and warns with the line to type", async () => {
  await using rig = startRig({ chain: [LLAMA, QWEN, GEMINI], ollama: { models: ["qwen3.5:2b"] } });
  const response = await ask(rig);
  assert.deepEqual(brief(response.attempts), [`${LLAMA} failed model_not_found`, `${QWEN} ok`]);
  const [warning] = rig.eventsOf("system.warning");
  assert.equal(warning?.code, "model_not_found");
  assert.match(warning?.remedy ?? "", /ollama pull llama3\.2/);
  assert.equal(rig.router.lanes["ollama"]?.failures, 0);
});

const TOO_LONG: Behaviour = {
  kind: "status",
  status: 400,
  body: { error: { message: "Please reduce the length of the messages.", code: "context_length_exceeded" } },
};

Deno.test("Router.generate() goes on to models with a larger context alone when a prompt is too long", async () => {
  await using rig = startRig({
    chain: ["groq/a", "groq/same", LLAMA, QWEN],
    providers: { groq: { models: { a: { context: 8192 }, same: { context: 8192 } } } },
  });
  rig.groq.next(TOO_LONG);
  const response = await ask(rig);
  assert.deepEqual(brief(response.attempts), ["groq/a failed context_length", `${QWEN} ok`]);
  assert.deepEqual([modelsAsked(rig.groq), modelsAsked(rig.ollama)], [["a"], ["qwen3.5:2b"]]);
});

Deno.test("Router.generate() says that a prompt is too long for every model", async () => {
  await using rig = startRig({ chain: [GPT, LLAMA] });
  rig.groq.next(TOO_LONG);
  const error = await failureOf(rig, ask(rig));
  assert.deepEqual([error.kind, error.exitCode], ["context_length", EXIT.data]);
  assert.match(error.message, /^The prompt is too large for every model/);
  assert.equal(rig.ollama.connections, 0);
});

Deno.test("Router.generate() sends a prompt that cannot fit to nobody it cannot fit", async () => {
  await using rig = startRig({
    chain: [LLAMA, "groq/large"],
    providers: { groq: { models: { large: { context: 32_768 } } } },
  });
  const prompt = "palabra ".repeat(10_000);
  const response = await ask(rig, { prompt });
  assert.deepEqual(brief(response.attempts), [`${LLAMA} skipped context_length`, "groq/large ok"]);
  const error = await failureOf(rig, ask(rig, { prompt: prompt.repeat(4) }));
  assert.deepEqual([error.kind, rig.ollama.connections, rig.groq.chats.length], ["context_length", 0, 1]);
});

const REFUSALS: readonly (readonly [ErrorKind, Behaviour])[] = [
  ["bad_request", status(400)],
  ["content_filter", { kind: "blocked_prompt" }],
];
for (const [kind, behaviour] of REFUSALS) {
  Deno.test(`Router.generate() fails at once on ${kind} and asks nobody else`, async () => {
    await using rig = startRig({ chain: [GPT, SMALL_GPT, GEMINI] });
    rig.groq.next(behaviour);
    const error = await failureOf(rig, ask(rig));
    assert.deepEqual([error.kind, error.exitCode, brief(error.attempts)], [kind, EXIT.data, [`${GPT} failed ${kind}`]]);
    assert.match(error.message, /refused/);
    assert.deepEqual([rig.groq.chats.length, rig.gemini.connections], [1, 0]);
    assert.equal(rig.router.lanes["groq"]?.failures, 0);
  });
}

Deno.test("Router.generate() lists every attempt with its kind and remedy when everything failed", async () => {
  await using rig = startRig({ chain: [GPT, GEMINI, LLAMA], providers: { gemini: { deadlines: IMPATIENT } } });
  rig.groq.next(status(401));
  rig.gemini.next(SILENCE);
  await rig.ollama.down();
  const error = await failureOf(rig, ask(rig, { role: "governance" }));
  assert.deepEqual([error.kind, error.exitCode], ["unavailable", EXIT.unavailable]);
  assert.deepEqual(brief(error.attempts), [
    `${GPT} failed auth`,
    `${GEMINI} failed timeout`,
    `${LLAMA} failed unavailable`,
    `${LLAMA} failed unavailable`,
  ]);
  const lines = error.message.split("\n");
  assert.equal(lines.length, 4);
  assert.match(lines[1] ?? "", /groq\/openai\/gpt-oss-120b: failed, auth: .* → Check the API key of provider groq/);
  assert.match(lines[3] ?? "", /ollama\/llama3\.2: failed, unavailable: .* → Start Ollama.* \(2 times\)$/);
  assert.match(error.remedy ?? "", /doctor/);
  assert.deepEqual(rig.eventsOf("router.fallback"), [
    { role: "governance", from: GPT, to: GEMINI, kind: "auth" },
    { role: "governance", from: GEMINI, to: LLAMA, kind: "timeout" },
    { role: "governance", from: LLAMA, to: null, kind: "unavailable" },
  ]);
});

Deno.test("Router.generate() skips a provider without a key and says where to put it", async () => {
  const refusal = { kind: "auth", reason: "GROQ_API_KEY is not set", remedy: "Put it into .env." } as const;
  await using rig = startRig({ chain: [GPT, GEMINI], refusals: { groq: refusal } });
  const response = await ask(rig);
  assert.deepEqual(brief(response.attempts), [`${GPT} skipped auth`, `${GEMINI} ok`]);
  const [first] = response.attempts;
  assert.deepEqual([first?.reason, first?.remedy], ["GROQ_API_KEY is not set", "Put it into .env."]);
  assert.equal(response.fallback, true);
  const error = await failureOf(rig, ask(rig, { model: GPT }));
  assert.deepEqual([error.kind, error.exitCode, rig.groq.connections], ["auth", EXIT.permission, 0]);
});
