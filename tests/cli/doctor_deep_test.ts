import assert from "node:assert/strict";
import { checkDeep } from "../../src/cli/doctor_deep.ts";
import { EXIT, NoAnswerError } from "../../src/core/errors.ts";
import { createEventBus } from "../../src/core/events.ts";
import type { GenerateRequest, ModelResponse, StreamItem } from "../../src/core/types.ts";
import { type FakeOllama, startFakeOllama } from "../support/fake_ollama.ts";
import { CONTEXT, diagnose, find, modelsOf } from "./doctor_home.ts";

const DEEP = ["answer", "token counts", "stop", "oversized prompt", "speed", "second turn"];

function diagnoseDeeply(origin: string) {
  return diagnose({ models: modelsOf(origin) }, { deep: true });
}

/** A fake Ollama whose second answer, the one that is to be stopped, has no end. */
function startTalkativeOllama(): FakeOllama {
  const ollama = startFakeOllama();
  ollama.next({ kind: "answer" }, { kind: "endless_body", of: "tokens" });
  return ollama;
}

Deno.test("doctor --deep makes a model answer, stop, refuse and remember", async () => {
  await using ollama = startTalkativeOllama();
  const progress: string[] = [];
  const options = { deep: true, progress: (line: string) => void progress.push(line) };
  const findings = await diagnose({ models: modelsOf(ollama.origin) }, options);
  assert.deepEqual(DEEP.map((name) => [name, find(findings, name).status]), DEEP.map((name) => [name, "ok"]));
  assert.match(find(findings, "answer").detail, /^streamed in 5 pieces/);
  assert.match(find(findings, "token counts").detail, /^\d+ \+ 5, as Ollama counts/);
  assert.match(find(findings, "oversized prompt").detail, /^refused/);
  assert.match(find(findings, "speed").detail, /^40\.0 tokens\/s, as Ollama measures/);
  assert.match(find(findings, "second turn").detail, /^began after .* times as fast$/);
  assert.ok(progress.length >= 4 && progress.every((line) => line.startsWith("home/llama3.2: ")));
});

Deno.test("doctor --deep asks the first local model of the profile and no other", async () => {
  await using ollama = startTalkativeOllama();
  await diagnose({ models: modelsOf(ollama.origin), cloud: true }, { deep: true, profile: "mixed" });
  assert.deepEqual([...new Set(ollama.chats.map(({ model }) => model))], ["llama3.2"]);
});

Deno.test("doctor --deep hangs up on the answer it stops", async () => {
  await using ollama = startTalkativeOllama();
  await diagnoseDeeply(ollama.origin);
  await ollama.stop();
  assert.deepEqual(ollama.chats.map(({ goneAtMs }) => goneAtMs !== undefined), [
    false,
    true,
    false,
    false,
    false,
    false,
  ]);
});

Deno.test("doctor --deep sends the second turn behind the very beginning of the first", async () => {
  await using ollama = startTalkativeOllama();
  await diagnoseDeeply(ollama.origin);
  const [first, second] = ollama.chats.slice(-2).map(({ body }) => body["messages"] as unknown[]);
  assert.deepEqual(second?.slice(0, first?.length), first);
  assert.equal(second?.length, 4);
  assert.deepEqual(second?.[2], { role: "assistant", content: "Hola, soy Django." });
});

/** Stands before `ollama` as a version that does not know `truncate`: it drops the word from every request. */
function startOldOllama(ollama: FakeOllama) {
  const onListen = () => {};
  return Deno.serve({ hostname: "127.0.0.1", port: 0, onListen }, async ({ method, url, body }) => {
    const text = (await new Response(body).text()).replace('"truncate":false,', "");
    const { pathname } = new URL(url);
    return await fetch(`${ollama.origin}${pathname}`, { method, ...(method === "POST" && { body: text }) });
  });
}

Deno.test("doctor --deep fails on an Ollama that cuts a prompt in silence", async () => {
  // The full context as Ollama counts it, and so few tokens that the provider itself sees that something is missing.
  for (const countedTokens of [CONTEXT, 100]) {
    await using ollama = startTalkativeOllama();
    ollama.silentTruncation = countedTokens;
    await using old = startOldOllama(ollama);
    const findings = await diagnoseDeeply(`http://127.0.0.1:${old.addr.port}`);
    const { status, exitCode, detail, remedy } = find(findings, "oversized prompt");
    assert.deepEqual([status, exitCode], ["fail", EXIT.unavailable], `${countedTokens}`);
    assert.match(detail, /cut the prompt in silence/);
    assert.match(remedy ?? "", /Update Ollama/);
  }
});

Deno.test("doctor --deep accepts an Ollama that takes the whole oversized prompt", async () => {
  await using ollama = startTalkativeOllama();
  ollama.silentTruncation = CONTEXT + 1000;
  await using old = startOldOllama(ollama);
  const { status, detail } = find(await diagnoseDeeply(`http://127.0.0.1:${old.addr.port}`), "oversized prompt");
  assert.equal(status, "ok");
  assert.match(detail, /taken as a whole: 3048 tokens/);
});

