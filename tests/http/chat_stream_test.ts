import assert from "node:assert/strict";
import { type Api, startApi } from "../support/api.ts";
import { readError, readOk } from "../support/api_answers.ts";
import {
  type Answer,
  hear,
  historyIn,
  lastOf,
  namesOf,
  promptOf,
  say,
  shownIn,
  watchEvents,
} from "../support/conversation.ts";
import { type EventReader, readEvents } from "../support/event_reader.ts";
import type { Behaviour } from "../support/fake_behaviour.ts";
import { until } from "../support/rig.ts";

const IN_ORDER = [
  "chat.message_received",
  "agent_state.thinking",
  "agent_state.acting",
  "chat.response_generated",
  "agent_state.idle",
];

/** Begins a streamed answer that the test may leave. */
async function begin(api: Api, message: string, more: object = {}): Promise<EventReader> {
  const response = await api.send("POST", "/api/chat", { message, stream: true, ...more });
  return readEvents(response.body);
}

Deno.test("POST /api/chat streams deltas and ends in the same as unstreamed", async () => {
  await using api = await startApi();
  const behaviour: Behaviour = {
    kind: "answer",
    tokens: ["Hola", ", soy", " Django."],
    usage: { input: 900, output: 3 },
  };
  api.first.next(behaviour, behaviour);
  const whole = await say(api, "Hola", { conversation_id: "c1" });
  const events = await hear(api, "Hola", { conversation_id: "c2" });
  assert.deepEqual(events.map(({ event }) => event), ["delta", "delta", "delta", "done"]);
  assert.equal(shownIn(events), "Hola, soy Django.");
  const { latency_ms, ...rest } = lastOf(events, "done");
  assert.equal(typeof latency_ms, "number");
  const { latency_ms: _, ...same } = whole;
  assert.deepEqual(rest, { ...same, conversation_id: "c2" });
});

Deno.test("POST /api/chat tells what happens in the same order when it streams", async () => {
  await using api = await startApi();
  const events = watchEvents(api);
  for (const cognitive_mode of [1, 2, 3]) {
    await hear(api, "Hola", { conversation_id: "c1", cognitive_mode });
    assert.deepEqual(events.splice(0).map(({ name }) => name), IN_ORDER);
  }
});

Deno.test("POST /api/chat streams what is remembered in mode 3 without a model", async () => {
  await using api = await startApi();
  const events = await hear(api, "What do you know about the garden?", { cognitive_mode: 3 });
  assert.equal(shownIn(events), "I don't remember anything about that.");
  assert.equal(lastOf(events, "done")["content"], "I don't remember anything about that.");
  assert.equal(api.first.chats.length, 0);
});

Deno.test("POST /api/chat shows the first token while the rest is still to come", async () => {
  await using api = await startApi();
  api.first.next({ kind: "stall", after: 1 });
  const reader = await begin(api, "Hola");
  assert.deepEqual((await reader.next())?.data, { text: "Hola" });
  await reader.leave();
  await until(() => api.first.chats[0]?.goneAtMs !== undefined);
});

Deno.test("POST /api/chat keeps what was shown when the client hangs up, and the model stops", async () => {
  await using api = await startApi();
  const events = watchEvents(api);
  api.first.next({ kind: "stall", after: 2 });
  const reader = await begin(api, "Cuenta hasta cien", { conversation_id: "c1" });
  assert.equal(shownIn(await reader.take(2)), "Hola, soy");
  await reader.leave();
  await until(() => api.first.chats[0]?.goneAtMs !== undefined);
  await until(() => /idle|error/.test(namesOf(events).at(-1) ?? ""));
  assert.deepEqual(namesOf(events), [...IN_ORDER.slice(0, 3), "agent_state.idle"]);
  await say(api, "Sigue", { conversation_id: "c1" });
  assert.deepEqual(historyIn(promptOf(api.first)), ["Cuenta hasta cien", "Hola, soy"]);
  const stats = await readOk<{ episodes: number }>(await api.send("GET", "/api/memory/stats"));
  assert.equal(stats.episodes, 1, "only the whole exchange is kept for good");
});

