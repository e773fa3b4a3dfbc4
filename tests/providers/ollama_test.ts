import assert from "node:assert/strict";
import type { Message } from "../../src/core/types.ts";
import { createOllama } from "../../src/providers/ollama.ts";
import type { ChatCall } from "../../src/providers/provider.ts";
import { isOllamaCloudName } from "../../src/core/cloud_name.ts";
import { sameModel } from "../../src/providers/ollama_models.ts";
import {
  assertProviderError,
  callOf,
  calm,
  collect,
  createTestLedger,
  OLLAMA,
  textOf,
  withOllama,
} from "./subjects.ts";

const LOCAL = { localOnly: true };
/** Different words, so that no part of the text repeats. */
const LONG_TEXT = Array.from({ length: 700 }, (_, at) => `word${at}`).join(" ");

Deno.test("ollama.chat() sends everything a call can ask for", () =>
  withOllama(async ({ fake, provider }) => {
    const messages: Message[] = [
      { role: "system", content: "Be brief." },
      { role: "user", content: "What is this?", images: [{ mime_type: "image/png", data: "aGk=" }] },
      { role: "assistant", content: "", tool_calls: [{ id: "c1", name: "look_up", arguments: { city: "Málaga" } }] },
      { role: "tool", content: "22 degrees", tool_call_id: "c1" },
      { role: "tool", content: "raining", tool_call_id: "c2", tool_name: "rain" },
      { role: "tool", content: "?", tool_call_id: "unknown" },
    ];
    const schema = { type: "object", properties: { a: { type: "integer" } } };
    const tools = [{ name: "look_up", description: "Looks up.", parameters: schema }, { name: "rain", parameters: {} }];
    await collect(
      provider,
      callOf(OLLAMA, {
        contextTokens: 8192,
        messages,
        tools,
        temperature: 0.2,
        max_tokens: 64,
        stop: ["END", "\n\n"],
        think: "high",
      }),
    );
    assert.deepEqual(fake.chats[0]?.body, {
      model: "llama3.2",
      messages: [
        { role: "system", content: "Be brief." },
        { role: "user", content: "What is this?", images: ["aGk="] },
        {
          role: "assistant",
          content: "",
          tool_calls: [{ function: { name: "look_up", arguments: { city: "Málaga" } } }],
        },
        { role: "tool", content: "22 degrees", tool_name: "look_up" },
        { role: "tool", content: "raining", tool_name: "rain" },
        { role: "tool", content: "?" },
      ],
      stream: true,
      truncate: false,
      shift: false,
      think: "high",
      tools: [
        { type: "function", function: { name: "look_up", description: "Looks up.", parameters: schema } },
        { type: "function", function: { name: "rain", parameters: {} } },
      ],
      options: { num_ctx: 8192, temperature: 0.2, num_predict: 64, stop: ["END", "\n\n"] },
    });
  }));

Deno.test("ollama.chat() sends no option that was not asked for, and no thinking with a schema", () =>
  withOllama(async ({ fake, provider }) => {
    const schema = { type: "object" };
    await collect(provider, callOf(OLLAMA));
    await collect(provider, callOf(OLLAMA, { think: true }));
    await collect(provider, callOf(OLLAMA, { think: true, json_schema: schema, tools: [] }));
    const [plain, thinking, json] = fake.chats.map(({ body }) => body);
    const common = { model: "llama3.2", stream: true, truncate: false, shift: false, options: { num_ctx: 4096 } };
    const { messages, ...rest } = plain ?? {};
    assert.equal((messages as unknown[]).length, 1);
    assert.deepEqual(rest, { ...common, think: false });
    assert.deepEqual({ ...thinking, messages: [] }, { ...common, messages: [], think: true });
    assert.deepEqual({ ...json, messages: [] }, { ...common, messages: [], think: false, format: schema });
  }));

