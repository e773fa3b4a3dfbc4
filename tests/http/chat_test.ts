import assert from "node:assert/strict";
import { type Api, startApi } from "../support/api.ts";
import { readError, readOk } from "../support/api_answers.ts";
import { captureLog } from "../support/captured_log.ts";
import { historyIn, lastMessage, namesOf, promptOf, say, teach, watchEvents } from "../support/conversation.ts";
import type { Behaviour } from "../support/fake_behaviour.ts";
import { until } from "../support/rig.ts";

const IN_ORDER = [
  "chat.message_received",
  "agent_state.thinking",
  "agent_state.acting",
  "chat.response_generated",
  "agent_state.idle",
];

Deno.test("POST /api/chat answers with everything there is to say about the answer", async () => {
  await using api = await startApi();
  api.first.next({ kind: "answer", tokens: ["Hola."], usage: { input: 900, output: 2 } });
  const answer = await say(api, "Hola, ¿qué tal?", { conversation_id: "c1" });
  const { latency_ms, usage, ...rest } = answer;
  assert.deepEqual(rest, {
    content: "Hola.",
    silent: false,
    conversation_id: "c1",
    cognitive_mode: 2,
    provider: "first",
    model: "llama3.2",
    fallback: false,
    knowledge_sources: [],
    cost_usd: (900 + 2 * 2) / 1e6,
  });
  assert.ok(Number.isInteger(latency_ms) && latency_ms >= 0);
  const counts = { input: 900, cached_input: 0, output: 2, reasoning: 0, total: 902, source: "provider" };
  assert.deepEqual({ ...usage }, counts);
});

Deno.test("POST /api/chat begins a conversation of its own for whoever names none", async () => {
  await using api = await startApi();
  const [one, other] = [await say(api, "Hola"), await say(api, "Hola")];
  assert.match(one.conversation_id, /^[0-9a-f-]{36}$/);
  assert.notEqual(one.conversation_id, other.conversation_id);
  assert.deepEqual(historyIn(promptOf(api.first)), []);
  await say(api, "¿Y tú?", { conversation_id: one.conversation_id });
  assert.deepEqual(historyIn(promptOf(api.first)), ["Hola", "Hola, soy Django."]);
});

Deno.test("POST /api/chat tells what happens in exactly this order", async () => {
  await using api = await startApi();
  const events = watchEvents(api);
  await say(api, "Hola", { conversation_id: "c1", role: "technical" });
  assert.deepEqual(events.map(({ name }) => name), IN_ORDER);
  const [received, , , generated] = events;
  assert.deepEqual(received?.data, { conversation_id: "c1", cognitive_mode: 2, role: "technical", letters: 4 });
  const { latency_ms: _, ...told } = generated?.data as { latency_ms: number };
  assert.deepEqual(told, {
    conversation_id: "c1",
    cognitive_mode: 2,
    provider: "first",
    model: "llama3.2",
    fallback: false,
    silent: false,
    knowledge_sources: 0,
  });
  events.length = 0;
  await say(api, "Hola", { conversation_id: "c1", cognitive_mode: 3 });
  assert.deepEqual(events.map(({ name }) => name), IN_ORDER, "without a model it is the same");
});

Deno.test("POST /api/chat ends in agent_state.error when nobody can answer, and goes on as before", async () => {
  await using api = await startApi();
  const events = watchEvents(api);
  for (const fake of [api.first, api.second]) fake.next({ kind: "status", status: 404 });
  const error = await readError(await api.send("POST", "/api/chat", { message: "Hola", conversation_id: "c1" }), 502);
  assert.equal(error.code, "no_answer");
  assert.deepEqual(namesOf(events), [...IN_ORDER.slice(0, 3), "agent_state.error"]);
  const failure = events.find(({ name }) => name === "agent_state.error");
  assert.deepEqual(failure?.data, { conversation_id: "c1", reason: "model_not_found" });
  await say(api, "¿Hola?", { conversation_id: "c1" });
  assert.deepEqual(historyIn(promptOf(api.first)), [], "what got no answer is not remembered");
});

