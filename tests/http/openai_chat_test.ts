import assert from "node:assert/strict";
import { startApi, withVision } from "../support/api.ts";
import {
  bodySeen,
  type ChatParams,
  complete,
  connectClient,
  connectRig,
  QUESTION,
  refusalOf,
} from "../support/openai_client.ts";
import { GEMINI, GPT, startRig } from "../support/rig.ts";

const PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const FAR = "http://images.example.com/a.png";
const CONTEXT = { num_ctx: 8192 };

Deno.test("POST /v1/chat/completions answers in OpenAI's shape", async () => {
  await using api = await startApi();
  api.first.next({ kind: "answer", tokens: ["Ho", "la"], usage: { input: 11, output: 7 } });
  const { data, response } = await complete(connectClient(api));
  const { id, created, ...rest } = data;
  assert.match(id, /^chatcmpl-[0-9a-f-]{36}$/);
  assert.ok(Number.isInteger(created) && Math.abs(created * 1000 - Date.now()) < 86_400_000, "created is in seconds");
  assert.deepEqual(rest, {
    object: "chat.completion",
    model: "first/llama3.2",
    choices: [{
      index: 0,
      message: { role: "assistant", content: "Hola", refusal: null },
      logprobs: null,
      finish_reason: "stop",
    }],
    usage: {
      prompt_tokens: 11,
      completion_tokens: 7,
      total_tokens: 18,
      prompt_tokens_details: { cached_tokens: 0 },
      completion_tokens_details: { reasoning_tokens: 0 },
    },
  });
  assert.equal(response.headers.get("content-type"), "application/json");
  assert.equal(response.headers.get("x-django-provider"), "first/llama3.2");
  assert.equal(response.headers.get("x-django-fallback"), "false");
  assert.equal(response.headers.get("x-django-cost-usd"), "0.000025"); // 11 at 1 and 7 at 2 USD per million
});

Deno.test("POST /v1/chat/completions takes auto, a role, or a reference as model", async () => {
  await using api = await startApi({
    change: (models) => ({ ...models, assignments: { ...models.assignments, technical: "second/small" } }),
  });
  const client = connectClient(api);
  const rows = () => api.agent.usage.local?.latest(1)[0];
  const expected = [
    ["auto", "first/llama3.2", "identity_core"],
    ["role:technical", "second/small", "technical"],
    ["role:business", "first/llama3.2", "business"],
    ["second/small", "second/small", "identity_core"],
  ] as const;
  for (const [model, answering, role] of expected) {
    const { data, response } = await complete(client, { model });
    assert.equal(data.model, answering, model);
    assert.equal(response.headers.get("x-django-provider"), answering, model);
    assert.equal(response.headers.get("x-django-fallback"), "false", model);
    assert.equal(rows()?.role, role, model);
  }
  assert.equal(api.second.chats.length, 2);
});

Deno.test("POST /v1/chat/completions hands every role of a conversation on", async () => {
  await using api = await startApi();
  await complete(connectClient(api), {
    messages: [
      { role: "system", content: "Be brief." },
      { role: "developer", content: [{ type: "text", text: "Speak" }, { type: "text", text: "Spanish." }] },
      { role: "user", content: "Hola", name: "ana" },
      { role: "assistant", content: "¿Sí?" },
      { role: "assistant", content: [{ type: "text", text: "Dime." }] },
      { role: "assistant", content: null },
      { role: "user", content: [{ type: "text", text: "¿Quién" }, { type: "text", text: "eres?" }] },
    ],
  });
  assert.deepEqual(bodySeen(api.first)["messages"], [
    { role: "system", content: "Be brief." },
    { role: "system", content: "Speak\nSpanish." },
    { role: "user", content: "Hola" },
    { role: "assistant", content: "¿Sí?" },
    { role: "assistant", content: "Dime." },
    { role: "assistant", content: "" },
    { role: "user", content: "¿Quién\neres?" },
  ]);
});

