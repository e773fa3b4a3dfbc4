import assert from "node:assert/strict";
import { serve } from "./served.ts";
import { createWorld, EMBEDDING, withEmbeddings, type World } from "./setup.ts";

/** Teaches it a text under a name. */
async function teach(world: World, name: string, stdin: string): Promise<void> {
  const { code, stderr } = await world.run(["learn", "-", "--source", name], { stdin });
  assert.equal(code, 0, stderr);
}

async function say(world: World, conversation: string, message: string): Promise<void> {
  const { code, stderr } = await world.run(["chat", "--conversation", conversation], { stdin: `${message}\n` });
  assert.equal(code, 0, stderr);
}

/** Files of the data folder that contain a text. */
async function filesWith(world: World, text: string): Promise<string[]> {
  const found: string[] = [];
  for (const { name } of Deno.readDirSync(`${world.folder}/data`)) {
    const content = new TextDecoder("latin1").decode(await Deno.readFile(`${world.folder}/data/${name}`));
    if (content.includes(text)) found.push(name);
  }
  return found;
}

Deno.test("memory search shows the passages that fit best, where they stand, and nothing on stderr", async () => {
  await using world = await createWorld();
  await teach(
    world,
    "boiler",
    "# Boiler\n\n## Pressure\n\nIt wants 1.5 bar.\n\n# Garden\n\nTomatoes are watered on Tuesday.",
  );
  const { code, stdout, stderr } = await world.run(["memory", "search", "boiler pressure"]);
  assert.deepEqual([code, stderr], [0, ""]);
  assert.match(stdout, /^#\d+ {2}boiler · Boiler > Pressure\nIt wants 1\.5 bar\.\n/);
  const nothing = await world.run(["memory", "search", "quantum chromodynamics"]);
  assert.deepEqual(nothing, { code: 0, stdout: "Nothing is remembered about that.\n", stderr: "" });
});

Deno.test("memory search --json prints the passages, an empty list when there are none", async () => {
  await using world = await createWorld();
  await teach(world, "garden", "# Garden\n\nTomatoes are watered on Tuesday.");
  const { stdout } = await world.run(["memory", "search", "tomatoes", "--json"]);
  const [{ id, at, ...hit }] = JSON.parse(stdout);
  assert.deepEqual(hit, {
    kind: "learned_knowledge",
    source: "garden",
    heading: "Garden",
    text: "Tomatoes are watered on Tuesday.",
    relevance: "relevant",
    coverage: 1,
    cosine: null,
  });
  assert.ok(Number.isInteger(id) && !Number.isNaN(Date.parse(at)));
  assert.deepEqual(JSON.parse((await world.run(["memory", "search", "nothing", "--json"])).stdout), []);
});

Deno.test("memory search looks through one conversation too when it is named, and through no other", async () => {
  await using world = await createWorld();
  await say(world, "casa", "mi gato se llama Ñandú");
  await say(world, "calle", "el gato del vecino se llama Zarzamora");
  assert.match((await world.run(["memory", "search", "gato"])).stdout, /^Nothing/);
  const { stdout } = await world.run(["memory", "search", "gato", "--conversation", "casa"]);
  assert.match(stdout, /Ñandú/);
  assert.doesNotMatch(stdout, /Zarzamora/);
});

Deno.test("memory search --limit bounds the answer, and words that mean something to SQLite are words", async () => {
  await using world = await createWorld();
  const many = Array.from({ length: 9 }, (_, n) => `# Bed ${n}\n\nTomatoes number ${n} in row ${n * n}.`).join("\n\n");
  await teach(world, "beds", many);
  const { stdout } = await world.run(["memory", "search", "tomatoes row", "--limit", "2", "--json"]);
  assert.equal(JSON.parse(stdout).length, 2);
  for (
    const query of ['"', "AND OR NOT", "tomatoes*", "text:x", 'a" OR 1=1 --', "(", "NEAR(a b)", "", " ", "-x"]
  ) {
    const { code, stderr } = await world.run(["memory", "search", "--json", "--", query]);
    assert.deepEqual([code, stderr], [0, ""], JSON.stringify(query));
  }
});

Deno.test("memory with wrong usage ends with 64 and deletes nothing", async () => {
  await using world = await createWorld();
  await teach(world, "garden", "Tomatoes are watered on Tuesday.");
  const wrong = [
    ["search"],
    ["search", "a", "b"],
    ...["0", "51", "-1", "x", "1.5", ""].map((limit) => ["search", "x", "--limit", limit]),
    ["forget"],
    ["forget", "--all"],
    ["forget", "--yes"],
    ["forget", "--all", "--yes", "--source", "garden"],
    ["forget", "--source", "garden", "--user", "u"],
    ["forget", "--conversation"],
    ["forget", "garden"],
    ["list", "everything"],
    ["burn"],
    [],
  ];
  for (const args of wrong) {
    const { code, stderr } = await world.run(["memory", ...args]);
    assert.equal(code, 64, `memory ${args.join(" ")}: ${stderr}`);
  }
  const json = await world.run(["memory", "forget", "--all", "--json"]);
  assert.deepEqual([json.code, JSON.parse(json.stdout).error.exit_code], [64, 64]);
  assert.match((await world.run(["memory", "list"])).stdout, /^1 learned passage/m);
});

Deno.test("memory list names what was learned and counts the rest, on an empty folder too", async () => {
  await using world = await createWorld(withEmbeddings, EMBEDDING);
  const empty = await world.run(["memory", "list"]);
  assert.equal(empty.code, 0);
  assert.match(empty.stdout, /^0 learned passages, 0 exchanges, 0 vectors; [\d.]+ \w+\n$/);
  await teach(world, "b", "Beta.\n\n# Two\n\nGamma.");
  await teach(world, "a\u001b[2J", "Alpha.");
  const { stdout } = await world.run(["memory", "list"]);
  assert.match(stdout, /^source +state\na \[2J +learned\nb +learned\n\n3 learned passages, 0 exchanges, 3 vectors; /);
  const json = JSON.parse((await world.run(["memory", "list", "--json"])).stdout);
  assert.deepEqual([json.learned_passages, json.vectors, json.sources.length], [3, 3, 2]);
});

Deno.test("memory list counts in English: one is no plural", async () => {
  await using world = await createWorld();
  await say(world, "casa", "hola");
  await teach(world, "a", "Alpha.");
  assert.match((await world.run(["memory", "list"])).stdout, /^1 learned passage, 1 exchange, 0 vectors; /m);
});

/** What to forget, and what has to be left of the words in the memory afterwards. */
const CASES: [string, string[], string[]][] = [
  ["a conversation", ["--conversation", "casa"], ["CALLE", "SHED", "GARDEN"]],
  ["a source", ["--source", "shed"], ["CASA", "CALLE", "GARDEN"]],
  ["everything", ["--all", "--yes"], []],
];

for (const [what, args, left] of CASES) {
  Deno.test(`memory forget erases ${what} from every file, vectors included, and nothing else`, async () => {
    await using world = await createWorld(withEmbeddings, EMBEDDING);
    await teach(world, "shed", "The spade hangs on the SHEDWORD.");
    await teach(world, "garden", "Tomatoes are watered by GARDENWORD.");
    await say(world, "casa", "digo CASAWORD");
    await say(world, "calle", "digo CALLEWORD");
    const words = ["SHED", "GARDEN", "CASA", "CALLE"];
    for (const word of words) assert.deepEqual(await filesWith(world, `${word}WORD`), ["memory.db"]);
    const { code, stdout, stderr } = await world.run(["memory", "forget", ...args]);
    assert.equal(code, 0, stderr);
    assert.match(stderr, what === "a source" ? /^note: exchanges in which it may be quoted are kept/ : /^$/);
    const gone = words.filter((word) => !left.includes(word));
    const sources = gone.filter((word) => word === "SHED" || word === "GARDEN").length;
    const count = (number: number, word: string) => `${number} ${word}${number === 1 ? "" : "s"}`;
    assert.equal(stdout, `forgotten: ${count(gone.length, "passage")}, ${count(sources, "source")}\n`);
    for (const word of gone) {
      assert.deepEqual(await filesWith(world, `${word}WORD`), [], word);
      assert.deepEqual(await filesWith(world, `${word}word`.toLowerCase()), [], `the index of ${word}`);
    }
    for (const word of left) assert.deepEqual(await filesWith(world, `${word}WORD`), ["memory.db"]);
    const { vectors } = JSON.parse((await world.run(["memory", "list", "--json"])).stdout);
    assert.equal(vectors, left.filter((word) => word === "SHED" || word === "GARDEN").length);
    const again = await world.run(["memory", "forget", ...args, "--json"]);
    assert.deepEqual(JSON.parse(again.stdout), { passages: 0, sources: 0, erased: true, copies: [] });
  });
}

Deno.test("memory forget --user erases every exchange with that person, in whatever conversation", async () => {
  await using world = await createWorld();
  {
    await using served = await serve(world);
    const chat = (id: string, conversation_id: string, word: string) =>
      served.post("/api/chat", { message: `digo ${word}`, conversation_id, user: { id, name: id } });
    await chat("u1", "a", "UNOA");
    await chat("u1", "b", "UNOB");
    await chat("u2", "b", "DOSB");
    const { code, stdout, stderr } = await world.run(["memory", "forget", "--user", "u1"]);
    assert.deepEqual([code, stdout, stderr], [0, "forgotten: 2 passages, 0 sources\n", ""]);
  }
  for (const word of ["UNOA", "UNOB"]) assert.deepEqual(await filesWith(world, word), []);
  assert.equal((await filesWith(world, "DOSB")).length > 0, true);
});

Deno.test("memory forget while serve runs: its next prompt holds nothing of it, and the old bytes are gone at once", async () => {
  await using world = await createWorld();
  await using served = await serve(world);
  const chat = (message: string) => served.post("/api/chat", { message, conversation_id: "casa", cognitive_mode: 1 });
  await chat("mi gato se llama SECRETOÑANDU");
  await chat("¿cómo se llama?");
  assert.match(JSON.stringify(world.ollama.chats.at(-1)?.body), /SECRETOÑANDU/);
  const { code, stderr } = await world.run(["memory", "forget", "--conversation", "casa"]);
  assert.deepEqual([code, stderr], [0, ""]);
  assert.deepEqual(await filesWith(world, "SECRETO"), []);
  await chat("¿cómo se llama mi gato?");
  assert.doesNotMatch(JSON.stringify(world.ollama.chats.at(-1)?.body), /SECRETO/);
  const recalled = await served.post("/api/chat", { message: "gato", conversation_id: "casa", cognitive_mode: 3 });
  assert.doesNotMatch(String(recalled["content"]), /SECRETO/);
});

Deno.test("memory forget gives the disk back what it took", async () => {
  await using world = await createWorld();
  const words = Array.from({ length: 60_000 }, (_, n) => n % 100 === 0 ? `\n\nPart ${n}` : `word${n % 997}`);
  await teach(world, "long", words.join(" "));
  const sizeOf = () => Deno.statSync(`${world.folder}/data/memory.db`).size;
  const before = sizeOf();
  assert.equal((await world.run(["memory", "forget", "--source", "long"])).code, 0);
  assert.ok(sizeOf() < before / 2, `${before} bytes before, ${sizeOf()} after`);
});

Deno.test("several commands at once on one memory all get their turn", async () => {
  await using world = await createWorld();
  await teach(world, "garden", "Tomatoes are watered on Tuesday.");
  const runs = Array.from({ length: 6 }, () => world.run(["memory", "search", "tomatoes"]));
  for (const { code, stdout, stderr } of await Promise.all(runs)) {
    assert.equal(code, 0, stderr);
    assert.match(stdout, /Tuesday/);
  }
});

Deno.test("a memory that is no database of this program is left alone, and it says so", async () => {
  await using world = await createWorld();
  await Deno.mkdir(`${world.folder}/data`);
  await Deno.copyFile("/bin/sh", `${world.folder}/data/memory.db`).catch(() => {});
  const { code, stdout, stderr } = await world.run(["memory", "list"]);
  const aside = [...Deno.readDirSync(`${world.folder}/data`)].map(({ name }) => name);
  assert.ok(code === 0 ? /was damaged: it is now/.test(stderr) && aside.length > 2 : /^error: .*\n→ /m.test(stderr));
  assert.doesNotMatch(stdout + stderr, /Internal error/);
});

Deno.test("memory list names the conversations that exchanges are kept of, and forget says when it knows no such source", async () => {
  await using world = await createWorld();
  await say(world, "casa", "hola");
  await say(world, "casa", "¿sigues ahí?");
  const { conversations } = JSON.parse((await world.run(["memory", "list", "--json"])).stdout);
  assert.deepEqual(conversations.map(({ id, exchanges }: Record<string, unknown>) => [id, exchanges]), [["casa", 2]]);
  assert.match((await world.run(["memory", "list"])).stdout, /^casa +2 +20\d\d-/m);
  const { code, stderr } = await world.run(["memory", "forget", "--source", "nothing.md"]);
  assert.equal(code, 65);
  assert.match(stderr, /Nothing was learned from nothing\.md\n→ `memory list`/);
});
