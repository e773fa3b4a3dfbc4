/** `chat` as a person at a terminal sees it. The terminal is made by `script`, of Debian's package bsdutils. */
import assert from "node:assert/strict";
import type { Running, RunOptions } from "../support/program.ts";
import { until } from "../support/rig.ts";
import { onTerminal } from "../support/terminal.ts";
import { createWorld, type modelsFor, type World } from "./setup.ts";

const ANSWER = "Hola, soy Django.";
const PROMPT = "› ";
/** What the keys send. */
const KEY = { enter: "\r", up: "\u001b[A", ctrlC: "\u0003", ctrlD: "\u0004" };

interface Terminal extends AsyncDisposable {
  readonly program: Running;
  /** Waits until the screen has shown this once more since the last time. */
  see(text: string): Promise<void>;
  type(text: string): Promise<void>;
}

/** Starts `chat` on a terminal and waits for its prompt; it is ended for good with the test. */
async function openChat(world: World, options: Partial<RunOptions> = {}, args: readonly string[] = []) {
  const program = world.start(["chat", ...args], { terminal: true, stdinStaysOpen: true, ...options });
  let seen = 0;
  let ended = false;
  program.finished.then(() => ended = true);
  const terminal: Terminal = {
    program,
    async see(text) {
      await until(() => ended || program.printed.indexOf(text, seen) >= 0);
      assert.ok(program.printed.indexOf(text, seen) >= 0, `It ended without showing "${text}": ${program.printed}`);
      seen = program.printed.indexOf(text, seen) + text.length;
    },
    type: (text) => program.type(text),
    async [Symbol.asyncDispose]() {
      try {
        program.kill("SIGKILL");
      } catch {
        // It has ended by itself.
      }
      await program.finished;
    },
  };
  await terminal.see(PROMPT);
  return terminal;
}

/** A model that stops talking after its first words is waited for. */
function patient(models: ReturnType<typeof modelsFor>) {
  return { ...models, deadlines: { load_seconds: 60, first_token_seconds: 60, idle_seconds: 60, total_seconds: 120 } };
}

const PAUSES = { kind: "answer", tokens: ["Había una", " vez ", "un gato"], gapMs: 60_000 } as const;

/** Said to a model last. */
function lastSaid(world: World): string {
  const messages = world.ollama.chats.at(-1)?.body.messages as { content: string }[] | undefined;
  return messages?.at(-1)?.content ?? "";
}

onTerminal("chat on a terminal greets, prompts, streams the answer and sums it up; /quit ends it with 0", async () => {
  await using world = await createWorld();
  world.ollama.next({ kind: "answer", tokens: ["Uno, ", "dos, ", "tres."], gapMs: 300 });
  await using terminal = await openChat(world);
  assert.match(terminal.program.printed, /\/help lists what else there is/);
  await terminal.type(`cuenta${KEY.enter}`);
  await terminal.see("Uno");
  assert.ok(!terminal.program.printed.includes("tres."));
  await terminal.see("tres.\r\n");
  await terminal.see("ollama/llama3.2 · mode 2");
  await terminal.see(PROMPT);
  await terminal.type(`/quit${KEY.enter}`);
  assert.equal((await terminal.program.finished).code, 0);
});

onTerminal("Ctrl-D ends a chat with 0", async () => {
  await using world = await createWorld();
  await using terminal = await openChat(world);
  await terminal.type(KEY.ctrlD);
  assert.equal((await terminal.program.finished).code, 0);
  assert.equal(world.ollama.connections, 0);
});

onTerminal("Ctrl-C stops an answer, at the model too, and not the program", async () => {
  await using world = await createWorld(patient);
  world.ollama.next(PAUSES);
  await using terminal = await openChat(world);
  await terminal.type(`cuenta${KEY.enter}`);
  await terminal.see("Había una");
  await terminal.type(KEY.ctrlC);
  await until(() => world.ollama.chats[0]?.goneAtMs !== undefined);
  await terminal.see("(stopped)");
  await terminal.see(PROMPT);
  await terminal.type(`otra vez${KEY.enter}`);
  await terminal.see(ANSWER);
  await terminal.see(PROMPT);
  await terminal.type(KEY.ctrlD);
  assert.equal((await terminal.program.finished).code, 0);
});