Deno.test("POST /api/chat ends a stream that breaks off in an error, and keeps what was shown", async () => {
  const failures: Behaviour[] = [
    { kind: "cut", after: 2 },
    { kind: "no_finish", after: 2 },
    { kind: "malformed", after: 2 },
    { kind: "error_in_stream", after: 2, message: "SECRET-CONTENT" },
  ];
  for (const failure of failures) {
    await using api = await startApi();
    const told = watchEvents(api);
    api.first.next(failure);
    const events = await hear(api, "Hola", { conversation_id: "c1" });
    assert.equal(shownIn(events), "Hola, soy", failure.kind);
    const { error } = lastOf(events, "error") as { error: { code: string; attempts: unknown[] } };
    assert.equal(error.code, "no_answer", failure.kind);
    assert.equal(error.attempts.length, 1, failure.kind);
    assert.ok(!JSON.stringify(events).includes("SECRET-CONTENT"));
    assert.deepEqual(namesOf(told), [...IN_ORDER.slice(0, 3), "agent_state.error"]);
    await say(api, "¿Decías?", { conversation_id: "c1" });
    assert.deepEqual(historyIn(promptOf(api.first)), ["Hola", "Hola, soy"], failure.kind);
    assert.equal(api.second.chats.length, 0, "another model went on with it");
  }
});

/** Fails at both models before the first token. */
const BEFORE_THE_FIRST: readonly (readonly [Behaviour, number, string])[] = [
  [{ kind: "status", status: 404 }, 502, "no_answer"],
  [{ kind: "cut", after: 0 }, 502, "no_answer"],
  [{ kind: "html" }, 502, "no_answer"],
  [{ kind: "status", status: 429, headers: { "retry-after": "120" } }, 429, "rate_limit_exceeded"],
];

Deno.test("POST /api/chat answers with a status of its own while nothing has been shown, streamed or not", async () => {
  for (const [behaviour, status, code] of BEFORE_THE_FIRST) {
    for (const stream of [false, true]) {
      await using api = await startApi();
      for (const fake of [api.first, api.second]) fake.always(behaviour);
      const response = await api.send("POST", "/api/chat", { message: "Hola", stream });
      if (status === 429) assert.match(response.headers.get("retry-after") ?? "", /^1[12]\d$/);
      assert.equal((await readError(response, status)).code, code, behaviour.kind);
    }
  }
});

Deno.test("POST /api/chat says when to try again while every provider is left alone", async () => {
  await using api = await startApi({
    change: (models) => ({ ...models, circuit_breaker: { failure_threshold: 1, recovery_seconds: 60 } }),
  });
  await Promise.all([api.first.down(), api.second.down()]);
  await readError(await api.send("POST", "/api/chat", { message: "Hola" }), 502);
  for (const stream of [false, true]) {
    const response = await api.send("POST", "/api/chat", { message: "Hola", stream });
    const seconds = Number(response.headers.get("retry-after"));
    assert.ok(seconds >= 1 && seconds <= 60, String(seconds));
    assert.equal((await readError(response, 503)).code, "unavailable");
  }
});

Deno.test("POST /api/chat answers 504 when a model takes longer than it may", async () => {
  await using api = await startApi({
    change: (models) => ({ ...models, deadlines: { ...models.deadlines, total_seconds: 0.2 } }),
  });
  for (const stream of [false, true]) {
    api.first.next({ kind: "silence" });
    const response = await api.send("POST", "/api/chat", { message: "Hola", stream });
    assert.equal((await readError(response, 504)).code, "timeout");
  }
});

Deno.test("POST /api/chat lets another model answer when nothing has been shown", async () => {
  await using api = await startApi();
  api.first.next({ kind: "cut", after: 0 });
  const done = lastOf(await hear(api, "Hola"), "done");
  assert.deepEqual([done["provider"], done["fallback"]], ["second", true]);
});

const TOKENS = [
  ["[SILENT]"],
  ["[", "SIL", "ENT", "]"],
  [..."  **[silent]**. "],
  ["<think>They do not mean me.</think>", "\n\n", "[SILENT]"],
  ["[SILENT]", " because", " nobody", " asked"],
];

Deno.test("POST /api/chat keeps silent without a word, knows what was said all the same, and keeps none of it for good", async () => {
  await using api = await startApi();
  const around = { conversation_id: "c1", context: "Ana: hola a todos" };
  for (const tokens of TOKENS) {
    api.first.next({ kind: "answer", tokens }, { kind: "answer", tokens });
    const events = await hear(api, "jaja", around);
    assert.deepEqual(events.map(({ event }) => event), ["done"], tokens.join("|"));
    const { silent, content, model } = lastOf(events, "done");
    assert.deepEqual([silent, content, model], [true, "", "llama3.2"]);
    const whole = await say(api, "jaja", around);
    assert.deepEqual([whole.silent, whole.content], [true, ""]);
  }
  await say(api, "Django, ¿estás?", around);
  const history = historyIn(promptOf(api.first));
  assert.ok(history.length > 0 && history.every((each) => each === "jaja"), history.join());
  const stats = await readOk<{ episodes: number }>(await api.send("GET", "/api/memory/stats"));
  assert.equal(stats.episodes, 1);
});

