import assert from "node:assert/strict";
import { type Api, startApi } from "../support/api.ts";
import { readError, readOk } from "../support/api_answers.ts";
import { type Answer, historyIn, lastMessage, namesOf, promptOf, say, watchEvents } from "../support/conversation.ts";
import { readEvents } from "../support/event_reader.ts";
import { until } from "../support/rig.ts";

/** Sends a message that can be called back. */
function sendOff(api: Api, message: string, more: object = {}) {
  const leaving = new AbortController();
  const response = fetch(`${api.origin}/api/chat`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ message, conversation_id: "c1", ...more }),
    signal: leaving.signal,
  });
  return { response, leave: () => leaving.abort() };
}

/** Begins an answer that goes on until the test leaves it. */
async function occupy(api: Api, conversation_id = "c1"): Promise<() => Promise<void>> {
  api.first.next({ kind: "stall", after: 1 });
  const response = await api.send("POST", "/api/chat", { message: "Cuenta despacio", conversation_id, stream: true });
  const reader = readEvents(response.body);
  await reader.next();
  return () => reader.leave();
}

/** How many messages have come in so far. */
function received(events: ReturnType<typeof watchEvents>): number {
  return events.filter(({ name }) => name === "chat.message_received").length;
}

Deno.test("two messages of one conversation at once are answered one after the other", async () => {
  await using api = await startApi();
  api.first.next({ kind: "answer", tokens: ["Uno."], firstTokenDelayMs: 30 }, { kind: "answer", tokens: ["Dos."] });
  const [one, two] = await Promise.all([
    say(api, "Primero", { conversation_id: "c1" }),
    say(api, "Segundo", { conversation_id: "c1" }),
  ]);
  const asked = api.first.chats.map((_, at) => lastMessage(promptOf(api.first, at)).split("\n").at(-1));
  const answers = asked[0] === "Primero" ? [one.content, two.content] : [two.content, one.content];
  assert.deepEqual(answers, ["Uno.", "Dos."]);
  assert.deepEqual(historyIn(promptOf(api.first, 0)), []);
  assert.deepEqual(historyIn(promptOf(api.first, 1)), [asked[0], "Uno."]);
});

Deno.test("different conversations are answered side by side, and streamed ones hold up nobody else", async () => {
  await using api = await startApi();
  const end = await occupy(api, "c1");
  assert.equal((await say(api, "Hola", { conversation_id: "c2" })).content, "Hola, soy Django.");
  assert.equal((await say(api, "Hola", { conversation_id: "c3", cognitive_mode: 3 })).silent, false);
  await end();
});

Deno.test("messages of one conversation are answered in the order they came, whatever their mode", async () => {
  await using api = await startApi();
  const events = watchEvents(api);
  const end = await occupy(api);
  const waiting: Promise<Answer>[] = [];
  for (let at = 0; at < 6; at++) {
    const more = { conversation_id: "c1", cognitive_mode: at % 3 + 1 };
    waiting.push(say(api, `Mensaje ${at}`, more));
    await until(() => received(events) === at + 2);
  }
  await end();
  await Promise.all(waiting);
  await say(api, "Fin", { conversation_id: "c1" });
  const said = historyIn(promptOf(api.first)).filter((content) => content.startsWith("Mensaje"));
  assert.deepEqual(said, Array.from({ length: 6 }, (_, at) => `Mensaje ${at}`));
});

Deno.test("a message whose sender leaves while it waits is never answered, and those behind it move up", async () => {
  await using api = await startApi();
  const events = watchEvents(api);
  const end = await occupy(api);
  const left = sendOff(api, "Olvídalo");
  await until(() => received(events) === 2);
  const next = say(api, "Siguiente", { conversation_id: "c1" });
  await until(() => received(events) === 3);
  left.leave();
  await assert.rejects(left.response);
  await end();
  await next;
  const asked = api.first.chats.map((_, at) => lastMessage(promptOf(api.first, at)).split("\n").at(-1));
  assert.deepEqual(asked, ["Cuenta despacio", "Siguiente"]);
  assert.deepEqual(historyIn(promptOf(api.first)), ["Cuenta despacio", "Hola"]);
});

