import assert from "node:assert/strict";
import { localDayStarts } from "../../src/storage/summary.ts";
import { type Api, startApi } from "../support/api.ts";
import { readError, readOk } from "../support/api_answers.ts";
import { runProgram } from "../support/program.ts";
import { usageRow } from "../support/usage_rows.ts";

const CHAT = { model: "auto", messages: [{ role: "user", content: "Hola" }] };

interface Health {
  readonly status: string;
  readonly uptime_seconds: number;
  readonly providers: Readonly<Record<string, { readonly usable: boolean; readonly breaker: string }>>;
  readonly database: { readonly state: string; readonly shared: string };
}

async function healthOf(api: Api): Promise<Health> {
  return await readOk<Health>(await api.send("GET", "/health"));
}

/** Lets a provider fail until its breaker opens; the other one answers meanwhile, or nobody. */
async function breakProviders(api: Api, ...fakes: Api["first"][]): Promise<void> {
  for (const fake of fakes) fake.always({ kind: "status", status: 500 });
  for (let calls = 0; calls < 3; calls++) {
    const response = await api.send("POST", "/v1/chat/completions", CHAT);
    await response.body?.cancel();
  }
}

Deno.test("GET /health tells that all is well", async () => {
  await using api = await startApi();
  const { uptime_seconds, ...health } = await healthOf(api);
  assert.ok(Number.isInteger(uptime_seconds) && uptime_seconds >= 0);
  assert.deepEqual(health, {
    status: "ok",
    version: "0.0.0-test",
    profile: "privacy_mode",
    sealed: true,
    providers: {
      first: { usable: true, breaker: "closed" },
      second: { usable: true, breaker: "closed" },
      groq: { usable: false, breaker: "closed" },
    },
    database: { state: "ok", shared: "off" },
    bot: { state: "off" },
    banner: null,
  });
});

Deno.test("GET /health is well while one provider can answer, and degraded when none can", async () => {
  await using api = await startApi();
  await breakProviders(api, api.first);
  const one = await healthOf(api);
  assert.deepEqual([one.status, one.providers.first?.breaker, one.providers.second?.breaker], ["ok", "open", "closed"]);
  await breakProviders(api, api.first, api.second);
  const none = await healthOf(api); // with 200: it runs
  assert.deepEqual([none.status, none.providers.second?.breaker], ["degraded", "open"]);
  const refused = await api.send("POST", "/v1/chat/completions", CHAT);
  const seconds = Number(refused.headers.get("retry-after"));
  assert.ok(Number.isInteger(seconds) && seconds > 0, "it says when to come back");
  assert.equal((await readError(refused, 503)).code, "unavailable");
});

Deno.test("GET /health is degraded while the usage database cannot be used", async () => {
  await using api = await startApi({ withoutDatabase: true });
  const { status, database } = await healthOf(api);
  assert.deepEqual([status, database.state], ["degraded", "waiting"]);
  assert.equal((await readError(await api.send("GET", "/api/token-usage"), 503)).code, "unavailable");
  await readOk(await api.send("POST", "/v1/chat/completions", CHAT)); // it answers all the same
});

Deno.test("GET /api/privacy says the same as the command", async () => {
  await using api = await startApi();
  await readOk(await api.send("POST", "/v1/chat/completions", CHAT));
  const report = await readOk<Record<string, unknown>>(await api.send("GET", "/api/privacy"));
  assert.deepEqual([report.sealed, report.profile, report.local_only], [true, "privacy_mode", true]);
  const egress = report.egress as { origin: string; requests: number; local: boolean }[];
  assert.deepEqual(egress.map(({ origin, local }) => [origin, local]), [[api.first.origin, true]]);
  const command = await runProgram(["privacy", "--json"], { folder: api.folder });
  const printed = JSON.parse(command.stdout);
  assert.deepEqual(Object.keys(report), Object.keys(printed));
  // The test's own process has another sandbox than the program.
  for (const part of ["profile", "local_only", "cloud_models", "providers"]) {
    assert.deepEqual(report[part], printed[part], part);
  }
});

interface Usage {
  readonly by: string;
  readonly since: string;
  readonly groups: readonly { readonly key: string; readonly calls: number; readonly total_tokens: number }[];
  readonly total: { readonly calls: number };
  readonly rows: readonly Readonly<Record<string, unknown>>[];
}

async function usageOf(api: Api, query = ""): Promise<Usage> {
  return await readOk<Usage>(await api.send("GET", `/api/token-usage${query}`));
}

const DAY_MS = 86_400_000;

