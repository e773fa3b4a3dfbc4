import assert from "node:assert/strict";
import { type Api, type ApiOptions, startApi, TOKEN } from "../support/api.ts";
import { assertSecurityHeaders, errorIn, readError, readOk } from "../support/api_answers.ts";
import { rawRequest, sendRaw } from "../support/raw_http.ts";

/** The status of `GET /health` with these lines as its headers; checks the shape of a refusal. */
async function statusWith(api: Api, headers: readonly string[], version = "1.1"): Promise<number> {
  const lines = [`GET /health HTTP/${version}`, ...headers, "connection: close"];
  const { status, body, headers: answered } = await sendRaw(api.origin, rawRequest(lines));
  assertSecurityHeaders(answered);
  if (status !== 200) assert.equal(errorIn(body).code, status === 400 ? "bad_request" : "foreign_host");
  return status;
}

async function statusesOf(api: Api, hosts: readonly string[]): Promise<Record<string, number>> {
  const found = hosts.map(async (host) => [host, await statusWith(api, [`host: ${host}`])] as const);
  return Object.fromEntries(await Promise.all(found));
}

function all(hosts: readonly string[], status: number): Record<string, number> {
  return Object.fromEntries(hosts.map((host) => [host, status]));
}

const OWN_HOSTS = ["localhost", "localhost:8000", "LOCALHOST:1", "127.0.0.1", "127.0.0.1:65535", "[::1]", "[::1]:8000"];
const FOREIGN_HOSTS = [
  "evil.example",
  "evil.example:8000",
  "localhost.evil.example",
  "evil.localhost",
  "localhost.",
  "192.168.1.10",
  "0.0.0.0",
  "[fe80::1]",
  "[::1",
  "localhost/evil",
  "localhost@evil.example",
  "evil.example@localhost",
  "evil.example#localhost",
  "localhost?evil",
  "local%68ost",
  "localhost evil",
  "localhost:99999",
  "localhost:http",
];

Deno.test("createGuard() lets in whoever calls this machine by its own names, at any port, and nobody else", async () => {
  await using api = await startApi();
  assert.deepEqual(await statusesOf(api, OWN_HOSTS), all(OWN_HOSTS, 200));
  assert.deepEqual(await statusesOf(api, FOREIGN_HOSTS), all(FOREIGN_HOSTS, 403));
});

Deno.test("createGuard() refuses a request that names no host", async () => {
  await using api = await startApi();
  for (const version of ["1.0", "1.1"]) assert.equal(await statusWith(api, [], version), 400);
  assert.equal(await statusWith(api, ["host:"], "1.1"), 403);
});

Deno.test("createGuard() lets in the hosts of the configuration, and still nobody else", async () => {
  await using api = await startApi({ allowedHosts: ["home.example"] });
  const mine = ["home.example", "HOME.example:8000", "localhost"];
  assert.deepEqual(await statusesOf(api, mine), all(mine, 200));
  const foreign = ["evil.example", "x.home.example", "home.example.evil.example", "10.0.0.1"];
  assert.deepEqual(await statusesOf(api, foreign), all(foreign, 403));
});

Deno.test("createGuard() takes any address, but no foreign name, where it listens to the network", async () => {
  await using api = await startApi({ hostname: "0.0.0.0", token: TOKEN });
  const mine = ["192.168.1.10:8000", "10.0.0.1", "[fe80::1]:8000", "localhost"];
  assert.deepEqual(
    await statusesOf({ ...api, origin: api.origin.replace("0.0.0.0", "127.0.0.1") }, mine),
    all(mine, 200),
  );
  const foreign = ["evil.example", "1.2.3.4.example"];
  assert.deepEqual(
    await statusesOf({ ...api, origin: api.origin.replace("0.0.0.0", "127.0.0.1") }, foreign),
    all(foreign, 403),
  );
});

/** A request that would change something if it got through; fetch cannot send these headers itself. */
async function change(
  api: Api,
  method: string,
  headers: readonly string[],
): Promise<{ readonly status: number; readonly code: string | undefined }> {
  const { host } = new URL(api.origin);
  const text = '{"profile":"small_first"}';
  const lines = [
    `${method} /api/models/profile HTTP/1.1`,
    `host: ${host}`,
    "connection: close",
    "content-type: application/json",
    `content-length: ${text.length}`,
    ...headers,
  ];
  const { status, body, headers: answered } = await sendRaw(api.origin, rawRequest(lines, text));
  assertSecurityHeaders(answered);
  return { status, code: status === 200 ? undefined : errorIn(body).code };
}

