import assert from "node:assert/strict";
import { EXIT } from "../../src/core/errors.ts";
import { ask, brief, failureOf, GEMINI, GPT, LLAMA, readStream, type Rig, startRig } from "../support/rig.ts";

const CLOUD_LLAMA = "ollama/gpt-oss:120b-cloud";
const RENAMED = "ollama/mine";
const OLLAMA_MODELS = {
  "llama3.2": { context: 8192 },
  "gpt-oss:120b-cloud": { context: 8192 },
  "mine": { context: 8192 },
  "embeddinggemma": { context: 2048, embeddings: true },
};

function assertNoCloud({ groq, gemini, egress, ollama }: Rig): void {
  assert.deepEqual([groq.connections, gemini.connections], [0, 0]);
  assert.ok(egress.every((origin) => origin === ollama.origin), `${egress}`);
}

// The cloud providers are built and have their keys: only the router stands between a call and the cloud.
for (const seal of [{ localOnly: true }, { sealed: true }]) {
  const name = seal.sealed ? "a sealed process" : "a local_only profile";

  Deno.test(`Router contacts no cloud in ${name}, whatever the chain and the roles say`, async () => {
    await using rig = startRig({ chain: [GPT, GEMINI, LLAMA], assignments: { technical: GEMINI }, ...seal });
    const response = await ask(rig, { role: "technical" });
    assert.deepEqual(brief(response.attempts), [
      `${GEMINI} skipped egress_denied`,
      `${GPT} skipped egress_denied`,
      `${LLAMA} ok`,
    ]);
    assert.equal(response.fallback, true);
    assert.deepEqual(rig.events, [], "what the set-up forbids is no fault of anybody");
    const { text } = await readStream(rig.router.stream({ prompt: "¿Quién eres?" }));
    assert.equal(text, response.content);
    assertNoCloud(rig);
  });

  Deno.test(`Router fails rather than fall back to a cloud in ${name}`, async () => {
    await using rig = startRig({ chain: [LLAMA, GPT, GEMINI], ...seal });
    await rig.ollama.down();
    const error = await failureOf(rig, ask(rig));
    assert.deepEqual([error.kind, error.exitCode], ["unavailable", EXIT.unavailable]);
    assertNoCloud(rig);
  });

  Deno.test(`Router refuses a cloud model asked for by name in ${name}, and answers with no other`, async () => {
    await using rig = startRig({ chain: [LLAMA], ...seal });
    const error = await failureOf(rig, ask(rig, { model: GPT }));
    assert.deepEqual([error.kind, error.exitCode], ["egress_denied", EXIT.permission]);
    assert.deepEqual(brief(error.attempts), [`${GPT} skipped egress_denied`]);
    assert.match(
      error.message,
      seal.sealed ? /without --cloud → Start it with --cloud/ : /Profile local keeps everything/,
    );
    const { error: streamed } = await readStream(rig.router.stream({ prompt: "¿Quién eres?", model: GEMINI }));
    assert.match(String(streamed), /egress_denied/);
    assertNoCloud(rig);
    assert.equal(rig.ollama.connections, 0);
  });

  Deno.test(`Router embeds in no cloud in ${name}`, async () => {
    await using rig = startRig({ chain: [LLAMA], assignments: { embeddings: "gemini/gemini-embedding-001" }, ...seal });
    const error = await failureOf(rig, rig.router.embed(["secret"]));
    assert.deepEqual([error.kind, error.exitCode], ["egress_denied", EXIT.permission]);
    assertNoCloud(rig);
  });

  Deno.test(`Router refuses Ollama's cloud models in ${name}, by name and by what Ollama says of them`, async () => {
    await using rig = startRig({
      chain: [CLOUD_LLAMA, RENAMED, LLAMA],
      providers: { ollama: { models: OLLAMA_MODELS } },
      ollama: {
        models: [
          "llama3.2",
          "gpt-oss:120b-cloud",
          { name: "mine", remote_host: "https://ollama.com:443", remote_model: "gpt-oss:120b" },
        ],
        resident: ["llama3.2"],
      },
      ...seal,
    });
    const response = await ask(rig);
    assert.deepEqual(brief(response.attempts), [
      `${CLOUD_LLAMA} failed egress_denied`,
      `${RENAMED} failed egress_denied`,
      `${LLAMA} ok`,
    ]);
    assert.deepEqual(rig.ollama.chats.map(({ model }) => model), ["llama3.2"]);
    assert.ok(rig.ollama.requests.every(({ path }) => path !== "/api/show"), "Ollama passes that on to its cloud");
    const denied = rig.eventsOf("security.egress_denied");
    assert.deepEqual(denied.map(({ provider, model }) => `${provider}/${model}`), [CLOUD_LLAMA, RENAMED]);
    assert.match(denied[0]?.remedy ?? "", /OLLAMA_NO_CLOUD=1/);
    assert.equal(rig.router.lanes["ollama"]?.failures, 0);
    assertNoCloud(rig);
  });
}

Deno.test("Router breaks off an answer that turns out to come from another machine", async () => {
  await using rig = startRig({ chain: [LLAMA], localOnly: true, ollama: { remoteReply: true } });
  const { text, error } = await readStream(rig.router.stream({ prompt: "¿Quién eres?" }));
  assert.equal(text, "");
  assert.match(String(error), /egress_denied/);
});

Deno.test("Router skips a provider that this run has sealed away, and says how to unseal", async () => {
  const sealed = { kind: "egress_denied", reason: "This run is sealed", remedy: "Start it with --cloud." } as const;
  await using rig = startRig({ chain: [GPT, LLAMA], refusals: { groq: sealed, gemini: sealed } });
  const response = await ask(rig);
  assert.deepEqual(brief(response.attempts), [`${GPT} skipped egress_denied`, `${LLAMA} ok`]);
  const [first] = response.attempts;
  assert.deepEqual([first?.reason, first?.remedy], ["This run is sealed", "Start it with --cloud."]);
  assertNoCloud(rig);
});

Deno.test("Router shows neither prompt nor answer in events and errors", async () => {
  await using rig = startRig({ chain: [GPT, GEMINI, LLAMA] });
  rig.groq.next({ kind: "malformed", after: 2 });
  rig.gemini.next({ kind: "status", status: 400, body: { error: { message: "You said: mi secreto", code: 400 } } });
  const error = await failureOf(rig, ask(rig, { prompt: "mi secreto" }));
  const shown = JSON.stringify([error.message, error.remedy, error.attempts, rig.events, rig.router.lanes]);
  assert.ok(!/mi secreto|Hola|SECRET-CONTENT/.test(shown), shown);
  assert.equal(error.kind, "bad_request");
});
