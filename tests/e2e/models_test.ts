import assert from "node:assert/strict";
import { createFolder, type Finished, runProgram } from "../support/program.ts";
import { createWorld, KEYS, type World } from "./setup.ts";

const LLAMA = "ollama/llama3.2";
const SMALL = "ollama/small";
const GPT = "groq/openai/gpt-oss-120b";
const GEMINI = "gemini/gemini-3.5-flash-lite";

interface Row {
  readonly model: string;
  readonly state: string;
  readonly reason: string | null;
  readonly chain: number | null;
  readonly roles: readonly string[];
  readonly usd_per_million: unknown;
}

async function rowsOf(world: World, args: readonly string[], env: Record<string, string> = KEYS): Promise<Row[]> {
  const { code, stdout, stderr } = await world.run(["models", "--json", ...args], { env });
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  return JSON.parse(stdout).models;
}

function statesOf(rows: readonly Row[]): Record<string, string> {
  return Object.fromEntries(rows.map(({ model, state }) => [model, state]));
}

function readModels(folder: string): Promise<string> {
  return Deno.readTextFile(`${folder}/config/models.json`);
}

Deno.test("models shows a table of models, prices, roles and states on stdout, and why on stderr", async () => {
  await using world = await createWorld();
  world.ollama.setModels(["llama3.2"]);
  const { code, stdout, stderr } = await world.run(["models"]);
  assert.equal(code, 0, stderr);
  const cells = stdout.trimEnd().split("\n").map((line) => line.split(/ {2,}/));
  assert.deepEqual(cells, [
    ["model", "context", "$ in/out per million", "chain", "roles", "state"],
    [LLAMA, "8192", "free", "1", "identity_core, communication, governance, business, technical", "ready"],
    [SMALL, "4096", "free", "2", "not pulled"],
    [GPT, "131072", "0.15 / 0.6", "–", "not allowed"],
    [GEMINI, "1048576", "0.3 / 2.5", "–", "not allowed"],
  ]);
  const column = stdout.split("\n")[0]?.indexOf("state");
  for (const [line, state] of [[1, "ready"], [2, "not pulled"], [3, "not allowed"]] as const) {
    assert.equal(stdout.split("\n")[line]?.indexOf(state), column);
  }
  assert.equal(
    stderr,
    "profile privacy_mode (local only), from config/models.json\n" +
      "  ollama pull small\n  This run was started without --cloud → Start it with --cloud to let it ask the cloud.\n",
  );
});

Deno.test("models --json says the same, with places in the chain and prices as numbers", async () => {
  await using world = await createWorld((models) => ({ ...models, assignments: { technical: SMALL } }));
  const rows = await rowsOf(world, []);
  const { state, chain, roles, usd_per_million } = rows.find(({ model }) => model === SMALL) ?? assert.fail();
  assert.deepEqual({ state, chain, roles, usd_per_million }, {
    state: "ready",
    chain: 2,
    roles: ["technical"],
    usd_per_million: { input: 0, output: 0 },
  });
  assert.deepEqual(rows.find(({ model }) => model === GPT)?.usd_per_million, { input: 0.15, output: 0.6 });
});

Deno.test("models tells what keeps each model from answering", async (t) => {
  await using world = await createWorld();
  const cloud = ["--cloud", "--profile", "balanced"];
  await t.step("sealed", async () => {
    const rows = await rowsOf(world, ["--profile", "balanced"]);
    const states = { [LLAMA]: "ready", [SMALL]: "ready", [GPT]: "not allowed", [GEMINI]: "not allowed" };
    assert.deepEqual(statesOf(rows), states);
    assert.match(rows.find(({ model }) => model === GPT)?.reason ?? "", /without --cloud → /);
    assert.equal(world.groq.connections + world.gemini.connections, 0);
  });
  await t.step("a local_only profile", async () => {
    const rows = await rowsOf(world, ["--cloud"]);
    assert.equal(statesOf(rows)[GPT], "not allowed");
    assert.match(rows.find(({ model }) => model === GPT)?.reason ?? "", /keeps everything local/);
  });
  await t.step("everything allowed", async () => {
    const rows = await rowsOf(world, cloud);
    assert.deepEqual(new Set(Object.values(statesOf(rows))), new Set(["ready"]));
    assert.deepEqual(rows.map(({ chain }) => chain), [1, null, 2, 3]);
  });
  await t.step("no key", async () => {
    const rows = await rowsOf(world, cloud, { GROQ_API_KEY: KEYS.GROQ_API_KEY });
    assert.deepEqual([statesOf(rows)[GPT], statesOf(rows)[GEMINI]], ["ready", "no key"]);
    assert.match(rows.find(({ model }) => model === GEMINI)?.reason ?? "", /GEMINI_API_KEY is not set → .*\.env/);
  });
  await t.step("not pulled", async () => {
    world.ollama.setModels(["llama3.2"]);
    const rows = await rowsOf(world, []);
    assert.equal(statesOf(rows)[SMALL], "not pulled");
    assert.equal(rows.find(({ model }) => model === SMALL)?.reason, "ollama pull small");
  });
  await t.step("not reachable", async () => {
    await world.ollama.down();
    const rows = await rowsOf(world, []);
    assert.deepEqual([statesOf(rows)[LLAMA], statesOf(rows)[SMALL]], ["not reachable", "not reachable"]);
    assert.match(rows[0]?.reason ?? "", /cannot be reached/);
  });
});

