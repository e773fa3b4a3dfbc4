import assert from "node:assert/strict";
import { EXIT, NoAnswerError } from "../../src/core/errors.ts";
import type { ErrorKind } from "../../src/core/types.ts";
import type { Behaviour, FakeProvider } from "../support/fake_provider.ts";
import {
  ask,
  brief,
  failureOf,
  GEMINI,
  GPT,
  LLAMA,
  QWEN,
  readStream,
  type Rig,
  SMALL_GPT,
  startRig,
} from "../support/rig.ts";

/** A chain of two; the first is given so little time that a test can wait for it. */
function startPair(first: string, second: string): Rig {
  const deadlines = { first_token_seconds: 0.08, idle_seconds: 0.08 };
  const [impatient = ""] = first.split("/");
  return startRig({ chain: [first, second], providers: { [impatient]: { deadlines } } });
}

/** What the second model says; shares no word with what the first one says. */
const SECOND: Behaviour = { kind: "answer", tokens: ["Respuesta", " entera"] };

/** Every way in which an answer can go wrong after `after` tokens, and what it is called. */
function breakages(after: number): readonly (readonly [Behaviour, ErrorKind])[] {
  return [
    [{ kind: "cut", after }, "protocol"],
    [{ kind: "stall", after }, "timeout"],
    [{ kind: "no_finish", after }, "protocol"],
    [{ kind: "malformed", after }, "protocol"],
    [{ kind: "error_in_stream", after }, "unavailable"],
  ];
}

/** Each provider as the first of two. */
const FIRSTS = [
  { first: LLAMA, second: GPT, fakes: ({ ollama, groq }: Rig): [FakeProvider, FakeProvider] => [ollama, groq] },
  { first: GPT, second: GEMINI, fakes: ({ groq, gemini }: Rig): [FakeProvider, FakeProvider] => [groq, gemini] },
  { first: GEMINI, second: LLAMA, fakes: ({ gemini, ollama }: Rig): [FakeProvider, FakeProvider] => [gemini, ollama] },
];

for (const { first, second, fakes } of FIRSTS) {
  Deno.test(`Router.generate() begins again at the next model when the answer of ${first} goes wrong`, async () => {
    for (const [behaviour, kind] of breakages(2)) {
      await using rig = startPair(first, second);
      const [one, two] = fakes(rig);
      one.next(behaviour);
      two.next(SECOND);
      const response = await ask(rig);
      assert.deepEqual(brief(response.attempts), [`${first} failed ${kind}`, `${second} ok`], behaviour.kind);
      assert.deepEqual([response.content, response.fallback], ["Respuesta entera", true], behaviour.kind);
      assert.deepEqual([one.chats.length, two.chats.length], [1, 1], behaviour.kind);
    }
  });

  Deno.test(`Router.stream() ends in an error when the answer of ${first} goes wrong after something was shown`, async () => {
    for (const [behaviour, kind] of breakages(2)) {
      await using rig = startPair(first, second);
      const [one, two] = fakes(rig);
      one.next(behaviour);
      const { text, response, error } = await readStream(rig.router.stream({ prompt: "¿Quién eres?" }));
      assert.equal(text, "Hola, soy", behaviour.kind);
      assert.equal(response, undefined, behaviour.kind);
      assert.ok(error instanceof NoAnswerError, behaviour.kind);
      assert.deepEqual([error.kind, brief(error.attempts)], [kind, [`${first} failed ${kind}`]], behaviour.kind);
      assert.match(error.message, /^The answer broke off: what was shown is not complete\n/, behaviour.kind);
      assert.equal(two.connections, 0, behaviour.kind);
    }
  });

  Deno.test(`Router.stream() goes on to the next model while ${first} has shown nothing`, async () => {
    const silent: Behaviour[] = [
      { kind: "cut", after: 0 },
      { kind: "stall", after: 0 },
      { kind: "no_finish", after: 0 },
      { kind: "html" },
      { kind: "empty" },
      { kind: "status", status: 503 },
    ];
    for (const behaviour of silent) {
      await using rig = startPair(first, second);
      const [one, two] = fakes(rig);
      one.next(behaviour);
      two.next(SECOND);
      const { text, response, error } = await readStream(rig.router.stream({ prompt: "¿Quién eres?" }));
      assert.deepEqual([error, text, response?.content], [undefined, "Respuesta entera", text], behaviour.kind);
      assert.deepEqual([response?.fallback, one.chats.length], [true, 1], behaviour.kind);
    }
  });
}

