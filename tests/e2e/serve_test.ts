import assert from "node:assert/strict";
import { freePort } from "../support/free_port.ts";
import { until } from "../support/rig.ts";
import { SERVE, serve, type Served } from "./served.ts";
import { createWorld, type World } from "./setup.ts";

const PID_FILE = "django-agent.pid";

async function pidIn(world: World): Promise<string | undefined> {
  return await Deno.readTextFile(`${world.folder}/data/${PID_FILE}`).catch(() => undefined);
}

async function statusOf(served: Served, path: string): Promise<number> {
  const response = await served.get(path);
  await response.body?.cancel();
  return response.status;
}

Deno.test("serve says in a few lines what it serves, and serves it", async () => {
  await using world = await createWorld();
  await using served = await serve(world, SERVE);
  const health = await (await served.get("/health")).json();
  assert.deepEqual([health.status, health.profile, health.sealed], ["ok", "privacy_mode", true]);
  const answer = await (await served.chat()).json();
  assert.equal(answer.choices[0].message.content, "Hola, soy Django.");
  const lines = served.program.told.trimEnd().split("\n");
  assert.ok(lines.length <= 10, served.program.told);
  assert.match(lines[0] ?? "", /^django-agent \d+\.\d+\.\d+ at http:\/\/127\.0\.0\.1:\d+$/);
  const named = lines.slice(1).map((line) => line.split(" ")[0]);
  assert.deepEqual(named, ["profile", "privacy", "database", "bot"]);
  assert.match(served.program.told, /^profile +privacy_mode \(local only\), from .*models\.json$/m);
  assert.match(served.program.told, /^privacy +sealed$/m);
  assert.match(served.program.told, /^database +\.\/data\/django\.db$/m);
  assert.equal(served.program.printed, "");
});

Deno.test("without a command the program serves", async () => {
  const port = freePort();
  await using world = await createWorld((models) => ({ ...models, server: { port } }));
  await using served = await serve(world, []);
  assert.equal(served.origin, `http://127.0.0.1:${port}`); // as models.json says
  assert.equal((await (await served.get("/health")).json()).status, "ok");
});

Deno.test("serve --profile and --cloud count, and the start says so", async () => {
  await using world = await createWorld();
  const args = ["--cloud", ...SERVE, "--profile", "balanced"];
  await using served = await serve(world, args);
  assert.match(served.program.told, /^profile +balanced, from /m);
  assert.match(served.program.told, /^privacy +open to the cloud \(--cloud\)$/m);
  const { sealed, profile } = await (await served.get("/health")).json();
  assert.deepEqual([sealed, profile], [false, "balanced"]);
});

Deno.test("serve keeps its number in a locked file: a second one on the folder ends with 69", async () => {
  await using world = await createWorld();
  await using served = await serve(world, SERVE);
  assert.equal(await pidIn(world), `${served.program.pid}\n`);
  const second = await world.run(SERVE);
  assert.equal(second.code, 69);
  assert.match(second.stderr, new RegExp(`^error: Process ${served.program.pid} already serves from `));
  assert.equal(await pidIn(world), `${served.program.pid}\n`);
  assert.equal(await statusOf(served, "/health"), 200);
  await using elsewhere = await serve(world, [...SERVE, "--data", "./data/other"]);
  assert.notEqual(elsewhere.origin, served.origin);
});

Deno.test("serve leaves no lock behind when it is killed", async () => {
  await using world = await createWorld();
  {
    await using served = await serve(world, SERVE);
    served.program.kill("SIGKILL");
    await served.program.finished;
    assert.equal(await pidIn(world), `${served.program.pid}\n`);
  }
  await using next = await serve(world, SERVE);
  assert.equal(await pidIn(world), `${next.program.pid}\n`);
});

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  Deno.test(`serve ends with 0 on ${signal}, after the running answer, and removes its file`, async () => {
    await using world = await createWorld();
    world.ollama.next({ kind: "answer", firstTokenDelayMs: 500 });
    await using served = await serve(world, SERVE);
    const answer = [served.chat()];
    await until(() => world.ollama.chats.length === 1);
    served.program.kill(signal);
    await served.program.waitUntilTold("stopping");
    const [response] = await Promise.all(answer);
    assert.equal((await response?.json()).choices[0].message.content, "Hola, soy Django.");
    const { code, stderr } = await served.program.finished;
    assert.equal(code, 0, stderr);
    assert.equal(await pidIn(world), undefined);
    const usage = await world.run(["usage", "--json"]);
    assert.equal(JSON.parse(usage.stdout).total.ok, 1, usage.stdout);
  });
}

