import assert from "node:assert/strict";
import { openAgent } from "../src/app.ts";
import type { Agent, AgentOptions } from "../src/cli/agent.ts";
import { ConfigError, NoAnswerError } from "../src/core/errors.ts";
import { type FakeOllama, startFakeOllama } from "./support/fake_ollama.ts";
import { createFolder, writeModels } from "./support/program.ts";
import { until } from "./support/rig.ts";

type Models = ReturnType<typeof modelsFor>;

interface Home extends AsyncDisposable {
  readonly ollama: FakeOllama;
  /** Writes models.json: text as it is, otherwise the home's own with these changes. */
  write(models: string | Partial<Models>): Promise<void>;
  open(options?: Partial<AgentOptions>): Promise<Agent>;
}

/** Not called `ollama`, which the OLLAMA_HOST of whoever runs the tests would move elsewhere. */
function modelsFor(origin: string) {
  return {
    profile: "private",
    providers: {
      home: { type: "ollama", base_url: origin, models: { big: { context: 4096 }, small: { context: 4096 } } },
      groq: { type: "groq", api_key_env: "KEY_OF_APP_TEST", models: { "openai/gpt-oss-20b": { context: 131072 } } },
    } as Record<string, unknown>,
    fallback_chain: ["home/big"],
    assignments: {} as Record<string, string>,
    profiles: {
      private: { local_only: true },
      quick: { local_only: true, fallback_chain: ["home/small"] },
      mixed: { fallback_chain: ["groq/openai/gpt-oss-20b", "home/big"] },
    } as Record<string, unknown>,
    circuit_breaker: { failure_threshold: 1, recovery_seconds: 60 },
  };
}

