import assert from "node:assert/strict";
import { createEventBus } from "../../src/core/events.ts";
import { EventLog } from "../../src/http/event_log.ts";
import { EventStreams } from "../../src/http/event_stream.ts";
import { type Api, startApi } from "../support/api.ts";
import { assertSecurityHeaders } from "../support/api_answers.ts";
import { type EventReader, readEvents, type SeenEvent } from "../support/event_reader.ts";
import { connectTo, rawRequest, readAnswer, writeAll } from "../support/raw_http.ts";
import { until } from "../support/rig.ts";

async function open(api: Api, lastId?: string): Promise<EventReader> {
  const headers: Record<string, string> = lastId === undefined ? {} : { "last-event-id": lastId };
  const response = await api.send("GET", "/api/events", undefined, headers);
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("content-type"), "text/event-stream; charset=utf-8");
  assertSecurityHeaders(response.headers);
  return readEvents(response.body);
}

/** An event that is told apart by its number, and of about that size. */
function emit(api: Api, number: number, bytes = 0): void {
  const from = `n/${number}${"x".repeat(bytes)}`;
  api.agent.events.emit("router.fallback", { role: "technical", from, to: null, kind: "timeout" });
}

function emitMany(api: Api, from: number, to: number): void {
  for (let number = from; number <= to; number++) emit(api, number);
}

function numberOf({ data }: SeenEvent): number {
  const { from } = data.data as { from: string };
  return Number(/\d+/.exec(from)?.[0]);
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}

/** How many readers the server knows of. */
async function readersOf(api: Api): Promise<number> {
  const text = await (await api.send("GET", "/metrics")).text();
  return Number(/^django_agent_event_readers (\d+)$/m.exec(text)?.[1]);
}

Deno.test("GET /api/events sends what happens from now on, with ids, to everybody", async () => {
  await using api = await startApi();
  emit(api, 0);
  const readers = [await open(api), await open(api), await open(api)];
  emitMany(api, 1, 3);
  const ids = new Set<string>();
  for (const reader of readers) {
    const events = await reader.take(3);
    assert.deepEqual(events.map(numberOf), [1, 2, 3]);
    for (const { id, event, data } of events) {
      assert.equal(event, "router.fallback");
      assert.deepEqual([data.id, data.name], [id, event]);
      assert.ok(Math.abs(Date.parse(String(data.at)) - Date.now()) < 86_400_000);
      ids.add(id ?? "");
    }
    assert.deepEqual(reader.comments, ["welcome"]);
    await reader.leave();
  }
  assert.equal(ids.size, 3);
});

Deno.test("GET /api/events shows a change of the configuration as /api/events/recent does", async () => {
  await using api = await startApi();
  const reader = await open(api);
  await (await api.send("PUT", "/api/models/profile", { profile: "small_first" })).text();
  const [event] = await reader.take(1);
  assert.equal(event?.event, "config.router_reloaded");
  const { events } = await (await api.send("GET", "/api/events/recent")).json();
  assert.deepEqual(events, [event?.data]);
  await reader.leave();
});

Deno.test("GET /api/events goes on after Last-Event-ID", async () => {
  await using api = await startApi();
  const before = await open(api);
  emitMany(api, 1, 5);
  const [, second] = await before.take(2);
  await before.leave();
  const after = await open(api, second?.id);
  emit(api, 6);
  assert.deepEqual((await after.take(4)).map(numberOf), [3, 4, 5, 6]);
  await after.leave();
});

Deno.test("GET /api/events sends all that is kept to a reader who was away for longer or is from another run", async () => {
  await using api = await startApi();
  const before = await open(api);
  emit(api, 1);
  const [first] = await before.take(1);
  await before.leave();
  emitMany(api, 2, 120);
  for (const id of [first?.id, "another-run-7", "", "0", "\u00e9", "x".repeat(5000)]) {
    const reader = await open(api, id);
    assert.deepEqual((await reader.take(100)).map(numberOf), range(21, 120));
    await reader.leave();
  }
});

