import assert from "node:assert/strict";
import { runDoctor } from "../../src/cli/doctor.ts";
import { examine } from "../../src/cli/doctor_examine.ts";
import type { Finding } from "../../src/cli/doctor_finding.ts";
import { ResultError } from "../../src/cli/result_error.ts";
import { EXIT } from "../../src/core/errors.ts";
import { startFakeOllama } from "../support/fake_ollama.ts";
import { CONTEXT, diagnose, find, type Home, inHome, modelsOf } from "./doctor_home.ts";

const ALL = ["llama3.2", "qwen3.5:2b", "embeddinggemma"];
const KEYS = "GROQ_API_KEY_OF_DOCTOR=gsk-hidden\nGEMINI_API_KEY_OF_DOCTOR=AIza-hidden\n";

/** An Ollama with nothing to complain about. */
function startGoodOllama(options: Parameters<typeof startFakeOllama>[0] = {}) {
  const ollama = startFakeOllama(options);
  ollama.setResident(ALL, CONTEXT);
  return ollama;
}

function troubles(findings: readonly Finding[]): string[] {
  return findings.filter(({ status, name }) => status !== "ok" && name !== "seal").map(({ name }) => name);
}

Deno.test("doctor has nothing to say where all is well", async () => {
  await using ollama = startGoodOllama();
  const findings = await diagnose({ models: modelsOf(ollama.origin), env: "" });
  assert.deepEqual(troubles(findings), []);
  assert.deepEqual(findings.map(({ name }) => name), [
    "configuration",
    ".env",
    "roles",
    "key of groq",
    "key of gemini",
    "provider home",
    "version of home",
    "cloud of home",
    "model home/llama3.2",
    "context of home/llama3.2",
    "model home/qwen3.5:2b",
    "context of home/qwen3.5:2b",
    "model home/embeddinggemma",
    "context of home/embeddinggemma",
    "prompts",
    "memory database",
    "bot",
    "seal",
    "proxies",
    "telemetry",
    "configuration folder",
    "data folder",
    "free disk",
    "usage database",
  ]);
  assert.ok(find(findings, "provider home").detail.includes(ollama.origin));
  assert.match(find(findings, "configuration").detail, /profile private \(local only\)/);
  assert.equal(ollama.chats.length, 0);
});

Deno.test("doctor looks at the memory that is there, and leaves none where there is none", async () => {
  await using ollama = startGoodOllama();
  const fresh = await diagnose({ models: modelsOf(ollama.origin) });
  assert.match(find(fresh, "memory database").detail, /comes with the first exchange/);
  assert.equal(find(fresh, "prompts").status, "ok");
  const broken = await inHome({ models: modelsOf(ollama.origin) }, async (session) => {
    await Deno.mkdir("config/prompts");
    await Deno.writeTextFile("config/prompts/texts.es.json", '{ "nwo": "x" }');
    await Deno.mkdir("data");
    await Deno.writeTextFile("data/memory.db", "somebody's letter ".repeat(300));
    return await Array.fromAsync(examine(session, { deep: false, progress: () => {} }));
  });
  const database = find(broken, "memory database"); // set aside, and begun anew
  assert.equal(database.status, "ok");
  const prompts = find(broken, "prompts");
  assert.deepEqual([prompts.status, prompts.exitCode], ["fail", EXIT.config]);
  assert.match(prompts.detail, /texts\.es\.json[^]*nwo/);
});

Deno.test("doctor says where mode 1 searches the web", async () => {
  await using ollama = startGoodOllama();
  const models = modelsOf(ollama.origin, { chat: { searxng_url: "http://127.0.0.1:8888" } });
  const { status, detail } = find(await diagnose({ models }), "web search");
  assert.deepEqual([status, detail], ["ok", "mode 1 asks http://127.0.0.1:8888"]);
});

Deno.test("doctor says that nothing is enforced under --no-sandbox", async () => {
  await using ollama = startGoodOllama();
  const { status, detail } = find(await diagnose({ models: modelsOf(ollama.origin) }), "seal");
  assert.deepEqual([status, /not sealed/.test(detail)], ["warn", true]);
});