onTerminal("Ctrl-C stops an answer of which nothing has come yet", async () => {
  await using world = await createWorld(patient);
  world.ollama.next({ kind: "silence" });
  await using terminal = await openChat(world);
  await terminal.type(`cuenta${KEY.enter}`);
  await until(() => world.ollama.chats.length === 1);
  await terminal.type(KEY.ctrlC);
  await terminal.see("(stopped)");
  await terminal.see(PROMPT);
  assert.notEqual(world.ollama.chats[0]?.goneAtMs, undefined);
});

onTerminal("SIGINT from outside stops the answer as the key does", async () => {
  await using world = await createWorld(patient);
  world.ollama.next(PAUSES);
  await using terminal = await openChat(world);
  await terminal.type(`cuenta${KEY.enter}`);
  await terminal.see("Había una");
  Deno.kill(await childOf(terminal.program.pid), "SIGINT");
  await terminal.see("(stopped)");
  await terminal.see(PROMPT);
  await terminal.type(`hola${KEY.enter}`);
  await terminal.see(ANSWER);
});

onTerminal("Ctrl-C at the prompt does not end the chat, says how to, and drops the line that was begun", async () => {
  await using world = await createWorld();
  await using terminal = await openChat(world);
  await terminal.type("SECRETO que no quiero decir");
  await terminal.see("decir");
  await terminal.type(KEY.ctrlC);
  await terminal.see("/quit or Ctrl-D leaves");
  await terminal.type(`hola${KEY.enter}`);
  await terminal.see(ANSWER);
  assert.doesNotMatch(lastSaid(world), /SECRETO/);
  assert.match(lastSaid(world), /hola/);
});

onTerminal("the up arrow brings back the line before, and no file keeps it", async () => {
  await using world = await createWorld((models) => ({ ...models, chat: { remember_exchanges: false } }));
  await using home = await temporaryFolder();
  await using terminal = await openChat(world, { env: { HOME: home.path, DENO_DIR: denoDir() } });
  await terminal.type(`una pregunta ZARZAMORA${KEY.enter}`);
  await terminal.see(ANSWER);
  await terminal.see(PROMPT);
  await terminal.type(`${KEY.up} bis${KEY.enter}`);
  await terminal.see(ANSWER);
  assert.match(lastSaid(world), /una pregunta ZARZAMORA bis$/);
  assert.equal(world.ollama.chats.length, 2);
  await terminal.see(PROMPT);
  await terminal.type(KEY.ctrlD);
  await terminal.program.finished;
  for (const folder of [world.folder, home.path]) {
    const args = ["-rlia", "zarzamora", folder];
    const { stdout } = await new Deno.Command("grep", { args }).output();
    assert.equal(new TextDecoder().decode(stdout), "");
  }
});

async function temporaryFolder() {
  const path = await Deno.makeTempDir({ prefix: "django-agent-home-" });
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

/** Where the modules lie; HOME no longer leads there. */
function denoDir(): string {
  const { stdout } = new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).outputSync();
  return JSON.parse(new TextDecoder().decode(stdout)).denoDir;
}

onTerminal("no control character of an answer reaches the terminal, in pieces or whole", async () => {
  await using world = await createWorld();
  const evil = "\u001b]0;EVIL\u0007 \u001b[2J \u009b31m \u001b]52;c;ZXZpbA==\u001b\\ \b\b\r bien";
  world.ollama.next({ kind: "answer", tokens: [evil] }, { kind: "answer", tokens: [...evil] });
  await using terminal = await openChat(world);
  for (let round = 0; round < 2; round++) {
    await terminal.type(`hola${KEY.enter}`);
    await terminal.see("bien\r\n");
    await terminal.see(PROMPT);
  }
  const { printed } = terminal.program;
  for (const control of ["\u001b]", "\u0007", "\u001b[2J", "\u009b", "\b", "\r bien"]) {
    assert.ok(!printed.includes(control), printed);
  }
});

onTerminal("what goes wrong is told with what to do, and the chat goes on", async () => {
  await using world = await createWorld();
  await using terminal = await openChat(world);
  await world.ollama.down();
  await terminal.type(`hola${KEY.enter}`);
  await terminal.see("error: No model could answer");
  await terminal.see("→ ");
  await terminal.see(PROMPT);
  await world.ollama.up();
  await terminal.type(`/mode 3${KEY.enter}`);
  await terminal.see("mode 3\r\n");
  await terminal.type(`¿qué sabes?${KEY.enter}`);
  await terminal.see("No recuerdo nada sobre eso.");
  await terminal.see(PROMPT);
  await terminal.type(KEY.ctrlD);
  assert.equal((await terminal.program.finished).code, 0);
});