Deno.test("a second signal ends serve at once", async () => {
  await using world = await createWorld();
  world.ollama.next({ kind: "silence" });
  await using served = await serve(world, SERVE);
  const answer = assert.rejects(served.chat(), TypeError);
  await until(() => world.ollama.chats.length === 1);
  served.program.kill("SIGTERM");
  await served.program.waitUntilTold("stopping");
  served.program.kill("SIGTERM");
  const { code } = await served.program.finished;
  assert.notEqual(code, 0);
  await answer;
  await using next = await serve(world, SERVE);
  assert.equal(await pidIn(world), `${next.program.pid}\n`);
});

Deno.test("serve listens to other machines only with a token", async () => {
  await using world = await createWorld();
  const open = ["serve", "--host", "0.0.0.0", "--port", "0"];
  const { code, stderr } = await world.run(open, { env: {} });
  assert.equal(code, 78);
  assert.match(stderr, /^error: Cannot listen on 0\.0\.0\.0: .*token\n→ Set DJANGO_API_TOKEN/m);
  assert.equal(await pidIn(world), undefined);
});

Deno.test("serve asks for the token that it was given, and shows it to nobody", async () => {
  const token = "0123456789-token-of-the-test";
  await using world = await createWorld();
  await using served = await serve(world, SERVE, { env: { DJANGO_API_TOKEN: token } });
  assert.match(served.program.told, /, with a token$/m);
  assert.equal(await statusOf(served, "/health"), 200);
  assert.equal(await statusOf(served, "/api/privacy"), 401);
  const shown = await (await served.get("/api/privacy", { authorization: `Bearer ${token}` })).text();
  assert.ok(!shown.includes(token) && !served.program.told.includes(token));
  const { code, stderr } = await world.run([...SERVE, "--data", "./data/b"], { env: { DJANGO_API_TOKEN: "ñ ñ" } });
  assert.equal(code, 78);
  assert.ok(!stderr.includes("ñ"), stderr);
});

Deno.test("serve refuses ports and addresses that are none", async () => {
  await using world = await createWorld();
  for (const port of ["65536", "-1", "80a", "", "1e3", "0x50", "8000.5", " "]) {
    const { code, stderr } = await world.run(["serve", "--port", port]);
    assert.equal(code, 64, `--port "${port}": ${stderr}`);
  }
  for (const host of ["", "http://127.0.0.1", "a b", "host/path"]) {
    const { code, stderr } = await world.run(["serve", "--host", host]);
    assert.equal(code, 64, `--host "${host}": ${stderr}`);
  }
  assert.equal((await world.run(["serve", "now"])).code, 64);
});

Deno.test("serve says when the sandbox does not let it listen there", async () => {
  await using world = await createWorld();
  const { code, stderr } = await world.run(["serve", "--host", "127.0.0.2", "--port", "0"]);
  assert.equal(code, 77, stderr);
  assert.match(stderr, /^error: Cannot listen on 127\.0\.0\.2:0: the sandbox .*\n→ .*"127\.0\.0\.2:0"/m);
  assert.equal(await pidIn(world), undefined);
});

Deno.test("serve says when its port is taken", async () => {
  await using world = await createWorld();
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { code, stderr } = await world.run(["serve", "--port", String(listener.addr.port)]);
  assert.equal(code, 69);
  assert.match(stderr, /^error: Cannot listen on 127\.0\.0\.1:\d+: another program does already\n→ .*--port/m);
  assert.equal(await pidIn(world), undefined);
});

Deno.test("serve starts with a models.json that it then changes, comments and all", async () => {
  await using world = await createWorld();
  const file = `${world.folder}/config/models.json`;
  await Deno.writeTextFile(file, `// mine\n${await Deno.readTextFile(file)}`);
  await using served = await serve(world, SERVE);
  const response = await fetch(`${served.origin}/api/models/assignment`, {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ agent_role: "technical", model: "ollama/small" }),
  });
  assert.equal((await response.json()).roles.technical, "ollama/small");
  const text = await Deno.readTextFile(file);
  assert.ok(text.startsWith("// mine\n") && text.includes('"technical": "ollama/small"'), text);
});