Deno.test("doctor goes on with the rest when Ollama is down", async () => {
  await using ollama = startGoodOllama();
  await ollama.down();
  const findings = await diagnose({ models: modelsOf(ollama.origin) });
  const { status, exitCode, detail, remedy } = find(findings, "provider home");
  assert.deepEqual([status, exitCode], ["fail", EXIT.unavailable]);
  assert.ok(detail.includes(ollama.origin));
  assert.match(remedy ?? "", /ollama serve/);
  assert.deepEqual(troubles(findings), ["provider home"]);
  assert.equal(find(findings, "data folder").status, "ok");
});

Deno.test("doctor does not wait for an Ollama that never answers", async () => {
  await using ollama = startGoodOllama();
  ollama.on("/api/version", { kind: "silence" });
  const findings = await diagnose({ models: modelsOf(ollama.origin) }, { answerMs: 40 });
  const { status, detail, exitCode } = find(findings, "provider home");
  assert.deepEqual([status, exitCode], ["fail", EXIT.unavailable]);
  assert.match(detail, /within 40 ms/);
  assert.equal(find(findings, "free disk").status, "ok");
});

Deno.test("doctor only warns about an Ollama that the profile asks after others, or not at all", async () => {
  await using ollama = startGoodOllama();
  await ollama.down();
  const home: Home = { models: modelsOf(ollama.origin), env: KEYS, cloud: true };
  for (const profile of ["mixed", "remote"]) {
    assert.equal(find(await diagnose(home, { profile }), "provider home").status, "warn", profile);
  }
});

Deno.test("doctor names the line that pulls a missing model", async () => {
  await using ollama = startFakeOllama({ models: ["mistral"] });
  const findings = await diagnose({ models: modelsOf(ollama.origin) });
  assert.deepEqual(
    ["llama3.2", "qwen3.5:2b", "embeddinggemma"].map((model) => {
      const { status, remedy, exitCode } = find(findings, `model home/${model}`);
      return [status, remedy, exitCode];
    }),
    [
      ["fail", "Run: ollama pull llama3.2", EXIT.unavailable],
      ["warn", "Run: ollama pull qwen3.5:2b", EXIT.ok],
      ["warn", "Run: ollama pull embeddinggemma", EXIT.ok],
    ],
  );
});

Deno.test("doctor warns of an Ollama that would cut long prompts", async () => {
  const expected = {
    "0.12.3": "warn",
    "0.9.10": "warn",
    "0.12.4": "ok",
    "0.12.4-rc1": "ok",
    "0.13.0": "ok",
    "1.0": "ok",
  };
  for (const [version, status] of Object.entries(expected)) {
    await using ollama = startGoodOllama({ version });
    const finding = find(await diagnose({ models: modelsOf(ollama.origin) }), "version of home");
    assert.equal(finding.status, status, version);
    assert.ok(finding.detail.startsWith(version));
  }
});

Deno.test("doctor wants Ollama's own cloud switched off", async () => {
  await using open = startGoodOllama({ cloudDisabled: false });
  await using unsure = startGoodOllama();
  unsure.on("/api/status", { kind: "status", status: 404 });
  for (const ollama of [open, unsure]) {
    const { status, remedy } = find(await diagnose({ models: modelsOf(ollama.origin) }), "cloud of home");
    assert.equal(status, "warn");
    assert.match(remedy ?? "", /OLLAMA_NO_CLOUD=1/);
  }
});

Deno.test("doctor refuses a model that Ollama runs in somebody's cloud", async () => {
  const stub = { name: "llama3.2", remote_host: "https://ollama.com:443", remote_model: "llama3.2" };
  await using ollama = startFakeOllama({ models: [stub] });
  const models = modelsOf(ollama.origin);
  const renamed = find(await diagnose({ models }), "model home/llama3.2");
  const named = await diagnose({ models }, { profile: "proxied" });
  for (const { status, exitCode, detail } of [renamed, find(named, "model home/gpt-oss:20b-cloud")]) {
    assert.deepEqual([status, exitCode], ["fail", EXIT.config]);
    assert.match(detail, /cloud/);
  }
  // With --cloud and a profile that is not local_only the router would let it pass.
  const allowed = await diagnose({ models, cloud: true }, { profile: "proxied" });
  assert.equal(find(allowed, "model home/gpt-oss:20b-cloud").status, "warn");
  assert.ok(ollama.requests.every(({ path }) => path !== "/api/show"), "a question about it would go to that cloud");
});

