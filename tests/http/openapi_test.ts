import assert from "node:assert/strict";
import { z } from "zod";
import { createApp } from "../../src/http/app.ts";
import { EventLog } from "../../src/http/event_log.ts";
import { EventStreams } from "../../src/http/event_stream.ts";
import { createMetrics } from "../../src/http/metrics.ts";
import { type Api, startApi, TOKEN } from "../support/api.ts";

type Json = { readonly [name: string]: unknown };

interface Operation {
  readonly summary: string;
  readonly requestBody?: { readonly required: boolean; readonly content: Content };
  readonly responses: { readonly [status: string]: { readonly description: string; readonly content: Content } };
}
type Content = { readonly [type: string]: { readonly schema: Json } };

interface Document {
  readonly openapi: string;
  readonly info: { readonly title: string; readonly version: string };
  readonly paths: { readonly [path: string]: { readonly [method: string]: Operation } };
  readonly components: { readonly schemas: { readonly [name: string]: Json } };
}

/** Paths that are for other readers than programs with a schema. */
const UNDESCRIBED = ["GET /", "GET /assets/{name}", "GET /metrics", "GET /openapi.json"];

async function documentOf(api: Api): Promise<Document> {
  return await (await api.send("GET", "/openapi.json")).json();
}

function operationsOf({ paths }: Document): { readonly name: string; readonly operation: Operation }[] {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ name: `${method.toUpperCase()} ${path}`, operation }))
  );
}

/** What the app itself knows. */
function routesOf(api: Api): string[] {
  using log = new EventLog(api.agent.events);
  using streams = new EventStreams(log);
  using metrics = createMetrics(api.agent, streams);
  const guard = { hostname: "127.0.0.1", allowedHosts: [], allowedOrigins: [], token: TOKEN };
  const app = createApp({ program: api.agent, version: "x", log, streams, metrics }, guard);
  const names = app.routes.filter(({ method }) => method !== "ALL")
    .map(({ method, path }) => `${method} ${path.replace(/:(\w+)/g, "{$1}")}`);
  return [...new Set(names)];
}

/** A schema with everything it refers to inside it, and no field allowed that it does not name. */
function inline(schema: unknown, document: Document): unknown {
  if (Array.isArray(schema)) return schema.map((part) => inline(part, document));
  if (typeof schema !== "object" || schema === null) return schema;
  const { $ref, ...own } = schema as Json;
  if (typeof $ref === "string") {
    const [, name = ""] = /^#\/components\/schemas\/(\w+)$/.exec($ref) ?? assert.fail(`leads nowhere: ${$ref}`);
    return inline(document.components.schemas[name] ?? assert.fail(`leads nowhere: ${$ref}`), document);
  }
  const parts = Object.entries(own).map(([name, part]) => [name, inline(part, document)]);
  const closed = own.properties !== undefined && own.additionalProperties === undefined;
  return { ...Object.fromEntries(parts), ...(closed && { additionalProperties: false }) };
}

/** Holds a value to a schema of the document. */
function assertFits(value: unknown, schema: Json, document: Document, what: string): void {
  const { success, error } = z.fromJSONSchema(inline(schema, document) as never).safeParse(value);
  assert.ok(success, `${what}: ${error?.message}\n${JSON.stringify(value)}`);
}

function schemaOf({ responses }: Operation, status: string): Json {
  return responses[status]?.content["application/json"]?.schema ?? assert.fail(`no schema for ${status}`);
}

Deno.test("GET /openapi.json describes every route, and nothing that is not there", async () => {
  await using api = await startApi();
  const described = operationsOf(await documentOf(api)).map(({ name }) => name);
  const routes = routesOf(api).filter((name) => !UNDESCRIBED.includes(name));
  assert.deepEqual(described.toSorted(), routes.toSorted());
  assert.ok(described.length >= 13, described.join());
});

Deno.test("GET /openapi.json is a whole document: every reference leads somewhere, every operation says what it is", async () => {
  await using api = await startApi();
  const document = await documentOf(api);
  assert.match(document.openapi, /^3\.1\.\d$/);
  assert.deepEqual([document.info.title, document.info.version], ["django-agent", "0.0.0-test"]);
  for (const schema of Object.values(document.components.schemas)) inline(schema, document);
  for (const { name, operation } of operationsOf(document)) {
    assert.ok(operation.summary.length > 5, name);
    assert.ok(operation.responses["200"]?.description, name);
    for (const { content } of Object.values(operation.responses)) {
      for (const { schema } of Object.values(content)) z.fromJSONSchema(inline(schema, document) as never);
    }
    const body = operation.requestBody;
    const wantsBody = /^P/.test(name) && name !== "POST /api/router/reload";
    assert.equal(body?.required, wantsBody ? true : undefined, name);
    if (body) z.fromJSONSchema(inline(body.content["application/json"]?.schema, document) as never);
  }
});