Deno.test("models calls an Ollama model that runs in a cloud not allowed while everything has to stay local", async () => {
  const names = ["x:cloud", "x-cloud", "stub"];
  const pulled = [...names.slice(1), "llama3.2"].map((name) => ({
    name,
    ...(name === "stub" && { remote_host: "https://ollama.com:443", remote_model: "large" }),
  }));
  await using world = await createWorld(({ providers, ...models }) => {
    for (const name of names) providers.ollama.models[name] = { context: 4096 };
    return { ...models, providers };
  }, { models: pulled });
  const refs = names.map((name) => `ollama/${name}`);
  for (const args of [[], ["--profile", "balanced"], ["--cloud"]]) {
    const states = statesOf(await rowsOf(world, args));
    assert.deepEqual(refs.map((ref) => states[ref]), ["not allowed", "not allowed", "not allowed"]);
  }
  const open = statesOf(await rowsOf(world, ["--cloud", "--profile", "balanced"]));
  assert.deepEqual(refs.map((ref) => open[ref]), ["ready", "ready", "ready"]);
});

Deno.test("models test asks every model of the profile, or those that are named", async (t) => {
  await using world = await createWorld(({ providers, ...models }) => {
    providers.ollama.models["embed"] = { context: 2048, embeddings: true };
    const assignments = { embeddings: "ollama/embed", technical: SMALL };
    return { ...models, providers, assignments, profiles: { ...models.profiles, one: { fallback_chain: [LLAMA] } } };
  });
  const cases: [string[], string[]][] = [
    [[], [LLAMA, SMALL]],
    [["--profile", "one"], [LLAMA, SMALL]],
    [["ollama"], [LLAMA, SMALL]],
    [[SMALL], [SMALL]],
    [["--cloud", "--profile", "balanced"], [LLAMA, GPT, GEMINI, SMALL]],
    [["groq", "--cloud", "--profile", "balanced"], [GPT]],
  ];
  for (const [args, wanted] of cases) {
    await t.step(args.join(" ") || "all", async () => {
      const { code, stdout, stderr } = await world.run(["models", "test", ...args]);
      assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
      const lines = stdout.trimEnd().split("\n");
      assert.deepEqual(lines.map((line) => /^ok {6}(\S+) {2}\d+ ms, first token \d+ ms$/.exec(line)?.[1]), wanted);
    });
  }
});

Deno.test("models test --json prints one document, whatever the outcome", async () => {
  await using world = await createWorld();
  world.ollama.setModels(["llama3.2"]);
  const some = await world.run(["models", "test", "--json"]);
  assert.equal(some.code, 0, some.stderr);
  const [llama, small] = JSON.parse(some.stdout).results;
  assert.deepEqual([llama.model, llama.ok, llama.error, typeof llama.latency_ms], [LLAMA, true, null, "number"]);
  assert.deepEqual([small.model, small.ok, small.latency_ms], [SMALL, false, null]);
  assert.match(small.error, /model_not_found.*ollama pull small/);

  await world.ollama.down();
  const none = await world.run(["models", "test", "--json"]);
  assert.equal(none.code, 69);
  assert.deepEqual(JSON.parse(none.stdout).results.map(({ ok }: { ok: boolean }) => ok), [false, false]);
});

Deno.test("models test that no model passes names each cause and exits with the first one's code", async () => {
  await using world = await createWorld();
  world.groq.always({ kind: "status", status: 401 });
  const args = ["models", "test", "groq", "--cloud", "--profile", "balanced"];
  const refused = await world.run(args);
  assert.equal(refused.code, 77);
  assert.match(refused.stdout, /^failed {2}groq\/openai\/gpt-oss-120b\n[^]*auth/);
  assert.match(refused.stderr, /^error: No model passed its test\n→ /);
  const sealed = await world.run(["models", "test", "groq"]);
  assert.equal(sealed.code, 77);
  assert.match(sealed.stdout, /--cloud/);
  assert.equal(world.groq.chats.length, 1);
});

