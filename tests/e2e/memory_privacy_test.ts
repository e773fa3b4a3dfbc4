/** What was said and learned lies in one file, readable by its owner, and goes nowhere else. */
import assert from "node:assert/strict";
import { serve } from "./served.ts";
import { createWorld, EMBEDDING, KEYS, withEmbeddings, type World } from "./setup.ts";

const LEARNED = "LEARNEDWORD";
const SAID = "SAIDWORD";
const ANSWERED = "ANSWEREDWORD";

/** Learns, talks in every mode, searches, fails: everything at the loudest log level. Gives what stderr was told. */
async function liveThrough(world: World): Promise<string> {
  const env = { ...KEYS, DJANGO_LOG_LEVEL: "debug" };
  world.ollama.always({ kind: "answer", tokens: [ANSWERED, " es la respuesta."] });
  await Deno.writeTextFile(`${world.folder}/notes.md`, `# Notes\n\nThe spade hangs on the ${LEARNED}.`);
  let told = "";
  const run = async (args: readonly string[], stdin?: string) => {
    const { stderr } = await world.run(args, { env, ...(stdin !== undefined && { stdin }) });
    told += stderr;
  };
  await run(["learn", "notes.md"]);
  await run(["learn", "-"], `From a pipe: ${LEARNED}.`);
  for (const mode of ["1", "2", "3"]) await run(["chat", "--mode", mode], `digo ${SAID} y spade\n/sources\n/reset\n`);
  await run(["memory", "list"]);
  await world.ollama.down();
  await run(["chat"], `digo ${SAID}\n`);
  await run(["learn", "-"], `Once more: ${LEARNED}, and more.`);
  await world.ollama.up();
  await using served = await serve(world, undefined, { env });
  await served.post("/api/chat", { message: `digo ${SAID}`, conversation_id: "casa", context: SAID });
  await served.post("/api/memory/search", { query: SAID });
  world.ollama.next({ kind: "cut", after: 1 });
  await served.post("/api/chat", { message: `digo ${SAID}`, conversation_id: "casa" });
  served.program.kill("SIGTERM");
  return told + (await served.program.finished).stderr;
}

/** Files of the data folder that contain a text. */
async function filesWith(world: World, text: string): Promise<string[]> {
  const found: string[] = [];
  for (const { name } of Deno.readDirSync(`${world.folder}/data`)) {
    const content = new TextDecoder("latin1").decode(await Deno.readFile(`${world.folder}/data/${name}`));
    if (content.toLowerCase().includes(text.toLowerCase())) found.push(name);
  }
  return found;
}

Deno.test("what was said and learned stands in memory.db and nowhere else, at the loudest log level", async () => {
  await using world = await createWorld(withEmbeddings, EMBEDDING);
  const told = await liveThrough(world);
  assert.match(told, /debug/, "the log was loud");
  for (const word of [LEARNED, SAID, ANSWERED]) {
    assert.ok(!told.includes(word), `${word} was logged`);
    assert.deepEqual(await filesWith(world, word), ["memory.db"]);
  }
});

Deno.test("the memory is readable by its owner only, all its files, while it is in use too", async () => {
  await using world = await createWorld();
  await using served = await serve(world);
  await served.post("/api/chat", { message: "hola", conversation_id: "casa" });
  const modes = [...Deno.readDirSync(`${world.folder}/data`)].filter(({ name }) => name.startsWith("memory.db"))
    .map(({ name }) => [name, (Deno.statSync(`${world.folder}/data/${name}`).mode ?? 0) & 0o777]);
  assert.deepEqual(Object.fromEntries(modes), {
    "memory.db": 0o600,
    "memory.db-shm": 0o600,
    "memory.db-wal": 0o600,
    "memory.db.lock": 0o600,
  });
});

Deno.test("with chat.remember_exchanges off nothing that is said is ever in the memory, in no mode and not in between", async () => {
  await using world = await createWorld((models) => ({ ...models, chat: { remember_exchanges: false } }));
  world.ollama.always({ kind: "answer", tokens: [ANSWERED] });
  for (const mode of ["1", "2", "3"]) {
    assert.equal((await world.run(["chat", "--mode", mode], { stdin: `digo ${SAID}\n` })).code, 0);
  }
  await using served = await serve(world);
  for (const cognitive_mode of [1, 2, 3]) {
    await served.post("/api/chat", { message: `digo ${SAID}`, conversation_id: "casa", cognitive_mode });
    for (const word of [SAID, ANSWERED]) assert.deepEqual(await filesWith(world, word), []);
  }
  const { episodes, working } = await (await served.get("/api/memory/stats")).json();
  assert.deepEqual([episodes, working.messages], [0, 6]);
});

