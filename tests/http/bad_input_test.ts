import assert from "node:assert/strict";
import { type Api, startApi } from "../support/api.ts";
import { assertSecurityHeaders, errorIn, readError } from "../support/api_answers.ts";
import { rawRequest, sendRaw } from "../support/raw_http.ts";

/** Every path and the methods it has. */
const PATHS: Readonly<Record<string, readonly string[]>> = {
  "/": ["GET"],
  "/health": ["GET"],
  "/metrics": ["GET"],
  "/openapi.json": ["GET"],
  "/api/chat": ["POST"],
  "/api/events": ["GET"],
  "/api/events/recent": ["GET"],
  "/api/memory/forget": ["POST"],
  "/api/memory/search": ["POST"],
  "/api/memory/semantic": ["POST"],
  "/api/memory/stats": ["GET"],
  "/api/memory/working/clear": ["POST"],
  "/api/models/assignment": ["PUT"],
  "/api/models/config": ["GET"],
  "/api/models/profile": ["PUT"],
  "/api/models/test": ["POST"],
  "/api/privacy": ["GET"],
  "/api/router/reload": ["POST"],
  "/api/router/status": ["GET"],
  "/api/token-usage": ["GET"],
  "/v1/chat/completions": ["POST"],
  "/v1/embeddings": ["POST"],
  "/v1/models": ["GET"],
};
const METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"];
const WITH_BODY: readonly (readonly [string, string])[] = [
  ["PUT", "/api/models/assignment"],
  ["PUT", "/api/models/profile"],
  ["POST", "/api/models/test"],
  ["POST", "/v1/chat/completions"],
  ["POST", "/v1/embeddings"],
  ["POST", "/api/chat"],
  ["POST", "/api/memory/search"],
  ["POST", "/api/memory/semantic"],
  ["POST", "/api/memory/forget"],
  ["POST", "/api/memory/working/clear"],
];

/** Whatever is refused here, the program goes on as before. */
async function assertUnharmed(api: Api): Promise<void> {
  assert.equal(api.agent.router.snapshot.profile.name, "privacy_mode");
  assert.deepEqual([api.first.chats.length, api.second.chats.length], [0, 0]);
  const health = await api.send("GET", "/health");
  assert.equal((await health.json()).status, "ok");
}

Deno.test("every path answers the wrong method with 405 and the methods it has", async () => {
  await using api = await startApi();
  for (const [path, methods] of Object.entries(PATHS)) {
    for (const method of METHODS.filter((name) => !methods.includes(name))) {
      const response = await api.send(method, path);
      assert.equal(response.headers.get("allow"), methods.join(", "), `${method} ${path}`);
      assert.equal((await readError(response, 405)).code, "method_not_allowed");
    }
  }
  const { status, body } = await raw(api, "PROPFIND /health");
  assert.deepEqual([status, errorIn(body).code], [405, "method_not_allowed"]);
  for (const method of ["TRACE", "get"]) assert.equal((await raw(api, `${method} /health`)).status, 400, method);
  await assertUnharmed(api);
});

Deno.test("a path with an id in it answers the wrong method with 405 too", async () => {
  await using api = await startApi();
  for (const method of METHODS.filter((name) => name !== "DELETE")) {
    const response = await api.send(method, "/api/memory/semantic/1");
    const { code } = errorIn(await response.text());
    assert.deepEqual([response.status, code], [405, "method_not_allowed"], method);
    assert.equal(response.headers.get("allow"), "DELETE");
  }
});

Deno.test("HEAD answers like GET without a body", async () => {
  await using api = await startApi();
  const { status, body, headers } = await raw(api, "HEAD /health");
  assertSecurityHeaders(headers);
  assert.deepEqual([status, body], [200, ""]);
});

async function raw(api: Api, what: string, lines: readonly string[] = []) {
  return await sendRaw(api.origin, rawRequest([`${what} HTTP/1.1`, "host: localhost", "connection: close", ...lines]));
}