Deno.test("ollama.chat() refuses cloud names before anything is sent when the call must stay local", () =>
  withOllama(async ({ fake, provider }) => {
    for (const model of ["gpt-oss:120b-cloud", "kimi-k2:cloud", "qwen3-coder:480B-Cloud", "glm-cloud"]) {
      const { error } = await collect(provider, callOf(OLLAMA, { ...LOCAL, model }));
      assert.match(assertProviderError(error, "egress_denied", OLLAMA).message, /somebody's cloud/);
    }
    assert.equal(fake.requests.length, 0);
    fake.setModels(["gpt-oss:120b-cloud"]);
    const { error } = await collect(provider, callOf(OLLAMA, { model: "gpt-oss:120b-cloud" }));
    assert.equal(error, undefined, "it may run where the call need not stay local");
  }));

Deno.test("isOllamaCloudName() and sameModel() read names the way Ollama does", () => {
  for (const name of ["a:cloud", "a:CLOUD", "a:1b-cloud", "a-cloud", "x/a:cloud", "a-cloud:latest", " a:cloud "]) {
    assert.ok(isOllamaCloudName(name), name);
  }
  for (const name of ["cloud", "cloud:7b", "a:cloudy", "acloud", "a:1b-cloud-q4", "cloud-a:latest"]) {
    assert.ok(!isOllamaCloudName(name), name);
  }
  assert.ok(sameModel("llama3.2", "Llama3.2:latest"));
  assert.ok(sameModel("library/llama3.2", "llama3.2"));
  assert.ok(!sameModel("somebody/llama3.2", "llama3.2"));
  assert.ok(sameModel("hf.co:443/x/a", "hf.co:443/x/a:latest"));
  assert.ok(!sameModel("llama3.2", "llama3.2:1b"));
});

Deno.test("ollama.chat() refuses a renamed model that Ollama runs elsewhere, on every call anew", () =>
  withOllama(async ({ fake, provider }) => {
    fake.setModels([{ name: "innocent", remote_host: "https://ollama.com:443", remote_model: "kimi-k2" }, "llama3.2"]);
    fake.setResident([]);
    for (let at = 0; at < 2; at++) {
      const { error } = await collect(provider, callOf(OLLAMA, { ...LOCAL, model: "innocent" }));
      assertProviderError(error, "egress_denied", OLLAMA);
    }
    assert.equal(fake.chats.length, 0);
    const asked = () => fake.requests.map(({ path }) => path);
    assert.deepEqual(asked(), ["/api/ps", "/api/tags", "/api/ps", "/api/tags"]);
    fake.requests.length = 0;
    await collect(provider, callOf(OLLAMA, LOCAL));
    await collect(provider, callOf(OLLAMA, LOCAL));
    assert.deepEqual(asked(), ["/api/ps", "/api/tags", "/api/chat", "/api/ps", "/api/chat"], "in memory is local");
  }));

Deno.test("ollama.chat() asks what is in memory again after a second, a failure, or for another window", () =>
  withOllama(async ({ fake, provider }) => {
    const asked = async (changes: Partial<ChatCall> = {}) => {
      fake.requests.length = 0;
      await collect(provider, callOf(OLLAMA, { ...LOCAL, ...changes }));
      return fake.requests.map(({ path }) => path);
    };
    const both = ["/api/ps", "/api/chat"];
    assert.deepEqual(await asked(), both);
    assert.deepEqual(await asked(), ["/api/chat"]);
    assert.deepEqual(await asked({ contextTokens: 8192 }), both);
    assert.deepEqual(await asked(), both, "it has been loaded anew");
    assert.deepEqual(await asked(), both, "it had another window when Ollama was asked");
    assert.deepEqual(await asked(), ["/api/chat"]);
    const now = performance.now;
    performance.now = () => now.call(performance) + 1001;
    try {
      assert.deepEqual(await asked(), both);
      fake.next({ kind: "cut", after: 1 });
      assert.deepEqual(await asked(), ["/api/chat"]);
      assert.deepEqual(await asked(), both);
    } finally {
      performance.now = now;
    }
  }));

Deno.test("ollama.chat() breaks off an answer that turns out to come from elsewhere", () =>
  withOllama(async ({ fake, provider }) => {
    fake.remoteReply = true;
    const { chunks, error } = await collect(provider, callOf(OLLAMA, LOCAL));
    assertProviderError(error, "egress_denied", OLLAMA);
    assert.deepEqual(chunks, []);
    assert.equal((await collect(provider, callOf(OLLAMA))).error, undefined);
  }));

Deno.test("ollama.chat() says how to get a model that was never pulled", () =>
  withOllama(async ({ fake, provider }) => {
    for (const localOnly of [true, false]) {
      const { error } = await collect(provider, callOf(OLLAMA, { localOnly, model: "qwen3.5" }));
      const { remedy } = assertProviderError(error, "model_not_found", OLLAMA);
      assert.equal(remedy, "Run: ollama pull qwen3.5");
    }
    assert.equal(fake.chats.length, 1, "a local call is not even tried");
  }));

Deno.test("ollama.chat() gives a model that has to be loaded the load deadline", () =>
  withOllama(async ({ fake, provider }) => {
    fake.setResident([]);
    fake.loadMs = 150;
    const patient = { loadMs: 10_000, firstTokenMs: 100, idleMs: 10_000 };
    const loaded = await collect(provider, callOf(OLLAMA, { ...LOCAL, deadlines: patient }));
    assert.equal(textOf(loaded.chunks), "Hola, soy Django.");
    fake.setResident([]);
    const hasty = { ...patient, loadMs: 50 };
    const late = await collect(provider, callOf(OLLAMA, { ...LOCAL, deadlines: hasty }));
    const error = assertProviderError(late.error, "timeout", OLLAMA);
    assert.equal(error.whileLoading, true);
    assert.match(error.message, /not loaded the model after 50 ms/);
  }));

Deno.test("ollama.chat() holds a model in memory to the first-token deadline", () =>
  withOllama(async ({ fake, provider }) => {
    fake.next({ kind: "silence" });
    const deadlines = { loadMs: 10_000, firstTokenMs: 50, idleMs: 10_000 };
    const { error } = await collect(provider, callOf(OLLAMA, { ...LOCAL, model: "llama3.2:latest", deadlines }));
    assert.equal(assertProviderError(error, "timeout", OLLAMA).whileLoading, false);
  }));

Deno.test("ollama.chat() gives a model in memory with another context window the load deadline", () =>
  withOllama(async ({ fake, provider }) => {
    fake.next({ kind: "silence" });
    const deadlines = { loadMs: 50, firstTokenMs: 10_000, idleMs: 10_000 };
    const { error } = await collect(provider, callOf(OLLAMA, { ...LOCAL, contextTokens: 8192, deadlines }));
    assert.equal(assertProviderError(error, "timeout", OLLAMA).whileLoading, true);
    assert.deepEqual(fake.requests.map(({ path }) => path), ["/api/ps", "/api/chat"], "in memory is local");
  }));

Deno.test("ollama.chat() works with a version that does not say what is in memory", () =>
  withOllama(async ({ fake, provider }) => {
    fake.setPs(404);
    const deadlines = { loadMs: 10_000, firstTokenMs: 10_000, idleMs: 10_000 };
    assert.equal((await collect(provider, callOf(OLLAMA, { ...LOCAL, deadlines }))).error, undefined);
    fake.next({ kind: "silence" });
    const { error } = await collect(provider, callOf(OLLAMA, { ...LOCAL, deadlines: { ...deadlines, loadMs: 50 } }));
    assert.equal(assertProviderError(error, "timeout", OLLAMA).whileLoading, true);
  }));

Deno.test("ollama.chat() does not wait for an Ollama that hangs on the first question", () =>
  withOllama(async ({ fake, provider }) => {
    fake.setPs("silent");
    const deadlines = { loadMs: 10_000, firstTokenMs: 50, idleMs: 10_000 };
    const { error } = await collect(provider, callOf(OLLAMA, { deadlines }));
    assert.equal(assertProviderError(error, "timeout", OLLAMA).whileLoading, false);
    assert.equal(fake.chats.length, 0);
  }));

Deno.test("ollama.chat() refuses what is no Ollama when it cannot tell whether the model is local", () =>
  withOllama(async ({ fake, provider }) => {
    fake.setPs(404);
    fake.on("/api/tags", { kind: "status", status: 404, body: "404 page not found" });
    const { error } = await collect(provider, callOf(OLLAMA, LOCAL));
    assertProviderError(error, "protocol", OLLAMA);
    assert.equal(fake.chats.length, 0);
  }));

Deno.test("ollama.chat() makes a prompt over the context an error of its own kind", () =>
  withOllama(async ({ provider }) => {
    const messages: Message[] = [{ role: "user", content: LONG_TEXT }];
    const { error } = await collect(provider, callOf(OLLAMA, { messages, contextTokens: 100 }));
    assert.match(assertProviderError(error, "context_length", OLLAMA).remedy ?? "", /larger context/);
  }));

Deno.test("ollama.chat() notices a prompt that was cut without a word", () =>
  withOllama(async ({ fake, provider }) => {
    const ask = async (content: string) =>
      (await collect(provider, callOf(OLLAMA, { contextTokens: 32_768, messages: [{ role: "user", content }] }))).error;
    fake.silentTruncation = 256;
    assert.match(assertProviderError(await ask(LONG_TEXT), "context_length", OLLAMA).message, /cut the prompt/);
    assert.equal(await ask(" -".repeat(900) + "=".repeat(9000) + " \n\t".repeat(3000)), undefined, "runs share tokens");
    assert.equal(await ask(LONG_TEXT.slice(0, 1900)), undefined, "too short to tell");
    fake.silentTruncation = 700;
    assert.equal(await ask(LONG_TEXT), undefined, "as many tokens as it may have");
    fake.silentTruncation = undefined;
    fake.next({ kind: "answer", usage: null });
    assert.equal(await ask(LONG_TEXT), undefined, "no count, no judgement");
  }));

Deno.test("ollama.chat() takes the tool calls' finish from the calls, for Ollama says stop", () =>
  withOllama(async ({ fake, provider }) => {
    fake.next({ kind: "answer", toolCalls: [{ name: "now", arguments: {} }], finish: "stop" });
    const { chunks } = await collect(provider, callOf(OLLAMA));
    assert.deepEqual(chunks.map(({ type }) => type), ["tool_call", "final"]);
    const final = chunks.at(-1);
    assert.ok(final?.type === "final" && final.finish_reason === "tool_calls");
  }));

Deno.test("ollama.chat() takes done without a generation for no answer", () =>
  withOllama(async ({ fake, provider }) => {
    for (const raw of ["load", "unload"]) {
      fake.next({ kind: "finish", raw });
      assertProviderError((await collect(provider, callOf(OLLAMA))).error, "protocol", OLLAMA);
    }
  }));

const EMBED = { model: "embeddinggemma", contextTokens: 2048, deadlines: callOf(OLLAMA).deadlines, localOnly: true };

Deno.test("ollama.embed() gives one vector a text and the counts", () =>
  withOllama(async ({ fake, provider }) => {
    const result = await provider.embed?.({ ...EMBED, texts: ["one text", "another"] }, calm);
    assert.equal(result?.vectors.length, 2);
    assert.equal(result.vectors[0]?.length, 8);
    assert.notDeepEqual(result.vectors[0], result.vectors[1]);
    assert.equal(result.usage?.input, 4);
    assert.equal(result.usage?.output, 0);
    const sent = JSON.parse(new TextDecoder().decode(fake.requests.at(-1)?.body));
    assert.deepEqual(sent, {
      model: "embeddinggemma",
      input: ["one text", "another"],
      truncate: false,
      options: { num_ctx: 2048 },
    });
  }));

Deno.test("ollama.embed() fails in the ways chat() does", () =>
  withOllama(async ({ fake, provider }) => {
    const ask = (changes: Partial<typeof EMBED & { texts: string[] }> = {}, signal = calm) =>
      provider.embed?.({ ...EMBED, texts: ["x"], ...changes }, signal).catch((error: unknown) => error);
    assertProviderError(await ask({ model: "embed:cloud" }), "egress_denied", OLLAMA);
    assertProviderError(await ask({ model: "missing" }), "model_not_found", OLLAMA);
    assertProviderError(await ask({ contextTokens: 10, texts: [LONG_TEXT] }), "context_length", OLLAMA);
    assertProviderError(await ask({}, AbortSignal.abort()), "aborted", OLLAMA);
    const odd = [[], "x", [[]], [["x"]], [[1, null]], [[1], [2]]].map((embeddings) => ({ embeddings }));
    const answers = [...odd, {}, "not JSON", "null", ""];
    for (const body of answers) {
      fake.on("/api/embed", { kind: "status", status: 200, body });
      assertProviderError(await ask(), "protocol", OLLAMA);
    }
    fake.on("/api/embed", { kind: "silence" });
    const deadlines = { loadMs: 50, firstTokenMs: 50, idleMs: 50 };
    assertProviderError(await ask({ deadlines }), "timeout", OLLAMA);
  }));

Deno.test("ollama.listModels() puts what is pulled and what is in memory together", () =>
  withOllama(async ({ fake, provider }) => {
    fake.setModels([
      "llama3.2",
      { name: "innocent", size: 384, remote_host: "https://ollama.com:443" },
      "kimi-k2:cloud",
    ]);
    fake.setResident(["llama3.2"], 8192);
    assert.deepEqual(await provider.listModels(calm), [
      { name: "llama3.2:latest", remote: false, sizeBytes: 2_019_393_189, loadedContextTokens: 8192 },
      { name: "innocent:latest", remote: true, sizeBytes: 384, loadedContextTokens: null },
      { name: "kimi-k2:cloud", remote: true, sizeBytes: 2_019_393_189, loadedContextTokens: null },
    ]);
    fake.setPs(404);
    assert.equal((await provider.listModels(calm))[0]?.loadedContextTokens, null);
  }));

Deno.test("ollama.describeModel() reads the context and the abilities, and never asks about a cloud name", () =>
  withOllama(async ({ fake, provider }) => {
    assert.deepEqual(await provider.describeModel?.("qwen3.5:2b", calm), {
      maxContextTokens: 131_072,
      capabilities: ["completion", "tools", "thinking", "vision"],
    });
    const before = fake.requests.length;
    const cloud = await provider.describeModel?.("kimi-k2:cloud", calm).catch((error: unknown) => error);
    assertProviderError(cloud, "egress_denied", OLLAMA);
    assert.equal(fake.requests.length, before);
    const missing = await provider.describeModel?.("missing", calm).catch((error: unknown) => error);
    assertProviderError(missing, "model_not_found", OLLAMA);
    fake.on("/api/show", { kind: "status", status: 200, body: { model_info: [], capabilities: [7] } });
    assert.deepEqual(await provider.describeModel?.("llama3.2", calm), { maxContextTokens: null, capabilities: [] });
  }));

Deno.test("ollama.health() gives the version, and whether the cloud is off where Ollama says so", () =>
  withOllama(async ({ fake, provider }) => {
    assert.deepEqual(await provider.health(calm), { version: "0.33.2", cloudDisabled: true });
    fake.on("/api/status", { kind: "status", status: 200, body: { cloud: { disabled: false } } });
    assert.deepEqual(await provider.health(calm), { version: "0.33.2", cloudDisabled: false });
    fake.on("/api/status", { kind: "status", status: 404, body: "404 page not found" });
    assert.deepEqual(await provider.health(calm), { version: "0.33.2", cloudDisabled: null });
  }));

Deno.test("createOllama() tells a local address from another, and a path from the origin", () => {
  const ledger = createTestLedger();
  const of = (baseUrl?: string) => createOllama({ id: "o", ledger, ...(baseUrl !== undefined && { baseUrl }) });
  assert.deepEqual([of().origin, of().local], ["http://127.0.0.1:11434", true]);
  assert.deepEqual([of("http://192.168.1.9:11434/").origin, of("http://192.168.1.9:11434/").local], [
    "http://192.168.1.9:11434",
    true,
  ]);
  assert.deepEqual([of("https://ollama.example.org/x/").origin, of("https://ollama.example.org/x/").local], [
    "https://ollama.example.org",
    false,
  ]);
});
