import assert from "node:assert/strict";
import { writeModels } from "../support/program.ts";
import { createWorld, KEYS } from "./setup.ts";

const ANSWER = "Hola, soy Django.";

Deno.test("ask streams the answer of Ollama, byte for byte, and tells who answered on stderr", async () => {
  await using world = await createWorld();
  const { code, stdout, stderr } = await world.run(["ask", "Hola, ¿quién eres?"]);
  assert.equal(code, 0, stderr);
  assert.equal(stdout, ANSWER);
  assert.match(stderr, /^ollama\/llama3\.2 · \d+ \+ \d+ tokens · \$0 · [\d.]+ m?s, first token [\d.]+ m?s\n$/);
  const [chat] = world.ollama.chats;
  assert.deepEqual(chat?.body.messages, [{ role: "user", content: "Hola, ¿quién eres?" }]);
});

Deno.test("ask prints the first words before the answer is complete", async () => {
  await using world = await createWorld();
  world.ollama.always({ kind: "answer", tokens: ["uno ", "dos ", "tres"], gapMs: 400 });
  const program = world.start(["ask", "Cuenta"]);
  await program.waitFor("uno ");
  assert.ok(!program.printed.includes("tres"));
  const { code, stdout } = await program.finished;
  assert.deepEqual({ code, stdout }, { code: 0, stdout: "uno dos tres" });
});

Deno.test("ask passes its options on", async () => {
  await using world = await createWorld();
  const options = ["--system", "Sé breve", "--temperature", "0.5", "--max-tokens", "7", "--model", "ollama/small"];
  const { code, stderr } = await world.run(["ask", "Hola", ...options]);
  assert.equal(code, 0, stderr);
  const [chat] = world.ollama.chats;
  assert.equal(chat?.model, "small");
  assert.deepEqual(chat?.body.messages, [{ role: "system", content: "Sé breve" }, { role: "user", content: "Hola" }]);
  assert.deepEqual(chat?.body.options, { num_ctx: 4096, temperature: 0.5, num_predict: 7 });
});

Deno.test("ask reads - and a pipe from standard input", async () => {
  await using world = await createWorld();
  for (const args of [["ask", "-"], ["ask"]]) {
    const { code, stderr } = await world.run(args, { stdin: "¿Qué tal?\n" });
    assert.equal(code, 0, stderr);
  }
  assert.deepEqual(world.ollama.chats.map(({ body }) => (body.messages as { content: string }[])[0]?.content), [
    "¿Qué tal?\n",
    "¿Qué tal?\n",
  ]);
});

Deno.test("ask --json prints one document with counts, cost and attempts", async () => {
  await using world = await createWorld();
  const { code, stdout } = await world.run(["ask", "Hola", "--json"]);
  assert.equal(code, 0);
  const response = JSON.parse(stdout);
  assert.equal(response.content, ANSWER);
  assert.equal(response.cost_usd, 0);
  assert.equal(response.usage.source, "provider");
  assert.deepEqual(response.attempts.map(({ outcome }: { outcome: string }) => outcome), ["ok"]);
});

Deno.test("an answer cut half-way ends in an error when it was shown, and starts anew elsewhere when it was not", async () => {
  await using world = await createWorld();
  world.ollama.always({ kind: "cut", after: 2 });
  const shown = await world.run(["ask", "Hola", "--cloud", "--profile", "balanced"]);
  assert.equal(shown.stdout, "Hola, soy");
  assert.equal(shown.code, 69);
  assert.match(shown.stderr, /not complete/);
  assert.equal(world.groq.chats.length, 0);

  const whole = await world.run(["ask", "Hola", "--cloud", "--profile", "balanced", "--no-stream"]);
  assert.equal(whole.code, 0, whole.stderr);
  assert.equal(whole.stdout, ANSWER);
  assert.match(whole.stderr, /^groq\/openai\/gpt-oss-120b .* fallback: ollama\/llama3\.2 /);
});