Deno.test("every route with a body refuses to go without one", async () => {
  await using api = await startApi();
  for (const [method, path] of WITH_BODY) {
    const untyped = await raw(api, `${method} ${path}`);
    assert.deepEqual([untyped.status, errorIn(untyped.body).code], [415, "unsupported_media_type"], path);
    const typed = await raw(api, `${method} ${path}`, ["content-type: application/json"]);
    assert.deepEqual([typed.status, errorIn(typed.body).type], [400, "invalid_request_error"], path);
  }
  await assertUnharmed(api);
});

Deno.test("every route with a body refuses values of the wrong type, and repeats nothing of them", async () => {
  await using api = await startApi();
  const values = [null, true, 7, "MARK", [], ["MARK"], {}, { MARK: "MARK" }, [[[]]]];
  for (const [method, path] of WITH_BODY) {
    for (const value of values) {
      if (path.endsWith("/clear") && JSON.stringify(value) === "{}") continue; // means all of them
      // Not a server error, and in the one shape; OpenAI says 400 where the rest of the API says 422.
      const error = await readError(
        await api.send(method, path, JSON.stringify(value)),
        path.startsWith("/v1") ? 400 : 422,
      );
      assert.equal(error.code, "invalid_value");
    }
  }
  await assertUnharmed(api);
});

Deno.test("every field of a small request is held to its type, and its path is named", async () => {
  await using api = await startApi();
  const cases: readonly (readonly [string, string, string, object])[] = [
    ["PUT", "/api/models/profile", "profile", {}],
    ["PUT", "/api/models/assignment", "agent_role", { model: "second/small" }],
    ["PUT", "/api/models/assignment", "model", { agent_role: "technical" }],
    ["POST", "/api/models/test", "provider", { model: "small" }],
    ["POST", "/api/models/test", "model", { provider: "second" }],
    ["POST", "/api/chat", "message", {}],
    ["POST", "/api/chat", "conversation_id", { message: "x" }],
    ["POST", "/api/chat", "context", { message: "x" }],
    ["POST", "/api/chat", "role", { message: "x" }],
    ["POST", "/api/memory/search", "query", {}],
    ["POST", "/api/memory/search", "conversation_id", { query: "x" }],
    ["POST", "/api/memory/semantic", "content", {}],
    ["POST", "/api/memory/semantic", "source", { content: "x" }],
    ["POST", "/api/memory/working/clear", "conversation_id", {}],
  ];
  for (const [method, path, field, others] of cases) {
    for (const value of [null, 7, true, [], {}, ["MARK"]]) {
      const response = await api.send(method, path, { ...others, [field]: value });
      const { param, message, code } = await readError(response, 422);
      assert.deepEqual([param, code], [field, "invalid_value"]);
      assert.ok(message.startsWith(`${field}: `) && !message.includes("MARK"), message);
    }
  }
  for (const [method, path, field, others] of cases) {
    const response = await api.send(method, path, { ...others, [field]: "x", further: 1 });
    assert.match((await readError(response, 422)).message, /further|agent_role/);
  }
  await assertUnharmed(api);
});

const TRICKS = [
  "/api/../health",
  "/api/../../etc/passwd",
  "/api/%2e%2e/health",
  "/api/models/config/../../../../config/models.json",
  "/api/models/%2e%2e%2f%2e%2e%2fconfig%2fmodels.json",
  "//health",
  "//evil.example/health",
  "/health//",
  "/health/",
  "/health/.",
  "/health%00",
  "/%00",
  "/%",
  "/%ff%fe",
  "/%E0%A4%A",
  "/HEALTH",
  "/api",
  "/api/models",
  "/api/models/__proto__",
  "/api/chat/",
  "/api/chat/c1",
  "/api/memory",
  "/api/memory/semantic/",
  "/api/memory/semantic/1/2",
  "/api/memory/working",
  "/api/events/recent/1",
  "/v1/models/first/llama3.2",
  "/.env",
  "/config/models.json",
  `/${"a".repeat(60_000)}`,
  `/${"../".repeat(5000)}`,
  "/health;x=1",
  "/*",
  "/:id",
];

