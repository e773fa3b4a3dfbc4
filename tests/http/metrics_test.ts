import assert from "node:assert/strict";
import { type Api, startApi } from "../support/api.ts";
import { assertSecurityHeaders } from "../support/api_answers.ts";
import { until } from "../support/rig.ts";

const CHAT = { model: "auto", messages: [{ role: "user", content: "Hola" }] };

/** Every sample by its name and labels, as the text has them. */
type Samples = ReadonlyMap<string, number>;

/** Reads the Prometheus text format; every line has to be one of its kinds. */
function parseMetrics(text: string): Samples {
  const samples = new Map<string, number>();
  const described = new Set<string>();
  assert.ok(text.endsWith("\n"));
  for (const line of text.split("\n").filter((line) => line !== "")) {
    const [, name] = /^# (?:HELP|TYPE) ([a-z_]+) \S/.exec(line) ?? [];
    if (name !== undefined) {
      described.add(name);
      continue;
    }
    const [, sample = "", value = ""] = /^([a-z_]+(?:\{(?:[a-z_]+="[^"\n]*",?)+\})?) (\S+)$/.exec(line) ??
      assert.fail(`not a line of the format: ${line}`);
    assert.ok(!samples.has(sample), `twice: ${sample}`);
    assert.ok([...described].some((prefix) => sample.startsWith(prefix)), `described nowhere: ${sample}`);
    samples.set(sample, Number(value));
  }
  return samples;
}

async function metricsOf(api: Api): Promise<Samples> {
  const response = await api.send("GET", "/metrics");
  const text = await response.text();
  assert.equal(response.status, 200, text);
  assert.match(response.headers.get("content-type") ?? "", /^text\/plain; version=0\.0\.4/);
  assertSecurityHeaders(response.headers);
  return parseMetrics(text);
}

async function chat(api: Api, change: object = {}): Promise<number> {
  const response = await api.send("POST", "/v1/chat/completions", { ...CHAT, ...change });
  await response.text();
  return response.status;
}

/** The samples whose name begins so and that are not 0. */
function nonZero(samples: Samples, prefix: string): Record<string, number> {
  return Object.fromEntries([...samples].filter(([name, value]) => name.startsWith(prefix) && value !== 0));
}

const FIRST = 'provider="first",model="llama3.2"';
const SECOND = 'provider="second",model="small"';

Deno.test("GET /metrics counts an answer: calls, attempts, tokens, cost and times", async () => {
  await using api = await startApi();
  assert.deepEqual(nonZero(await metricsOf(api), "django_agent_calls_total"), {});
  api.first.next({ kind: "answer", usage: { input: 1000, output: 500 } });
  assert.equal(await chat(api, { model: "role:technical" }), 200);
  const samples = await metricsOf(api);
  assert.deepEqual(nonZero(samples, "django_agent_calls_total"), {
    'django_agent_calls_total{role="technical",outcome="ok"}': 1,
  });
  assert.deepEqual(nonZero(samples, "django_agent_attempts_total"), {
    [`django_agent_attempts_total{${FIRST},outcome="ok",error_kind=""}`]: 1,
  });
  assert.deepEqual(nonZero(samples, "django_agent_tokens_total"), {
    [`django_agent_tokens_total{${FIRST},kind="input"}`]: 1000,
    [`django_agent_tokens_total{${FIRST},kind="output"}`]: 500,
  });
  // 1 and 2 dollars a million
  assert.equal(samples.get(`django_agent_cost_usd_total{${FIRST}}`), 0.002);
  assert.equal(samples.get(`django_agent_answer_seconds_count{${FIRST}}`), 1);
  assert.equal(samples.get(`django_agent_first_token_seconds_count{${FIRST}}`), 1);
  const seconds = samples.get(`django_agent_answer_seconds_sum{${FIRST}}`) ?? 0;
  assert.ok(seconds > 0 && seconds < 60, `${seconds} s`);
  assert.equal(samples.get(`django_agent_answer_seconds_bucket{le="+Inf",${FIRST}}`), 1);
});

Deno.test("GET /metrics counts a fallback as one call and several attempts", async () => {
  await using api = await startApi();
  api.first.always({ kind: "status", status: 404 });
  assert.equal(await chat(api), 200);
  const samples = await metricsOf(api);
  assert.deepEqual(nonZero(samples, "django_agent_calls_total"), {
    'django_agent_calls_total{role="identity_core",outcome="ok"}': 1,
  });
  assert.deepEqual(nonZero(samples, "django_agent_attempts_total"), {
    [`django_agent_attempts_total{${FIRST},outcome="failed",error_kind="model_not_found"}`]: 1,
    [`django_agent_attempts_total{${SECOND},outcome="ok",error_kind=""}`]: 1,
  });
  assert.equal(samples.get(`django_agent_answer_seconds_count{${FIRST}}`), undefined);
});

Deno.test("GET /metrics counts calls that failed, and shows their breakers", async () => {
  await using api = await startApi();
  for (const fake of [api.first, api.second]) fake.always({ kind: "status", status: 500 });
  for (let calls = 0; calls < 3; calls++) assert.ok(await chat(api) >= 500);
  const samples = await metricsOf(api);
  assert.deepEqual(nonZero(samples, "django_agent_calls_total"), {
    'django_agent_calls_total{role="identity_core",outcome="failed"}': 3,
  });
  assert.deepEqual(nonZero(samples, "django_agent_breaker_state"), {
    'django_agent_breaker_state{provider="first",state="open"}': 1,
    'django_agent_breaker_state{provider="second",state="open"}': 1,
    'django_agent_breaker_state{provider="groq",state="closed"}': 1,
  });
});

Deno.test("GET /metrics counts a call that its client gave up", async () => {
  await using api = await startApi();
  api.first.next({ kind: "silence" });
  const leaving = new AbortController();
  const call = fetch(`${api.origin}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(CHAT),
    signal: leaving.signal,
  });
  await until(() => api.first.chats.length === 1);
  leaving.abort();
  await assert.rejects(call);
  await until(() => api.first.chats[0]?.goneAtMs !== undefined);
  await until(() => api.agent.usage.local?.count === 1);
  const samples = await metricsOf(api);
  assert.deepEqual(nonZero(samples, "django_agent_calls_total"), {
    'django_agent_calls_total{role="identity_core",outcome="aborted"}': 1,
  });
});

Deno.test("GET /metrics shows what runs and what waits, and who reads events", async () => {
  await using api = await startApi({ change: (models) => oneAtATime(models) });
  api.first.always({ kind: "answer", firstTokenDelayMs: 200 });
  const chats = [chat(api), chat(api), chat(api)];
  await until(() => api.agent.router.lanes.first?.waiting === 2);
  const events = await api.send("GET", "/api/events");
  const busy = await metricsOf(api);
  assert.equal(busy.get('django_agent_in_flight{provider="first"}'), 1);
  assert.equal(busy.get('django_agent_queue_depth{provider="first"}'), 2);
  assert.equal(busy.get("django_agent_event_readers"), 1);
  await events.body?.cancel();
  assert.deepEqual(await Promise.all(chats), [200, 200, 200]);
  const idle = await metricsOf(api);
  assert.equal(idle.get('django_agent_in_flight{provider="first"}'), 0);
  assert.equal(idle.get('django_agent_queue_depth{provider="first"}'), 0);
  assert.ok((idle.get("process_resident_memory_bytes") ?? 0) > 1e7);
});

function oneAtATime<Models extends { providers: Record<string, unknown> }>(models: Models): Models {
  models.providers.first = { ...models.providers.first as object, max_concurrent: 1 };
  return models;
}

Deno.test("GET /metrics forgets a provider that a reload has removed", async () => {
  await using api = await startApi();
  assert.ok([...(await metricsOf(api)).keys()].some((name) => name.includes("groq")));
  const file = `${api.folder}/config/models.json`;
  const { groq: _, ...providers } = JSON.parse(await Deno.readTextFile(file)).providers;
  const models = { profile: "p", providers, fallback_chain: ["second/small"], profiles: { p: {} } };
  await Deno.writeTextFile(file, JSON.stringify(models));
  await (await api.send("POST", "/api/router/reload")).text();
  const names = [...(await metricsOf(api)).keys()];
  assert.ok(names.some((name) => name.includes('provider="second"')));
  assert.deepEqual(names.filter((name) => name.includes("groq")), []);
});

Deno.test("GET /metrics counts a client that hangs up in the middle of a stream as an aborted call", async () => {
  await using api = await startApi();
  api.first.next({ kind: "endless_body", of: "tokens" });
  const response = await api.send("POST", "/v1/chat/completions", { ...CHAT, stream: true });
  const reader = response.body?.getReader();
  await reader?.read();
  await reader?.cancel();
  await until(() => api.agent.router.lanes["first"]?.in_flight === 0);
  const samples = await metricsOf(api);
  assert.deepEqual(nonZero(samples, "django_agent_calls_total"), {
    'django_agent_calls_total{role="identity_core",outcome="aborted"}': 1,
  });
});

Deno.test("GET /metrics counts embeddings as calls that went well", async () => {
  await using api = await startApi();
  await (await api.send("POST", "/v1/embeddings", { model: "auto", input: "Hola" })).text();
  assert.deepEqual(nonZero(await metricsOf(api), "django_agent_calls_total"), {
    'django_agent_calls_total{role="embeddings",outcome="ok"}': 1,
  });
});