Deno.test("doctor --deep warns when no counts come, and measures the speed itself", async () => {
  await using ollama = startTalkativeOllama();
  ollama.always({ kind: "answer", usage: null });
  const findings = await diagnoseDeeply(ollama.origin);
  assert.equal(find(findings, "token counts").status, "ok");
  assert.match(find(findings, "speed").detail, /^about \d+\.\d tokens\/s, measured from outside/);
  await using silent = startFakeOllama();
  silent.always({ kind: "answer", usage: null });
  assert.equal(find(await diagnoseDeeply(silent.origin), "token counts").status, "warn");
});

Deno.test("doctor --deep stops where the model does not answer, and asks no other", async () => {
  await using ollama = startFakeOllama({ models: ["qwen3.5:2b"] });
  const findings = await diagnoseDeeply(ollama.origin);
  const { status, exitCode, remedy } = find(findings, "answer");
  assert.deepEqual([status, exitCode], ["fail", EXIT.unavailable]);
  assert.match(remedy ?? "", /ollama pull llama3\.2/);
  assert.equal(findings.at(-1)?.name, "answer");
  assert.equal(ollama.chats.length, 0);
});

Deno.test("doctor --deep fails when a model does not answer any more after it was stopped", async () => {
  await using ollama = startTalkativeOllama();
  ollama.always({ kind: "status", status: 500 });
  const findings = await diagnoseDeeply(ollama.origin);
  assert.equal(find(findings, "answer").status, "ok");
  const { status, remedy } = find(findings, "stop");
  assert.equal(status, "fail");
  assert.match(remedy ?? "", /after an answer had been stopped/);
});

const RESPONSE: ModelResponse = {
  content: "Hola",
  provider: "home",
  model: "llama3.2",
  role: "identity_core",
  profile: "private",
  finish_reason: "stop",
  usage: { input: 10, cached_input: 0, output: 1, reasoning: 0, total: 11, source: "provider", raw: null },
  cost_usd: 0,
  latency_ms: 20,
  first_token_ms: 10,
  fallback: false,
  attempts: [],
};

/** What `checkDeep` says of a router whose long answers go as `long` says. */
async function checkWith(
  long: (request: GenerateRequest) => AsyncGenerator<StreamItem, void, void>,
  signal = new AbortController().signal,
) {
  async function* stream(request: GenerateRequest): AsyncGenerator<StreamItem, void, void> {
    if ((request.max_tokens ?? 0) > 1000) return yield* long(request);
    yield { type: "text", text: "Hola" };
    yield { type: "done", response: RESPONSE };
  }
  const events = createEventBus({ onListenerError: () => {} });
  const subject = { ref: "home/llama3.2", contextTokens: CONTEXT, events, progress: () => {}, stopMs: 20, signal };
  return await Array.fromAsync(checkDeep({ ...subject, router: { stream } }));
}

Deno.test("checkDeep() fails when a stopped answer does not end", async () => {
  const findings = await checkWith(async function* () {
    yield { type: "text", text: "one" };
    await new Promise(() => {});
  });
  const { status, detail } = find(findings, "stop");
  assert.equal(status, "fail");
  assert.match(detail, /still went on 20 ms after it was stopped/);
  assert.equal(findings.at(-1)?.name, "stop");
});

Deno.test("checkDeep() fails when a stopped answer goes on to its end", async () => {
  const findings = await checkWith(async function* () {
    yield { type: "text", text: "one" };
    yield { type: "text", text: "two" };
    yield { type: "done", response: RESPONSE };
  });
  assert.match(find(findings, "stop").detail, /went on to its end/);
});

Deno.test("checkDeep() tells a stop from an answer that broke off by itself", async () => {
  const findings = await checkWith(async function* () {
    yield { type: "text", text: "one" };
    const [reason, remedy] = ["It broke off", "Restart it."];
    const attempt = { provider: "home", model: "llama3.2", outcome: "failed", error_kind: "protocol", ms: 1 } as const;
    throw new NoAnswerError("broke off", { kind: "protocol", attempts: [{ ...attempt, reason, remedy }] });
  });
  const { status, detail, remedy } = find(findings, "stop");
  assert.deepEqual([status, detail, remedy], ["fail", "It broke off", "Restart it."]);
});

Deno.test("checkDeep() ends as a whole when it is stopped itself", async () => {
  const controller = new AbortController();
  const stopped = new NoAnswerError("The call was stopped", { kind: "aborted", attempts: [] });
  const checking = checkWith(async function* ({ signal }) {
    controller.abort();
    if (signal?.aborted) throw stopped;
    yield { type: "done", response: RESPONSE };
  }, controller.signal);
  await assert.rejects(checking, { name: "AgentError", exitCode: EXIT.interrupted });
});