Deno.test("doctor compares the configured context with the model's largest and with the loaded one", async () => {
  await using ollama = startFakeOllama({ models: [{ name: "llama3.2", maxContextTokens: 1024 }, "qwen3.5:2b"] });
  ollama.setResident(["qwen3.5:2b"], 4096);
  const findings = await diagnose({ models: modelsOf(ollama.origin) });
  const large = find(findings, "context of home/llama3.2");
  assert.equal(large.status, "warn");
  assert.match(large.detail, /2048 .*1024/);
  const loaded = find(findings, "context of home/qwen3.5:2b");
  assert.equal(loaded.status, "warn");
  assert.match(loaded.detail, /4096 .*2048.* loads the model anew/);
});

Deno.test("doctor says where models.json and Ollama do not agree on whether a model sees", async () => {
  const models = [{ name: "llama3.2", capabilities: ["completion", "vision"] }, { name: "qwen3.5:2b" }];
  await using ollama = startFakeOllama({ models });
  const findings = await diagnose({ models: modelsOf(ollama.origin) });
  const could = find(findings, "pictures for home/llama3.2");
  assert.equal(could.status, "ok");
  assert.match(could.detail, /"vision": true/);
  assert.equal(find(findings, "pictures for home/qwen3.5:2b").status, "warn");
});

Deno.test("doctor misses a key only when the cloud is asked for and the profile needs it", async () => {
  await using ollama = startGoodOllama();
  const models = modelsOf(ollama.origin);
  const status = async (home: Home, profile: string) => {
    const { status, exitCode } = find(await diagnose({ models, ...home }, { profile }), "key of groq");
    return [status, exitCode];
  };
  assert.deepEqual(await status({ cloud: true }, "mixed"), ["fail", EXIT.permission]);
  assert.deepEqual(await status({ cloud: true }, "private"), ["ok", EXIT.ok]);
  assert.deepEqual(await status({ cloud: false }, "mixed"), ["ok", EXIT.ok]);
});

Deno.test("doctor tells which keys are there and what Gemini may do, and shows none of them", async () => {
  await using ollama = startGoodOllama();
  const findings = await diagnose({ models: modelsOf(ollama.origin), env: KEYS });
  assert.match(find(findings, "key of groq").detail, /^GROQ_API_KEY_OF_DOCTOR is set/);
  assert.match(find(findings, "key of gemini").detail, /free tier Google may use what is sent/);
  assert.doesNotMatch(JSON.stringify(findings), /hidden/);
});

Deno.test("doctor says when no model may be asked at all", async () => {
  await using ollama = startGoodOllama();
  const findings = await diagnose({ models: modelsOf(ollama.origin) }, { profile: "remote" });
  const { status, exitCode, remedy } = find(findings, "roles");
  assert.deepEqual([status, exitCode], ["fail", EXIT.permission]);
  assert.match(remedy ?? "", /--cloud/);
});

Deno.test("doctor lists every problem of a broken models.json as one check and goes on", async () => {
  const models = modelsOf("http://127.0.0.1:9", { profile: "nowhere", fallback_chain: ["home/unknown"], typo: 1 });
  const findings = await diagnose({ models });
  const { status, exitCode, detail, remedy } = find(findings, "configuration");
  assert.deepEqual([status, exitCode], ["fail", EXIT.config]);
  for (const part of ["nowhere", "unknown", "typo"]) assert.ok(detail.includes(part), part);
  assert.ok(remedy);
  assert.deepEqual(findings.filter(({ status }) => status === "fail").length, 1);
  assert.equal(find(findings, "models").status, "warn");
  assert.equal(find(findings, "data folder").status, "ok");
});

Deno.test("doctor names the problems of models.json and of .env in one run", async () => {
  const findings = await diagnose({ models: "{", env: "this is private\n" });
  for (const name of ["configuration", ".env"]) {
    const { status, exitCode } = find(findings, name);
    assert.deepEqual([status, exitCode], ["fail", EXIT.config], name);
  }
  assert.doesNotMatch(JSON.stringify(findings), /this is private/);
});