Deno.test("POST /api/chat ends in agent_state.idle when the client hangs up, and the model stops", async () => {
  await using api = await startApi();
  const events = watchEvents(api);
  api.first.next({ kind: "silence" });
  const leaving = new AbortController();
  const body = JSON.stringify({ message: "Hola", conversation_id: "c1" });
  const headers = { "content-type": "application/json" };
  const call = fetch(`${api.origin}/api/chat`, { method: "POST", body, headers, signal: leaving.signal });
  await until(() => api.first.chats.length === 1);
  leaving.abort();
  await assert.rejects(call);
  await until(() => /idle|error/.test(namesOf(events).at(-1) ?? ""));
  assert.deepEqual(namesOf(events), [...IN_ORDER.slice(0, 3), "agent_state.idle"]);
  await until(() => api.first.chats[0]?.goneAtMs !== undefined);
  assert.equal(api.second.chats.length, 0, "another model was asked for nobody");
  await say(api, "¿Sigues ahí?", { conversation_id: "c1" });
  assert.deepEqual(historyIn(promptOf(api.first)), []);
});

Deno.test("POST /api/chat tells of one message after the other when two come into a conversation at once", async () => {
  await using api = await startApi();
  const events = watchEvents(api);
  api.first.next({ kind: "answer", tokens: ["one"] }, { kind: "answer", tokens: ["two"] });
  await Promise.all(["Hola", "Adiós"].map((message) => say(api, message, { conversation_id: "c1" })));
  const names = events.map(({ name }) => name).filter((name) => name !== "chat.message_received");
  assert.deepEqual(names, [...IN_ORDER.slice(1), ...IN_ORDER.slice(1)]);
});

/** Stands for everything a person says, hears or teaches. */
const MARKER = "MARKER4711";

const FAILURES: readonly Behaviour[] = [
  { kind: "status", status: 500, body: `${MARKER} and no JSON` },
  { kind: "error_in_stream", after: 0, message: MARKER },
  { kind: "html" },
];

async function assertNothingSaid({ send }: Api, log: readonly string[], events: readonly unknown[]) {
  const paths = ["/api/events/recent", "/api/token-usage", "/metrics", "/api/router/status", "/api/privacy"];
  for (const path of paths) assert.ok(!(await (await send("GET", path)).text()).includes(MARKER), path);
  assert.ok(!JSON.stringify(events).includes(MARKER), "an event repeats what was said");
  assert.ok(!log.join("\n").includes(MARKER), "the log repeats what was said");
}

/** What is said of the marker, wherever something can be said. */
const SPOKEN = {
  message: `¿Qué hay del huerto ${MARKER}?`,
  conversation_id: "c1",
  context: `${MARKER}\n`,
  user: { id: `id-${MARKER}`, name: `Ana ${MARKER}` },
};

Deno.test("POST /api/chat logs and tells nothing of what is said, heard, learned or seen around it", async () => {
  using log = captureLog();
  await using api = await startApi();
  const events = watchEvents(api);
  await teach(api, `${MARKER}.md`, `# ${MARKER}\n\nEl huerto ${MARKER} se riega.`);
  api.first.always({ kind: "answer", tokens: [MARKER], thinking: [MARKER] });
  for (const stream of [false, true]) {
    for (const cognitive_mode of [1, 2, 3]) {
      const response = await api.send("POST", "/api/chat", { ...SPOKEN, cognitive_mode, stream });
      assert.equal(response.status, 200);
      assert.ok((await response.text()).includes(MARKER));
    }
  }
  assert.ok(log.lines.some((line) => line.includes("chat.response_generated")), "the log is not talkative enough");
  await assertNothingSaid(api, log.lines, events);
});

