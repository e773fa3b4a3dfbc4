import assert from "node:assert/strict";
import { createLocalApi } from "../../src/http/local_api.ts";
import { startApi } from "../support/api.ts";
import { historyIn, namesOf, promptOf, watchEvents } from "../support/conversation.ts";
import { readEvents } from "../support/event_reader.ts";
import { until } from "../support/rig.ts";

function request(method: string, path: string, body?: object): Request {
  return new Request(`http://local${path}`, {
    method,
    ...(body && { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
  });
}

Deno.test("createLocalApi() converses and remembers as the API does, without a socket", async () => {
  await using api = await startApi();
  const send = createLocalApi(api.agent);
  const taught = await send(
    request("POST", "/api/memory/semantic", { content: "El huerto es verde.", source: "h.md" }),
  );
  assert.deepEqual((await taught.json()).ids, [1]);
  const answered = await send(request("POST", "/api/chat", { message: "¿De qué color es el huerto?" }));
  const { content, knowledge_sources } = await answered.json();
  assert.deepEqual([content, knowledge_sources.length], ["Hola, soy Django.", 1]);
  const streamed = await send(request("POST", "/api/chat", { message: "Hola", stream: true }));
  const events = await readEvents(streamed.body).rest();
  assert.equal(events.at(-1)?.event, "done");
  assert.equal((await send(request("DELETE", "/api/memory/semantic/1"))).status, 200);
});

Deno.test("createLocalApi() ends the model's work when the reader leaves a stream, read from or not", async () => {
  for (const read of [true, false]) {
    await using api = await startApi();
    const events = watchEvents(api);
    api.first.next({ kind: "stall", after: 2 });
    const send = createLocalApi(api.agent);
    const response = await send(request("POST", "/api/chat", { message: "Hola", conversation_id: "c1", stream: true }));
    const reader = readEvents(response.body);
    if (read) assert.deepEqual((await reader.next())?.data, { text: "Hola" });
    await reader.leave();
    await until(() => api.first.chats[0]?.goneAtMs !== undefined);
    assert.equal(namesOf(events).at(-1), "agent_state.idle");
    await send(request("POST", "/api/chat", { message: "¿Sigues?", conversation_id: "c1" }));
    assert.deepEqual(historyIn(promptOf(api.first)), read ? ["Hola", "Hola"] : []);
  }
});

Deno.test("createLocalApi() answers mistakes in the one shape there is", async () => {
  await using api = await startApi();
  const send = createLocalApi(api.agent);
  const cases = [
    [request("POST", "/api/chat", {}), 422],
    [request("POST", "/api/chat"), 415],
    [request("DELETE", "/api/memory/semantic/1"), 404],
    [request("POST", "/api/memory/forget", {}), 422],
  ] as const;
  for (const [asked, status] of cases) {
    const response = await send(asked);
    const { error } = await response.json();
    assert.deepEqual([response.status, typeof error.message, typeof error.code], [status, "string", "string"]);
  }
});

Deno.test("createLocalApi() is the part that whoever converses needs, and nothing else", async () => {
  await using api = await startApi();
  const send = createLocalApi(api.agent);
  for (const path of ["/api/privacy", "/health", "/v1/models", "/api/models/config"]) {
    const response = await send(request("GET", path));
    await response.body?.cancel();
    assert.equal(response.status, 404, path);
  }
  const status = await (await send(request("GET", "/api/router/status"))).json();
  assert.equal(status.profile, "privacy_mode");
});

Deno.test("createLocalApi() tells of a fault behind it, with its place", async () => {
  await using api = await startApi();
  const events = watchEvents(api);
  const chat = { ...api.agent.chat, answer: () => Promise.reject(new TypeError("SECRET")) };
  const { memory, router, seal } = api.agent;
  const send = createLocalApi({ chat, memory, router, seal, events: api.agent.events });
  const response = await send(request("POST", "/api/chat", { message: "Hola" }));
  assert.equal(response.status, 500);
  assert.ok(!(await response.text()).includes("SECRET"));
  const [warning] = events.filter(({ name }) => name === "system.warning");
  assert.match(JSON.stringify(warning?.data), /TypeError at .*local_api_test/);
});