Deno.test("privacy names the file of the memory and what is kept in it", async () => {
  await using world = await createWorld();
  const { stdout } = await world.run(["privacy"]);
  assert.match(stdout, /^What was learned and talked about is kept in: .*data\/memory\.db only$/m);
  const { memory } = JSON.parse((await world.run(["privacy", "--json"])).stdout);
  assert.deepEqual(memory, { file: "./data/memory.db", exchanges_kept: true });
  await using forgetful = await createWorld((models) => ({ ...models, chat: { remember_exchanges: false } }));
  const other = await forgetful.run(["privacy", "--data", "./data/x"]);
  assert.match(other.stdout, /^What was learned is kept in: .*data\/x\/memory\.db only$/m);
});

Deno.test("--help of each command has an example, and needs nothing", async () => {
  await using world = await createWorld();
  const commands = [["chat"], ["learn"], ["memory"], ["memory", "search"], ["memory", "list"], ["memory", "forget"]];
  for (const command of commands) {
    const { code, stdout, stderr } = await world.run([...command, "--help"]);
    assert.deepEqual([code, stderr], [0, ""]);
    assert.match(stdout, new RegExp(`^Example:\\n(.*\\n)*? {2}.*django-agent ${command.join(" ")}`, "m"));
    assert.ok(stdout.split("\n").every((line) => line.length <= 120), stdout);
  }
  assert.deepEqual([...Deno.readDirSync(world.folder)].map(({ name }) => name), ["config"]);
});

Deno.test("Deno's own record of chat, learn and memory names no host but this machine", async () => {
  await using world = await createWorld((models) => {
    const { providers: { ollama, groq, gemini }, ...others } = withEmbeddings(models);
    const { base_url: _, ...realGroq } = groq;
    const { base_url: __, ...realGemini } = gemini;
    return { ...others, profile: "balanced", providers: { ollama, groq: realGroq, gemini: realGemini } };
  }, EMBEDDING);
  await Deno.writeTextFile(`${world.folder}/a.md`, "Alpha.");
  const runs: [string[], string?][] = [
    [["learn", "a.md"]],
    [["memory", "search", "alpha"]],
    [["memory", "list"]],
    [["chat", "--mode", "1"], "hola\n"],
    [["chat", "--mode", "2"], "hola\n"],
    [["chat", "--mode", "3"], "hola\n"],
    [["memory", "forget", "--all", "--yes"]],
  ];
  for (const [args, stdin] of runs) {
    const accesses = await accessesOf(world, args, stdin);
    const net = accesses.filter(({ permission }) => permission === "net").map(({ value }) => value);
    const asked = args[0] === "learn" || (args[0] === "chat" && args[2] !== "3");
    assert.ok(net.length > 0 || !asked, args.join(" "));
    assert.deepEqual(net.filter((value) => !/^(http:\/\/)?127\.0\.0\.1[:/]/.test(value)), []);
    const others = new Set(accesses.map(({ permission }) => permission));
    assert.deepEqual(["run", "ffi", "import"].filter((permission) => others.has(permission)), []);
  }
});

/** What a run asked of Deno, refused or not; each run writes the record anew. */
async function accessesOf(world: World, args: readonly string[], stdin?: string) {
  const record = `${world.folder}/permissions.jsonl`;
  const env = { ...KEYS, DENO_AUDIT_PERMISSIONS: record };
  const { code, stderr } = await world.run(args, { env, ...(stdin !== undefined && { stdin }) });
  assert.equal(code, 0, stderr);
  const lines = (await Deno.readTextFile(record)).trimEnd().split("\n");
  await Deno.remove(record);
  return lines.map((line): { permission: string; value: string } => JSON.parse(line));
}

Deno.test("under -A chat, learn and memory stop with 77 and touch nothing", async () => {
  await using world = await createWorld();
  for (const args of [["chat"], ["learn", "config"], ["memory", "list"], ["memory", "forget", "--all", "--yes"]]) {
    const { code, stdout } = await world.run(args, { flags: ["-A"], stdin: "hola\n" });
    assert.deepEqual({ code, stdout }, { code: 77, stdout: "" });
  }
  assert.equal(world.ollama.connections, 0);
  assert.throws(() => Deno.statSync(`${world.folder}/data/memory.db`), Deno.errors.NotFound);
});
