import assert from "node:assert/strict";
import { until } from "../support/rig.ts";
import { serve } from "./served.ts";
import { createWorld, EMBEDDING, withEmbeddings, type World } from "./setup.ts";

interface Stats {
  readonly learned_passages: number;
  readonly vectors: number;
  readonly sources: readonly { readonly name: string; readonly complete: boolean }[];
}

async function statsOf(world: World, args: readonly string[] = []): Promise<Stats> {
  const { code, stdout, stderr } = await world.run(["memory", "list", "--json", ...args]);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

async function write(world: World, files: Readonly<Record<string, string | Uint8Array>>): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    const path = `${world.folder}/${name}`;
    await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    await (typeof content === "string" ? Deno.writeTextFile(path, content) : Deno.writeFile(path, content));
  }
}

/** Text of about so many bytes in which no passage is like another. */
function longText(bytes: number): string {
  const words: string[] = [];
  for (let length = 0, at = 0; length < bytes; at++) {
    const word = at % 400 === 0 ? `\n\nParagraph ${at}` : `word${(at * 7919) % 20_011}`;
    words.push(word);
    length += word.length + 1;
  }
  return words.join(" ");
}

/** Resolves once so many bytes of a document are on disk. */
async function untilWritten(world: World, bytes: number): Promise<void> {
  await until(() => {
    try {
      return Deno.statSync(`${world.folder}/data/memory.db-wal`).size > bytes;
    } catch {
      return false;
    }
  });
}

Deno.test("learn takes files, folders and what lies below them, Markdown and text only, and tells each on stderr", async () => {
  await using world = await createWorld();
  await write(world, {
    "notes/garden.md": "# Garden\n\nTomatoes are watered on Tuesday.",
    "notes/deep/er/house.MARKDOWN": "The boiler wants 1.5 bar.",
    "notes/deep/plain.txt": "The key lies under the pot.",
    "notes/photo.jpg": "no text",
    "notes/script.py": "print()",
    "notes/.hidden.md": "A hidden secret.",
    "notes/.git/x.md": "Another hidden secret.",
    "README.md": "Read me first.",
  });
  const { code, stdout, stderr } = await world.run(["learn", "notes", "./README.md"]);
  assert.equal(code, 0, stderr);
  assert.equal(stdout, "");
  const names = ["notes/deep/er/house.MARKDOWN", "notes/deep/plain.txt", "notes/garden.md", "README.md"];
  assert.equal(stderr, names.map((name) => `learned    ${name}, 1 passage\n`).join(""));
  const { sources, learned_passages } = await statsOf(world);
  assert.deepEqual(sources.map(({ name }) => name).sort(), [...names].sort());
  assert.equal(learned_passages, 4);
});

Deno.test("learn knows what it knows: unchanged, changed, renamed, and the same under another spelling of its path", async () => {
  await using world = await createWorld();
  const garden = "# Garden\n\nTomatoes are watered on Tuesday.\n\n# Shed\n\nThe spade hangs on the left.";
  await write(world, { "garden.md": garden });
  await world.run(["learn", "garden.md"]);
  const same = await world.run(["learn", "./garden.md", `${world.folder}/garden.md`]);
  assert.deepEqual([same.code, same.stderr], [0, "unchanged  garden.md\n".repeat(2)]);
  await write(world, { "copy.md": garden });
  const copy = await world.run(["learn", "copy.md"]);
  assert.deepEqual([copy.code, copy.stderr], [0, "learned    copy.md, 2 passages\n"]);
  await world.run(["memory", "forget", "--source", `${world.folder}/copy.md`]);
  await write(world, { "garden.md": garden.replace("Tuesday", "Friday") });
  const changed = await world.run(["learn", "garden.md"]);
  assert.deepEqual([changed.code, changed.stderr], [0, "learned    garden.md, 2 passages, 1 of them new\n"]);
  assert.match((await world.run(["memory", "search", "tomatoes watered"])).stdout, /Friday/);
  assert.doesNotMatch((await world.run(["memory", "search", "tomatoes watered Tuesday"])).stdout, /Tuesday/);
  assert.equal((await statsOf(world)).learned_passages, 2);
});