Deno.test("GET /api/events sends nothing twice to a reader who has missed nothing", async () => {
  await using api = await startApi();
  const before = await open(api);
  emitMany(api, 1, 3);
  const last = (await before.take(3)).at(-1)?.id;
  await before.leave();
  const after = await open(api, last);
  emit(api, 4);
  assert.equal(numberOf((await after.next()) ?? assert.fail()), 4);
  await after.leave();
});

Deno.test("HEAD /api/events has no reader to remember", async () => {
  await using api = await startApi();
  for (let count = 0; count < 3; count++) {
    const response = await api.send("HEAD", "/api/events");
    assert.deepEqual([response.status, await response.text()], [200, ""]);
  }
  assert.equal(await readersOf(api), 0);
});

Deno.test("GET /api/events forgets a reader who leaves", async () => {
  await using api = await startApi();
  const readers = [await open(api), await open(api)];
  assert.equal(await readersOf(api), 2);
  await readers[0]?.leave();
  while (await readersOf(api) !== 1);
  emit(api, 1);
  assert.equal((await readers[1]?.take(1))?.length, 1);
  await readers[1]?.leave();
  while (await readersOf(api) !== 0);
});

Deno.test("GET /api/events drops a reader who does not read, and no other reader notices", async () => {
  await using api = await startApi();
  const good = await open(api);
  using slow = await connectTo(api.origin);
  const lines = ["GET /api/events HTTP/1.1", "host: localhost", "connection: close"];
  await writeAll(slow, rawRequest(lines));
  while (await readersOf(api) !== 2);
  const size = 50_000;
  let sent = 0;
  // What the system itself keeps for a connection has to fill up first.
  while (await readersOf(api) === 2) {
    assert.ok(sent * size < 100e6, "all of it is kept for a reader who does not read");
    emit(api, ++sent, size);
    assert.equal(numberOf((await good.next()) ?? assert.fail("the good reader was dropped")), sent);
  }
  emit(api, ++sent);
  assert.equal(numberOf((await good.next()) ?? assert.fail()), sent);
  const { status, body } = await readAnswer(slow);
  assert.equal(status, 200);
  const events = await readEvents(new Blob([body]).stream()).rest();
  const last = events.pop();
  assert.deepEqual([last?.event, last?.id, last?.data.code], ["system.dropped", undefined, "too_slow"]);
  assert.deepEqual(events.map(numberOf), range(1, events.length)); // whole ones, none left out before the end
  assert.ok(events.length < sent);
  await good.leave();
});

Deno.test("GET /api/events gets everything across to a reader who was away, however large it is", async () => {
  await using api = await startApi();
  for (const number of range(1, 20)) emit(api, number, 50_000);
  const reader = await open(api, "unknown");
  assert.deepEqual((await reader.take(20)).map(numberOf), range(1, 20));
  emit(api, 21, 2_000_000); // larger than what a reader may fall behind
  emit(api, 22);
  const seen = [await reader.next()];
  assert.equal(numberOf(seen[0] ?? assert.fail()), 21);
  await reader.leave();
});

Deno.test("EventStreams sends every reader a comment every 15 seconds", async () => {
  const ticks: { readonly run: () => void; readonly ms: number | undefined }[] = [];
  const { setInterval } = globalThis;
  globalThis.setInterval = ((run: () => void, ms?: number) => {
    ticks.push({ run, ms });
    return setInterval(() => {}, 1_000_000);
  }) as typeof setInterval;
  try {
    using log = new EventLog(createEventBus({ onListenerError: (error) => assert.fail(String(error)) }));
    using streams = new EventStreams(log);
    assert.deepEqual(ticks.map(({ ms }) => ms), [15_000]);
    const reader = readEvents(streams.open(undefined));
    const end = reader.rest();
    await until(() => reader.comments.length === 1);
    ticks[0]?.run();
    await until(() => reader.comments.length === 2);
    assert.deepEqual(reader.comments, ["welcome", "still here"]);
    streams[Symbol.dispose]();
    assert.deepEqual([await end, streams.readers], [[], 0]);
  } finally {
    globalThis.setInterval = setInterval;
  }
});
