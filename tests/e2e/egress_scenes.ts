/** Scenes in a network of their own. Plays the one that is named, and prints what left the program, as JSON. */
import assert from "node:assert/strict";
import { projectPath } from "../support/paths.ts";
import { complete, converse, look, send, showPictures } from "./egress_tour.ts";
import { createEgressWorld, type Egress, type EgressWorld, temptingModels, type WorldOptions } from "./egress_world.ts";
import { SERVE, serve, type Served } from "./served.ts";

const PROXY = "http://192.0.2.8:3128";
/** Of a scene that reaches nobody but this machine. */
const PROXIES = { HTTP_PROXY: PROXY, HTTPS_PROXY: PROXY, ALL_PROXY: PROXY };
const WEBHOOK = "https://discord.com/api/webhooks/123456789012345678/abcdefghijklmnopqrstuvwxyz";

/** What starts the program; from source unless given. */
type Command = WorldOptions["command"];

const SCENES: Readonly<Record<string, (command: Command) => Promise<Egress>>> = {
  control: playControl,
  sealed: playSealed,
  cloud: playCloud,
  refused: playRefused,
};

/** What is caught: a program that does everything it should not. */
async function playControl(): Promise<Egress> {
  const script = projectPath("tests/e2e/egress_control.ts");
  const command = () => [Deno.execPath(), "run", "-q", "--no-check", "-A", script];
  await using world = await createEgressWorld({ command });
  const { code, stderr } = await world.run([]);
  assert.equal(code, 0, stderr);
  return await world.look();
}

async function playSealed(command: Command): Promise<Egress> {
  const env = { ...PROXIES, DISCORD_WEBHOOK_URL: WEBHOOK, DATABASE_URL: "postgres://a:b@nas.lan:5432/usage" };
  await using world = await createEgressWorld({ command, env });
  await world.write(temptingModels(world));
  await served(world, SERVE, async (served) => {
    assert.match(served.program.told, /^privacy +sealed$/m);
    await converse(served);
    await temptByName(world, served);
    await showPictures(served);
    await look(served);
    await temptToChange(world, served);
  });
  await runCommands(world);
  const asked = new Set(world.ollama.chats.map(({ model }) => model));
  assert.deepEqual([...asked], ["llama3.2"], "a model of somebody's cloud was asked");
  assert.equal(world.groq.connections + world.gemini.connections, 0);
  assert.ok(world.bent.requests.length > 0 && world.bentLate.chats.length > 0, "nobody was sent elsewhere");
  return await world.look();
}

/** Asks every provider for an answer; those of this machine give it, for those that may step aside. */
async function temptByName(world: EgressWorld, served: Served): Promise<void> {
  for (const model of ["auto", "role:technical", "by_localhost/llama3.2"]) {
    assert.match((await complete(served, model)).provider ?? "", /^(ollama|by_localhost)\/llama3\.2$/);
  }
  const elsewhere = ["bent", "bent_late", "by_name", "by_bare_name", "by_address"].map((id) => `${id}/llama3.2`);
  for (const model of [...elsewhere, "ollama/innocent"]) {
    assert.equal((await complete(served, model)).provider, "ollama/llama3.2", model);
  }
  for (const model of ["groq/openai/gpt-oss-120b", "gemini/gemini-3.5-flash-lite", "evil/m", "ollama/kimi-k2:cloud"]) {
    assert.equal((await complete(served, model)).status, 409, model);
  }
  assert.equal((await send(served, "/v1/embeddings", { model: "auto", input: "Hola" })).status, 200);
  for (const provider of Object.keys(temptingModels(world).providers)) {
    const { status, text } = await send(served, "/api/models/test", { provider });
    assert.deepEqual([status, JSON.parse(text).ok], [200, /^(ollama|by_localhost)$/.test(provider)], text);
  }
}

