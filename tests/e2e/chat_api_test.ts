/** `chat --api`: a conversation with a `serve` that runs elsewhere. */
import assert from "node:assert/strict";
import { until } from "../support/rig.ts";
import { SERVE, serve } from "./served.ts";
import { onTerminal } from "../support/terminal.ts";
import { createWorld, KEYS, type World } from "./setup.ts";

const ANSWER = "Hola, soy Django.";
const TOKEN = "0123456789-token-of-the-test";

/** The command runs in a data folder of its own: nothing but HTTP joins it with the server. */
async function chat(world: World, stdin: string, { api, env = {}, args = [] }: {
  readonly api: string;
  readonly env?: Record<string, string>;
  readonly args?: readonly string[];
}) {
  return await world.run(["chat", "--data", "./data/own", "--api", api, ...args], { stdin, env });
}

/** A server that answers every request the same way, on a free port of this machine. */
function answering(respond: (request: Request) => Response | Promise<Response>) {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, respond);
  return {
    origin: `http://127.0.0.1:${server.addr.port}`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

function streaming(text: string): Response {
  return new Response(text, { headers: { "content-type": "text/event-stream" } });
}

Deno.test("chat --api converses with a running serve, whose memory the conversation then is", async () => {
  await using world = await createWorld();
  await using served = await serve(world);
  const { code, stdout, stderr } = await chat(world, "mi gato se llama Ñandú\nhola\n/sources\n", {
    api: served.origin,
  });
  assert.equal(code, 0, stderr);
  assert.equal(stdout, `${ANSWER}\n`.repeat(2));
  assert.match(stderr, /^ollama\/llama3\.2 · mode 2 · \$0 · /);
  assert.match(stderr, /^working {2}terminal/m);
  const stats = await (await served.get("/api/memory/stats")).json();
  assert.deepEqual([stats.working, stats.episodes], [{ conversations: 1, messages: 4 }, 2]);
  const own = [...Deno.readDirSync(`${world.folder}/data/own`)].map(({ name }) => name);
  assert.ok(!own.some((name) => name.startsWith("memory.db")), String(own));
  await chat(world, "/reset\n", { api: `${served.origin}/` });
  assert.equal((await (await served.get("/api/memory/stats")).json()).working.messages, 0);
});

Deno.test("chat --api shows the token of DJANGO_API_TOKEN; without or with a wrong one it ends with 77", async () => {
  await using world = await createWorld();
  await using served = await serve(world, SERVE, { env: { DJANGO_API_TOKEN: TOKEN } });
  const api = served.origin;
  const right = await chat(world, "hola\n", { api, env: { DJANGO_API_TOKEN: TOKEN } });
  assert.deepEqual([right.code, right.stdout], [0, `${ANSWER}\n`], right.stderr);
  for (const env of [{}, { DJANGO_API_TOKEN: "another" }]) {
    const { code, stdout, stderr } = await chat(world, "hola\n", { api, env });
    assert.deepEqual([code, stdout], [77, ""]);
    assert.match(stderr, /^error: .*token/i);
    assert.match(stderr, /DJANGO_API_TOKEN/, "it says what to set");
    assert.ok(!stderr.includes("another"));
  }
  assert.equal(world.ollama.chats.length, 1);
});

Deno.test("chat --api with a token that no header can carry ends with 78, shows nothing of it, and is no fault", async () => {
  await using world = await createWorld();
  await using server = answering(() => new Response());
  const { code, stderr } = await chat(world, "hola\n", { api: server.origin, env: { DJANGO_API_TOKEN: "ñandú ñ" } });
  assert.equal(code, 78, stderr);
  assert.ok(!stderr.includes("ñandú"));
});

Deno.test("chat --api where nobody listens ends with 69 and says what to do", async () => {
  await using world = await createWorld();
  await world.ollama.down();
  const { code, stdout, stderr } = await chat(world, "hola\n", { api: world.ollama.origin });
  assert.deepEqual([code, stdout], [69, ""]);
  assert.match(stderr, /^error: Nothing answers at http:\/\/127\.0\.0\.1:\d+\n→ Start `serve` there/);
});

Deno.test("chat --api refuses what is no address of this network with 64", async () => {
  await using world = await createWorld();
  const refused = [
    "https://example.com",
    "http://8.8.8.8:8000",
    "http://127.0.0.1:8000/api",
    "8000",
    "ftp://127.0.0.1",
  ];
  for (const api of [...refused, "http://user:pass@127.0.0.1:8000", ""]) {
    const { code, stderr } = await chat(world, "hola\n", { api });
    assert.equal(code, 64, `${api}: ${stderr}`);
    assert.ok(!stderr.includes("pass@"), stderr);
  }
});

Deno.test("chat --api to a machine that the sandbox keeps out of reach ends with 77 and the permission that it takes", async () => {
  await using world = await createWorld();
  const { code, stderr } = await chat(world, "hola\n", { api: "http://10.255.255.1:8000" });
  assert.equal(code, 77, stderr);
  assert.match(stderr, /10\.255\.255\.1:8000/);
  assert.match(stderr, /deno\.json|--allow-net/);
});

Deno.test("chat --api ends with the same code as without on what goes wrong over there", async () => {
  await using world = await createWorld();
  await using served = await serve(world);
  await world.ollama.down();
  const gone = await chat(world, "hola\n", { api: served.origin });
  assert.equal(gone.code, 69, gone.stderr);
  assert.match(gone.stderr, /^error: .*No model could answer/);
  const honest = await chat(world, "hola\n", { api: served.origin, args: ["--mode", "3"] });
  assert.deepEqual([honest.code, honest.stdout], [0, "No recuerdo nada sobre eso.\n"]);
});

Deno.test("chat --api says that the answer broke off when the server is killed in the middle of it", async () => {
  await using world = await createWorld((models) => ({ ...models, deadlines: { idle_seconds: 60 } }));
  world.ollama.always({ kind: "answer", tokens: ["Había una", " vez ", "un gato"], gapMs: 60_000 });
  await using served = await serve(world);
  const args = ["chat", "--data", "./data/own", "--api", served.origin];
  const program = world.start(args, { stdin: "cuenta\n" });
  await program.waitFor("Había");
  served.program.kill("SIGKILL");
  const { code, stdout, stderr } = await program.finished;
  assert.deepEqual([code, stdout], [69, "Había una\n"], stderr);
  assert.match(stderr, /^error: The answer broke off\n→ /);
});

Deno.test("chat --api hangs up at the server when it is stopped, which hangs up at the model", async () => {
  await using world = await createWorld((models) => ({ ...models, deadlines: { idle_seconds: 60 } }));
  world.ollama.always({ kind: "answer", tokens: ["Había una", " vez ", "un gato"], gapMs: 60_000 });
  await using served = await serve(world);
  const program = world.start(["chat", "--data", "./data/own", "--api", served.origin], { stdin: "cuenta\n" });
  await program.waitFor("Había");
  program.kill("SIGINT");
  await until(() => world.ollama.chats[0]?.goneAtMs !== undefined);
  const { stderr } = await program.finished;
  assert.match(stderr, /stopped/i);
});

/** What something that is no `serve` may answer. */
const STRANGERS: [string, () => Response][] = [
  ["a page", () => new Response("<h1>It works</h1>", { headers: { "content-type": "text/html" } })],
  ["an empty answer", () => new Response(null, { status: 204 })],
  ["events that are no JSON", () => streaming("event: delta\ndata: {broken\n\n")],
  ["events without what belongs into them", () => streaming("event: delta\ndata: null\n\nevent: done\ndata: {}\n\n")],
  ["events of another program", () => streaming('event: ping\ndata: {"text":"SECRET"}\n\n')],
  ["an error without words", () => new Response("no", { status: 404 })],
  ["a redirect elsewhere", () => Response.redirect("http://127.0.0.1:1/", 307)],
];

for (const [what, respond] of STRANGERS) {
  Deno.test(`chat --api ends with 69, and not with a fault, on ${what}`, async () => {
    await using world = await createWorld();
    await using server = answering(respond);
    const { code, stdout, stderr } = await chat(world, "hola\n", { api: server.origin });
    assert.deepEqual([code, stdout], [69, ""], stderr);
    assert.doesNotMatch(stderr, /Internal error|SECRET/);
  });
}

Deno.test("chat --api counts in the ledger where it went, and asks no proxy", async () => {
  await using world = await createWorld();
  await using proxy = answering(() => new Response("", { status: 500 }));
  await using served = await serve(world);
  const env = { ...KEYS, HTTP_PROXY: proxy.origin, http_proxy: proxy.origin, ALL_PROXY: proxy.origin };
  const { code, stderr } = await chat(world, "hola\n", { api: served.origin, env });
  assert.equal(code, 0, stderr);
  const ledger = JSON.parse(await Deno.readTextFile(`${world.folder}/data/own/egress.json`));
  const [entry] = ledger;
  assert.deepEqual([ledger.length, entry.origin, entry.local], [1, served.origin, true]);
  assert.ok(entry.sent_bytes > 0 && entry.received_bytes > 0, JSON.stringify(entry));
});

onTerminal(
  "chat --api shows a terminal nothing but text, whatever the server sends",
  async () => {
    await using world = await createWorld();
    const evil = "\u001b]0;EVIL\u0007\u001b[2J\u009b31m";
    const answer = {
      content: evil,
      silent: false,
      cognitive_mode: 2,
      provider: `ollama${evil}`,
      model: evil,
      fallback: false,
      knowledge_sources: [{ kind: "web", source: evil, id: null, heading: evil }],
      cost_usd: 0,
      latency_ms: 1,
    };
    const events = [["delta", { text: evil }], ["done", answer]] as const;
    const body = events.map(([name, data]) => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`).join("");
    await using server = answering(() => streaming(body));
    const args = ["chat", "--data", "./data/own", "--api", server.origin];
    const program = world.start(args, { terminal: true, stdinStaysOpen: true });
    await program.waitFor("› ");
    await program.type("hola\r");
    await program.waitFor("mode 2");
    await program.type("/sources\r");
    await program.waitFor("web ");
    await program.type("/quit\r");
    const { stdout } = await program.finished;
    for (const control of ["\u001b]0", "\u0007", "\u001b[2J", "\u009b"]) assert.ok(!stdout.includes(control), stdout);
  },
);
