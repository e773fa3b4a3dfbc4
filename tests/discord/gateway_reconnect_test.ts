import assert from "node:assert/strict";
import { describeDown, fatalError } from "../../src/discord/reconnect.ts";
import type { LineBehaviour, Packet } from "../support/fake_gateway.ts";
import { connectedScene, rawMessage, type Scene, setScene, until } from "./gateway_scene.ts";

const OP = { heartbeat: 1, identify: 2, resume: 6, members: 8 };

/** The pauses that the log tells of, in milliseconds. */
function pauses({ lines }: Scene): number[] {
  return lines.map((line) => /the next try is in ([\d.]+) ms/.exec(line)?.[1]).filter((ms) => ms !== undefined).map(
    Number,
  );
}

/** A gateway that is under way: its start is awaited by the test. */
async function startingScene(
  options: Parameters<typeof setScene>[0],
): Promise<{ scene: Scene; started: Promise<void> }> {
  const scene = await setScene(options);
  return { scene, started: scene.gateway.start() };
}

Deno.test("Gateway.start() waits for a Discord that refuses connections, ever longer up to a bound", async () => {
  await using scene = await setScene({ random: () => 1 });
  await scene.fake.down();
  const started = scene.gateway.start();
  await until(() => pauses(scene).length === 6);
  assert.equal(scene.gateway.state, "connecting");
  await scene.fake.up();
  await started;
  assert.deepEqual(pauses(scene).slice(0, 6), [4, 8, 16, 20, 20, 20]);
  assert.match(scene.lines[0] ?? "", /^warn Cannot reach 127\.0\.0\.1:\d+: .*refused.*; the next try is in/);
});

Deno.test("Gateway.start() waits for a Discord that answers 503, nonsense or nothing", async () => {
  const page = { kind: "status", status: 200, body: "<html>" } as const;
  const insecure = { kind: "status", status: 200, body: { url: "ws://gateway.example.org" } } as const;
  await using scene = await setScene({ times: { requestMs: 100 } });
  const unavailable = { kind: "status", status: 503 } as const;
  const limited = { kind: "status", status: 429, headers: { "retry-after": "0.01" } } as const;
  scene.fake.rest.next(unavailable, page, insecure, { kind: "cut" }, { kind: "silence" }, { kind: "stall" }, limited);
  await scene.gateway.start();
  const log = scene.lines.join("\n");
  for (const why of [/answers 503/, /does not say where its gateway is/, /does not answer in time/]) {
    assert.match(log, why);
  }
});

Deno.test("Gateway pauses ever longer between connections that fail, and never longer than the bound", async () => {
  await using scene = await setScene({ random: () => 1 });
  scene.fake.nextLines(...Array.from({ length: 5 }, (): LineBehaviour => ({ kind: "refuse", status: 503 })));
  await scene.gateway.start();
  assert.deepEqual(pauses(scene), [4, 8, 16, 20, 20]);
  const gaps = scene.fake.lines.slice(1).map(({ atMs }, at) => atMs - (scene.fake.lines[at]?.atMs ?? 0));
  for (const [at, gap] of gaps.entries()) assert.ok(gap >= (pauses(scene)[at] ?? 0) - 1, `${gap} ms`);
});

Deno.test("Gateway takes part of the pause at random", async () => {
  await using scene = await setScene({ random: () => 0 });
  scene.fake.nextLines({ kind: "refuse", status: 503 }, { kind: "refuse", status: 503 });
  await scene.gateway.start();
  assert.deepEqual(pauses(scene), [2, 4]);
});

Deno.test("Gateway goes on pausing longer when connections do not hold, and starts anew once one has held", async () => {
  await using scene = await connectedScene({ random: () => 1, times: { mostPauseMs: 1000 } });
  scene.fake.nextLines({ kind: "ready_close", code: 4007 }, { kind: "ready_close", code: 4007 });
  scene.fake.close(4007);
  await until(() => scene.told("ready").length === 4);
  assert.deepEqual(pauses(scene), [4, 8, 16]);

  await using steady = await connectedScene({ random: () => 1, times: { stableMs: 0 } });
  for (const count of [2, 3]) {
    steady.fake.close(4007);
    await until(() => steady.told("ready").length === count);
  }
  assert.deepEqual(pauses(steady), [4, 4]);
});