/** Other profiles, and another file under the running program. */
async function temptToChange(world: EgressWorld, served: Served): Promise<void> {
  const change = (profile: string) => send(served, "/api/models/profile", { profile }, "PUT");
  assert.equal((await change("max_quality")).status, 409);
  assert.equal((await change("privacy_mode")).status, 200);
  await converse(served);
  const models = temptingModels(world);
  const reload = async (providers: object) => {
    await world.write({ ...models, providers: { ...models.providers, ...providers } });
    return (await send(served, "/api/router/reload", {})).status;
  };
  const { ollama, groq } = models.providers;
  assert.equal(await reload({ ollama: { ...ollama, base_url: "http://192.0.2.9:11434" } }), 422);
  assert.equal((await complete(served, "auto")).provider, "ollama/llama3.2");
  const moved = { groq: { ...groq, base_url: "https://192.0.2.9" }, bent: { ...ollama, base_url: "http://10.0.0.9" } };
  assert.equal(await reload(moved), 200);
  assert.equal((await complete(served, "auto")).provider, "ollama/llama3.2");
  assert.equal((await complete(served, "groq/openai/gpt-oss-120b")).status, 409);
  await world.write(models);
}

/** The other commands that ask somebody something, each a process of its own; with their exit codes in such a world. */
async function runCommands(world: EgressWorld): Promise<void> {
  const local = ["privacy", "models", "models test", "ask Hola", "memory search tomates", "post --dry-run Hola"];
  const typed = {
    chat: "¿Qué hay de los tomates?\n",
    "learn -": "Mira http://192.0.2.5/ y ![x](https://evil.example/x.png)",
  };
  const codes = {
    ...{ doctor: 78, "usage --shared": 77, bot: 77 },
    ...Object.fromEntries([...local, ...Object.keys(typed)].map((command) => [command, 0])),
  };
  for (const [command, expected] of Object.entries(codes)) {
    const stdin = Object.entries(typed).find(([each]) => each === command)?.[1];
    const { code, stdout, stderr } = await world.run(command.split(" "), stdin === undefined ? {} : { stdin });
    assert.equal(code, expected, `${command}: ${stdout}${stderr}`);
  }
}

async function playCloud(command: Command): Promise<Egress> {
  // What is meant for the clouds would go through HTTPS_PROXY and ALL_PROXY, as whoever sets them wants it to.
  const env = { HTTP_PROXY: PROXY, DISCORD_WEBHOOK_URL: WEBHOOK, DATABASE_URL: "postgres://a:b@db.example/usage" };
  await using world = await createEgressWorld({ command, env });
  await world.write(temptingModels(world));
  await served(world, [...SERVE, "--cloud"], async (served) => {
    await converse(served);
    for (const model of ["groq/openai/gpt-oss-120b", "gemini/gemini-3.5-flash-lite", "ollama/llama3.2"]) {
      assert.equal((await complete(served, model)).provider, model);
    }
    assert.equal((await complete(served, "auto")).provider, "gemini/gemini-3.5-flash-lite");
    assert.notEqual((await complete(served, "evil/m")).provider, "evil/m");
    world.groq.next({ kind: "redirect", to: "https://evil.example/openai/v1/chat/completions" });
    const messages = [{ role: "user", content: "Hola" }];
    const sentOn = await send(served, "/v1/chat/completions", { model: "groq/openai/gpt-oss-120b", messages });
    assert.equal(sentOn.provider, "gemini/gemini-3.5-flash-lite");
    await showPictures(served);
    await look(served);
  });
  for (const args of [["models", "test", "--cloud"], ["privacy", "--cloud"]]) await world.run(args);
  assert.ok(world.groq.chats.length > 0 && world.gemini.chats.length > 0);
  return await world.look();
}

/** A binary that was built without the cloud, asked for it. */
async function playRefused(command: Command): Promise<Egress> {
  await using world = await createEgressWorld({ command });
  await world.write(temptingModels(world));
  for (const args of [[...SERVE, "--cloud"], ["ask", "--cloud", "Hola"]]) {
    const { code, stderr } = await world.run(args);
    assert.equal(code, 77, stderr);
    assert.match(stderr, /without the right to reach any cloud/);
  }
  return await world.look();
}

/** Serves for the time of `visit`, to a regular end. */
async function served(world: EgressWorld, args: string[], visit: (served: Served) => Promise<void>): Promise<void> {
  await using served = await serve(world, args);
  await visit(served);
  served.program.kill("SIGTERM");
  const { code, stderr } = await served.program.finished;
  assert.equal(code, 0, stderr);
}

const [scene = "", ...program] = Deno.args;
const play = SCENES[scene];
if (!play) throw new Error(`There is no scene "${scene}"`);
console.log(JSON.stringify(await play(program.length === 0 ? undefined : () => program)));