Deno.test("learn - reads standard input under the name of --source, or of what it says", async () => {
  await using world = await createWorld();
  const stdin = "The boiler wants 1.5 bar of pressure.";
  const { code, stderr } = await world.run(["learn", "-", "--source", "boiler"], { stdin });
  assert.deepEqual([code, stderr], [0, "learned    boiler, 1 passage\n"]);
  const unnamed = await world.run(["learn", "-"], { stdin: "The spade hangs on the left." });
  assert.deepEqual([unnamed.code, unnamed.stderr], [0, "learned    note-c426753e754b, 1 passage\n"]);
  assert.match((await world.run(["memory", "search", "boiler pressure"])).stdout, /^#\d+ {2}boiler\n/);
});

Deno.test("learn names each file that it refuses with a remedy, learns everything else, and ends with 65", async () => {
  await using world = await createWorld();
  await write(world, {
    "good.md": "Good.",
    "nul.txt": "a\0b",
    "latin1.txt": new Uint8Array([0x63, 0x61, 0x6e, 0x63, 0x69, 0xf3, 0x6e]),
    "utf16.txt": new Uint8Array([0xff, 0xfe, 0x61, 0x00]),
    "book.pdf": "%PDF",
    "last.md": "Last.",
    "folder/photo.jpg": "",
  });
  await Deno.mkdir(`${world.folder}/empty`);
  await Deno.symlink("loop.md", `${world.folder}/loop.md`);
  const refused = ["nul.txt", "latin1.txt", "utf16.txt", "book.pdf", "empty", "folder", "loop.md", "missing.md", ""];
  const { code, stdout, stderr } = await world.run(["learn", "good.md", ...refused, "/etc/passwd", "last.md", "/"]);
  assert.equal(code, 65, stderr);
  assert.equal(stdout, "");
  for (const name of [...refused, "/etc/passwd"]) {
    assert.match(stderr, new RegExp(`^refused {4}${name}: [^\\n]+ → [^\\n]+$`, "m"), name);
  }
  assert.match(stderr, /^learned {4}good\.md.*^learned {4}last\.md/ms);
  assert.match(stderr, /^error: 11 paths were refused\n→ /m);
  assert.doesNotMatch(stderr, /\.ts:\d|Internal error/);
  assert.equal((await statsOf(world)).learned_passages, 2);
});

Deno.test("learn outside the sandbox says which entry of deno.json would allow it", async () => {
  await using world = await createWorld();
  const { code, stderr } = await world.run(["learn", "/etc/notes"]);
  assert.equal(code, 65);
  assert.match(
    stderr,
    /^refused {4}\/etc\/notes: The sandbox .* → .*"\/etc\/notes" to permissions\.default\.read in deno\.json\.$/m,
  );
});

Deno.test("learn follows links within a folder, each folder once, and none that leads out of it", async () => {
  await using world = await createWorld();
  await write(world, { "notes/a/one.md": "One.", "elsewhere/two.md": "Two." });
  await Deno.symlink("..", `${world.folder}/notes/a/up`);
  await Deno.symlink(`${world.folder}/notes`, `${world.folder}/notes/a/self`);
  await Deno.symlink("../elsewhere", `${world.folder}/notes/out`);
  await Deno.symlink("nowhere.md", `${world.folder}/notes/broken.md`);
  const { code, stderr } = await world.run(["learn", "notes"]);
  assert.equal(code, 65, stderr);
  assert.deepEqual(stderr.match(/^(learned|refused) +[^:,]+/gm), [
    "learned    notes/a/one.md",
    "refused    notes/broken.md",
    "refused    notes/out",
  ]);
});

Deno.test("learn --json gives one document on stdout and nothing else, refusals and wrong usage included", async () => {
  await using world = await createWorld();
  await write(world, { "a.md": "# A\n\nAlpha.", "b.md": "# A\n\nAlpha.", "c.md": "a\0" });
  const { code, stdout } = await world.run(["learn", "--json", "a.md", "a.md", "b.md", "c.md", "nope.md"]);
  assert.equal(code, 65);
  const { learned, refused } = JSON.parse(stdout);
  assert.deepEqual(learned, [
    { name: "a.md", outcome: "learned", passages: 1, added: 1 },
    { name: "a.md", outcome: "unchanged", passages: 0, added: 0 },
    { name: "b.md", outcome: "learned", passages: 1, added: 1 },
  ]);
  assert.deepEqual(refused.map(({ path }: { path: string }) => path), ["c.md", "nope.md"]);
  assert.ok(refused.every(({ problem, remedy }: Record<string, string>) => problem && remedy), stdout);
  const usage = await world.run(["learn", "--json"]);
  assert.equal(usage.code, 64);
  assert.equal(JSON.parse(usage.stdout).error.exit_code, 64);
});

Deno.test("learn keeps what else it was given when standard input is no text", async () => {
  await using world = await createWorld();
  await write(world, { "good.md": "Good." });
  const stdin = new Uint8Array([0x61, 0xff, 0xfe]);
  const { code, stdout, stderr } = await world.run(["learn", "--json", "-", "good.md"], { stdin });
  assert.equal(code, 65);
  assert.match(stderr, /^learned {4}good\.md/m);
  assert.deepEqual(JSON.parse(stdout).refused.map(({ path }: { path: string }) => path), ["-"]);
});

Deno.test("learn --source without - is wrong usage: nothing would be called that", async () => {
  await using world = await createWorld();
  await write(world, { "a.md": "Alpha." });
  const { code } = await world.run(["learn", "a.md", "--source", "manual"]);
  assert.equal(code, 64);
});

Deno.test("learn takes an empty file, a blank one and a byte-order mark", async () => {
  await using world = await createWorld();
  await write(world, { "empty.md": "", "blank.md": "\n\n  \n", "bom.md": "\ufeff# Título\n\nCanción." });
  const { code, stderr } = await world.run(["learn", "empty.md", "blank.md", "bom.md"]);
  assert.equal(code, 0, stderr);
  assert.equal((await statsOf(world)).learned_passages, 1);
  assert.match((await world.run(["memory", "search", "cancion"])).stdout, /^#\d+ {2}bom\.md · Título\nCanción\.\n$/);
});

Deno.test("learn writes names with control characters so that no terminal obeys them", async () => {
  await using world = await createWorld();
  await write(world, { "a\u001b[2J\u0007.md": "Alpha.", "b\u001b[2J.md": "x\0" });
  const { stderr } = await world.run(["learn", "."]);
  const shown = stderr + (await world.run(["memory", "list"])).stdout;
  assert.ok(!shown.includes("\u001b") && !shown.includes("\u0007"), shown);
});

Deno.test("learn takes a line of 50 MB and refuses a file that is too large", async () => {
  await using world = await createWorld();
  const bytes = new Uint8Array(50 * 1024 * 1024).fill(0x78);
  for (let at = 0; at < bytes.length; at += 997) bytes[at] = 0x20;
  await write(world, { "line.txt": bytes });
  await Deno.writeTextFile(`${world.folder}/huge.txt`, "x");
  await Deno.truncate(`${world.folder}/huge.txt`, 65 * 1024 * 1024);
  const { code, stderr } = await world.run(["learn", "line.txt", "huge.txt"]);
  assert.equal(code, 65);
  assert.match(stderr, /^learned {4}line\.txt, /m);
  assert.match(stderr, /^refused {4}huge\.txt: It has 65\.0 MiB; .* → Split it\.$/m);
});

Deno.test("learn gives everything vectors when the embeddings model is there; --no-vectors asks nobody", async () => {
  await using world = await createWorld(withEmbeddings, EMBEDDING);
  await write(world, { "a.md": "# A\n\nAlpha.\n\n# B\n\nBeta.", "c.md": "Gamma." });
  const without = await world.run(["learn", "a.md", "--no-vectors"]);
  assert.deepEqual([without.code, without.stderr], [0, "learned    a.md, 2 passages\n"]);
  assert.equal(world.ollama.connections, 0);
  const { code, stderr } = await world.run(["learn", "c.md"]);
  assert.deepEqual([code, stderr], [0, "learned    c.md, 1 passage\nvectors    3\n"]);
  assert.equal((await statsOf(world)).vectors, 3);
  const again = await world.run(["learn", "a.md", "c.md"]);
  assert.equal(again.stderr, "unchanged  a.md\nunchanged  c.md\n");
});

for (const [what, change] of [["is not pulled", { models: ["llama3.2"] }], ["is down", undefined]] as const) {
  Deno.test(`learn when the embeddings model ${what}: the text is learned, and a note says how vectors come later`, async () => {
    await using world = await createWorld(withEmbeddings, change ?? EMBEDDING);
    if (!change) await world.ollama.down();
    await write(world, { "a.md": "The spade hangs on the left." });
    const { code, stdout, stderr } = await world.run(["learn", "a.md", "--json"]);
    assert.equal(code, 0, stderr);
    assert.equal(JSON.parse(stdout).learned[0].outcome, "learned");
    assert.match(
      stderr,
      /^learned {4}a\.md, 1 passage\n(warn .*\n)?note: without vectors for now: .+\n(.+\n)*→ .*`serve`/m,
    );
    assert.match((await world.run(["memory", "search", "spade"])).stdout, /left/);
    await world.ollama.up();
    world.ollama.setModels(["llama3.2", "embeddinggemma"]);
    assert.match((await world.run(["learn", "a.md"])).stderr, /^unchanged {2}a\.md\nvectors {4}1\n$/);
  });
}

for (const signal of ["SIGINT", "SIGKILL"] as const) {
  Deno.test(`learn goes on where it was after ${signal} in the middle of a document, and ends complete`, async () => {
    await using world = await createWorld();
    await write(world, { "big.md": longText(6_000_000) });
    const program = world.start(["learn", "big.md"]);
    await untilWritten(world, 1_000_000);
    program.kill(signal);
    const { code, stderr } = await program.finished;
    if (signal === "SIGINT") {
      assert.equal(code, 130, stderr);
      assert.match(stderr, /^error: Stopped; what has been learned so far is kept\n→ Run the same again/);
    }
    const half = await statsOf(world);
    assert.ok(half.learned_passages > 0);
    assert.deepEqual(half.sources, [{ name: "big.md", complete: false }]);
    assert.match((await world.run(["memory", "list"])).stdout, /^big\.md +interrupted$/m);

    const resumed = await world.run(["learn", "big.md", "--json"]);
    assert.equal(resumed.code, 0, resumed.stderr);
    const [{ passages, added }] = JSON.parse(resumed.stdout).learned;
    assert.equal(added, passages - half.learned_passages);
    const whole = await statsOf(world);
    assert.deepEqual([whole.learned_passages, whole.sources], [passages, [{ name: "big.md", complete: true }]]);
    assert.match((await world.run(["learn", "big.md"])).stderr, /^unchanged/);
    const fresh = await world.run(["learn", "big.md", "--json", "--data", "./data/fresh"]);
    assert.equal(JSON.parse(fresh.stdout).learned[0].passages, passages);
  });
}

Deno.test("learn stops at Ctrl-C while it waits for standard input", async () => {
  await using world = await createWorld();
  await write(world, { "a.md": "Alpha." });
  const program = world.start(["learn", "a.md", "-"], { stdin: "The beginning of", stdinStaysOpen: true });
  await program.waitUntilTold("learned    a.md");
  program.kill("SIGINT");
  assert.equal((await program.finished).code, 130);
  assert.deepEqual((await statsOf(world)).sources, [{ name: "a.md", complete: true }]);
});

Deno.test("two runs of learn on one data folder both end complete, on the same document too", async () => {
  await using world = await createWorld();
  await write(world, { "one.md": longText(3_000_000), "two.md": `Other.\n\n${longText(3_000_000)}\n\nEnd.` });
  const runs = [["one.md"], ["two.md"], ["one.md", "two.md"]].map((paths) => world.run(["learn", ...paths]));
  for (const { code, stderr } of await Promise.all(runs)) assert.equal(code, 0, stderr);
  const { sources, learned_passages } = await statsOf(world);
  assert.deepEqual(sources.map(({ complete }) => complete), [true, true]);
  const alone = ["one.md", "two.md"].map((name) => ["learn", name, "--json", "--data", `./data/${name}`]);
  const passages = [];
  for (const args of alone) passages.push(JSON.parse((await world.run(args)).stdout).learned[0].passages);
  assert.equal(learned_passages, passages[0] + passages[1]);
});

Deno.test("a running serve finds at once what another process learns, and no longer what it has learned anew", async () => {
  await using world = await createWorld();
  await using served = await serve(world);
  const find = async (query: string) => {
    const { results } = await served.post("/api/memory/search", { query });
    return (results as { text: string }[]).map(({ text }) => text);
  };
  assert.deepEqual(await find("spade"), []);
  await write(world, { "shed.md": "The spade hangs on the left." });
  assert.equal((await world.run(["learn", "shed.md"])).code, 0);
  assert.deepEqual(await find("spade"), ["The spade hangs on the left."]);
  await write(world, { "shed.md": "The spade hangs on the right." });
  assert.equal((await world.run(["learn", "shed.md"])).code, 0);
  assert.deepEqual(await find("spade left"), ["The spade hangs on the right."]);
});

Deno.test("a document learned anew keeps nobody else from the memory", async () => {
  await using world = await createWorld();
  await write(world, { "big.md": longText(2_000_000) });
  assert.equal((await world.run(["learn", "big.md"])).code, 0);
  await write(world, { "big.md": `Anew.\n\n${longText(2_000_000).replaceAll("Paragraph", "Section")}` });
  const program = world.start(["learn", "big.md"]);
  await untilWritten(world, 1_000_000);
  const others: number[] = [];
  let over = false;
  program.finished.then(() => over = true);
  while (!over) others.push((await world.run(["learn", "-"], { stdin: `note ${others.length}` })).code);
  assert.equal((await program.finished).code, 0);
  assert.deepEqual(others.filter((code) => code !== 0), []);
});
