import assert from "node:assert/strict";
import type { Behaviour } from "../support/fake_behaviour.ts";
import type { RecordedChat } from "../support/fake_provider.ts";
import { until } from "../support/rig.ts";
import { createWorld, modelsFor, type World } from "./setup.ts";

const ANSWER = "Hola, soy Django.";

/** An answer in one piece. */
function says(text: string): Behaviour {
  return { kind: "answer", tokens: [text] };
}

/** What a model was told, as one text. */
function toldTo(chat: RecordedChat | undefined): string {
  return (chat?.body.messages as { content: string }[] | undefined)?.map(({ content }) => content).join("\n") ?? "";
}

/** A model that stops talking after its first words is waited for. */
function patient(models: ReturnType<typeof modelsFor>) {
  return { ...models, deadlines: { ...models.deadlines, idle_seconds: 60, total_seconds: 120 } };
}

function hurried(models: ReturnType<typeof modelsFor>) {
  return { ...models, deadlines: { load_seconds: 1, first_token_seconds: 1, idle_seconds: 1, total_seconds: 20 } };
}

/** Shows its first words and then nothing more. */
const PAUSES: Behaviour = { kind: "answer", tokens: ["Había una", " vez ", "un gato"], gapMs: 60_000 };

async function chat(world: World, stdin: string | Uint8Array, args: readonly string[] = []) {
  return await world.run(["chat", ...args], { stdin });
}

Deno.test("chat answers the lines of a pipe one after the other, answers on stdout and the rest on stderr", async () => {
  await using world = await createWorld();
  world.ollama.next(says("Uno."), says("Dos.\n"), says("Tres."));
  const { code, stdout, stderr } = await chat(world, "mercurio\n\n  \nvenus\r\nmarte");
  assert.equal(code, 0, stderr);
  assert.equal(stdout, "Uno.\nDos.\nTres.\n");
  assert.match(stderr, /^(ollama\/llama3\.2 · mode 2 · (1 source · )?\$0 · [\d.]+ m?s\n){3}$/);
  assert.deepEqual(world.ollama.chats.map((each) => toldTo(each).match(/mercurio|venus|marte/g)), [
    ["mercurio"],
    ["mercurio", "venus"],
    ["mercurio", "venus", "marte"],
  ]);
});

Deno.test("chat answers a line as soon as it comes, and goes on until its input ends", async () => {
  await using world = await createWorld();
  const program = world.start(["chat"], { stdinStaysOpen: true });
  await program.type("uno\n");
  await program.waitFor(`${ANSWER}\n`);
  await program.type("dos\n");
  await until(() => program.printed === `${ANSWER}\n`.repeat(2));
  await program.endInput();
  assert.equal((await program.finished).code, 0);
  assert.equal(world.ollama.chats.length, 2);
});

Deno.test("chat shows the first words before the answer is complete", async () => {
  await using world = await createWorld();
  world.ollama.next({ kind: "answer", tokens: ["uno ", "dos ", "tres"], gapMs: 400 });
  const program = world.start(["chat"], { stdin: "cuenta\n" });
  await program.waitFor("uno ");
  assert.ok(!program.printed.includes("tres"));
  assert.equal((await program.finished).stdout, "uno dos tres\n");
});

Deno.test("chat with nothing on its input, or blank lines only, ends with 0 and asks nobody", async () => {
  await using world = await createWorld();
  for (const nothing of ["", "\n", "  \n\t\n"]) {
    assert.deepEqual(await chat(world, nothing), { code: 0, stdout: "", stderr: "" });
  }
  assert.equal(world.ollama.connections, 0);
});

Deno.test("chat obeys /mode, /sources, /help and /quit on stderr, and says what begins with two slashes", async () => {
  await using world = await createWorld();
  const lines = ["/sources", "/mode 3", "qué hay", "/mode 2", "//hola", "/mode 9", "/what", "/help", "/quit", "no"];
  const { code, stdout, stderr } = await chat(world, lines.join("\n"));
  assert.equal(code, 0, stderr);
  assert.equal(stdout, `No recuerdo nada sobre eso.\n${ANSWER}\n`);
  const expected = [
    /^There is no answer yet\.$/m,
    /^mode 3\nmemory alone · mode 3 · [\d.]+ m?s\nmode 2$/m,
    /^Write \/mode 1, \/mode 2 or \/mode 3\.\nThere is no \/what; \/help lists what there is\.$/m,
    /^\/reset {6,}\S/m,
  ];
  for (const pattern of expected) assert.match(stderr, pattern);
  assert.equal(world.ollama.chats.length, 1);
  assert.match(toldTo(world.ollama.chats[0]), /(^|\n)\/hola/);
  assert.ok(!toldTo(world.ollama.chats[0]).includes("//hola"));
});

