import assert from "node:assert/strict";
import { connectedScene, rawMessage, setScene, until } from "./gateway_scene.ts";

const IDENTIFY = 2;
const RESUME = 6;

Deno.test("Gateway.start() opens as many connections as Discord recommends, one after the other", async () => {
  const guilds = [1, 2, 3, 4].map((n) => ({ id: String(n * 4194304) }));
  await using scene = await connectedScene({ shards: 3, guilds, times: { identifyGapMs: 40 } });
  const { fake, told, gateway } = scene;
  const shards = fake.received(IDENTIFY).map(({ d }) => JSON.stringify(d["shard"])).sort();
  assert.deepEqual(shards, ["[0,3]", "[1,3]", "[2,3]"]);
  const [first = 0, second = 0, third = 0] = fake.lines.map(({ atMs }) => atMs);
  assert.ok(second - first >= 20 && third - second >= 20);
  await until(() => told("guild").length === 4);
  assert.equal(told("ready").length, 3);
  assert.equal(gateway.state, "ready");
  for (const shardId of [0, 1, 2]) fake.dispatch("MESSAGE_CREATE", rawMessage("hola"), shardId);
  await until(() => told("message").length === 3);
});

Deno.test("Gateway.start() opens connections side by side where Discord allows it", async () => {
  await using scene = await connectedScene({ shards: 3, maxConcurrency: 3, times: { identifyGapMs: 600_000 } });
  assert.equal(scene.fake.received(IDENTIFY).length, 3);
});

Deno.test("Gateway is not ready while one of its connections is not", async () => {
  await using scene = await setScene({ shards: 2, times: { watchdogMs: 60 } });
  scene.fake.nextLines({ kind: "serve" }, { kind: "mute" });
  const start = scene.gateway.start();
  await until(() => scene.told("ready").length === 1);
  assert.equal(scene.gateway.state, "connecting");
  await start;
  assert.equal(scene.gateway.state, "ready");
});

Deno.test("Gateway keeps the session of every shard apart", async () => {
  await using scene = await connectedScene({ shards: 2 });
  scene.fake.cut();
  await until(() => scene.fake.received(RESUME).length === 2 && scene.gateway.state === "ready");
  const sessions = scene.fake.received(RESUME).map(({ d }) => String(d["session_id"])).sort();
  assert.deepEqual(sessions, ["session-1", "session-2"]);
});

Deno.test("Gateway passes an event on once that comes over two shards", async () => {
  await using scene = await connectedScene({ shards: 2 });
  scene.fake.dispatch("MESSAGE_CREATE", rawMessage("both"));
  for (const shardId of [0, 1]) scene.fake.dispatch("MESSAGE_CREATE", rawMessage(`end ${shardId}`), shardId);
  await until(() => scene.told("message").length >= 3);
  assert.equal(scene.told("message").length, 3);
});

Deno.test("Gateway begins no session more than Discord allows in a day", async () => {
  await using scene = await connectedScene({ sessionsLeft: 1, sessionsResetMs: 400 });
  const startedMs = scene.fake.rest.calls[0]?.atMs ?? 0;
  scene.fake.close(4007);
  await until(() => scene.lines.some((line) => line.includes("no more sessions today")));
  await until(() => scene.told("ready").length === 2);
  assert.ok((scene.fake.lines[1]?.atMs ?? 0) - startedMs >= 390);
});

Deno.test("Gateway counts no session that it could not even ask for", async () => {
  await using scene = await setScene({ sessionsLeft: 1 });
  scene.fake.nextLines({ kind: "refuse", status: 503 }, { kind: "refuse", status: 503 });
  await scene.gateway.start();
  assert.equal(scene.fake.lines.length, 3);
});

Deno.test("Gateway takes up a session although no new one is allowed today", async () => {
  await using scene = await connectedScene({ sessionsLeft: 1 });
  scene.fake.cut();
  await until(() => scene.fake.received(RESUME).length === 1 && scene.gateway.state === "ready");
});

Deno.test("Gateway.start() waits until a session is allowed, and stop() ends that wait", async () => {
  await using scene = await setScene({ sessionsLeft: 0 });
  const start = scene.gateway.start();
  await until(() => scene.lines.some((line) => line.includes("no more sessions today")));
  await Promise.all([scene.gateway.stop(), assert.rejects(start, /Stopped/)]);
  assert.equal(scene.fake.lines.length, 0);
});
