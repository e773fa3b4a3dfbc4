import assert from "node:assert/strict";
import { AgentError, EXIT } from "../../src/core/errors.ts";
import { createGateway } from "../../src/discord/gateway.ts";
import { BOT_TOKEN } from "../support/fake_gateway.ts";
import { connectedScene, type Scene, setScene, until } from "./gateway_scene.ts";

/** Longer than the longest pause between two tries of a scene. */
const longerThanAnyPause = () => new Promise((resolve) => setTimeout(resolve, 60));

async function errorOf(work: Promise<unknown>): Promise<AgentError> {
  const error = await work.then(() => undefined, (error) => error);
  assert.ok(error instanceof AgentError);
  assert.ok(!Deno.inspect(error, { depth: 9 }).includes("T0KEN"));
  return error;
}

/** Nothing is tried any more once it has failed. */
async function assertIsOver({ fake, gateway }: Scene): Promise<void> {
  const before = [fake.lines.length, fake.rest.calls.length];
  await longerThanAnyPause();
  assert.deepEqual([fake.lines.length, fake.rest.calls.length], before);
  assert.equal(gateway.state, "failed");
}

const ENDINGS = [
  [4004, EXIT.permission, /does not accept the bot's token/, /Reset Token/],
  [4010, EXIT.internal, /no such shard/, /report/],
  [4011, EXIT.tempfail, /more servers than/, /Start it again/],
  [4012, EXIT.unavailable, /given up the version/, /Update/],
  [4013, EXIT.internal, /does not know the intents/, /report/],
] as const;

for (const [code, exitCode, message, remedy] of ENDINGS) {
  Deno.test(`Gateway.start() throws what to do after a close with ${code}, and tries no more`, async () => {
    await using scene = await setScene();
    scene.fake.nextLines({ kind: "close", code });
    const error = await errorOf(scene.gateway.start());
    assert.equal(error.exitCode, exitCode);
    assert.match(error.message, message);
    assert.match(error.remedy ?? "", remedy);
    assert.equal(await scene.gateway.failed, error);
    await assertIsOver(scene);
    assert.equal(scene.fake.lines.length, 1);
  });
}

const identifyOf = ({ fake }: Scene, index: number) => Number(fake.received(2)[index]?.d["intents"]);
const MEMBERS = 2;

Deno.test("Gateway does without the list of members where Discord does not grant it, and says so once", async () => {
  await using scene = await setScene({ shards: 2, guilds: [{ id: "4194304" }] });
  scene.fake.nextLines({ kind: "close", code: 4014 }, { kind: "close", code: 4014 });
  await scene.gateway.start();
  assert.deepEqual([0, 1, 2, 3].map((index) => identifyOf(scene, index) & MEMBERS), [MEMBERS, MEMBERS, 0, 0]);
  await until(() => scene.told("guild").length > 0);
  assert.equal(scene.fake.received(8).length, 0, "it must not ask for members either");
  assert.equal(scene.lines.filter((line) => /^warn .*Server Members Intent/.test(line)).length, 1);
});

Deno.test("Gateway.start() throws what to do when Discord grants even less", async () => {
  await using scene = await setScene();
  scene.fake.nextLines({ kind: "close", code: 4014 }, { kind: "close", code: 4014 });
  const error = await errorOf(scene.gateway.start());
  assert.equal(error.exitCode, EXIT.permission);
  assert.match(error.message, /does not grant this bot the intents/);
  assert.match(error.remedy ?? "", /Message Content Intent.*portal/);
  await assertIsOver(scene);
  assert.equal(scene.fake.lines.length, 2);
});

Deno.test("Gateway asks for what the application is granted, as far as Discord says so", async () => {
  const [presences, members, content] = [1 << 13, 1 << 14, 1 << 19];
  const cases = [
    { flags: content, asked: 0 },
    { flags: content | members, asked: MEMBERS },
    { flags: content | members | presences, asked: MEMBERS | 256 },
    { flags: content | presences, asked: 0 },
    { flags: undefined, asked: MEMBERS },
  ];
  for (const { flags, asked } of cases) {
    await using scene = await connectedScene({ pages: { "/applications/@me": { id: "1", flags } } });
    assert.equal(identifyOf(scene, 0) & (MEMBERS | 256), asked, String(flags));
  }
});

Deno.test("Gateway.failed tells of an end long after the start, which it survives", async () => {
  await using scene = await connectedScene();
  scene.fake.close(4004);
  assert.equal((await errorOf(scene.gateway.failed.then((error) => Promise.reject(error)))).exitCode, 77);
  await assertIsOver(scene);
});

Deno.test("Gateway fails as a whole when one of its shards does", async () => {
  await using scene = await connectedScene({ shards: 3 });
  scene.fake.nextLines({ kind: "close", code: 4013 });
  scene.fake.cut();
  await scene.gateway.failed;
  await assertIsOver(scene);
  await until(() => scene.fake.lines.every(({ closed }) => closed !== undefined));
});

Deno.test("Gateway.start() throws when the REST API does not accept the token", async () => {
  await using scene = await setScene({ token: `${BOT_TOKEN}x` });
  const error = await errorOf(scene.gateway.start());
  assert.equal(error.exitCode, EXIT.permission);
  assert.match(error.message, /does not accept the bot's token \(401/);
  await assertIsOver(scene);
  assert.equal(scene.fake.rest.calls.length, 1);
});

Deno.test("Gateway.start() throws when there is no API at the address", async () => {
  await using scene = await setScene();
  scene.fake.rest.next({ kind: "status", status: 404, body: "<html>" });
  const error = await errorOf(scene.gateway.start());
  assert.equal(error.exitCode, EXIT.config);
  assert.match(error.message, /no API of Discord's at http:\/\/127\.0\.0\.1:\d+\/api \(DISCORD_API_URL\): .*404/);
  await assertIsOver(scene);
});

Deno.test("Gateway.start() refuses a token that no header can carry, before anything is sent", async () => {
  for (const token of ["", " ", "T0KEN\nx", "T0KEN ñ", "T0KEN\u{1f600}"]) {
    await using scene = await setScene({ token });
    assert.equal((await errorOf(scene.gateway.start())).exitCode, EXIT.permission);
    assert.equal(scene.fake.rest.calls.length, 0);
  }
});

Deno.test("createGateway() refuses an address where the token must not go", async () => {
  await using scene = await setScene();
  const none = () => {};
  const log = { error: none, warn: none, info: none, debug: none };
  for (const apiUrl of ["", "nonsense", "ftp://127.0.0.1/api", "http://example.org/api", "https://a:b@example.org"]) {
    const make = () => createGateway({ token: BOT_TOKEN, apiUrl, log, events: scene.events });
    assert.throws(make, (error) => error instanceof AgentError && error.exitCode === EXIT.config);
  }
});

Deno.test("Gateway takes a token as people copy it", async () => {
  for (const token of [` Bot ${BOT_TOKEN}\n`, `"${BOT_TOKEN}"`, `'Bot ${BOT_TOKEN}'`]) {
    await using scene = await connectedScene({ token });
    assert.equal(scene.gateway.state, "ready");
  }
});

Deno.test({
  name: "Gateway.start() throws what to allow when the sandbox refuses the gateway",
  permissions: { net: ["127.0.0.1"], read: true, env: true, sys: true },
  async fn() {
    await using scene = await setScene();
    scene.fake.rest.next({ kind: "status", status: 200, body: { url: "wss://gateway.example.org", shards: 1 } });
    const error = await errorOf(scene.gateway.start());
    assert.equal(error.exitCode, EXIT.permission);
    assert.match(error.remedy ?? "", /--allow-net=gateway\.example\.org:443/);
    await assertIsOver(scene);
  },
});

Deno.test({
  name: "Gateway.start() throws what to allow when the sandbox refuses the REST API",
  permissions: { net: ["127.0.0.1:0"], read: true, env: true, sys: true },
  async fn() {
    await using scene = await setScene();
    const error = await errorOf(scene.gateway.start());
    assert.equal(error.exitCode, EXIT.permission);
    assert.match(error.remedy ?? "", /--allow-net=127\.0\.0\.1:\d+/);
    await assertIsOver(scene);
  },
});

Deno.test("Gateway.start() does not even ask for a session when Discord does not grant the content", async () => {
  await using scene = await setScene({ pages: { "/applications/@me": { id: "1", flags: 1 << 14 } } });
  const error = await errorOf(scene.gateway.start());
  assert.equal(error.exitCode, EXIT.permission);
  assert.match(error.message, /does not grant this bot the Message Content Intent/);
  await assertIsOver(scene);
  assert.equal(scene.fake.lines.length, 0);
});