Deno.test("paths with tricks lead nowhere", async () => {
  await using api = await startApi();
  for (const path of TRICKS) {
    for (const method of ["GET", "PUT", "DELETE"]) {
      const { status, body, headers } = await raw(api, `${method} ${path}`);
      const name = `${method} ${path.slice(0, 60)}`;
      if (["/", "/health"].includes(new URL(path, "http://localhost").pathname)) {
        assert.ok([200, 404, 405].includes(status), name);
        continue;
      }
      if (path.length > 16_000) {
        assert.equal(status, 431, name); // refused before anybody looks at it
        continue;
      }
      assert.equal(status, 404, name);
      assertSecurityHeaders(headers);
      const { code, message } = errorIn(body);
      assert.deepEqual([code, message], ["not_found", "There is nothing at this path"], name);
    }
  }
  await assertUnharmed(api);
});

Deno.test("requests that are not HTTP, or too much of it, end in 400 or another plain refusal", async () => {
  await using api = await startApi();
  const host = "host: localhost";
  const bad = [
    ["GET \\health HTTP/1.1", host],
    ["GET /health HTTP/9.9", host],
    ["GET /health", host],
    ["GET /health HTTP/1.1", host, "host: evil.example"],
    ["GET /health HTTP/1.1", host, " folded"],
    ["GET /health HTTP/1.1", host, "no colon"],
    ["GET /health HTTP/1.1", host, `x: ${"a".repeat(2_000_000)}`],
    [`GET /${"a".repeat(2_000_000)} HTTP/1.1`, host],
    ["PUT /api/models/profile HTTP/1.1", host, "content-length: -1"],
    ["PUT /api/models/profile HTTP/1.1", host, "content-length: 2", "content-length: 3"],
    ["PUT /api/models/profile HTTP/1.1", host, "content-length: 5", "transfer-encoding: chunked"],
  ];
  for (const lines of bad) {
    const { status, headers, body } = await sendRaw(api.origin, rawRequest([...lines, "connection: close"]));
    if (status === 0) continue; // the connection was gone before all of it was sent
    assert.ok(status >= 400 && status < 500, `${status} for ${lines.join("|").slice(0, 80)}`);
    assertSecurityHeaders(headers);
    assert.match(errorIn(body).code, /^(bad_request|foreign_host)$/);
  }
  const { status, body } = await sendRaw(api.origin, rawRequest(["CONNECT localhost:1 HTTP/1.1", host]));
  assert.deepEqual([status, errorIn(body).code], [400, "bad_request"]);
  await assertUnharmed(api);
});

Deno.test("what is no HTTP ends a connection on which an answer is under way, and is not written into it", async () => {
  await using api = await startApi();
  api.first.next({ kind: "stall", after: 2 });
  const body = JSON.stringify({ model: "auto", stream: true, messages: [{ role: "user", content: "Hola" }] });
  const head = ["POST /v1/chat/completions HTTP/1.1", "host: localhost", "content-type: application/json"];
  const request = rawRequest([...head, `content-length: ${body.length}`], body);
  const { status, body: answer } = await sendRaw(api.origin, `${request}THIS IS NOT HTTP\r\n\r\n`);
  assert.ok(!answer.includes("bad_request"), answer);
  assert.ok(status === 0 || status === 200, String(status));
  await assertUnharmed(api);
});

Deno.test("an expectation that nobody can meet is no reason to refuse", async () => {
  await using api = await startApi();
  assert.equal((await raw(api, "GET /health", ["expect: banana"])).status, 200);
});

Deno.test("headers of ordinary use may be long", async () => {
  await using api = await startApi();
  assert.equal((await raw(api, "GET /health", [`cookie: ${"a".repeat(16_000)}`])).status, 200);
});