Deno.test("Router.generate() takes neither thinking nor tool calls nor counts over from an answer that went wrong", async () => {
  await using rig = startRig({ chain: [GPT, GEMINI] });
  const look = { name: "look", arguments: { at: "door" } };
  rig.groq.next({ kind: "answer", thinking: ["Hm"], tokens: ["No"], toolCalls: [look], finish: "unheard of" });
  rig.gemini.next({ ...SECOND, usage: { input: 9, output: 2 } });
  const response = await ask(rig);
  assert.deepEqual([response.content, response.thinking, response.tool_calls], [
    "Respuesta entera",
    undefined,
    undefined,
  ]);
  assert.deepEqual([response.usage.input, response.usage.output, response.provider], [9, 2, "gemini"]);
});

Deno.test("Router.generate() does not ask a model again whose answer went wrong half-way", async () => {
  await using rig = startRig({ chain: [GPT, SMALL_GPT] });
  rig.groq.next({ kind: "error_in_stream", after: 1 });
  const response = await ask(rig);
  assert.deepEqual(rig.groq.chats.map(({ model }) => model), ["openai/gpt-oss-120b", "openai/gpt-oss-20b"]);
  assert.equal(response.model, "openai/gpt-oss-20b");
});

Deno.test("Router.stream() yields deltas of every kind as they come, then the same response as generate()", async () => {
  await using rig = startRig({ chain: [GEMINI] });
  const look = { name: "look", arguments: { at: "door" }, id: "call_7" };
  const answer: Behaviour = { kind: "answer", thinking: ["Hm."], tokens: ["Ya", " voy"], toolCalls: [look] };
  rig.gemini.next(answer, answer);
  const { deltas, response } = await readStream(rig.router.stream({ prompt: "Mira" }));
  assert.deepEqual(deltas.map(({ type }) => type), ["thinking", "text", "text", "tool_call"]);
  const timeless = { latency_ms: 0, first_token_ms: 0, attempts: [] };
  assert.deepEqual({ ...response, ...timeless }, { ...await ask(rig, { prompt: "Mira" }), ...timeless });
  assert.deepEqual([response?.content, response?.thinking, response?.finish_reason], ["Ya voy", "Hm.", "tool_calls"]);
  assert.deepEqual(response?.tool_calls?.map(({ name, arguments: given }) => ({ name, given })), [
    { name: "look", given: { at: "door" } },
  ]);
});

Deno.test("Router.stream() shows the first token before the answer is complete", async () => {
  await using rig = startRig({ chain: [GPT] });
  rig.groq.next({ kind: "stall", after: 1 });
  const stream = rig.router.stream({ prompt: "¿Quién eres?" });
  const start = { type: "start", provider: "groq", model: "openai/gpt-oss-120b", fallback: false };
  assert.deepEqual(await stream.next(), { done: false, value: start });
  assert.deepEqual(await stream.next(), { done: false, value: { type: "text", text: "Hola" } });
  await stream.return();
});

Deno.test("Router.generate() ends when the time for the whole call is up, whatever the chain still holds", async () => {
  await using rig = startRig({
    chain: [GPT, GEMINI, QWEN],
    deadlines: { first_token_seconds: 0.05, total_seconds: 0.1 },
  });
  for (const fake of [rig.groq, rig.gemini, rig.ollama]) fake.always({ kind: "silence" });
  const error = await failureOf(rig, ask(rig));
  assert.deepEqual([error.kind, error.exitCode], ["timeout", EXIT.tempfail]);
  assert.deepEqual(brief(error.attempts), [`${GPT} failed timeout`, `${GEMINI} failed timeout`]);
  assert.match(error.attempts[1]?.reason ?? "", /total_seconds/);
  assert.equal(rig.ollama.connections, 0);
});

Deno.test("Router.stream() ends in an error when the time for the whole call is up half-way", async () => {
  await using rig = startRig({ chain: [GPT, GEMINI], deadlines: { total_seconds: 0.08 } });
  rig.groq.next({ kind: "stall", after: 3 });
  const { text, error } = await readStream(rig.router.stream({ prompt: "¿Quién eres?" }));
  assert.ok(error instanceof NoAnswerError);
  assert.deepEqual([text, error.kind, rig.gemini.connections], ["Hola, soy Djan", "timeout", 0]);
  assert.match(error.message, /not complete/);
});
