import assert from "node:assert/strict";
import type { EventMap } from "../../src/core/events.ts";
import { type Api, type ApiOptions, startApi } from "../support/api.ts";
import { readError, readOk } from "../support/api_answers.ts";
import { until } from "../support/rig.ts";

type Reload = Readonly<EventMap["config.router_reloaded"]>;

interface Watched extends AsyncDisposable {
  readonly api: Api;
  /** Every reload so far. */
  readonly reloads: readonly Reload[];
  readonly file: string;
  text(): Promise<string>;
}

async function startWatched(options: ApiOptions = {}): Promise<Watched> {
  const api = await startApi(options);
  const reloads: Reload[] = [];
  api.agent.events.subscribe((event) => {
    if (event.name === "config.router_reloaded") reloads.push(event.data);
  });
  const file = `${api.folder}/config/models.json`;
  return {
    api,
    reloads,
    file,
    text: () => Deno.readTextFile(file),
    [Symbol.asyncDispose]: () => api[Symbol.asyncDispose](),
  };
}

interface Status {
  readonly profile: string;
  readonly local_only: boolean;
  readonly chain: readonly string[];
  readonly roles: Readonly<Record<string, string | null>>;
  readonly providers: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

async function statusOf(api: Api): Promise<Status> {
  return await readOk<Status>(await api.send("GET", "/api/router/status"));
}

interface Change {
  readonly profile: string;
  readonly roles: Readonly<Record<string, string>>;
  readonly changes: readonly string[];
}

function putProfile(api: Api, profile: string): Promise<Response> {
  return api.send("PUT", "/api/models/profile", { profile });
}

function putAssignment(api: Api, agent_role: string, model: string): Promise<Response> {
  return api.send("PUT", "/api/models/assignment", { agent_role, model });
}

Deno.test("GET /api/router/status tells profile, chain, roles and every provider", async () => {
  await using api = await startApi();
  const status = await statusOf(api);
  assert.deepEqual([status.profile, status.local_only], ["privacy_mode", true]);
  assert.deepEqual(status.chain, ["first/llama3.2", "second/small"]);
  assert.deepEqual([status.roles.technical, status.roles.embeddings], ["first/llama3.2", "first/embeddinggemma"]);
  assert.deepEqual(Object.keys(status.providers), ["first", "second", "groq"]);
  const { usable, reason, ...lane } = status.providers.first ?? {};
  assert.deepEqual([usable, reason], [true, null]);
  assert.deepEqual(lane, {
    breaker: "closed",
    failures: 0,
    retry_at: null,
    last_error_kind: null,
    in_flight: 0,
    waiting: 0,
    latency_p50_ms: null,
    latency_p95_ms: null,
  });
  assert.equal(status.providers.groq?.usable, false);
  assert.match(String(status.providers.groq?.reason), /--cloud/);
});

Deno.test("GET /api/router/status shows what has happened at a provider", async () => {
  await using api = await startApi();
  api.first.next({ kind: "status", status: 500 }, { kind: "status", status: 500 });
  const chat = { model: "auto", messages: [{ role: "user", content: "Hola" }] };
  await readOk(await api.send("POST", "/v1/chat/completions", chat));
  const { first, second } = (await statusOf(api)).providers;
  assert.ok(Number(first?.failures) > 0);
  assert.equal(first?.last_error_kind, "unavailable");
  assert.equal(second?.failures, 0);
  assert.equal(typeof second?.latency_p50_ms, "number");
});

Deno.test("GET /api/models/config tells profiles and models as models.json has them", async () => {
  await using api = await startApi();
  const config = await readOk<Record<string, unknown>>(await api.send("GET", "/api/models/config"));
  assert.equal(config.source, `${api.folder}/config/models.json`);
  assert.equal(config.profile, "privacy_mode");
  const profiles = config.profiles as Record<string, unknown>[];
  assert.deepEqual(profiles.map(({ name }) => name), ["privacy_mode", "small_first", "cloudy"]);
  assert.deepEqual(profiles[2], {
    name: "cloudy",
    local_only: false,
    chain: ["groq/openai/gpt-oss-120b", "first/llama3.2"],
    assignments: { embeddings: "first/embeddinggemma" },
    cloud_models: ["groq/openai/gpt-oss-120b"],
  });
  const models = config.models as Record<string, unknown>[];
  assert.deepEqual(models.slice(0, 2), [
    {
      ref: "first/llama3.2",
      provider: "first",
      type: "ollama",
      context: 8192,
      embeddings: false,
      vision: false,
      usd_per_million: { input: 1, output: 2 },
    },
    {
      ref: "first/embeddinggemma",
      provider: "first",
      type: "ollama",
      context: 2048,
      embeddings: true,
      vision: false,
      usd_per_million: { input: 0, output: 0 }, // it runs on this machine
    },
  ]);
});

Deno.test("PUT /api/models/profile has changed file, router and events before it answers", async () => {
  await using watched = await startWatched();
  const { api, reloads } = watched;
  const change = await readOk<Change>(await putProfile(api, "small_first"));
  // Looked at without waiting for anything.
  assert.deepEqual(reloads.map(({ ok }) => ok), [true]);
  assert.equal(JSON.parse(await watched.text()).profile, "small_first");
  const status = await statusOf(api);
  assert.deepEqual([status.profile, status.chain[0]], ["small_first", "second/small"]);
  assert.deepEqual([change.profile, change.roles.technical], ["small_first", "second/small"]);
  assert.deepEqual(change.changes, reloads[0]?.changes);
  assert.match(change.changes.join(), /profile.*small_first/);
});

Deno.test("PUT /api/models/assignment has changed file, router and events before it answers", async () => {
  await using watched = await startWatched();
  const { api, reloads } = watched;
  const change = await readOk<Change>(await putAssignment(api, "technical", "second/small"));
  assert.deepEqual(reloads.map(({ ok }) => ok), [true]);
  assert.equal(JSON.parse(await watched.text()).assignments.technical, "second/small");
  const { roles } = await statusOf(api);
  assert.deepEqual([roles.technical, roles.identity_core], ["second/small", "first/llama3.2"]);
  assert.deepEqual(change.roles, roles);
  const chat = { model: "role:technical", messages: [{ role: "user", content: "Hola" }] };
  await readOk(await api.send("POST", "/v1/chat/completions", chat));
  assert.deepEqual([api.first.chats.length, api.second.chats.length], [0, 1]);
});

Deno.test("a change through the API keeps comments, order and layout of the file", async () => {
  await using watched = await startWatched();
  const { api, file } = watched;
  const before = (await watched.text())
    .replace("{", "{\n  // the one at home\n")
    .replace('"profile": "privacy_mode"', '"profile":   "privacy_mode" /* for now */');
  await Deno.writeTextFile(file, before);
  await readOk(await putProfile(api, "small_first"));
  assert.equal(await watched.text(), before.replace('"privacy_mode" /*', '"small_first" /*'));
});

Deno.test("concurrent changes come one after the other, and none is lost", async () => {
  await using watched = await startWatched();
  const { api, reloads } = watched;
  const known = Object.keys((await statusOf(api)).roles).filter((role) => role !== "embeddings");
  const changes = known.map((role) => [role, "second/small"] as const);
  const requests = [
    ...changes.map(([role, model]) => putAssignment(api, role, model)),
    ...Array.from({ length: 15 }, (_, index) => putProfile(api, index % 2 ? "small_first" : "privacy_mode")),
    ...Array.from({ length: 5 }, () => api.send("POST", "/api/router/reload")),
    ...Array.from({ length: 10 - changes.length }, () => putProfile(api, "small_first")),
  ];
  assert.equal(requests.length, 30);
  for (const response of await Promise.all(requests)) await readOk(response);
  const { assignments, profile } = JSON.parse(await watched.text());
  assert.deepEqual(assignments, { ...Object.fromEntries(changes), embeddings: "first/embeddinggemma" });
  const status = await statusOf(api);
  assert.equal(status.profile, profile); // the router serves what the file says, whoever came last
  assert.deepEqual(known.map((role) => status.roles[role]), known.map(() => "second/small"));
  assert.equal(reloads.length, requests.length);
});

Deno.test("PUT /api/models/profile refuses a profile of the cloud in a sealed run, and changes nothing", async () => {
  await using watched = await startWatched();
  const before = await watched.text();
  const error = await readError(await putProfile(watched.api, "cloudy"), 409);
  assert.equal(error.code, "egress_sealed");
  assert.match(error.message, /--cloud/);
  assert.equal(await watched.text(), before);
  assert.equal((await statusOf(watched.api)).profile, "privacy_mode");
  assert.deepEqual(watched.reloads, []);
});

Deno.test("changes to what does not exist or does not fit are refused, and the file stays byte for byte", async () => {
  await using watched = await startWatched();
  const { api } = watched;
  const before = await Deno.readFile(watched.file);
  const cases = [
    [await putProfile(api, "nobody"), "unknown_profile"],
    [await putProfile(api, "__proto__"), "unknown_profile"],
    [await putProfile(api, ""), "unknown_profile"],
    [await putAssignment(api, "nobody", "second/small"), "invalid_value"],
    [await putAssignment(api, "technical", "second/none"), "config_refused"],
    [await putAssignment(api, "technical", "nobody/small"), "config_refused"],
    [await putAssignment(api, "technical", "small"), "config_refused"],
    [await putAssignment(api, "technical", ""), "config_refused"],
    [await putAssignment(api, "technical", "first/embeddinggemma"), "config_refused"],
    [await putAssignment(api, "embeddings", "first/llama3.2"), "config_refused"],
    [await putAssignment(api, "technical", "groq/openai/gpt-oss-120b"), "config_refused"], // local_only
  ] as const;
  for (const [response, code] of cases) assert.equal((await readError(response, 422)).code, code);
  assert.deepEqual(await Deno.readFile(watched.file), before);
  assert.deepEqual(watched.reloads, []);
  assert.equal((await statusOf(api)).roles.technical, "first/llama3.2");
});

Deno.test("POST /api/router/reload takes a new file, and keeps the old one when the new one is refused", async () => {
  await using watched = await startWatched();
  const { api, file, reloads } = watched;
  const good = await watched.text();
  assert.deepEqual(await readOk(await api.send("POST", "/api/router/reload")), { ok: true, changes: [] });
  await Deno.writeTextFile(file, good.replace('"profile": "privacy_mode"', '"profile": "small_first"'));
  const { changes } = await readOk<{ changes: string[] }>(await api.send("POST", "/api/router/reload"));
  assert.match(changes.join(), /small_first/);
  assert.equal((await statusOf(api)).profile, "small_first");
  for (const bad of ["{", good.replace("second/small", "second/none"), "", "[]"]) {
    await Deno.writeTextFile(file, bad);
    const error = await readError(await api.send("POST", "/api/router/reload"), 422);
    assert.equal(error.code, "config_refused");
    assert.ok((error.problems ?? []).length > 0);
    assert.deepEqual(reloads.at(-1)?.problems, error.problems);
    assert.equal((await statusOf(api)).profile, "small_first");
    // Nor can it be changed: that would write over what a person has begun.
    await readError(await putProfile(api, "privacy_mode"), 422);
    assert.equal(await watched.text(), bad);
  }
  await Deno.remove(file);
  await readError(await api.send("POST", "/api/router/reload"), 422);
  await Deno.writeTextFile(file, good);
  await readOk(await api.send("POST", "/api/router/reload"));
  assert.equal((await statusOf(api)).profile, "privacy_mode");
});

Deno.test("a file changed by hand is taken up by itself, with one event; a change of the API makes no second", async () => {
  await using watched = await startWatched();
  const { api, file, reloads } = watched;
  await readOk(await putProfile(api, "small_first"));
  assert.equal(reloads.length, 1);
  const text = await watched.text();
  await Deno.writeTextFile(file, text.replace('"profile": "small_first"', '"profile": "privacy_mode"'));
  await until(() => reloads.length > 1);
  // Had the API's own change counted, its event would have come before this one.
  assert.deepEqual(reloads.map(({ changes }) => changes.join()), [
    "profile: privacy_mode → small_first",
    "profile: small_first → privacy_mode",
  ]);
  assert.equal((await statusOf(api)).profile, "privacy_mode");
  await Deno.writeTextFile(file, "{");
  await until(() => reloads.length > 2);
  assert.deepEqual([reloads[2]?.ok, reloads.length], [false, 3]);
  assert.equal((await statusOf(api)).profile, "privacy_mode");
});

function testModel(api: Api, provider: string, model?: string): Promise<Response> {
  return api.send("POST", "/api/models/test", { provider, ...(model !== undefined && { model }) });
}

Deno.test("POST /api/models/test asks exactly the model it is told, even outside the chain's order", async () => {
  await using api = await startApi();
  const result = await readOk<Record<string, unknown>>(await testModel(api, "second", "small"));
  const { latency_ms, first_token_ms, ...others } = result;
  assert.deepEqual(others, { ok: true, provider: "second", model: "small", error: null, error_kind: null });
  assert.ok(Number(latency_ms) >= Number(first_token_ms) && Number(first_token_ms) > 0);
  assert.deepEqual([api.first.chats.length, api.second.chats.length], [0, 1]);
  const { model } = await readOk<Record<string, unknown>>(await testModel(api, "first"));
  assert.equal(model, "llama3.2"); // its first model that chats
});

Deno.test("POST /api/models/test says what went wrong, and asks nobody else", async () => {
  await using api = await startApi();
  api.first.always({ kind: "status", status: 500 });
  const result = await readOk<Record<string, unknown>>(await testModel(api, "first", "llama3.2"));
  assert.deepEqual([result.ok, result.error_kind, result.latency_ms], [false, "unavailable", null]);
  assert.match(String(result.error), /first/);
  assert.equal(api.second.chats.length, 0);
  const cloud = await readOk<Record<string, unknown>>(await testModel(api, "groq"));
  assert.deepEqual([cloud.ok, cloud.error_kind], [false, "egress_denied"]);
});

Deno.test("POST /api/models/test refuses models that do not exist or do not chat", async () => {
  await using api = await startApi();
  const cases = [["nobody", "small"], ["second", "none"], ["first", "embeddinggemma"], ["toString", "x"], [
    "first",
    "",
  ]];
  for (const [provider = "", model] of cases) {
    const { code, param } = await readError(await testModel(api, provider, model), 422);
    assert.deepEqual([code, param], [
      "unknown_model",
      provider === "first" || provider === "second" ? "model" : "provider",
    ]);
  }
});

Deno.test("changes of the configuration keep the connections to a provider", async () => {
  await using watched = await startWatched();
  const { api } = watched;
  const chat = { model: "auto", messages: [{ role: "user", content: "Hola" }] };
  for (let change = 0; change < 4; change++) {
    const model = change % 2 ? "first/llama3.2" : "second/small";
    await readOk(await api.send("PUT", "/api/models/assignment", { agent_role: "technical", model }));
    await readOk(await api.send("POST", "/v1/chat/completions", chat));
  }
  assert.equal(api.first.connections, 1);
});