Deno.test("POST /v1/chat/completions hands images on as base64", async () => {
  await using api = await startApi({ change: withVision("llama3.2") });
  const image = (url: string) => ({ type: "image_url", image_url: { url, detail: "low" } }) as const;
  await complete(connectClient(api), {
    messages: [{
      role: "user",
      content: [
        { type: "text", text: "What is this?" },
        image(`data:image/png;base64,${PIXEL}`),
        image("data:IMAGE/webp;base64,UklGRg=="),
      ],
    }, {
      role: "user",
      content: [image(`data:image/jpeg;base64,${PIXEL}`)],
    }],
  });
  assert.deepEqual(bodySeen(api.first)["messages"], [
    { role: "user", content: "What is this?", images: [PIXEL, "UklGRg=="] },
    { role: "user", content: "", images: [PIXEL] },
  ]);
});

Deno.test("POST /v1/chat/completions refuses images that it would have to fetch, by name", async () => {
  await using api = await startApi();
  const urls = [
    FAR,
    "https://example.com/a.png",
    "file:///etc/passwd",
    "data:text/plain;base64,aGk=",
    "",
    `${FAR}#${PIXEL}`,
  ];
  for (const url of [...urls, "data:image/png,plain", "data:image/png;base64,", "data:image/png;base64,a b"]) {
    const image = { type: "image_url", image_url: { url } } as const;
    const error = await refusalOf(complete(connectClient(api), {
      messages: [...QUESTION, { role: "user", content: [{ type: "text", text: "What is this?" }, image] }],
    }));
    assert.equal(error.status, 400, url);
    assert.equal(error.param, "messages[1].content[1].image_url.url", url);
    assert.equal(error.code, "invalid_value", url);
    assert.ok(!error.message.includes("example.com"), "the address is repeated");
  }
  assert.deepEqual([api.first.requests, api.second.requests], [[], []]);
});

Deno.test("POST /v1/chat/completions hands temperature, sampling, limits and stops on", async () => {
  await using api = await startApi();
  const client = connectClient(api);
  const sampling = { top_p: 0.9, seed: 42, presence_penalty: -0.5, frequency_penalty: 1.5 };
  const expected: [Partial<ChatParams>, object][] = [
    [{}, {}],
    [{ temperature: 0 }, { temperature: 0 }],
    [{ temperature: 2 }, { temperature: 2 }],
    [sampling, sampling],
    [{ top_p: 0, seed: 0, presence_penalty: 0 }, { top_p: 0, seed: 0, presence_penalty: 0 }],
    [{ max_tokens: 64 }, { num_predict: 64 }],
    [{ max_completion_tokens: 32 }, { num_predict: 32 }],
    [{ max_tokens: 64, max_completion_tokens: 32 }, { num_predict: 32 }],
    [{ stop: "END" }, { stop: ["END"] }],
    [{ stop: ["A", "B", "C", "D"] }, { stop: ["A", "B", "C", "D"] }],
    [{ temperature: null, top_p: null, seed: null, max_tokens: null, stop: null, presence_penalty: null }, {}],
  ];
  for (const [asked, sent] of expected) {
    await complete(client, asked);
    assert.deepEqual(bodySeen(api.first)["options"], { ...CONTEXT, ...sent }, JSON.stringify(asked));
  }
});

Deno.test("POST /v1/chat/completions hands sampling on to Groq and Gemini in their own words", async () => {
  await using rig = startRig({ chain: [GPT, GEMINI] });
  const sampling = { top_p: 0.9, seed: 42, presence_penalty: -0.5, frequency_penalty: 1.5 };
  await complete(connectRig(rig), { model: GPT, ...sampling });
  const { top_p, seed, presence_penalty, frequency_penalty } = bodySeen(rig.groq);
  assert.deepEqual({ top_p, seed, presence_penalty, frequency_penalty }, sampling);
  await complete(connectRig(rig), { model: GEMINI, ...sampling });
  const { topP, seed: geminiSeed, presencePenalty, frequencyPenalty } = bodySeen(
    rig.gemini,
  )["generationConfig"] as Record<string, unknown>;
  assert.deepEqual(
    { topP, geminiSeed, presencePenalty, frequencyPenalty },
    { topP: 0.9, geminiSeed: 42, presencePenalty: -0.5, frequencyPenalty: 1.5 },
  );
});

Deno.test("POST /v1/chat/completions hands the wanted format on", async () => {
  await using api = await startApi();
  const client = connectClient(api);
  const schema = { type: "object", properties: { name: { type: "string" } }, required: ["name"] };
  const expected: [ChatParams["response_format"], unknown][] = [
    [undefined, undefined],
    [{ type: "text" }, undefined],
    [{ type: "json_object" }, { type: "object" }],
    [{ type: "json_schema", json_schema: { name: "person", strict: true, schema } }, schema],
  ];
  for (const [response_format, format] of expected) {
    await complete(client, response_format && { response_format });
    assert.deepEqual(bodySeen(api.first)["format"], format, JSON.stringify(response_format));
  }
});