Deno.test("Ollama killed in the middle of an answer: the error says so and nothing hangs", async () => {
  await using world = await createWorld();
  world.ollama.always({ kind: "answer", tokens: ["uno ", "dos ", "tres"], gapMs: 2000 });
  const program = world.start(["ask", "Cuenta"]);
  await program.waitFor("uno ");
  await world.ollama.down();
  const { code, stdout, stderr } = await program.finished;
  assert.equal(code, 69);
  assert.equal(stdout, "uno ");
  assert.match(stderr, /not complete/);
  assert.match(stderr, /ollama\/llama3\.2: failed, protocol/);
});

Deno.test("with --cloud a dead Ollama is replaced by Groq, and a dead Groq by Gemini", async () => {
  await using world = await createWorld();
  await world.ollama.down();
  const args = ["ask", "Hola", "--cloud", "--profile", "balanced"];
  const first = await world.run(args);
  assert.equal(first.code, 0, first.stderr);
  assert.match(first.stderr, /^groq\/openai\/gpt-oss-120b · \d+ \+ \d+ tokens · \$0\.0000\d\d /);
  await world.groq.down();
  const second = await world.run(args);
  assert.equal(second.code, 0, second.stderr);
  assert.match(second.stderr, /^gemini\/gemini-3\.5-flash-lite /);
  assert.equal(second.stdout, ANSWER);
});

Deno.test("without --cloud no cloud is contacted, whatever profile and keys say", async () => {
  await using world = await createWorld();
  await world.ollama.down();
  for (const profile of ["privacy_mode", "balanced"]) {
    const { code, stderr } = await world.run(["ask", "Hola", "--profile", profile]);
    assert.equal(code, 69);
    assert.match(stderr, /ollama\/llama3\.2: failed, unavailable/);
  }
  const explicit = await world.run(["ask", "Hola", "--model", "groq/openai/gpt-oss-120b"]);
  assert.equal(explicit.code, 77);
  assert.match(explicit.stderr, /--cloud/);
  assert.equal(world.groq.connections + world.gemini.connections, 0);
});

Deno.test("with --cloud a local_only profile still contacts no cloud", async () => {
  await using world = await createWorld();
  await world.ollama.down();
  const { code } = await world.run(["ask", "Hola", "--cloud"]);
  assert.equal(code, 69);
  assert.equal(world.groq.connections + world.gemini.connections, 0);
});

Deno.test("a missing key is named, with what to do", async () => {
  await using world = await createWorld();
  const args = ["ask", "Hola", "--cloud", "--profile", "balanced", "--model", "groq/openai/gpt-oss-120b"];
  const { code, stderr } = await world.run(args, { env: {} });
  assert.equal(code, 77);
  assert.match(stderr, /GROQ_API_KEY is not set → Put GROQ_API_KEY=… into \.env/);
});

Deno.test("keys may stand in .env", async () => {
  await using world = await createWorld();
  await Deno.writeTextFile(`${world.folder}/.env`, `GROQ_API_KEY=${KEYS.GROQ_API_KEY}\n`);
  const args = ["ask", "Hola", "--cloud", "--profile", "balanced", "--model", "groq/openai/gpt-oss-120b"];
  const { code, stderr } = await world.run(args, { env: {} });
  assert.equal(code, 0, stderr);
  assert.equal(world.groq.chats[0]?.headers.get("authorization"), `Bearer ${KEYS.GROQ_API_KEY}`);
});

Deno.test("no key appears in any output, whatever goes wrong", async () => {
  await using world = await createWorld();
  world.groq.always({ kind: "status", status: 401 });
  world.gemini.always({ kind: "status", status: 500, body: `no: ${KEYS.GEMINI_API_KEY} SECRET-CONTENT` });
  await world.ollama.down();
  for (const more of [[], ["--json"]]) {
    const args = ["ask", "SECRET-CONTENT", "--cloud", "--profile", "balanced", ...more];
    const { code, stdout, stderr } = await world.run(args, { env: { ...KEYS, DJANGO_LOG_LEVEL: "debug" } });
    assert.notEqual(code, 0);
    assert.ok(!/SECRET/.test(stdout + stderr), stdout + stderr);
  }
});