async function startUsed(): Promise<Api> {
  const api = await startApi();
  const today = Date.now();
  api.agent.usage.record(usageRow({ at_ms: today - 40 * DAY_MS, role: "business" }));
  api.agent.usage.record(
    usageRow({ at_ms: today - 3 * DAY_MS, provider: "second", model: "small", outcome: "failed" }),
  );
  api.agent.usage.record(usageRow({ at_ms: today - 2, provider: "second", model: "small", role: "technical" }));
  api.agent.usage.record(usageRow({ at_ms: today - 1, cost_usd: null }));
  return api;
}

Deno.test("GET /api/token-usage sums up the last week by day unless it is asked for something else", async () => {
  await using api = await startUsed();
  const { by, since, groups, total, rows } = await usageOf(api);
  assert.deepEqual([by, total.calls, rows.length], ["day", 3, 3]);
  assert.equal(Date.parse(since), localDayStarts(7)[0]);
  assert.deepEqual(groups.map(({ calls }) => calls).filter((calls) => calls > 0), [1, 2]);
  assert.deepEqual(rows.map(({ role }) => role), ["identity_core", "technical", "identity_core"]);
  const [latest] = rows;
  assert.match(String(latest?.at), /^\d{4}-\d\d-\d\dT.*Z$/);
  assert.equal(latest?.cost_usd, null);
  assert.equal(latest?.instance_id, api.agent.usage.local?.instanceId);
  assert.equal("at_ms" in (latest ?? {}), false);
});

Deno.test("GET /api/token-usage groups by what it is told, over the days it is told", async () => {
  await using api = await startUsed();
  const keys = async (query: string) => {
    const { groups } = await usageOf(api, query);
    return Object.fromEntries(groups.map(({ key, calls }) => [key, calls]));
  };
  assert.deepEqual(await keys("?by=provider"), { ollama: 1, second: 2 });
  assert.deepEqual(await keys("?by=model&days=365"), { "ollama/llama3.2": 2, "second/small": 2 });
  assert.deepEqual(await keys("?by=role&days=1"), { identity_core: 1, technical: 1 });
  assert.deepEqual(await keys("?by=outcome"), { ok: 2, failed: 1 });
  assert.deepEqual(await keys("?by=instance"), { [api.agent.usage.local?.instanceId ?? ""]: 3 });
  assert.equal((await usageOf(api, "?days=3653")).total.calls, 4);
  assert.equal((await usageOf(api, "?rows=2")).rows.length, 2);
  assert.deepEqual((await usageOf(api, "?rows=0")).rows, []);
});

Deno.test("GET /api/token-usage refuses values that are none", async () => {
  await using api = await startApi();
  const bad = {
    days: ["0", "-1", "3654", "1.5", "x", "", "1e9", "NaN", "Infinity", "%00"],
    rows: ["-1", "1001", "1.5", "x", "null"],
    by: ["", "week", "DAY", "__proto__", "day,model", "'; drop table token_usage; --"],
  };
  for (const [name, values] of Object.entries(bad)) {
    for (const value of values) {
      const { code, param } = await readError(await api.send("GET", `/api/token-usage?${name}=${value}`), 422);
      assert.deepEqual([code, param], ["invalid_value", name], `${name}=${value}`);
    }
  }
  await readError(await api.send("GET", "/api/token-usage?days=1&days=2"), 422);
  await usageOf(api, "?unknown=1");
});

Deno.test("GET /api/events/recent keeps the last hundred events, oldest first", async () => {
  await using api = await startApi();
  const recent = async () => {
    const { events } = await readOk<{ events: { id: string; at: string; name: string; data: { from: string } }[] }>(
      await api.send("GET", "/api/events/recent"),
    );
    return events;
  };
  assert.deepEqual(await recent(), []);
  for (let count = 1; count <= 120; count++) {
    api.agent.events.emit("router.fallback", { role: "technical", from: `n/${count}`, to: null, kind: "timeout" });
  }
  const events = await recent();
  assert.deepEqual(events.map(({ data }) => data.from), Array.from({ length: 100 }, (_, index) => `n/${index + 21}`));
  assert.equal(new Set(events.map(({ id }) => id)).size, 100);
  assert.ok(events.every(({ name, at }) => name === "router.fallback" && new Date(at).toISOString() === at));
});

Deno.test("GET /health is degraded when the profile asks nobody who can answer", async () => {
  await using api = await startApi({
    change: (models) => ({
      ...models,
      profile: "cloudy",
      profiles: { cloudy: { fallback_chain: ["groq/openai/gpt-oss-120b"] } },
    }),
  });
  assert.equal((await healthOf(api)).status, "degraded");
});

Deno.test("GET /api/token-usage has no rows from before the days it was asked for", async () => {
  await using api = await startApi();
  const now = Date.now();
  for (const at_ms of [now - 3 * 86_400_000, now]) api.agent.usage.record(usageRow({ at_ms }));
  const { rows } = await readOk<{ rows: unknown[] }>(await api.send("GET", "/api/token-usage?days=2"));
  assert.equal(rows.length, 1);
});