onTerminal("/reset that fails is told, and the chat goes on", async () => {
  await using world = await createWorld();
  await world.ollama.down();
  await using terminal = await openChat(world, {}, ["--api", world.ollama.origin]);
  await terminal.type(`/reset${KEY.enter}`);
  await terminal.see("error: Nothing answers at");
  await terminal.see(PROMPT);
  await terminal.type(`/quit${KEY.enter}`);
  assert.equal((await terminal.program.finished).code, 0);
});

onTerminal("a server that dies in the middle of an answer is told, and the chat goes on", async () => {
  await using world = await createWorld();
  const { promise: dies, resolve: die } = Promise.withResolvers<void>();
  await using server = await startDyingServer(dies);
  await using terminal = await openChat(world, {}, ["--api", server.origin]);
  await terminal.type(`cuenta${KEY.enter}`);
  await terminal.see("Había una");
  die();
  await terminal.see("error: The answer broke off");
  await terminal.see(PROMPT);
  await terminal.type(`/quit${KEY.enter}`);
  assert.equal((await terminal.program.finished).code, 0);
});

/** Begins one answer and then closes the connection. */
function startDyingServer(dies: Promise<void>) {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const served = (async () => {
    using connection = await listener.accept();
    await connection.read(new Uint8Array(4096));
    const event = 'event: delta\ndata: {"text":"Había una"}\n\n';
    const size = new TextEncoder().encode(event).length.toString(16);
    const head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    await connection.write(new TextEncoder().encode(`${head}${size}\r\n${event}\r\n`));
    await dies;
  })();
  return {
    origin: `http://127.0.0.1:${listener.addr.port}`,
    async [Symbol.asyncDispose]() {
      listener.close();
      await served.catch(() => {});
    },
  };
}

onTerminal("lines typed while an answer comes are answered after it, in order", async () => {
  await using world = await createWorld();
  world.ollama.next({ kind: "answer", tokens: ["Uno, ", "dos, ", "tres."], gapMs: 300 });
  await using terminal = await openChat(world);
  await terminal.type(`primera${KEY.enter}`);
  await terminal.see("Uno");
  await terminal.type(`segunda${KEY.enter}tercera${KEY.enter}`);
  await until(() => world.ollama.chats.length === 3);
  const asked = world.ollama.chats.map(({ body }) => (body.messages as { content: string }[]).at(-1)?.content ?? "");
  assert.deepEqual(asked.map((text) => /primera|segunda|tercera/.exec(text)?.[0]), ["primera", "segunda", "tercera"]);
  assert.equal(asked.length, 3);
});

onTerminal("what is typed on a terminal is not written into a file that takes the messages", async () => {
  await using world = await createWorld();
  const log = `${world.folder}/log.txt`;
  const program = world.start(["chat"], { terminal: true, redirect: `2>'${log}'`, stdinStaysOpen: true });
  await program.type(`mi secreto ZARZAMORA${KEY.enter}`);
  await program.waitFor(ANSWER);
  await program.type(KEY.ctrlD);
  assert.equal((await program.finished).code, 0);
  assert.doesNotMatch(await Deno.readTextFile(log), /ZARZAMORA/);
  assert.match(program.printed, /ZARZAMORA/, "whoever types sees it");
});

onTerminal("the terminal is as it was after every way to end, a polite request from outside included", async () => {
  const ends: ((terminal: Terminal) => Promise<void>)[] = [
    (terminal) => terminal.type(`/quit${KEY.enter}`),
    (terminal) => terminal.type(KEY.ctrlD),
    async ({ program }) => {
      const shell = await childOf(program.pid);
      Deno.kill(await childOf(shell), "SIGTERM");
    },
  ];
  for (const end of ends) {
    await using world = await createWorld();
    await using terminal = await openChat(world, { redirect: "; stty -a" });
    await end(terminal);
    await terminal.see("icanon");
    const { stdout } = await terminal.program.finished;
    const settings = stdout.slice(stdout.lastIndexOf("speed"));
    for (const wanted of ["icanon", "isig", "icrnl"]) assert.match(settings, new RegExp(`(^|[ ;\n])${wanted}`));
  }
});

/** The only child of a process. */
async function childOf(pid: number): Promise<number> {
  const children = await Deno.readTextFile(`/proc/${pid}/task/${pid}/children`);
  return Number(children.trim().split(" ")[0]);
}
