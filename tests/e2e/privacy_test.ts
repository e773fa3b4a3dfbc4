import assert from "node:assert/strict";
import { ROOT_FOLDER } from "../support/paths.ts";
import { createWorld, KEYS, type modelsFor, type World } from "./setup.ts";

const CLOUDS = ["api.groq.com:443", "generativelanguage.googleapis.com:443"];
const DISCORD = ["discord.com:443", "gateway.discord.gg:443", "cdn.discordapp.com:443"];
const LOOPBACK = ["localhost", "127.0.0.1", "[::1]"];

interface Report {
  readonly sealed: boolean;
  readonly sandboxed: boolean;
  readonly note: string;
  readonly profile: string;
  readonly local_only: boolean;
  readonly cloud_models: readonly string[];
  readonly sandbox: readonly { readonly host: string; readonly state: string }[];
  readonly providers: readonly { readonly provider: string; readonly may_be_asked: boolean; readonly why: string }[];
  readonly egress: readonly { readonly origin: string; readonly requests: number; readonly local: boolean }[];
}

async function reportOf(world: World, args: readonly string[] = [], flags?: readonly string[]): Promise<Report> {
  const { code, stdout, stderr } = await world.run(["privacy", "--json", ...args], flags && { flags });
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

function allowedIn({ sandbox }: Report): string[] {
  return sandbox.filter(({ state }) => state === "allowed").map(({ host }) => host);
}

function mayBeAsked({ providers }: Report): string[] {
  return providers.filter(({ may_be_asked }) => may_be_asked).map(({ provider }) => provider);
}

/** The sandbox of deno.json with other hosts than its own. */
function sandboxWith(world: World, hosts: readonly string[]): string[] {
  const { folder } = world;
  const paths = [`--allow-read=${folder},${ROOT_FOLDER}`, `--allow-write=${folder}/config,${folder}/data`];
  return ["-P", "--no-prompt", "--deny-import", ...paths, `--allow-net=${hosts}`];
}

interface Trap extends AsyncDisposable {
  readonly url: string;
  /** Everybody who has connected so far. */
  countCallers(): Promise<number>;
}

/** A listener that nobody is supposed to reach. */
function startTrap(): Trap {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  let accepted = 0;
  const accepting = (async () => {
    for await (const connection of listener) {
      accepted++;
      connection.close();
    }
  })();
  const { port } = listener.addr;
  return {
    url: `http://127.0.0.1:${port}`,
    async countCallers() {
      // Connections are accepted in the order they came: once this one has been closed, all before it are counted.
      using last = await Deno.connect({ port });
      await last.read(new Uint8Array(1));
      return --accepted;
    },
    async [Symbol.asyncDispose]() {
      listener.close();
      await accepting;
    },
  };
}

Deno.test("privacy shows a sealed run: what the sandbox allows, who may be asked, and that nobody has been", async () => {
  await using world = await createWorld();
  const report = await reportOf(world);
  assert.deepEqual([report.sealed, report.sandboxed, report.local_only], [true, true, true]);
  assert.deepEqual(allowedIn(report), [...LOOPBACK, ...portsOf(world)]);
  const hosts = report.sandbox.map(({ host }) => host);
  assert.deepEqual([...CLOUDS, ...DISCORD].filter((host) => !hosts.includes(host)), []);
  assert.deepEqual(mayBeAsked(report), ["ollama"]);
  assert.match(report.providers.find(({ provider }) => provider === "groq")?.why ?? "", /without --cloud → /);
  assert.deepEqual(report.egress, []);
  assert.equal(world.ollama.connections + world.groq.connections + world.gemini.connections, 0);
});

function portsOf({ ollama, groq, gemini }: World): string[] {
  return [ollama, groq, gemini].map(({ port }) => `127.0.0.1:${port}`);
}

Deno.test("privacy says the same in words", async () => {
  await using world = await createWorld();
  const sealed = await world.run(["privacy"]);
  assert.equal(sealed.code, 0);
  assert.match(sealed.stdout, /^sealed: .*\nprofile privacy_mode: local only\n/);
  assert.match(sealed.stdout, /^api\.groq\.com:443 +denied$/m);
  assert.match(sealed.stdout, /^127\.0\.0\.1 +allowed$/m);
  assert.ok(sealed.stdout.includes(`\n${(await reportOf(world)).note}\n`));
  assert.match(sealed.stdout, /Hosts that you added yourself .* are allowed too\..*\n/);
  assert.match(sealed.stdout, /^groq +– +no +This run was started without --cloud/m);
  const open = await world.run(["privacy", "--cloud", "--profile", "balanced"]);
  assert.match(open.stdout, /^open to the cloud: .*\nprofile balanced: .*groq\/openai\/gpt-oss-120b/);
  assert.match(open.stdout, /^api\.groq\.com:443 +allowed$/m);
  assert.match(open.stdout, /^discord\.com:443 +denied$/m);
  assert.match(open.stdout, /^gemini +http:\S+ +yes /m);
});

Deno.test("privacy --cloud: the clouds are open, and a local_only profile still asks none of them", async () => {
  await using world = await createWorld();
  const local = await reportOf(world, ["--cloud"]);
  assert.deepEqual([local.sealed, local.sandboxed], [false, true]);
  assert.deepEqual(mayBeAsked(local), ["ollama"]);
  assert.deepEqual(local.cloud_models, []);
  const balanced = await reportOf(world, ["--cloud", "--profile", "balanced"]);
  assert.deepEqual(mayBeAsked(balanced), ["ollama", "groq", "gemini"]);
  assert.deepEqual(balanced.cloud_models, ["groq/openai/gpt-oss-120b", "gemini/gemini-3.5-flash-lite"]);
  assert.deepEqual(CLOUDS.filter((host) => !allowedIn(balanced).includes(host)), []);
  assert.deepEqual(DISCORD.filter((host) => allowedIn(balanced).includes(host)), []);
});

Deno.test("under -A every command stops with 77, unless --no-sandbox is given, and then each says not sealed", async () => {
  await using world = await createWorld();
  for (const args of [["ask", "hi"], ["models"], ["privacy"], ["doctor"], ["init"]]) {
    const { code, stdout, stderr } = await world.run(args, { flags: ["-A"] });
    assert.deepEqual({ code, stdout }, { code: 77, stdout: "" });
    assert.match(stderr, /no seal can hold\n→ .*--no-sandbox/);
  }
  assert.equal(world.ollama.connections, 0);
  const open = await reportOf(world, ["--no-sandbox"], ["-A"]);
  assert.deepEqual([open.sealed, open.sandboxed], [false, false]);
  for (const args of [["ask", "hi"], ["privacy"]]) {
    const { code, stderr } = await world.run([...args, "--no-sandbox"], { flags: ["-A"] });
    assert.equal(code, 0, stderr);
    assert.match(stderr, /^warning: not sealed/);
  }
});

Deno.test("--cloud in a sandbox without the clouds stops with 77", async () => {
  await using world = await createWorld();
  const { code, stderr } = await world.run(["ask", "hi", "--cloud"], { flags: sandboxWith(world, LOOPBACK) });
  assert.equal(code, 77);
  assert.match(stderr, /without the right to reach any cloud.*\n→ .*deno task compile --cloud/);
});

Deno.test("a sealed run gives up the address of a cloud provider too that models.json moves elsewhere", async () => {
  await using world = await createWorld(({ providers, ...models }) => ({
    ...models,
    providers: { ...providers, groq: { ...providers.groq, base_url: "https://llm.example.com" } },
  }));
  const flags = sandboxWith(world, [...LOOPBACK, ...CLOUDS, "llm.example.com:443", "other.example.com:443"]);
  assert.ok(!allowedIn(await reportOf(world, [], flags)).includes("llm.example.com:443"));
  assert.ok(allowedIn(await reportOf(world, ["--cloud"], flags)).includes("llm.example.com:443"));
  assert.equal((await reportOf(world, ["--no-sandbox"], ["-A"])).sandboxed, false);
});

Deno.test("after an ask the ledger shows who was asked and how often, and no file of what was said", async () => {
  await using world = await createWorld();
  const prompt = "SECRET-QUESTION";
  world.ollama.always({ kind: "answer", tokens: ["SECRET-", "ANSWER"] });
  assert.equal((await world.run(["ask", prompt, "--system", "SECRET-SYSTEM"])).code, 0);
  const requests = world.ollama.requests.length;
  const { egress: [first] } = await reportOf(world);
  assert.deepEqual([first?.origin, first?.requests, first?.local], [world.ollama.origin, requests, true]);
  assert.equal(
    (await world.run(["ask", prompt, "--cloud", "--model", "groq/openai/gpt-oss-120b", "--profile", "balanced"])).code,
    0,
  );
  const { egress } = await reportOf(world);
  assert.deepEqual(egress.map(({ origin }) => origin), [world.groq.origin, world.ollama.origin]);
  const files = [...Deno.readDirSync(`${world.folder}/data`)].map(({ name }) => name);
  assert.deepEqual(files.sort(), ["django.db", "django.db.lock", "egress.json", "egress.json.lock"]);
  for (const file of files) {
    const text = new TextDecoder("latin1").decode(await Deno.readFile(`${world.folder}/data/${file}`));
    assert.ok(!/SECRET/.test(text), file);
  }
  const shown = await world.run(["privacy"]);
  assert.match(
    shown.stdout,
    new RegExp(`^${world.groq.origin} +this network +1 +[\\d.]+ \\w+ +[\\d.]+ \\w+ +\\d{4}-`, "m"),
  );
});

Deno.test("a data folder that cannot be written costs a warning, not the answer", async () => {
  await using world = await createWorld();
  await Deno.writeTextFile(`${world.folder}/data`, "a file where the folder should be");
  const { code, stdout, stderr } = await world.run(["ask", "hi"]);
  assert.deepEqual({ code, stdout }, { code: 0, stdout: "Hola, soy Django." });
  assert.equal(stderr.match(/Cannot write the egress ledger/g)?.length, 1);
});

Deno.test("no proxy of the environment ever sees a call to this machine", async () => {
  await using world = await createWorld();
  await using trap = startTrap();
  for (const name of ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"]) {
    for (const more of [{}, { NO_PROXY: "example.com" }]) {
      const { code, stderr } = await world.run(["ask", "hi"], { env: { ...KEYS, [name]: trap.url, ...more } });
      assert.equal(code, 0, `${name}: ${stderr}`);
    }
  }
  assert.equal(await trap.countCallers(), 0);
});

Deno.test("where a proxy cannot be kept away the run stops with 77 before any request", async () => {
  await using world = await createWorld();
  await using trap = startTrap();
  const flags = sandboxWith(world, LOOPBACK).concat("--allow-env=HTTP_PROXY", "--ignore-env");
  const { code, stderr } = await world.run(["ask", "hi"], { flags, env: { HTTP_PROXY: trap.url } });
  assert.equal(code, 77, stderr);
  assert.match(stderr, /proxy.*\n→ .*HTTP_PROXY.*NO_PROXY/);
  assert.equal(await trap.countCallers() + world.ollama.connections, 0);
});

Deno.test("telemetry that would leave this machine stops a sealed run with 77 before any request", async () => {
  await using world = await createWorld();
  const elsewhere = "http://192.0.2.1:4318";
  const refused = [
    { OTEL_DENO: "true", OTEL_EXPORTER_OTLP_ENDPOINT: elsewhere },
    { OTEL_DENO_TRACING: "true", OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: elsewhere },
  ];
  for (const env of refused) {
    const { code, stdout, stderr } = await world.run(["ask", "hi"], { env });
    assert.deepEqual({ code, stdout }, { code: 77, stdout: "" });
    assert.match(stderr, /telemetry.*\n→ .*OTEL_/);
  }
  assert.equal(world.ollama.connections, 0);
  const harmless = await world.run(["ask", "hi"], { env: { OTEL_EXPORTER_OTLP_ENDPOINT: elsewhere } });
  assert.equal(harmless.code, 0, harmless.stderr);
});

Deno.test("Deno's own record of a sealed run names no host but this machine, keys and a cloud profile or not", async () => {
  await using world = await createWorld(({ providers: { ollama, groq, gemini }, ...models }) => {
    const { base_url: _, ...realGroq } = groq;
    const { base_url: __, ...realGemini } = gemini;
    return { ...models, profile: "balanced", providers: { ollama, groq: realGroq, gemini: realGemini } };
  });
  for (const args of [["ask", "hi"], ["models"], ["models", "test"], ["privacy"], ["doctor"]]) {
    for (const turn of ["up", "down"] as const) {
      await world.ollama[turn]();
      const accesses = await accessesOf(world, args);
      const net = accesses.filter(({ permission }) => permission === "net").map(({ value }) => value);
      assert.ok(net.length > 0 || args[0] === "privacy", args.join(" "));
      assert.deepEqual(net.filter((value) => !/^(http:\/\/)?127\.0\.0\.1[:/]/.test(value)), []);
      const others = new Set(accesses.map(({ permission }) => permission));
      assert.deepEqual(["run", "ffi", "import"].filter((permission) => others.has(permission)), []);
    }
  }
});

/** What a run asked of Deno, refused or not; each run writes the record anew. */
async function accessesOf(world: World, args: readonly string[]) {
  const record = `${world.folder}/permissions.jsonl`;
  await world.run(args, { env: { ...KEYS, DENO_AUDIT_PERMISSIONS: record } });
  const lines = (await Deno.readTextFile(record)).trimEnd().split("\n");
  await Deno.remove(record);
  return lines.map((line): { permission: string; value: string } => JSON.parse(line));
}

Deno.test("an Ollama model that runs in a cloud is refused with 77 and never chatted with", async (t) => {
  const cases: [string, string, boolean][] = [
    ["a name that ends in :cloud", "x:cloud", false],
    ["a name that ends in -cloud", "x-cloud", false],
    ["a harmless name for a model elsewhere", "stub", true],
  ];
  for (const [what, name, localOnly] of cases) {
    await t.step(what, async () => {
      await using world = await createWorld((models) => cloudOnly(models, name, localOnly), {
        models: [{ name, remote_host: "https://ollama.com:443", remote_model: "large" }],
        resident: [],
      });
      const { code, stdout, stderr } = await world.run(["ask", "hi"]);
      assert.deepEqual({ code, stdout }, { code: 77, stdout: "" });
      assert.match(stderr, new RegExp(`Ollama runs ${name} in somebody's cloud.*OLLAMA_NO_CLOUD=1`));
      assert.deepEqual(world.ollama.chats, []);
      assert.ok(!world.ollama.requests.some(({ path }) => path === "/api/show"));
    });
  }
});

function cloudOnly(models: ReturnType<typeof modelsFor>, name: string, localOnly: boolean) {
  const { ollama } = models.providers;
  ollama.models[name] = { context: 4096 };
  const profile = { local_only: localOnly, fallback_chain: [`ollama/${name}`] };
  return { ...models, profile: "one", profiles: { one: profile } };
}

Deno.test("an Ollama that redirects is refused, and where it points sees no connection", async () => {
  await using world = await createWorld();
  await using trap = startTrap();
  for (const status of [301, 302, 303, 307, 308]) {
    world.ollama.always({ kind: "redirect", to: `${trap.url}/api/chat`, status });
    const { code, stdout } = await world.run(["ask", "SECRET-CONTENT"]);
    assert.deepEqual({ code, stdout }, { code: 69, stdout: "" });
  }
  world.ollama.on("/api/ps", { kind: "redirect", to: `${trap.url}/api/ps` });
  world.ollama.on("/api/tags", { kind: "redirect", to: `${trap.url}/api/tags` });
  assert.equal((await world.run(["ask", "hi"])).code, 69);
  assert.equal((await world.run(["models"])).code, 0);
  assert.equal(await trap.countCallers(), 0);
});

Deno.test("OLLAMA_HOST moves Ollama within the local network, and is refused outside of it", async () => {
  await using world = await createWorld(({ providers, ...models }) => ({
    ...models,
    providers: { ...providers, ollama: { ...providers.ollama, base_url: "http://127.0.0.1:1" } },
  }));
  const moved = await world.run(["ask", "hi"], { env: { OLLAMA_HOST: `0.0.0.0:${world.ollama.port}` } });
  assert.equal(moved.code, 0, moved.stderr);
  const dotEnv = `${world.folder}/.env`;
  await Deno.writeTextFile(dotEnv, `OLLAMA_HOST=${world.ollama.origin}\n`);
  assert.equal((await world.run(["ask", "hi"])).code, 0);
  const connections = world.ollama.connections;
  await Deno.writeTextFile(dotEnv, "OLLAMA_HOST=ollama.example.com\n");
  for (const env of [{}, { OLLAMA_HOST: "8.8.8.8" }]) {
    const { code, stderr } = await world.run(["ask", "hi"], { env });
    assert.equal(code, 78, stderr);
    assert.match(stderr, /OLLAMA_HOST.*neither this machine nor on the local network\n→ /);
  }
  assert.equal(world.ollama.connections, connections);
});

Deno.test("an Ollama elsewhere on the network is refused until the sandbox allows it, with what would allow it", async () => {
  await using world = await createWorld(({ providers, ...models }) => ({
    ...models,
    providers: { ...providers, ollama: { ...providers.ollama, base_url: "http://10.255.255.1:11434" } },
  }));
  const { code, stdout, stderr } = await world.run(["ask", "hi"]);
  assert.deepEqual({ code, stdout }, { code: 77, stdout: "" });
  assert.match(stderr, /egress_denied.*10\.255\.255\.1:11434/);
  assert.match(stderr, /deno\.json/);
  const granted = sandboxWith(world, [...LOOPBACK, "10.255.255.1:11434"]);
  assert.ok(allowedIn(await reportOf(world, [], granted)).includes("10.255.255.1:11434"));
});