Deno.test("POST /api/chat tells that it kept silent", async () => {
  await using api = await startApi();
  const events = watchEvents(api);
  api.first.next({ kind: "answer", tokens: ["[SILENT]"] });
  await say(api, "jaja");
  const generated = events.find(({ name }) => name === "chat.response_generated");
  assert.equal((generated?.data as { silent: boolean }).silent, true);
  assert.deepEqual(namesOf(events), IN_ORDER);
});

Deno.test("POST /api/chat shows no part of the word of silence, wherever a model writes it", async () => {
  await using api = await startApi();
  api.first.next({ kind: "answer", tokens: ["No", " tengo", " nada", " que añadir.", " [", "SILENT", "]"] });
  const ending = await hear(api, "Hola");
  assert.doesNotMatch(shownIn(ending), /\[|SILENT/);
  assert.equal(lastOf(ending, "done")["silent"], true);
  api.first.next({ kind: "answer", tokens: ["Escribo ", "[SIL", "ENT]", " cuando callo."] });
  const within = await hear(api, "Hola");
  assert.equal(shownIn(within), "Escribo … cuando callo.");
  assert.equal(lastOf(within, "done")["content"], "Escribo … cuando callo.");
});

/** Answers with thoughts in them, and what is left of each. */
const THOUGHTS = [
  { kind: "answer", tokens: ["<think>SECRET", " thought</th", "ink>", "Riego el lunes."] },
  { kind: "answer", tokens: ["Riego <thinking>", "SECRET", "</thinking>el lunes."] },
  { kind: "answer", thinking: ["SECRET"], tokens: ["Riego el lunes."] },
  { kind: "answer", tokens: ["<think>SECRET if a<", "b then</", "think>Riego el lunes."] },
] as const;

Deno.test("POST /api/chat takes thoughts out of what is shown, stored and remembered", async () => {
  for (const behaviour of THOUGHTS) {
    for (const stream of [false, true]) {
      await using api = await startApi();
      api.first.next(behaviour);
      const more = { conversation_id: "c1", stream };
      const response = await api.send("POST", "/api/chat", { message: "¿Cuándo riegas el huerto?", ...more });
      const text = await response.text();
      assert.ok(text.includes("el lunes.") && !text.includes("SECRET"), text);
      await say(api, "¿Seguro?", { conversation_id: "c1" });
      assert.deepEqual(historyIn(promptOf(api.first)), ["¿Cuándo riegas el huerto?", "Riego el lunes."]);
      const search = { query: "huerto riego lunes", conversation_id: "c1" };
      const found = await (await api.send("POST", "/api/memory/search", search)).text();
      assert.ok(found.includes("Riego el lunes.") && !found.includes("SECRET"), found);
    }
  }
});

Deno.test("POST /api/chat frames every delta as one event, whatever is in it", async () => {
  await using api = await startApi();
  const tokens = ["a\n\nevent: done\ndata: {}\n\n", "\r\n\u2028", "¡Olé! 🎸", '"\\'];
  api.first.next({ kind: "answer", tokens, splitBytes: 3 });
  const events = await hear(api, "Hola");
  assert.equal(shownIn(events), tokens.join(""));
  assert.equal(lastOf(events, "done")["content"], tokens.join(""));
});

Deno.test("POST /api/chat lets go of a conversation whose reader hangs up before the first word", async () => {
  await using api = await startApi();
  api.first.next({ kind: "silence" });
  const leaving = new AbortController();
  const call = fetch(`${api.origin}/api/chat`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ message: "Hola", conversation_id: "c1", stream: true }),
    signal: leaving.signal,
  });
  await until(() => api.first.chats.length === 1);
  leaving.abort();
  await assert.rejects(call);
  const answer: Answer = await say(api, "¿Hola?", { conversation_id: "c1" });
  assert.equal(answer.content, "Hola, soy Django.");
  assert.deepEqual(historyIn(promptOf(api.first)), []);
});
