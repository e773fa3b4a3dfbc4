import assert from "node:assert/strict";
import { AgentError } from "../../src/core/errors.ts";
import { startServer } from "../../src/http/server.ts";
import { type Api, startApi } from "../support/api.ts";
import { errorIn, readError, readOk } from "../support/api_answers.ts";
import { connectTo, rawRequest, writeAll } from "../support/raw_http.ts";
import { DEFAULT_ANSWER, until } from "../support/rig.ts";

const CHAT = { model: "auto", messages: [{ role: "user", content: "Hola" }] };

/** Asks, and waits until the model has been asked; the answer is still to come. */
async function startChat(api: Api, change: object = {}): Promise<{ readonly answer: Promise<Response> }> {
  const answer = api.send("POST", "/v1/chat/completions", { ...CHAT, ...change });
  answer.catch(() => {}); // looked at later
  await until(() => api.first.chats.length === 1);
  return { answer };
}

function outcomes(api: Api): unknown[][] {
  return (api.agent.usage.local?.latest(10) ?? []).map(({ outcome, error_kind }) => [outcome, error_kind]);
}

Deno.test("RunningServer.stop() lets a running answer finish, and takes nothing new meanwhile", async () => {
  await using api = await startApi();
  const gate = { kind: "answer", firstTokenDelayMs: 300 } as const;
  api.first.next(gate);
  const { answer } = await startChat(api);
  let stopped = false;
  const stop = api.stop(60_000).then(() => stopped = true);
  const refused = await api.send("GET", "/health");
  assert.equal(refused.headers.get("connection"), "close");
  assert.equal((await readError(refused, 503)).message, "The server is stopping");
  assert.equal(stopped, false);
  const { choices } = await readOk<{ choices: { message: { content: string } }[] }>(await answer);
  assert.equal(choices[0]?.message.content, DEFAULT_ANSWER);
  await stop;
  assert.deepEqual(outcomes(api), [["ok", null]]);
  await assert.rejects(connectTo(api.origin), Deno.errors.ConnectionRefused);
});

Deno.test("RunningServer.stop() lets a running stream finish", async () => {
  await using api = await startApi();
  api.first.next({ kind: "answer", gapMs: 30 });
  const { answer } = await startChat(api, { stream: true });
  const response = await answer; // it has begun
  const stop = api.stop(60_000);
  const text = await response.text();
  assert.ok(text.endsWith("data: [DONE]\n\n"), text);
  await stop;
  assert.deepEqual(outcomes(api), [["ok", null]]);
});

Deno.test("RunningServer.stop() ends what is not done after the grace, says so, and it is written down", async () => {
  await using api = await startApi();
  api.first.next({ kind: "silence" });
  const { answer } = await startChat(api);
  await api.stop(50);
  assert.equal((await readError(await answer, 503)).message, "The server is stopping");
  await until(() => outcomes(api).length === 1);
  assert.deepEqual(outcomes(api), [["aborted", "aborted"]]);
  await until(() => api.first.chats[0]?.goneAtMs !== undefined); // the model works for nobody any more
});

Deno.test("RunningServer.stop() ends a stream after the grace with an error, and it is written down", async () => {
  await using api = await startApi();
  api.first.next({ kind: "stall", after: 2 });
  const { answer } = await startChat(api, { stream: true });
  const response = await answer; // it has begun
  await api.stop(50);
  const chunks = (await response.text()).trimEnd().split("\n\n");
  assert.match(chunks[0] ?? "", /^data: \{"id":"chatcmpl-/);
  assert.equal(errorIn(chunks.at(-1)?.replace(/^data: /, "") ?? "").code, "aborted");
  await until(() => outcomes(api).length === 1);
  assert.deepEqual(outcomes(api), [["aborted", "aborted"]]);
});

Deno.test("RunningServer.stop() does not wait for connections that ask for nothing", async () => {
  await using api = await startApi();
  using idle = await connectTo(api.origin);
  using half = await connectTo(api.origin);
  await writeAll(half, "GET /health HTTP/1.1\r\nhost: local");
  await readOk(await api.send("GET", "/health"));
  await api.stop(600_000); // it would take that long
  assert.deepEqual([await idle.read(new Uint8Array(1)), await half.read(new Uint8Array(1))], [null, null]);
});

Deno.test("RunningServer.stop() cuts a body that is still to come, after the grace", async () => {
  await using api = await startApi();
  using slow = await connectTo(api.origin);
  const head = ["PUT /api/models/profile HTTP/1.1", "host: localhost", "content-type: application/json"];
  await writeAll(slow, rawRequest([...head, "content-length: 9"]));
  await readOk(await api.send("GET", "/health"));
  await api.stop(50);
});

Deno.test("RunningServer.stop() does not wait for a reader of the events who does not read", async () => {
  await using api = await startApi();
  using slow = await connectTo(api.origin);
  await writeAll(slow, rawRequest(["GET /api/events HTTP/1.1", "host: localhost"]));
  const events = api.agent.events;
  const data = { role: "technical", from: "x".repeat(50_000), to: null, kind: "timeout" } as const;
  const readers = async () => await (await api.send("GET", "/metrics")).text();
  while (!/event_readers 1$/m.test(await readers()));
  while (/event_readers 1$/m.test(await readers())) events.emit("router.fallback", data);
  await api.stop(600_000); // it would take that long
});

Deno.test("RunningServer.stop() ends event streams at once", async () => {
  await using api = await startApi();
  const response = await api.send("GET", "/api/events");
  await api.stop(60_000);
  assert.match(await response.text(), /^: welcome\n/);
});

Deno.test("startServer() says when another program has the address", async () => {
  await using api = await startApi();
  const { host, port, hostname } = new URL(api.origin);
  const options = { hostname, port: Number(port), token: undefined, allowedHosts: [], allowedOrigins: [] };
  await assert.rejects(startServer({ ...options, program: api.agent, version: "x" }), (error) => {
    assert.ok(error instanceof AgentError);
    assert.equal(error.exitCode, 69);
    assert.ok(error.message.includes(host), error.message);
    assert.match(error.remedy ?? "", /--port/);
    return true;
  });
});

Deno.test("startServer() says when it cannot listen on that address at all", async () => {
  await using api = await startApi();
  const options = { hostname: "192.0.2.1", port: 0, token: "x", allowedHosts: [], allowedOrigins: [] };
  const start = () => startServer({ ...options, program: api.agent, version: "x" });
  await assert.rejects(start, (error) => error instanceof AgentError && error.exitCode === 78);
});

Deno.test("startServer() serves on IPv6 too", async () => {
  await using api = await startApi({ hostname: "::1" });
  assert.match(api.origin, /^http:\/\/\[::1\]:\d+$/);
  await readOk(await api.send("GET", "/health"));
});