const COMMENTED = `{
  // The one I like.
  "profile" : "one",   /* kept as it is */
  "providers": {
    "ollama": { "type": "ollama", "models": { "a": { "context": 4096 }, "b": { "context": 4096 } } },
    "groq": { "type": "groq", "api_key_env": "GROQ_API_KEY", "models": { "c": { "context": 8192 } } }
  },
    "fallback_chain": [ "ollama/a" ],
  "assignments": { "technical": "ollama/a" }, // for code
  "profiles": { "one": {}, "two": { "fallback_chain": ["groq/c", "ollama/b"] } }
}
`;

Deno.test("models profile changes one word of the file, and tells of the cloud a profile names", async () => {
  await using folder = await createFolder(COMMENTED);
  const run = (args: string[]): Promise<Finished> => runProgram(args, { folder: folder.path });
  const two = await run(["models", "profile", "two"]);
  assert.deepEqual([two.code, two.stdout], [0, ""]);
  assert.equal(await readModels(folder.path), COMMENTED.replace(': "one",', ': "two",'));
  assert.match(two.stderr, /^profile two is active \(config\/models\.json\)\nnote: .*\(groq\/c\)[^]*--cloud/);
  const one = await run(["models", "profile", "one"]);
  assert.equal(one.stderr, "profile one is active (config/models.json)\n");
  assert.equal(await readModels(folder.path), COMMENTED);
});

Deno.test("models assign changes one reference of the file, and leaves comments and layout alone", async () => {
  await using folder = await createFolder(COMMENTED);
  const args = ["models", "assign", "technical", "ollama/b"];
  const { code, stdout, stderr } = await runProgram(args, { folder: folder.path });
  assert.deepEqual({ code, stdout }, { code: 0, stdout: "" });
  assert.equal(stderr, "technical is answered by ollama/b in general (config/models.json)\n");
  assert.equal(await readModels(folder.path), COMMENTED.replace('"technical": "ollama/a"', '"technical": "ollama/b"'));
});

Deno.test("models profile and models assign create the file from the embedded defaults", async () => {
  await using folder = await createFolder();
  const shipped = await Deno.readTextFile(new URL("../../config/models.json", import.meta.url));
  const { code, stderr } = await runProgram(["models", "profile", "balanced"], { folder: folder.path });
  assert.equal(code, 0, stderr);
  const changed = shipped.replace('"profile": "privacy_mode"', '"profile": "balanced"');
  assert.equal(await readModels(folder.path), changed);
  const args = ["models", "assign", "business", "ollama/llama3.2"];
  assert.equal((await runProgram(args, { folder: folder.path })).code, 0);
  assert.match(await readModels(folder.path), /"business": "ollama\/llama3\.2"/);
});

Deno.test("models profile and models assign never write a file that would not load", async (t) => {
  await using folder = await createFolder(COMMENTED);
  const cases: [string[], RegExp][] = [
    [["assign", "technical", "ollama/unlisted"], /assignments\.technical: .*unlisted.* → /],
    [["assign", "technical", "nobody/a"], /assignments\.technical: .*nobody.* → /],
    [["profile", "three"], /profile: .*three.* → .*one, two/],
  ];
  for (const [args, wanted] of cases) {
    await t.step(args.join(" "), async () => {
      const { code, stderr } = await runProgram(["models", ...args], { folder: folder.path });
      assert.equal(code, 78, stderr);
      assert.match(stderr, wanted);
      assert.match(stderr, /nothing was written/);
      assert.equal(await readModels(folder.path), COMMENTED);
    });
  }
  const left = [...Deno.readDirSync(`${folder.path}/config`)].map(({ name }) => name);
  assert.deepEqual(left, ["models.json"]);
});

Deno.test("models profile in a folder it may not write exits 77 and names what would allow it", async () => {
  await using folder = await createFolder(COMMENTED);
  await Deno.rename(`${folder.path}/config`, `${folder.path}/elsewhere`);
  const args = ["models", "profile", "two", "--config", "elsewhere"];
  const { code, stderr } = await runProgram(args, { folder: folder.path });
  assert.equal(code, 77, stderr);
  assert.match(stderr, /Cannot write .*elsewhere.*permissions\.default\.write.*--allow-write=/s);
  assert.equal(await Deno.readTextFile(`${folder.path}/elsewhere/models.json`), COMMENTED);
});

Deno.test("options of one models command are not taken for those of another", async () => {
  await using folder = await createFolder(COMMENTED);
  for (const args of [["assign", "technical", "ollama/b", "--profile", "two"], ["profile", "two", "--json"]]) {
    const { code, stderr } = await runProgram(["models", ...args], { folder: folder.path });
    assert.equal(code, 64, stderr);
    assert.match(stderr, /unknown option/);
  }
  assert.equal(await readModels(folder.path), COMMENTED);
});