for (const kind of ["hang", "mute", "no_hello", "silent"] as const) {
  Deno.test(`Gateway's watchdog gives up a connection that is not ready in time (${kind})`, async () => {
    await using scene = await setScene({ times: { watchdogMs: 60 } });
    scene.fake.nextLines({ kind }, { kind });
    await scene.gateway.start();
    assert.equal(scene.fake.lines.length, 3);
    assert.equal(scene.lines.filter((line) => line.includes("not ready in time")).length, 2);
    // Whoever does not read does not notice the end either.
    if (kind === "no_hello") {
      await until(() => scene.fake.lines.slice(0, 2).every(({ closed }) => closed !== undefined));
    }
  });
}

Deno.test("Gateway's watchdog gives up a session that cannot be taken up for a new one", async () => {
  await using scene = await connectedScene({ times: { watchdogMs: 60 } });
  scene.fake.nextLines({ kind: "mute" }, { kind: "no_hello" });
  scene.fake.cut();
  await until(() => scene.told("ready").length === 2);
  assert.deepEqual(scene.fake.lines.map(({ path }) => /^\/(\w+)/.exec(path)?.[1]), [
    "gateway",
    "resume",
    "resume",
    "gateway",
  ]);
});

Deno.test("Gateway takes up its session elsewhere when nobody answers the heartbeat", async () => {
  await using scene = await setScene({ heartbeatMs: 100 });
  scene.fake.nextLines({ kind: "no_acks" });
  await scene.gateway.start();
  await until(() => scene.fake.received(OP.resume).length === 1);
  await until(() => scene.gateway.state === "ready");
  assert.ok(scene.lines.some((line) => line.includes("no answer to the heartbeat")));
  assert.equal(scene.fake.received(OP.identify).length, 1);
});

Deno.test("Gateway survives heartbeats of a second and less, and still asks for members", async () => {
  const members = [{ user: { id: "777", username: "ana" } }];
  for (const heartbeatMs of [1000, 100, 1, 0]) {
    await using scene = await connectedScene({ heartbeatMs, guilds: [{ id: "4194304", members }] });
    await until(() => scene.told("members").some(([, [first]]) => first?.id === "777"));
    if (heartbeatMs <= 100) await until(() => scene.fake.received(OP.heartbeat).length >= 3);
    assert.equal(scene.fake.lines.length, 1);
    assert.equal(scene.fake.received(OP.identify).length, 1);
  }
});

Deno.test("Gateway beats no quicker than ten times a second, whatever it is asked for", async () => {
  await using scene = await setScene({ heartbeatMs: 1, random: () => 1 });
  await scene.gateway.start();
  const fromMs = performance.now();
  await until(() => scene.fake.received(OP.heartbeat).length >= 3);
  assert.ok(performance.now() - fromMs >= 150); // two whole intervals lie between three beats
});

Deno.test("Gateway connects to a server whose HELLO says no heartbeat", async () => {
  await using scene = await connectedScene({ heartbeatMs: undefined });
  scene.fake.dispatch("MESSAGE_CREATE", rawMessage("hola"));
  await until(() => scene.told("message").length === 1);
});

Deno.test("Gateway begins a new session when the old one is invalid", async () => {
  await using scene = await connectedScene();
  scene.fake.forget();
  scene.fake.cut();
  await until(() => scene.told("ready").length === 2);
  assert.equal(scene.fake.received(OP.resume).length, 1);
  assert.equal(scene.fake.received(OP.identify).length, 2);
});

Deno.test("Gateway tries a session once more that is invalid for now", async () => {
  await using scene = await connectedScene();
  scene.fake.nextLines({ kind: "invalid", resumable: true });
  scene.fake.cut();
  await until(() => scene.gateway.state === "ready" && scene.fake.lines.length === 3);
  assert.equal(scene.fake.received(OP.resume).length, 2);
  assert.equal(scene.fake.received(OP.identify).length, 1);
});

Deno.test("Gateway.start() goes on after an invalid session, no sooner than Discord wants", async () => {
  await using scene = await setScene({ random: () => 1 });
  scene.fake.nextLines({ kind: "invalid", resumable: false });
  await scene.gateway.start();
  assert.deepEqual(pauses(scene), [20]); // five times the first pause
});

