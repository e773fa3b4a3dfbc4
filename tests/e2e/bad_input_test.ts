import assert from "node:assert/strict";
import type { Behaviour } from "../support/fake_provider.ts";
import { writeModels } from "../support/program.ts";
import { createWorld } from "./setup.ts";

Deno.test("wrong usage exits 64 and says what would be right", async (t) => {
  await using world = await createWorld();
  const cases: [string, string[], RegExp][] = [
    ["empty prompt", ["ask", ""], /prompt is empty/],
    ["blank prompt", ["ask", "  \n"], /prompt is empty/],
    ["unknown role", ["ask", "hi", "--role", "poet"], /identity_core/],
    ["role that does not chat", ["ask", "hi", "--role", "embeddings"], /Allowed choices/],
    ["unknown model", ["ask", "hi", "--model", "ollama/nope"], /Use one of: ollama\/llama3\.2/],
    ["unknown flag", ["ask", "hi", "--sytem", "x"], /Did you mean "--system"/],
    ["unknown command", ["aks"], /unknown command/],
    ["too many arguments", ["ask", "hello", "world"], /too many arguments/],
    ["temperature that is no number", ["ask", "hi", "--temperature", "hot"], /number from 0 to 2/],
    ["no tokens at all", ["ask", "hi", "--max-tokens", "0"], /whole number above 0/],
    ["unknown provider to test", ["models", "test", "nope"], /Use one of: ollama, groq, gemini/],
    ["unknown role to assign", ["models", "assign", "poet", "ollama/small"], /Use one of: identity_core/],
  ];
  for (const [what, args, wanted] of cases) {
    await t.step(what, async () => {
      const { code, stdout, stderr } = await world.run(args);
      assert.equal(code, 64, stderr);
      assert.equal(stdout, "");
      assert.match(stderr, wanted);
    });
  }
  assert.equal(world.ollama.chats.length, 0);
});

Deno.test("an unknown profile is refused, and the profiles there are are named", async () => {
  await using world = await createWorld();
  for (
    const [args, wanted] of [[["ask", "hi", "--profile", "nope"], 64], [["models", "profile", "nope"], 78]] as const
  ) {
    const { code, stderr } = await world.run(args);
    assert.equal(code, wanted, stderr);
    assert.match(stderr, /privacy_mode/);
  }
});

Deno.test("standard input that is not UTF-8 exits 65", async () => {
  await using world = await createWorld();
  const { code, stderr } = await world.run(["ask", "-"], { stdin: new Uint8Array([0x48, 0xff, 0xfe]) });
  assert.equal(code, 65);
  assert.match(stderr, /not UTF-8/);
});

Deno.test("a prompt larger than every model exits 65, whether Ollama or the router refuses it", async () => {
  await using world = await createWorld();
  for (const words of [9_000, 400_000]) {
    const { code, stderr } = await world.run(["ask", "-"], { stdin: "palabra ".repeat(words) });
    assert.equal(code, 65, stderr);
    assert.match(stderr, /too large for every model/);
  }
});

Deno.test("a models.json that cannot be used exits 78 and says where and what to do", async (t) => {
  await using world = await createWorld();
  const file = `${world.folder}/config/models.json`;
  const cases: [string, () => Promise<unknown>, RegExp][] = [
    ["empty", () => writeModels(world.folder, ""), /models\.json/],
    ["half-written", () => writeModels(world.folder, '{ "profile": "priv'), /line 1/],
    ["deeply nested", () => writeModels(world.folder, '{"a":'.repeat(50_000)), /nested|deep/i],
    ["50 MB", () => Deno.truncate(file, 50_000_000), /large|MiB|bytes/],
    ["a folder", () => Deno.remove(file).then(() => Deno.mkdir(file)), /folder|directory/],
  ];
  for (const [what, prepare, wanted] of cases) {
    await t.step(what, async () => {
      await prepare();
      const { code, stderr } = await world.run(["ask", "hi"]);
      assert.equal(code, 78, stderr);
      assert.match(stderr, wanted);
      assert.match(stderr, /→/);
    });
  }
});