Deno.test("a profile switched and models.json edited while a call is in flight: the call finishes as it began", async () => {
  await using world = await createWorld((models) => ({
    ...models,
    profiles: { ...models.profiles, small: { local_only: true, fallback_chain: ["ollama/small"] } },
  }));
  world.ollama.always({ kind: "answer", tokens: ["uno ", "dos ", "tres"], gapMs: 700 });
  const running = world.start(["ask", "Cuenta"]);
  await running.waitFor("uno ");
  const switched = await world.run(["models", "profile", "small"]);
  assert.equal(switched.code, 0, switched.stderr);
  const { code, stdout, stderr } = await running.finished;
  assert.deepEqual({ code, stdout }, { code: 0, stdout: "uno dos tres" });
  assert.match(stderr, /^ollama\/llama3\.2 /);

  const next = world.start(["ask", "Cuenta"]);
  await next.waitFor("uno ");
  await writeModels(world.folder, "{ broken");
  assert.equal((await next.finished).code, 0);
  assert.match((await next.finished).stderr, /^ollama\/small /);
  assert.equal((await world.run(["ask", "Cuenta"])).code, 78);
});

Deno.test("Ctrl-C ends the call at Ollama too, and is no success", async () => {
  await using world = await createWorld();
  world.ollama.always({ kind: "answer", tokens: ["uno ", "dos"], gapMs: 60_000 });
  const program = world.start(["ask", "Cuenta"]);
  await program.waitFor("uno ");
  program.kill("SIGINT");
  const { code, stdout } = await program.finished;
  assert.deepEqual({ code, stdout }, { code: 130, stdout: "uno " });
  assert.notEqual(world.ollama.chats[0]?.goneAtMs, undefined);
});

Deno.test("a reader that goes away ends the program quietly", async () => {
  await using world = await createWorld();
  world.ollama.always({
    kind: "answer",
    tokens: Array.from({ length: 20_000 }, (_, n) => `${n} `.padEnd(40)),
    batch: 50,
  });
  const child = world.start(["ask", "Cuenta"], { closeStdoutAfter: "10 " });
  const { code, stderr } = await child.finished;
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
});

Deno.test("a key that cannot be one costs its provider, not the answer", async () => {
  await using world = await createWorld();
  const args = ["ask", "Hola", "--cloud", "--profile", "balanced", "--model", "gemini/gemini-3.5-flash-lite"];
  const refused = await world.run(args, { env: { ...KEYS, GEMINI_API_KEY: "…" } });
  assert.equal(refused.code, 77, refused.stderr);
  assert.match(refused.stderr, /GEMINI_API_KEY holds characters that no key has/);
  await world.ollama.down();
  const other = await world.run(args.slice(0, -2), { env: { ...KEYS, GROQ_API_KEY: "…" } });
  assert.equal(other.code, 0, other.stderr);
  assert.match(other.stderr, /^gemini\//);
});

Deno.test("who is asked stands in the ledger before the answer, even when the run is killed", async () => {
  await using world = await createWorld();
  world.ollama.always({ kind: "answer", tokens: ["uno ", "dos"], gapMs: 60_000 });
  for (const signal of ["SIGKILL", "SIGHUP"] as const) {
    const program = world.start(["ask", "Cuenta"]);
    await program.waitFor("uno ");
    program.kill(signal);
    await program.finished;
  }
  const entries = JSON.parse(await Deno.readTextFile(`${world.folder}/data/egress.json`));
  assert.equal(entries[0].origin, world.ollama.origin);
  assert.ok(entries[0].requests >= 3, JSON.stringify(entries)); // the killed run's first, and both of the other's
});
