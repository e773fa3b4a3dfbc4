import assert from "node:assert/strict";
import { AgentError, EXIT } from "../../src/core/errors.ts";
import { BOT_TOKEN } from "../support/fake_gateway.ts";
import { connectedScene, rawMessage, setScene, until } from "./gateway_scene.ts";

// That nothing is left running, no timer and no socket, is checked by the sanitizers after each of these.

const PROCESS = new URL("../support/gateway_process.ts", import.meta.url).href;

/** All that the connection needs. */
const SANDBOX = ["--no-prompt", "--deny-import", "--ignore-env", "--allow-net=127.0.0.1"];

async function assertStopped(start: Promise<void>): Promise<void> {
  await assert.rejects(start, (error) => error instanceof AgentError && error.exitCode === EXIT.interrupted);
}

Deno.test("Gateway.stop() ends the session, so that the bot is shown as away at once", async () => {
  await using scene = await connectedScene();
  await scene.gateway.stop();
  assert.equal(scene.gateway.state, "stopped");
  await until(() => scene.fake.lines[0]?.closed !== undefined);
  assert.equal(scene.fake.lines[0]?.closed, 1000);
});

Deno.test("Gateway.stop() does not wait for a peer that has fallen silent", async () => {
  await using scene = await connectedScene();
  scene.fake.freeze();
  await scene.gateway.stop();
  assert.equal(scene.gateway.state, "stopped");
});

for (const kind of ["hang", "mute", "no_hello"] as const) {
  Deno.test(`Gateway.stop() ends a connection that is not ready yet (${kind})`, async () => {
    await using scene = await setScene();
    scene.fake.nextLines({ kind });
    const start = scene.gateway.start();
    await until(() => scene.fake.lines.length === 1);
    await Promise.all([scene.gateway.stop(), assertStopped(start)]);
    assert.equal(scene.fake.lines.length, 1);
  });
}

Deno.test("Gateway.stop() ends the wait for a Discord that cannot be reached", async () => {
  await using scene = await setScene({ times: { firstPauseMs: 60_000, mostPauseMs: 60_000 } });
  await scene.fake.down();
  const start = scene.gateway.start();
  await until(() => scene.lines.length === 1);
  await Promise.all([scene.gateway.stop(), assertStopped(start)]);
});

Deno.test("Gateway.stop() ends the pause between two connections", async () => {
  await using scene = await connectedScene({ times: { firstPauseMs: 60_000, mostPauseMs: 60_000 } });
  scene.fake.cut();
  await until(() => scene.lines.some((line) => line.includes("the next try")));
  await scene.gateway.stop();
});

Deno.test("Gateway.stop() ends a request for where the gateway is", async () => {
  await using scene = await setScene();
  scene.fake.rest.next({ kind: "silence" });
  const start = scene.gateway.start();
  await until(() => scene.fake.rest.calls.length === 1);
  await Promise.all([scene.gateway.stop(), assertStopped(start)]);
});

Deno.test("Gateway.stop() ends messages under way, and none begins after it", async () => {
  await using scene = await connectedScene();
  const { gateway, fake } = scene;
  fake.rest.next({ kind: "silence" });
  const posts = [1, 2, 3].map((n) => gateway.rest.post("22", { content: "x", nonce: `n${n}` }));
  await until(() => fake.rest.calls.length === 2);
  await Promise.all([gateway.stop(), ...posts.map((post) => assertStopped(post.then(() => {})))]);
  await assertStopped(gateway.rest.typing("22", new AbortController().signal));
  assert.equal(fake.rest.calls.length, 2);
});

Deno.test("Gateway.stop() can be called before start(), twice, and at the same time", async () => {
  await using early = await setScene();
  await early.gateway.stop();
  await assertStopped(early.gateway.start());
  assert.equal(early.fake.lines.length, 0);
  await using scene = await connectedScene();
  await Promise.all([scene.gateway.stop(), scene.gateway.stop()]);
  await scene.gateway.stop();
});

Deno.test("Gateway tells of nothing after stop()", async () => {
  await using scene = await connectedScene();
  for (let n = 0; n < 50; n++) scene.fake.dispatch("MESSAGE_CREATE", rawMessage(`${n}`));
  const stopping = scene.gateway.stop();
  const told = scene.order.length;
  await stopping;
  assert.equal(scene.order.length, told);
});

for (const peer of ["attentive", "silent"]) {
  Deno.test(`Gateway leaves the process nothing to wait for after stop() (with a peer that is ${peer})`, async () => {
    await using scene = await setScene({ guilds: [{ id: "4194304" }], answersMembers: false });
    const { fake } = scene;
    // Holds the process up until the peer has fallen silent.
    fake.rest.next({ kind: "answer" }, { kind: "status", status: 429, headers: { "retry-after": "0.3" } });
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-q", ...SANDBOX, "--cached-only", "--no-check", PROCESS, fake.apiUrl, BOT_TOKEN],
      env: { NO_COLOR: "1" },
    }).output();
    await until(() => fake.rest.calls.length === 2);
    if (peer === "silent") fake.freeze();
    const { code, stdout, stderr } = await child;
    assert.equal(new TextDecoder().decode(stderr), "");
    assert.equal(new TextDecoder().decode(stdout), "stopped\n");
    assert.equal(code, 0);
  });
}