/** A folder that is the current one until it is disposed of, and a fake Ollama for its models.json. */
async function createHome(): Promise<Home> {
  const before = Deno.cwd();
  const ollama = startFakeOllama({ models: ["big", "small"] });
  const folder = await createFolder(modelsFor(ollama.origin));
  Deno.chdir(folder.path);
  await Deno.writeTextFile(".env", "DJANGO_LOG_LEVEL=error\n");
  return {
    ollama,
    write: (models) =>
      writeModels(folder.path, typeof models === "string" ? models : { ...modelsFor(ollama.origin), ...models }),
    open: (options = {}) =>
      openAgent({
        configDir: "config",
        configNamed: false,
        dataDir: "data",
        cloud: false,
        seal: { sealed: true, sandboxed: true },
        ...options,
      }),
    async [Symbol.asyncDispose]() {
      Deno.chdir(before);
      await ollama.stop();
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** The results of every reload from now on. */
function reloadsOf({ events }: Agent) {
  const results: { ok: boolean; changes: readonly string[]; problems: readonly string[] }[] = [];
  events.subscribe(({ name, data }) => {
    if (name === "config.router_reloaded") results.push(data);
  });
  return results;
}

async function modelThatAnswers({ router }: Agent): Promise<string> {
  return (await router.generate({ prompt: "¿Quién eres?" })).model;
}

Deno.test("openAgent() wires a router that answers, and books what went out", async () => {
  await using home = await createHome();
  await using agent = await home.open();
  assert.equal((await agent.router.generate({ prompt: "Hola" })).content, "Hola, soy Django.");
  assert.deepEqual(agent.ledger.entries().map(({ origin, local }) => [origin, local]), [[home.ollama.origin, true]]);
  assert.equal(agent.config.source, "config/models.json");
});

Deno.test("openAgent() builds no cloud provider without --cloud, and none without its key", async () => {
  await using home = await createHome();
  const groqOf = async (options: Partial<AgentOptions>) => {
    await using agent = await home.open(options);
    return agent.router.snapshot.providers.get("groq") ?? assert.fail("no slot");
  };
  await Deno.writeTextFile(".env", "KEY_OF_APP_TEST=gsk-secret\n");
  const sealed = await groqOf({});
  assert.ok("refusal" in sealed);
  assert.equal(sealed.refusal.kind, "egress_denied");
  assert.match(sealed.refusal.remedy, /--cloud/);
  const open = await groqOf({ cloud: true });
  assert.ok("provider" in open);
  assert.deepEqual([open.provider.local, open.provider.origin], [false, "https://api.groq.com"]);

  await Deno.writeTextFile(".env", "");
  const keyless = await groqOf({ cloud: true });
  assert.ok("refusal" in keyless);
  assert.equal(keyless.refusal.kind, "auth");
  assert.match(`${keyless.refusal.reason} ${keyless.refusal.remedy}`, /KEY_OF_APP_TEST is not set .*\.env/);
});

Deno.test("openAgent() refuses a configuration it cannot use, and leaves nothing open", async () => {
  await using home = await createHome();
  await home.write("{ broken");
  await assert.rejects(home.open({ watch: true }), ConfigError);
  await home.write({});
  await assert.rejects(home.open({ profile: "nowhere", watch: true }), /There is no profile "nowhere"/);
});

Deno.test("Agent.reload() serves the new file from the next call on, and says what changed", async () => {
  await using home = await createHome();
  await using agent = await home.open();
  const told = reloadsOf(agent);
  assert.equal(await modelThatAnswers(agent), "big");
  await home.write({ profile: "quick", assignments: { technical: "home/small" } });
  const result = await agent.reload();
  const changes = ["profile: private → quick", "assignments.technical added"];
  assert.deepEqual(result, { ok: true, changes, problems: [] });
  assert.deepEqual(told, [result]);
  assert.equal(await modelThatAnswers(agent), "small");
  assert.equal(agent.config.models.profile, "quick");
  assert.deepEqual(await agent.reload(), { ok: true, changes: [], problems: [] });
});

Deno.test("Agent.reload() refuses a file it cannot use, says why, and the old one goes on serving", async (t) => {
  await using home = await createHome();
  await using agent = await home.open();
  const told = reloadsOf(agent);
  const { config } = agent;
  const cases: [string, string | Partial<Models>, RegExp][] = [
    ["broken text", '{ "profile": ', /line 1/],
    ["unknown model", { fallback_chain: ["home/nope"] }, /^fallback_chain\[0\]: .*nope.* → /],
    ["two faults", { profile: "nowhere", fallback_chain: [] }, /profile.*nowhere[^]*fallback_chain/],
  ];
  for (const [what, models, wanted] of cases) {
    await t.step(what, async () => {
      await home.write(models);
      const result = await agent.reload();
      assert.deepEqual([result.ok, result.changes], [false, []]);
      assert.match(result.problems.join("\n"), wanted);
      assert.deepEqual(told.at(-1), result);
      assert.equal(agent.config, config);
      assert.equal(await modelThatAnswers(agent), "big");
    });
  }
  await t.step("mended again", async () => {
    await home.write({ profile: "quick" });
    assert.equal((await agent.reload()).ok, true);
    assert.equal(await modelThatAnswers(agent), "small");
  });
});

Deno.test("Agent.reload() called several times at once reads the file anew each time, in order", async () => {
  await using home = await createHome();
  await using agent = await home.open();
  const told = reloadsOf(agent);
  await home.write({ profile: "quick" });
  const results = await Promise.all([agent.reload(), agent.reload(), agent.reload()]);
  assert.deepEqual(results.map(({ changes }) => changes.length), [1, 0, 0]);
  assert.deepEqual(told, results);
});

Deno.test("Agent.reload() keeps an open breaker open", async () => {
  await using home = await createHome();
  await using agent = await home.open();
  await home.ollama.down();
  await assert.rejects(agent.router.generate({ prompt: "Hola" }), NoAnswerError);
  assert.equal(agent.router.lanes["home"]?.breaker, "open");
  const retryAt = agent.router.lanes["home"]?.retry_at;
  await home.ollama.up();
  const asked = home.ollama.requests.length;
  await home.write({ profile: "quick" });
  assert.equal((await agent.reload()).ok, true);
  assert.equal(agent.router.lanes["home"]?.breaker, "open");
  assert.ok(Math.abs(Date.parse(agent.router.lanes["home"]?.retry_at ?? "") - Date.parse(retryAt ?? "")) < 1000);
  await assert.rejects(agent.router.generate({ prompt: "Hola" }), /Breaker open/);
  assert.equal(home.ollama.requests.length, asked);
});

Deno.test("Agent.reload() keeps the profile the run was started with, and refuses a file without it", async () => {
  await using home = await createHome();
  await using agent = await home.open({ profile: "quick" });
  await home.write({ profile: "mixed" });
  assert.deepEqual((await agent.reload()).changes, ["profile: private → mixed"]);
  assert.equal(agent.router.snapshot.profile.name, "quick");
  assert.equal(await modelThatAnswers(agent), "small");
  await home.write({ profiles: { private: { local_only: true } } });
  const { ok, problems } = await agent.reload();
  assert.equal(ok, false);
  assert.match(problems.join(), /There is no profile "quick"/);
  assert.equal(await modelThatAnswers(agent), "small");
});

Deno.test("a call in flight finishes on the configuration it began with while the file is replaced", async () => {
  await using home = await createHome();
  await using elsewhere = startFakeOllama({ models: ["moved"] });
  await using agent = await home.open();
  home.ollama.next({ kind: "answer", tokens: ["uno ", "dos ", "tres"], gapMs: 40 });
  let text = "";
  for await (const item of agent.router.stream({ prompt: "Cuenta" })) {
    if (item.type === "text") {
      if (text === "") {
        await home.write({
          profile: "moved",
          providers: { new: { type: "ollama", base_url: elsewhere.origin, models: { moved: { context: 4096 } } } },
          fallback_chain: ["new/moved"],
          profiles: { moved: { local_only: true } },
        });
        assert.deepEqual((await agent.reload()).problems, []);
        assert.equal(agent.router.snapshot.profile.name, "moved");
      }
      text += item.text;
    } else if (item.type === "done") {
      const { content, provider, model, profile } = item.response;
      assert.deepEqual([content, provider, model, profile], [text, "home", "big", "private"]);
    }
  }
  assert.equal(text, "uno dos tres");
  assert.equal(await modelThatAnswers(agent), "moved");
  assert.deepEqual([home.ollama.chats.length, elsewhere.chats.length], [1, 1]);
});

Deno.test("an agent that watches picks edits up by itself, survives a broken one, and stops with its disposal", async () => {
  await using home = await createHome();
  const agent = await home.open({ watch: true });
  const told = reloadsOf(agent);
  await home.write({ profile: "quick" });
  await until(() => told.length === 1);
  assert.deepEqual(told[0]?.changes, ["profile: private → quick"]);
  await home.write("{ broken");
  await until(() => told.length === 2);
  assert.equal(told[1]?.ok, false);
  assert.equal(await modelThatAnswers(agent), "small");
  await home.write({});
  await until(() => told.length === 3);
  assert.equal(await modelThatAnswers(agent), "big");
  await agent[Symbol.asyncDispose](); // the sanitizers see what it would leave open
});

Deno.test("an agent that does not watch leaves an edit alone until it is told", async () => {
  await using home = await createHome();
  await using agent = await home.open();
  await home.write({ profile: "quick" });
  assert.equal(await modelThatAnswers(agent), "big");
});