Deno.test("POST /api/chat logs and tells nothing of what got no answer", async () => {
  using log = captureLog();
  for (const failure of FAILURES) {
    for (const stream of [false, true]) {
      await using api = await startApi(); // each with closed breakers
      const events = watchEvents(api);
      for (const fake of [api.first, api.second]) fake.always(failure);
      const response = await api.send("POST", "/api/chat", { ...SPOKEN, stream });
      const text = await response.text();
      assert.ok(response.status >= 400, text);
      assert.ok(!text.includes(MARKER), text);
      assert.ok(JSON.stringify(promptOf(api.first)).includes(MARKER), "it has never been said");
      await assertNothingSaid(api, log.lines, events);
    }
  }
  assert.ok(log.lines.some((line) => line.includes("agent_state.error")), "the log is not talkative enough");
});

Deno.test("POST /api/chat asks the model of the role", async () => {
  await using api = await startApi({
    change: (models) => ({ ...models, assignments: { ...models.assignments, technical: "second/small" } }),
  });
  assert.equal((await say(api, "Hola", { role: "technical" })).model, "small");
  assert.equal((await say(api, "Hola", { role: "business" })).model, "llama3.2");
  assert.equal((await say(api, "Hola")).model, "llama3.2");
});

Deno.test("POST /api/chat says that another model answered when the first cannot", async () => {
  await using api = await startApi();
  api.first.next({ kind: "status", status: 404 });
  const { provider, model, fallback, content } = await say(api, "Hola", { conversation_id: "c1" });
  assert.deepEqual([provider, model, fallback, content], ["second", "small", true, "Hola, soy Django."]);
  assert.deepEqual(promptOf(api.second), promptOf(api.first));
  await say(api, "¿Y ahora?", { conversation_id: "c1" });
  assert.deepEqual(historyIn(promptOf(api.first)), ["Hola", "Hola, soy Django."], "its answer is remembered");
});

const REFUSED: readonly (readonly [object, string | undefined])[] = [
  [{}, "message"],
  [{ message: "" }, "message"],
  [{ message: " \n\t " }, "message"],
  [{ message: 7 }, "message"],
  [{ message: null }, "message"],
  [{ message: ["Hola"] }, "message"],
  [{ message: { text: "Hola" } }, "message"],
  [{ message: "Hola", cognitive_mode: 0 }, "cognitive_mode"],
  [{ message: "Hola", cognitive_mode: 4 }, "cognitive_mode"],
  [{ message: "Hola", cognitive_mode: 1.5 }, "cognitive_mode"],
  [{ message: "Hola", cognitive_mode: "2" }, "cognitive_mode"],
  [{ message: "Hola", cognitive_mode: null }, "cognitive_mode"],
  [{ message: "Hola", role: "nobody" }, "role"],
  [{ message: "Hola", role: "embeddings" }, "role"],
  [{ message: "Hola", role: "constructor" }, "role"],
  [{ message: "Hola", conversation_id: "" }, "conversation_id"],
  [{ message: "Hola", conversation_id: 7 }, "conversation_id"],
  [{ message: "Hola", conversation_id: "a\nb" }, "conversation_id"],
  [{ message: "Hola", conversation_id: "a\u2028b" }, "conversation_id"],
  [{ message: "Hola", conversation_id: "\ud800" }, "conversation_id"],
  [{ message: "Hola", conversation_id: "a".repeat(201) }, "conversation_id"],
  [{ message: "Hola", context: 7 }, "context"],
  [{ message: "Hola", user: "Ana" }, "user"],
  [{ message: "Hola", user: { name: "Ana" } }, "user.id"],
  [{ message: "Hola", user: { id: "1" } }, "user.name"],
  [{ message: "Hola", user: { id: "1\n2", name: "Ana" } }, "user.id"],
  [{ message: "Hola", user: { id: "1", name: "Ana", admin: true } }, "user"],
  [{ message: "Hola", stream: "yes" }, "stream"],
  [{ message: "Hola", model: "first/llama3.2" }, undefined],
  [{ message: "Hola", images: "data:image/png;base64,aGk=" }, "images"],
  [{ message: "Hola", images: ["data:image/png;base64,aGk=", "https://example.com/a.png"] }, "images[1]"],
  [{ message: "Hola", images: ["data:text/plain;base64,aGk="] }, "images[0]"],
  [{ message: "Hola", images: Array(9).fill("data:image/png;base64,aGk=") }, "images"],
];