for (const code of [1000, 1001, 4000, 4001, 4002, 4005, 4008, 4321]) {
  Deno.test(`Gateway takes up its session after a close with ${code}`, async () => {
    await using scene = await connectedScene();
    scene.fake.close(code);
    await until(() => scene.fake.received(OP.resume).length === 1);
    await until(() => scene.gateway.state === "ready");
    assert.equal(scene.fake.received(OP.identify).length, 1);
    assert.ok(scene.lines.some((line) => line.includes(`closed with code ${code}`)));
  });
}

for (const code of [4003, 4007, 4009]) {
  Deno.test(`Gateway begins a new session after a close with ${code}`, async () => {
    await using scene = await connectedScene();
    scene.fake.close(code);
    await until(() => scene.told("ready").length === 2);
    assert.equal(scene.fake.received(OP.resume).length, 0);
  });
}

Deno.test("Gateway takes up its session when Discord asks for another connection", async () => {
  await using scene = await connectedScene();
  scene.fake.send(7, null);
  await until(() => scene.fake.received(OP.resume).length === 1);
  await until(() => scene.gateway.state === "ready");
  // Any of the two codes that end a session would make the next connection useless.
  assert.ok(![1000, 1001, undefined].includes(scene.fake.lines[0]?.closed));
});

Deno.test("Gateway gives a session up that the server hangs up on twice", async () => {
  await using scene = await connectedScene();
  scene.fake.nextLines({ kind: "close", code: 4000 }, { kind: "close", code: 4000 });
  scene.fake.cut();
  await until(() => scene.told("ready").length === 2);
  assert.equal(scene.fake.received(OP.resume).length, 2);
});

Deno.test("Gateway takes up its session at the usual address when its own cannot be reached", async () => {
  await using scene = await connectedScene();
  scene.fake.nextLines({ kind: "refuse", status: 502 });
  scene.fake.cut();
  await until(() => scene.gateway.state === "ready" && scene.fake.lines.length === 3);
  assert.deepEqual(scene.fake.lines.map(({ path }) => /^\/(\w+)/.exec(path)?.[1]), ["gateway", "resume", "gateway"]);
  assert.equal(scene.fake.received(OP.resume).length, 1);
});

Deno.test("Gateway sends its token to no resume address that is not encrypted", async () => {
  let port = 0;
  // This machine by a name that is not known for it.
  const elsewhere = () => ({ resume_gateway_url: `ws://[::ffff:127.0.0.1]:${port}/elsewhere` });
  const change = (packet: Packet) => packet.t === "READY" ? { ...packet, d: { ...packet.d, ...elsewhere() } } : packet;
  await using scene = await setScene({ change });
  port = scene.fake.port;
  await scene.gateway.start();
  scene.fake.cut();
  await until(() => scene.fake.received(OP.resume).length === 1);
  assert.match(scene.fake.lines[1]?.path ?? "", /^\/gateway/);
});

Deno.test("Gateway survives the server's death in the middle of a conversation: nothing lost, nothing twice", async () => {
  const { scene, started } = await startingScene({});
  await using _ = scene;
  await started;
  const { fake, gateway, told } = scene;
  const ids = () => told("message").map(([{ id }]) => id);
  const [before, meanwhile, after] = [rawMessage("before"), rawMessage("meanwhile"), rawMessage("after")];
  fake.dispatch("MESSAGE_CREATE", before);
  await until(() => ids().length === 1);
  await fake.down();
  await until(() => gateway.state === "reconnecting");
  fake.dispatch("MESSAGE_CREATE", meanwhile);
  const reply = gateway.rest.post("22", { content: "answer", nonce: "n1" }).catch(() => undefined);
  await until(() => pauses(scene).length >= 4);
  await fake.up();
  await until(() => ids().length === 2);
  fake.dispatch("MESSAGE_CREATE", after);
  await until(() => ids().length === 3);
  assert.deepEqual(ids(), [before.id, meanwhile.id, after.id]);
  assert.equal(gateway.state, "ready");
  const id = await reply ?? await gateway.rest.post("22", { content: "answer", nonce: "n1" });
  assert.deepEqual(fake.rest.messages.map((message) => message.id), [id]);
});

Deno.test("fatalError() forbids another try for the codes that Discord forbids it for, and no other", () => {
  const codes = Array.from({ length: 5000 }, (_, code) => code);
  const fatal = codes.filter((code) => fatalError({ kind: "closed", code }));
  assert.deepEqual(fatal, [4004, 4010, 4011, 4012, 4013, 4014]);
  assert.equal(describeDown({ kind: "closed", code: 1006 }), "broken off");
});