Deno.test("a provider that sends rubbish: a clear error, never a hang and never the rubbish itself", async (t) => {
  await using world = await createWorld((models) => ({
    ...models,
    profiles: { privacy_mode: { local_only: true, fallback_chain: ["ollama/llama3.2"] } },
  }));
  const cases: [Behaviour, number][] = [
    [{ kind: "html" }, 69],
    [{ kind: "empty" }, 69],
    [{ kind: "gzip_garbage" }, 69],
    [{ kind: "endless_headers" }, 69],
    [{ kind: "endless_body" }, 69],
    [{ kind: "big_line", bytes: 10_000_000 }, 69],
    [{ kind: "malformed", after: 0 }, 69],
    [{ kind: "silence" }, 75],
    [{ kind: "redirect", to: "http://127.0.0.1:1/" }, 69],
    [{ kind: "status", status: 500 }, 69],
    [{ kind: "status", status: 503 }, 69],
    [{ kind: "status", status: 401 }, 77],
    [{ kind: "status", status: 404 }, 69],
  ];
  for (const [behaviour, wanted] of cases) {
    await t.step(behaviour.kind + ("status" in behaviour ? ` ${behaviour.status}` : ""), async () => {
      world.ollama.always(behaviour);
      const { code, stdout, stderr } = await world.run(["ask", "hi"]);
      assert.equal(code, wanted, stderr);
      assert.equal(stdout, "");
      assert.match(stderr, /ollama\/llama3\.2: failed/);
      assert.ok(stderr.length < 2000 && !/<html|SECRET-CONTENT/i.test(stderr), stderr);
    });
  }
});

Deno.test("a --config folder without models.json is a mistake, not a reason to use other settings", async () => {
  await using world = await createWorld();
  for (const [dir, wanted] of [["nowhere", 78], ["", 64]] as const) {
    const { code, stderr } = await world.run(["ask", "hi", "--config", dir]);
    assert.equal(code, wanted, stderr);
  }
  assert.equal(world.ollama.chats.length, 0);
});

Deno.test({
  name: "output that cannot be written is told in a line",
  ignore: Deno.build.os !== "linux", // only there is a device that is always full
  fn: async () => {
    await using world = await createWorld();
    for (const args of [["ask", "hi"], ["ask", "hi", "--json"], ["models"], ["--help"], ["--version"]]) {
      const { code, stderr } = await world.run(args, { stdoutFile: "/dev/full" });
      assert.equal(code, 75, stderr);
      assert.match(stderr, /^error: Cannot write the result: /m);
      assert.ok(!/Internal|Uncaught|\n +at /.test(stderr), stderr);
    }
  },
});

Deno.test("a pipe in the place of the egress ledger costs a warning and no hang", async () => {
  await using world = await createWorld();
  await Deno.mkdir(`${world.folder}/data`);
  await new Deno.Command("mkfifo", { args: [`${world.folder}/data/egress.json`] }).output();
  const { code, stdout, stderr } = await world.run(["ask", "hi"]);
  assert.deepEqual({ code, stdout }, { code: 0, stdout: "Hola, soy Django." });
  assert.match(stderr, /Cannot write the egress ledger .*not a plain file/);
});

Deno.test("text that is no text is a broken answer, not an answer", async () => {
  await using world = await createWorld();
  const body = JSON.stringify({ message: { role: "assistant", content: 5 }, done: true, done_reason: "stop" });
  const head = "HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson\r\nconnection: close\r\n\r\n";
  world.ollama.always({ kind: "raw", bytes: `${head}${body}\n` });
  const { code, stdout, stderr } = await world.run(["ask", "hi"]);
  assert.deepEqual({ code, stdout }, { code: 69, stdout: "" });
  assert.match(stderr, /failed, protocol/);
});

Deno.test("an empty answer is told on stderr", async () => {
  await using world = await createWorld();
  world.ollama.always({ kind: "answer", tokens: [] });
  const { code, stdout, stderr } = await world.run(["ask", "hi"]);
  assert.deepEqual({ code, stdout }, { code: 0, stdout: "" });
  assert.match(stderr, / · an empty answer/);
});

Deno.test("a model that only makes vectors cannot be asked, and a cloud model of Ollama not from here", async () => {
  await using world = await createWorld(({ providers, ...models }) => {
    providers.ollama.models["embed"] = { context: 2048, embeddings: true };
    providers.ollama.models["big:cloud"] = { context: 2048 };
    return { ...models, providers };
  });
  const vectors = await world.run(["ask", "hi", "--model", "ollama/embed"]);
  assert.equal(vectors.code, 64, vectors.stderr);
  const cloud = await world.run(["ask", "hi", "--model", "ollama/big:cloud"]);
  assert.equal(cloud.code, 77, cloud.stderr);
  assert.equal(world.ollama.requests.length, 0);
});

Deno.test("--json answers wrong arguments with a document too", async () => {
  await using world = await createWorld();
  const { code, stdout } = await world.run(["ask", "hi", "--json", "--bogus"]);
  assert.equal(code, 64);
  assert.equal(JSON.parse(stdout).error.exit_code, 64);
});