Deno.test("POST /v1/chat/completions hands the effort of thinking on and shows the thoughts", async () => {
  await using api = await startApi();
  const client = connectClient(api);
  const expected = { none: false, minimal: "low", low: "low", medium: "medium", high: "high" } as const;
  for (const [effort, think] of Object.entries(expected)) {
    await complete(client, { reasoning_effort: effort as keyof typeof expected });
    assert.equal(bodySeen(api.first)["think"], think, effort);
  }
  await complete(client);
  assert.equal(bodySeen(api.first)["think"], false);
  api.first.next({ kind: "answer", thinking: ["Who ", "am I?"], tokens: ["Django."] });
  const { data } = await complete(client, { reasoning_effort: "high" });
  assert.deepEqual(data.choices[0]?.message, {
    role: "assistant",
    content: "Django.",
    refusal: null,
    reasoning_content: "Who am I?",
  });
});

Deno.test("POST /v1/chat/completions says length when the answer was cut at the limit", async () => {
  await using api = await startApi();
  api.first.next({ kind: "answer", finish: "length" });
  const { data } = await complete(connectClient(api), { max_completion_tokens: 5 });
  assert.equal(data.choices[0]?.finish_reason, "length");
});

Deno.test("POST /v1/chat/completions counts cached and reasoning tokens as OpenAI does", async () => {
  await using rig = startRig({ chain: [GPT] });
  rig.groq.next({ kind: "answer", usage: { input: 100, cached: 40, output: 50, reasoning: 20 } });
  const { data } = await complete(connectRig(rig));
  assert.deepEqual(data.usage, {
    prompt_tokens: 100,
    completion_tokens: 50,
    total_tokens: 150,
    prompt_tokens_details: { cached_tokens: 40 },
    completion_tokens_details: { reasoning_tokens: 20 },
  });
});

Deno.test("POST /v1/chat/completions tells a cost of nothing from an unknown one", async () => {
  await using api = await startApi();
  const free = await complete(connectClient(api), { model: "second/small" });
  assert.equal(free.response.headers.get("x-django-cost-usd"), "0");
  await using rig = startRig({ chain: ["gemini/gemini-unpriced"] });
  const unpriced = await complete(connectRig(rig));
  assert.equal(unpriced.response.headers.get("x-django-cost-usd"), "unknown");
  assert.equal(unpriced.data.model, "gemini/gemini-unpriced");
});

Deno.test("POST /v1/chat/completions says when another model than the first choice answered", async () => {
  await using api = await startApi();
  await api.first.down();
  const { data, response } = await complete(connectClient(api));
  assert.equal(data.model, "second/small");
  assert.equal(response.headers.get("x-django-provider"), "second/small");
  assert.equal(response.headers.get("x-django-fallback"), "true");
  assert.equal(response.headers.get("x-django-cost-usd"), "0");
});

Deno.test("POST /v1/chat/completions begins an answer that broke off anew at the next model", async () => {
  await using api = await startApi();
  api.first.next({ kind: "cut", after: 2 });
  api.second.next({ kind: "answer", tokens: ["Second."] });
  const { data, response } = await complete(connectClient(api));
  assert.equal(data.choices[0]?.message.content, "Second.");
  assert.equal(response.headers.get("x-django-fallback"), "true");
});

Deno.test("GET /v1/models lists auto, the roles that chat or embed, and every configured model", async () => {
  await using api = await startApi();
  const { data } = await connectClient(api).models.list();
  assert.deepEqual(data.map(({ id, owned_by }) => `${id} of ${owned_by}`), [
    "auto of django-agent",
    "role:identity_core of django-agent",
    "role:communication of django-agent",
    "role:governance of django-agent",
    "role:business of django-agent",
    "role:technical of django-agent",
    "role:embeddings of django-agent",
    "first/llama3.2 of first",
    "first/embeddinggemma of first",
    "second/small of second",
    "groq/openai/gpt-oss-120b of groq",
  ]);
  assert.ok(data.every(({ object, created }) => object === "model" && Number.isInteger(created)));
});