const FOREIGN = { status: 403, code: "foreign_origin" };

Deno.test("createGuard() lets no page of another origin change anything", async () => {
  await using api = await startApi({ allowedOrigins: ["https://chat.example.com"] });
  const other = "http://127.0.0.1:1";
  const origins = [
    "https://evil.example",
    "null",
    "",
    other,
    "https://chat.example.com.evil.example",
    "https://127.0.0.1",
  ];
  for (const method of ["PUT", "POST", "DELETE", "PATCH"]) {
    for (const origin of origins) {
      assert.deepEqual(await change(api, method, [`origin: ${origin}`]), FOREIGN, `${method} from "${origin}"`);
    }
    for (const site of ["cross-site", "same-site"]) {
      assert.deepEqual(await change(api, method, [`sec-fetch-site: ${site}`]), FOREIGN, `${method} from ${site}`);
    }
  }
  assert.equal(api.agent.router.snapshot.profile.name, "privacy_mode");
});

Deno.test("createGuard() lets its own pages, listed ones and programs change something", async () => {
  await using api = await startApi({ allowedOrigins: ["https://chat.example.com"] });
  const welcome = [
    [],
    [`origin: ${api.origin}`, "sec-fetch-site: same-origin"],
    ["origin: https://chat.example.com", "sec-fetch-site: cross-site"],
    ["sec-fetch-site: same-origin"],
    ["sec-fetch-site: none"],
  ];
  for (const headers of welcome) assert.equal((await change(api, "PUT", headers)).status, 200, headers.join());
});

Deno.test("createGuard() lets a page of another origin ask, but not read the answer", async () => {
  await using api = await startApi();
  const response = await api.send("GET", "/health", undefined, { origin: "https://evil.example" });
  assert.equal(response.headers.get("access-control-allow-origin"), null);
  assert.equal(response.headers.get("cross-origin-resource-policy"), "same-origin");
  assert.equal((await readOk<{ status: string }>(response)).status, "ok");
});

function preflight(api: Api, origin: string): Promise<Response> {
  return api.send("OPTIONS", "/v1/chat/completions", undefined, {
    origin,
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization,content-type",
  });
}

Deno.test("createGuard() answers a preflight of a listed origin only", async () => {
  await using api = await startApi({ allowedOrigins: ["https://chat.example.com"], token: TOKEN });
  const allowed = await preflight(api, "https://chat.example.com");
  assert.equal(allowed.status, 204); // without a token: a browser sends none with a preflight
  assert.equal(await allowed.text(), "");
  assert.equal(allowed.headers.get("access-control-allow-origin"), "https://chat.example.com");
  assert.match(allowed.headers.get("access-control-allow-methods") ?? "", /\bPOST\b.*\bPUT\b/);
  assert.match(allowed.headers.get("access-control-allow-headers") ?? "", /authorization.*content-type/);
  assert.equal(allowed.headers.get("access-control-allow-credentials"), null);
  assert.equal(allowed.headers.get("vary"), "origin");
  for (const origin of ["https://evil.example", "null", "https://chat.example.com:444"]) {
    const refused = await preflight(api, origin);
    assert.equal(refused.headers.get("access-control-allow-origin"), null);
    await readError(refused, 401);
  }
});

Deno.test("createGuard() lets a listed page send the headers that its client brings", async () => {
  await using api = await startApi({ allowedOrigins: ["https://chat.example.com"] });
  const allowedFor = async (wanted: string) => {
    const headers = { origin: "https://chat.example.com", "access-control-request-headers": wanted };
    const response = await api.send("OPTIONS", "/v1/chat/completions", undefined, headers);
    return response.headers.get("access-control-allow-headers");
  };
  const stainless = "authorization,content-type,x-stainless-lang,x-stainless-os";
  assert.equal(await allowedFor(stainless), stainless);
  assert.match(await allowedFor("x y; z") ?? "", /^authorization, content-type/);
});

Deno.test("createGuard() tells of refusals, of each kind once a minute", async () => {
  await using api = await startApi({ token: TOKEN });
  for (let count = 0; count < 3; count++) {
    await readError(await api.send("GET", "/api/privacy", undefined, { authorization: "Bearer wrong" }), 401);
    await readError(await api.send("GET", "/api/privacy"), 401);
  }
  const { events } = await readOk<{ events: { name: string; data: { reason: string } }[] }>(
    await api.send("GET", "/api/events/recent", undefined, { authorization: `Bearer ${TOKEN}` }),
  );
  assert.deepEqual(events.map(({ name, data }) => `${name}: ${data.reason}`), [
    "security.request_refused: That token is not the right one",
    "security.request_refused: A token is needed",
  ]);
});