const CHAT = { model: "auto", messages: [{ role: "user", content: "Hola" }] };
/** A request of every route that answers with JSON, with its body if it takes one. */
const REQUESTS: Readonly<Record<string, object | undefined>> = {
  "POST /v1/chat/completions": CHAT,
  "POST /v1/embeddings": { model: "auto", input: ["Hola", "adiós"] },
  "GET /v1/models": undefined,
  "POST /api/chat": { message: "Hola", user: { id: "7", name: "Ana" }, context: "#general" },
  "POST /api/memory/semantic": { content: "# Huerto\n\nLos tomates se riegan cada dos días.", source: "huerto.md" },
  "POST /api/memory/search": { query: "regar los tomates" },
  "DELETE /api/memory/semantic/{id}": undefined,
  "POST /api/memory/working/clear": {},
  "POST /api/memory/forget": { user_id: "7" },
  "GET /api/memory/stats": undefined,
  "POST /api/router/reload": undefined,
  "GET /api/router/status": undefined,
  "GET /api/models/config": undefined,
  "PUT /api/models/profile": { profile: "small_first" },
  "PUT /api/models/assignment": { agent_role: "technical", model: "second/small" },
  "POST /api/models/test": { provider: "second" },
  "GET /health": undefined,
  "GET /api/privacy": undefined,
  "GET /api/token-usage": undefined,
  "GET /api/events/recent": undefined,
};

/** Of a passage that has been learned. */
async function learnedId(api: Api): Promise<string> {
  const { results } = await (await api.send("POST", "/api/memory/search", { query: "tomates" })).json();
  return String(results[0]?.id ?? "none");
}

Deno.test("every answer is as GET /openapi.json says, and so is every request that is understood", async () => {
  await using api = await startApi();
  const document = await documentOf(api);
  const operations = new Map(operationsOf(document).map(({ name, operation }) => [name, operation]));
  assert.deepEqual(
    Object.keys(REQUESTS).toSorted(),
    [...operations.keys()].filter((name) => name !== "GET /api/events").toSorted(),
  );
  for (const [name, body] of Object.entries(REQUESTS)) {
    const operation = operations.get(name) ?? assert.fail(name);
    const [method = "", path = ""] = name.split(" ");
    if (body) assertFits(body, operation.requestBody?.content["application/json"]?.schema ?? {}, document, name);
    const response = await api.send(method, path.replace("{id}", await learnedId(api)), body);
    assert.equal(response.status, 200, name);
    assertFits(await response.json(), schemaOf(operation, "200"), document, name);
  }
});

Deno.test("every error is as GET /openapi.json says", async () => {
  await using api = await startApi();
  const document = await documentOf(api);
  for (const fake of [api.first, api.second]) fake.always({ kind: "status", status: 500 });
  const operations = new Map(operationsOf(document).map(({ name, operation }) => [name, operation]));
  const requests: readonly (readonly [string, object | string | undefined, number])[] = [
    ["POST /v1/chat/completions", CHAT, 502],
    ["POST /v1/chat/completions", {}, 400],
    ["PUT /api/models/profile", "{", 400],
    ["PUT /api/models/profile", { profile: 7 }, 422],
    ["PUT /api/models/profile", { profile: "cloudy" }, 409],
    ["PUT /api/models/assignment", { agent_role: "technical", model: "x/y" }, 422],
  ];
  for (const [name, body, status] of requests) {
    const [method = "", path = ""] = name.split(" ");
    const response = await api.send(method, path, body);
    assert.equal(response.status, status, name);
    const operation = operations.get(name) ?? assert.fail(name);
    assertFits(await response.json(), schemaOf(operation, "default"), document, name);
  }
});

Deno.test("the undescribed paths answer too", async () => {
  await using api = await startApi();
  for (const name of UNDESCRIBED) {
    const response = await api.send("GET", name.slice(4).replace("{name}", "style.css"));
    assert.equal(response.status, 200);
    assert.notEqual(await response.text(), "");
  }
  assert.match(await (await api.send("GET", "/")).text(), /openapi\.json/);
});