Deno.test("a sender who leaves while a message waits is no fault of the program", async () => {
  await using api = await startApi();
  const events = watchEvents(api);
  const end = await occupy(api);
  const left = sendOff(api, "Olvídalo");
  await until(() => received(events) === 2);
  left.leave();
  await assert.rejects(left.response);
  await end();
  await say(api, "Siguiente", { conversation_id: "c1" });
  assert.deepEqual(events.filter(({ name }) => name === "system.warning"), []);
});

Deno.test("one is answered, sixteen may wait in a conversation, and the next is refused with 429", async () => {
  await using api = await startApi();
  const events = watchEvents(api);
  const end = await occupy(api);
  const waiting: Promise<Answer>[] = [];
  for (let at = 0; at < 16; at++) waiting.push(say(api, `Mensaje ${at}`, { conversation_id: "c1" }));
  await until(() => received(events) === 17);
  for (const stream of [false, true]) {
    const response = await api.send("POST", "/api/chat", { message: "Uno más", conversation_id: "c1", stream });
    const error = await readError(response, 429);
    assert.deepEqual([error.code, error.type], ["busy", "rate_limit_error"]);
    assert.match(error.message, /Try again/);
  }
  await say(api, "Hola", { conversation_id: "c2" });
  await end();
  assert.equal((await Promise.all(waiting)).length, 16);
  await say(api, "Ya hay sitio", { conversation_id: "c1" });
});

Deno.test("a message that is refused for want of room is told of by no state that nothing ends", async () => {
  await using api = await startApi();
  const events = watchEvents(api);
  const end = await occupy(api);
  const waiting = Array.from({ length: 16 }, (_, at) => sendOff(api, `Mensaje ${at}`));
  await until(() => received(events) === 17);
  await readError(await api.send("POST", "/api/chat", { message: "Uno más", conversation_id: "c1" }), 429);
  for (const { leave } of waiting) leave();
  await Promise.all(waiting.map(({ response }) => assert.rejects(response)));
  await end();
  await until(() => /idle|error/.test(namesOf(events).at(-1) ?? ""));
  const count = (name: string) => namesOf(events).filter((each) => each === name).length;
  assert.equal(count("agent_state.thinking"), count("agent_state.idle") + count("agent_state.error"));
});

Deno.test("10,000 conversations leave no more behind than fifty", async () => {
  await using api = await startApi();
  for (let from = 0; from < 10_000; from += 100) {
    const batch = Array.from({ length: 100 }, (_, at) => ({ conversation_id: `c${from + at}`, cognitive_mode: 3 }));
    await Promise.all(batch.map((more) => say(api, "¿Qué tal el huerto?", more)));
  }
  const stats = await readOk<{ working: object; episodes: number }>(await api.send("GET", "/api/memory/stats"));
  assert.deepEqual([stats.working, stats.episodes], [{ conversations: 50, messages: 100 }, 0]);
  api.first.next({ kind: "answer", tokens: ["Sí."] });
  await say(api, "¿Sigues ahí?", { conversation_id: "c9999" });
  assert.equal(historyIn(promptOf(api.first)).length, 2, "the newest are the ones that are kept");
  await say(api, "¿Sigues ahí?", { conversation_id: "c0" });
  assert.equal(historyIn(promptOf(api.first)).length, 0);
});

Deno.test("conversations of very long messages do not pile up in memory", async () => {
  await using api = await startApi();
  const message = "a ".repeat(500_000);
  for (let at = 0; at < 60; at++) {
    for (let turn = 0; turn < 2; turn++) await say(api, message, { conversation_id: `c${at}`, cognitive_mode: 3 });
  }
  const kept = Array.from({ length: 60 }, (_, at) => api.agent.memory.working.recall(`c${at}`)).flat();
  const letters = kept.reduce((sum, { content }) => sum + content.length, 0);
  assert.ok(letters < 32 * 1024 * 1024, `${Math.round(letters / 1024 / 1024)} MiB of letters are kept`);
});