Deno.test("createGuard() has no CORS at all unless origins are listed", async () => {
  await using api = await startApi();
  const refused = await preflight(api, "https://chat.example.com");
  assert.deepEqual([...refused.headers.keys()].filter((name) => name.startsWith("access-control-")), []);
  await readError(refused, 405);
});

Deno.test("createGuard() lets a listed page read answers, refusals included", async () => {
  await using api = await startApi({ allowedOrigins: ["https://chat.example.com"] });
  for (const path of ["/health", "/nothing"]) {
    const response = await api.send("GET", path, undefined, { origin: "https://chat.example.com" });
    assert.equal(response.headers.get("access-control-allow-origin"), "https://chat.example.com");
    assert.equal(response.headers.get("cross-origin-resource-policy"), "cross-origin");
    assertSecurityHeaders(response.headers);
    await response.body?.cancel();
  }
});

const PATHS = [
  "/metrics",
  "/openapi.json",
  "/api/router/status",
  "/api/models/config",
  "/api/privacy",
  "/api/events",
  "/api/events/recent",
  "/api/token-usage",
  "/v1/models",
  "/nothing",
  "/health/",
  "//health",
];

/** What a request without any, or with this, authorization comes to. */
async function withAuthorization(options: ApiOptions, path: string, value?: string): Promise<Response> {
  await using api = await startApi(options);
  const response = await api.send("GET", path, undefined, value === undefined ? {} : { authorization: value });
  return new Response(await response.text(), { status: response.status, headers: response.headers });
}

Deno.test("createGuard() asks for the token everywhere but at /health and for the page itself", async () => {
  await using api = await startApi({ token: TOKEN });
  assert.equal((await readOk<{ status: string }>(await api.send("GET", "/health"))).status, "ok");
  for (const path of PATHS) {
    const response = await api.send("GET", path);
    assert.equal(response.headers.get("www-authenticate"), "Bearer", path);
    const { code, type } = await readError(response, 401);
    assert.deepEqual([code, type], ["invalid_token", "authentication_error"]);
  }
  await readError(await api.send("PUT", "/api/models/profile", { profile: "small_first" }), 401);
  await readError(await api.send("POST", "/health"), 405); // no secret is behind that path
  assert.equal(api.agent.router.snapshot.profile.name, "privacy_mode");
});

Deno.test("createGuard() takes the token whatever the case of its scheme, and no other", async () => {
  await using api = await startApi({ token: TOKEN });
  const ask = (authorization: string) => api.send("GET", "/api/router/status", undefined, { authorization });
  for (const scheme of ["Bearer ", "bearer ", "BEARER ", "Bearer   "]) {
    await readOk(await ask(scheme + TOKEN));
  }
  const wrong = [
    "Bearer x",
    "Bearer ",
    "Bearer",
    TOKEN,
    `Basic ${TOKEN}`,
    `Basic ${btoa(`x:${TOKEN}`)}`,
    `Bearer ${TOKEN}x`,
    `Bearer ${TOKEN.slice(0, -1)}`,
    `Bearer ${TOKEN.toUpperCase()}`,
    `Bearer ${TOKEN} ${TOKEN}`,
    `Bearer,${TOKEN}`,
    `Bearer ${"x".repeat(10_000)}`,
  ];
  for (const value of wrong) {
    const error = await readError(await ask(value), 401);
    assert.doesNotMatch(JSON.stringify(error), /never-to-be-shown|xxx/, "an error repeats no token");
  }
});

Deno.test("createGuard() takes the token from the header alone, and none is asked for without one", async () => {
  assert.equal((await withAuthorization({ token: TOKEN }, `/api/privacy?token=${TOKEN}`)).status, 401);
  assert.equal((await withAuthorization({}, "/api/privacy")).status, 200);
  assert.equal((await withAuthorization({}, "/api/privacy", "Bearer whatever")).status, 200);
});

Deno.test("createGuard() refuses a foreign host before it looks at a token or a body", async () => {
  await using api = await startApi({ token: TOKEN });
  const lines = ["PUT /api/models/profile HTTP/1.1", "host: evil.example", "connection: close", "content-length: 5"];
  const { status, body } = await sendRaw(api.origin, rawRequest([...lines, `authorization: Bearer ${TOKEN}`], "{nope"));
  assert.deepEqual([status, errorIn(body).code], [403, "foreign_host"]);
});