Deno.test("chat /sources names what the last answer was made from", async () => {
  await using world = await createWorld();
  await Deno.writeTextFile(`${world.folder}/garden.md`, "# Garden\n\n## Tomatoes\n\nTomatoes are watered on Tuesday.");
  assert.equal((await world.run(["learn", "garden.md"])).code, 0);
  const { code, stderr } = await chat(world, "When are the tomatoes watered?\n/sources\n");
  assert.equal(code, 0);
  assert.match(stderr, /^ollama\/llama3\.2 · mode 2 · 1 source · /);
  assert.match(stderr, /^learned knowledge {2}garden\.md · Garden > Tomatoes {2}#\d+$/m);
  assert.match(toldTo(world.ollama.chats[0]), /watered on Tuesday/);
});

Deno.test("chat /reset forgets what was said in the conversation", async () => {
  await using world = await createWorld();
  const { code, stderr } = await chat(world, "mi gato se llama Ñandú\n/reset\n¿cómo se llama?\n");
  assert.equal(code, 0);
  assert.match(stderr, /^The conversation begins anew\. .*memory forget --conversation/m);
  assert.match(toldTo(world.ollama.chats[0]), /Ñandú/);
  assert.doesNotMatch(toldTo(world.ollama.chats[1]), /Ñandú/);
});

Deno.test("chat --mode 3 answers from memory with every provider down, and says honestly when it knows nothing", async () => {
  await using world = await createWorld();
  await Deno.writeTextFile(`${world.folder}/boiler.txt`, "The boiler wants 1.5 bar of pressure.");
  assert.equal((await world.run(["learn", "boiler.txt"])).code, 0);
  await world.ollama.down();
  const known = await chat(world, "What pressure does the boiler want?\n/sources\n", ["--mode", "3"]);
  assert.equal(known.code, 0, known.stderr);
  assert.match(known.stdout, /\*\*boiler\.txt\*\*\nThe boiler wants 1\.5 bar of pressure\.\n$/);
  assert.match(known.stderr, /^memory alone · mode 3 · 1 source · /);
  assert.match(known.stderr, /^learned knowledge {2}boiler\.txt {2}#\d+$/m);
  const unknown = await chat(world, "Who wrote the Quixote?\n", ["--mode", "3"]);
  assert.deepEqual([unknown.code, unknown.stdout], [0, "I don't remember anything about that.\n"]);
});

/** What a model does, and how both `ask` and `chat` have to end then. */
const FAILURES: [string, Behaviour, number][] = [
  ["an error of the server", { kind: "status", status: 500 }, 69],
  ["no words for too long", { kind: "silence" }, 75],
  ["a rate limit", { kind: "status", status: 429, headers: { "retry-after": "60" } }, 75],
  ["a refused key", { kind: "status", status: 401 }, 77],
  ["a request it cannot take", { kind: "status", status: 400 }, 65],
  ["an answer that breaks off", { kind: "cut", after: 2 }, 69],
  ["an answer that stands still", { kind: "stall", after: 2 }, 75],
];

for (const [what, behaviour, expected] of FAILURES) {
  Deno.test(`chat ends with ${expected} on ${what}, as ask does, and answers no further line`, async () => {
    await using world = await createWorld(hurried);
    world.ollama.always(behaviour);
    const asked = await world.run(["ask", "hola"]);
    assert.equal(asked.code, expected, asked.stderr);
    const count = world.ollama.chats.length;
    const { code, stderr } = await chat(world, "hola\nzarzamora\n");
    assert.equal(code, expected, stderr);
    assert.equal(stderr.match(/^error: /gm)?.length, 1, stderr);
    assert.doesNotMatch(stderr, /Internal error|\.ts:\d/);
    assert.ok(world.ollama.chats.slice(count).every((each) => !toldTo(each).includes("zarzamora")));
  });
}

Deno.test("chat tells why nobody answered and what to do, once", async () => {
  await using world = await createWorld();
  await world.ollama.down();
  const { code, stdout, stderr } = await chat(world, "hola\n");
  assert.deepEqual([code, stdout], [69, ""]);
  assert.match(stderr, /ollama\/llama3\.2.*unavailable/s);
  assert.equal(stderr.match(/error: /g)?.length, 1, stderr);
  assert.match(stderr, /→ /);
});

Deno.test("chat remembers across two runs in modes 1 and 3, and in its own conversation only", async () => {
  await using world = await createWorld();
  world.ollama.next(says("Qué nombre más bonito, Ñandú."));
  assert.equal((await chat(world, "mi gato se llama Ñandú\n", ["--conversation", "casa"])).code, 0);
  const question = "¿cómo se llama mi gato?\n";
  const own = await chat(world, question, ["--conversation", "casa", "--mode", "3"]);
  assert.match(own.stdout, /mi gato se llama Ñandú\n.*Qué nombre más bonito, Ñandú\.\n$/s);
  for (const conversation of [["--conversation", "calle"], []]) {
    const other = await chat(world, question, [...conversation, "--mode", "3"]);
    assert.deepEqual([other.code, other.stdout], [0, "No recuerdo nada sobre eso.\n"]);
  }
  await chat(world, question, ["--conversation", "casa", "--mode", "1"]);
  assert.match(toldTo(world.ollama.chats.at(-1)), /Ñandú/);
  await chat(world, question, ["--conversation", "calle", "--mode", "1"]);
  assert.doesNotMatch(toldTo(world.ollama.chats.at(-1)), /Ñandú/);
  await chat(world, question, ["--conversation", "casa", "--mode", "2"]);
  assert.doesNotMatch(toldTo(world.ollama.chats.at(-1)), /Ñandú/); // mode 2 knows what it was taught
});

Deno.test("chat passes role and profile on, and follows a changed models.json while it runs", async () => {
  await using world = await createWorld((models) => ({ ...models, assignments: { technical: "ollama/small" } }));
  const { code, stderr } = await chat(world, "hola\n", ["--role", "technical"]);
  assert.equal(code, 0, stderr);
  assert.match(stderr, /^ollama\/small · /);
  for (const args of [["--mode", "4"], ["--role", "embeddings"], ["--role", "king"], ["--profile", "none"], ["hola"]]) {
    const { code, stderr } = await chat(world, "hola\n", args);
    assert.equal(code, 64, args.join(" "));
    assert.doesNotMatch(stderr, / at .*\.ts:/);
  }
});

Deno.test("chat stops at Ctrl-C in a pipe: nobody types, so the lines that wait are not answered, and it is no success", async () => {
  await using world = await createWorld(patient);
  world.ollama.always(PAUSES);
  const program = world.start(["chat"], { stdin: "mercurio\nvenus\n" });
  await program.waitFor("Había");
  program.kill("SIGINT");
  await until(() => world.ollama.chats[0]?.goneAtMs !== undefined);
  const { code } = await program.finished;
  assert.deepEqual([code, world.ollama.chats.length], [130, 1]);
});

Deno.test("chat that is told to end (SIGTERM) in the middle of an answer books it and hangs up", async () => {
  await using world = await createWorld(patient);
  world.ollama.always(PAUSES);
  const program = world.start(["chat"], { stdin: "cuenta\n" });
  await program.waitFor("Había");
  program.kill("SIGTERM");
  await program.finished;
  await until(() => world.ollama.chats[0]?.goneAtMs !== undefined);
  const { stdout } = await world.run(["usage", "--json"]);
  assert.equal(JSON.parse(stdout).total.calls, 1, stdout);
});

Deno.test("chat ends quietly when its reader goes away, and the model is told", async () => {
  await using world = await createWorld();
  world.ollama.always({
    kind: "answer",
    tokens: Array.from({ length: 20_000 }, (_, n) => `${n} `.padEnd(40)),
    batch: 50,
  });
  const program = world.start(["chat"], { stdin: "cuenta\notra\n", closeStdoutAfter: "10 " });
  const { code, stderr } = await program.finished;
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  assert.equal(world.ollama.chats.length, 1);
});

Deno.test("chat refuses a line that is too long with 65, and takes bytes that are no text without a fault", async () => {
  await using world = await createWorld();
  const long = await chat(world, `${"palabra ".repeat(300_000)}\n`);
  assert.equal(long.code, 65, long.stderr.slice(0, 500));
  assert.ok(long.stderr.length < 2000, "the line is not repeated");
  const odd = await chat(world, new Uint8Array([104, 0xff, 0xfe, 0, 105, 10, 0x1b, 0x5b, 0x32, 0x4a, 10]));
  assert.notEqual(odd.code, 1, odd.stderr);
  assert.doesNotMatch(odd.stderr, /Internal error/);
});

Deno.test("chat keeps thoughts and [SILENT] to itself", async () => {
  await using world = await createWorld();
  world.ollama.next(
    { kind: "answer", tokens: ["<think>SECRET", "</think>", "Claro."] },
    { kind: "answer", tokens: ["[SIL", "ENT]"] },
  );
  const { code, stdout, stderr } = await chat(world, "uno\ndos\n");
  assert.equal(code, 0);
  assert.equal(stdout.trim(), "Claro.");
  assert.match(stderr, /^\(it chose to say nothing\) · /m);
  assert.doesNotMatch(stderr, /SECRET|SILENT/);
});

Deno.test("chat answers although the memory cannot be used, and says so once", async () => {
  await using world = await createWorld();
  await Deno.mkdir(`${world.folder}/data/memory.db`, { recursive: true });
  const { code, stdout, stderr } = await chat(world, "uno\ndos\n");
  assert.equal(code, 0, stderr);
  assert.equal(stdout, `${ANSWER}\n`.repeat(2));
  assert.equal(stderr.match(/memory\.db/g)?.length, 1, stderr);
});

Deno.test("chat needs no models.json", async () => {
  await using world = await createWorld();
  await Deno.remove(`${world.folder}/config`, { recursive: true });
  const { code, stdout, stderr } = await chat(world, "hola\n", ["--mode", "3"]);
  assert.deepEqual([code, stdout], [0, "No recuerdo nada sobre eso.\n"], stderr);
});