Deno.test("doctor reports a profile that does not exist", async () => {
  await using ollama = startGoodOllama();
  const findings = await diagnose({ models: modelsOf(ollama.origin) }, { profile: "nowhere" });
  const { status, exitCode, detail } = find(findings, "configuration");
  assert.deepEqual([status, exitCode], ["fail", EXIT.usage]);
  assert.match(detail, /nowhere/);
});

Deno.test("doctor fails on a data folder that cannot be written", async () => {
  await using ollama = startGoodOllama();
  const models = modelsOf(ollama.origin);
  for (const dataDir of ["config/models.json", "config/models.json/data"]) {
    const findings = await diagnose({ models, dataDir });
    const { status, exitCode, detail } = find(findings, "data folder");
    assert.deepEqual([status, exitCode], ["fail", EXIT.permission]);
    assert.ok(detail.includes(dataDir));
    assert.equal(find(findings, "free disk").status, "ok");
  }
});

Deno.test("doctor leaves nothing behind in the folders it tried", async () => {
  await using ollama = startGoodOllama();
  await inHome({ models: modelsOf(ollama.origin) }, async (session) => {
    await runCommand(session, {});
    const names = (folder: string) => [...Deno.readDirSync(folder)].map(({ name }) => name);
    assert.deepEqual([names("config"), names("data").sort()], [["models.json"], ["egress.json", "egress.json.lock"]]);
  });
});

Deno.test({
  name: "doctor warns of a .env that others may read",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    await using ollama = startGoodOllama();
    const models = modelsOf(ollama.origin);
    const { status, detail, remedy } = find(await diagnose({ models, env: KEYS, envMode: 0o644 }), ".env");
    assert.deepEqual([status, remedy], ["warn", "chmod 600 .env"]);
    assert.match(detail, /644/);
  },
});

/** Runs the command; with what it wrote to standard output and the error it ended in. */
async function runCommand(...args: Parameters<typeof runDoctor>) {
  const written: Uint8Array[] = [];
  const { writeSync, isTerminal } = Deno.stdout;
  Deno.stdout.isTerminal = () => false;
  Deno.stdout.writeSync = (bytes) => {
    written.push(bytes.slice());
    return bytes.length;
  };
  try {
    await runDoctor(...args);
    return { output: await new Blob(written as BlobPart[]).text(), error: undefined };
  } catch (error) {
    return { output: await new Blob(written as BlobPart[]).text(), error };
  } finally {
    Object.assign(Deno.stdout, { writeSync, isTerminal });
  }
}

Deno.test("doctor prints a line a check, with the remedy after an arrow on the next", async () => {
  await using ollama = startFakeOllama({ models: ["qwen3.5:2b", "embeddinggemma"], version: "0.12.3\u001b[2J" });
  const { output, error } = await inHome({ models: modelsOf(ollama.origin) }, (session) => runCommand(session, {}));
  assert.match(output, /^✓ ok {4}configuration: /);
  assert.match(output, /\n✗ fail {2}model home\/llama3\.2: [^\n]+\n {8}→ Run: ollama pull llama3\.2\n/);
  assert.match(output, /\n! warn {2}version of home: [^\n]+\n {8}→ Update Ollama/);
  assert.ok(!output.includes("\u001b"));
  assert.ok(error instanceof ResultError);
  assert.equal(error.exitCode, EXIT.unavailable);
});

Deno.test("doctor --json prints one document and nothing else", async () => {
  await using ollama = startFakeOllama({ models: ["qwen3.5:2b", "embeddinggemma"] });
  const run = (session: Parameters<typeof runCommand>[0]) => runCommand(session, { json: true });
  const { output, error } = await inHome({ models: modelsOf(ollama.origin) }, run);
  const { checks } = JSON.parse(output);
  assert.deepEqual(
    checks.find(({ name }: Finding) => name === "model home/llama3.2"),
    {
      name: "model home/llama3.2",
      status: "fail",
      detail: "has not been pulled, and the profile asks it first",
      remedy: "Run: ollama pull llama3.2",
    },
  );
  assert.ok(error instanceof ResultError);
});

Deno.test("doctor ends well when there are warnings only", async () => {
  await using ollama = startGoodOllama({ version: "0.12.3" });
  const { output, error } = await inHome({ models: modelsOf(ollama.origin) }, (session) => runCommand(session, {}));
  assert.match(output, /! warn {2}version of home/);
  assert.equal(error, undefined);
});