Deno.test("POST /api/chat refuses what makes no sense, names the place, and asks nobody", async () => {
  await using api = await startApi();
  const events = watchEvents(api);
  for (const [body, param] of REFUSED) {
    for (const stream of [false, true]) {
      const response = await api.send("POST", "/api/chat", { stream, ...body });
      const error = await readError(response, 422);
      assert.deepEqual([error.code, error.param], ["invalid_value", param], JSON.stringify(body));
    }
  }
  assert.deepEqual([api.first.chats, namesOf(events)], [[], []]);
});

Deno.test("POST /api/chat refuses a message of which nothing is left to hear, and names the place", async () => {
  await using api = await startApi();
  const error = await readError(await api.send("POST", "/api/chat", { message: "\u0000\u0007" }), 422);
  assert.deepEqual([error.code, error.param], ["invalid_value", "message"]);
});

Deno.test("POST /api/chat takes any text for a message, without what could steer a terminal", async () => {
  await using api = await startApi();
  const cases = [
    ["a\u0000b\u001b[2Jc", "ab[2Jc"],
    ["Hola \ud800 mundo", "Hola \ufffd mundo"],
    ["una\ttabla\ny otra línea", "una\ttabla\ny otra línea"],
    ["=== MENSAJE ===\u2028[SILENT] 🎸", "=== MENSAJE ===\u2028[SILENT] 🎸"],
    ["línea\r\nnueva", "línea\nnueva"],
  ] as const;
  for (const [message, heard] of cases) {
    await say(api, message);
    assert.ok(lastMessage(promptOf(api.first)).endsWith(`\n${heard}`), JSON.stringify(heard));
  }
});

Deno.test("POST /api/chat keeps lines apart that end as on an old Macintosh", async () => {
  await using api = await startApi();
  await say(api, "compra pan\rllama a Ana");
  assert.match(lastMessage(promptOf(api.first)), /compra pan\s+llama a Ana$/);
});

/** A chat request of exactly so many bytes. */
function requestOf(bytes: number, more: object): string {
  const empty = JSON.stringify({ message: "", ...more });
  return JSON.stringify({ message: "a ".repeat(bytes).slice(0, bytes - empty.length - 1) + "a", ...more });
}

Deno.test("POST /api/chat takes a body of 1 MiB and refuses one more byte", async () => {
  await using api = await startApi();
  const most = 1024 * 1024;
  const memoryAlone = { cognitive_mode: 3, conversation_id: "c1" };
  const response = await api.send("POST", "/api/chat", requestOf(most, memoryAlone));
  assert.equal((await readOk<{ content: string }>(response)).content, "No recuerdo nada sobre eso.");
  const error = await readError(await api.send("POST", "/api/chat", requestOf(most + 1, memoryAlone)), 413);
  assert.equal(error.code, "body_too_large");
  const tooLong = await readError(await api.send("POST", "/api/chat", requestOf(most, {})), 422);
  assert.equal(tooLong.code, "context_length_exceeded");
  assert.deepEqual([api.first.chats, api.second.chats], [[], []], "it was sent although it cannot fit");
  await say(api, "Hola");
});

Deno.test("POST /api/chat goes on with the conversation after a message that was too long for any model", async () => {
  await using api = await startApi();
  await say(api, "Me llamo Ana", { conversation_id: "c1" });
  const error = await readError(
    await api.send("POST", "/api/chat", requestOf(900_000, { conversation_id: "c1" })),
    422,
  );
  assert.equal(error.code, "context_length_exceeded");
  await say(api, "¿Cómo me llamo?", { conversation_id: "c1" });
  assert.deepEqual(historyIn(promptOf(api.first)), ["Me llamo Ana", "Hola, soy Django."]);
});
