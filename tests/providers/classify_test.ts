import assert from "node:assert/strict";
import type { ErrorKind } from "../../src/core/types.ts";
import { classifyRefusal } from "../../src/providers/classify.ts";
import { readErrorBody } from "../../src/providers/error_body.ts";
import { classifyNetworkError } from "../../src/providers/network_error.ts";
import type { ProviderType } from "../../src/core/types.ts";
import { SECRET } from "./subjects.ts";

const NOW = Date.UTC(2026, 10, 23, 12);

function classify(
  type: ProviderType,
  status: number | undefined,
  body: unknown,
  headers: Record<string, string> = {},
  model: string | null = "m1",
) {
  return classifyRefusal({
    provider: type,
    type,
    ...(model !== null && { model }),
    status,
    headers: new Headers(headers),
    body: readErrorBody(typeof body === "string" ? body : JSON.stringify(body)),
    nowMs: NOW,
  });
}

const groq = (code: string | undefined, message: string = SECRET, type = "invalid_request_error") => {
  return { error: { message, type, ...(code && { code }) } };
};
const gemini = (code: number, status: string, message: string = SECRET, details: object[] = []) => {
  return { error: { code, message, status, details } };
};
const nested = (type: string) => ({ error: JSON.stringify({ error: { code: 400, message: SECRET, type } }) });
const quota = (quotaId: string) => [
  { "@type": "type.googleapis.com/google.rpc.QuotaFailure", violations: [{ quotaId }] },
  { "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: "17s" },
];

const TABLE: readonly (readonly [ProviderType, number | undefined, unknown, ErrorKind])[] = [
  ["ollama", 400, { error: SECRET }, "bad_request"],
  ["ollama", 400, { error: `"m1" does not support tools` }, "bad_request"],
  ["ollama", 400, nested("exceed_context_size_error"), "context_length"],
  ["ollama", 400, { error: "request (9 tokens) exceeds the available context size (4)" }, "context_length"],
  ["ollama", 400, { error: "the input length exceeds the context length" }, "context_length"],
  ["ollama", 500, { error: "the input length exceeds the context length" }, "context_length"],
  ["ollama", undefined, nested("exceed_context_size_error"), "context_length"],
  ["ollama", 503, { error: "the input length exceeds the context length" }, "unavailable"],
  ["ollama", 401, { error: "unauthorized" }, "auth"],
  ["ollama", 404, { error: "model 'm1' not found" }, "model_not_found"],
  ["ollama", 500, { error: "llama runner process has terminated: exit status 2" }, "unavailable"],
  ["ollama", 500, { error: "model requires more system memory (5.6 GiB) than is available" }, "unavailable"],
  ["ollama", 503, { error: "server busy, please try again.  maximum pending requests exceeded" }, "unavailable"],
  ["ollama", undefined, { error: SECRET }, "unavailable"],
  ["groq", 400, groq("context_length_exceeded"), "context_length"],
  ["groq", 400, groq(undefined, "Please reduce the length of the messages or completion."), "context_length"],
  ["groq", 400, groq("model_decommissioned"), "model_not_found"],
  ["groq", 400, groq("model_terms_required"), "model_not_found"],
  ["groq", 400, groq("json_validate_failed"), "protocol"],
  ["groq", 400, groq("tool_use_failed"), "protocol"],
  ["groq", 400, groq("content_filter"), "content_filter"],
  ["groq", 400, groq(undefined), "bad_request"],
  ["groq", 401, groq("invalid_api_key"), "auth"],
  ["groq", 403, groq(undefined, SECRET, "permissions_error"), "auth"],
  ["groq", 404, groq("model_not_found"), "model_not_found"],
  ["groq", 408, "", "timeout"],
  ["groq", 413, groq("rate_limit_exceeded", SECRET, "tokens"), "context_length"],
  ["groq", 413, "<html>Request Entity Too Large</html>", "context_length"],
  ["groq", 422, groq(undefined), "bad_request"],
  ["groq", 429, groq("rate_limit_exceeded", SECRET, "tokens"), "rate_limit"],
  ["groq", 498, groq(undefined), "unavailable"],
  ["groq", 500, "", "unavailable"],
  ["groq", 502, `<html>${SECRET}</html>`, "unavailable"],
  ["groq", undefined, groq("over_capacity"), "unavailable"],
  ["groq", undefined, { error: { message: SECRET, status_code: 429 } }, "rate_limit"],
  ["gemini", 400, gemini(400, "INVALID_ARGUMENT"), "bad_request"],
  ["gemini", 400, gemini(400, "INVALID_ARGUMENT", SECRET, [{ reason: "API_KEY_INVALID" }]), "auth"],
  ["gemini", 400, gemini(400, "FAILED_PRECONDITION"), "auth"],
  [
    "gemini",
    400,
    gemini(400, "INVALID_ARGUMENT", "The input token count (9) exceeds the maximum number of tokens allowed (8)."),
    "context_length",
  ],
  ["gemini", 403, gemini(403, "PERMISSION_DENIED"), "auth"],
  ["gemini", 404, gemini(404, "NOT_FOUND"), "model_not_found"],
  ["gemini", 429, gemini(429, "RESOURCE_EXHAUSTED", SECRET, quota("PerMinute")), "rate_limit"],
  ["gemini", 429, [gemini(429, "RESOURCE_EXHAUSTED", SECRET, quota("PerMinute"))], "rate_limit"],
  ["gemini", 503, gemini(503, "UNAVAILABLE"), "unavailable"],
  ["gemini", undefined, gemini(503, "UNAVAILABLE"), "unavailable"],
  ["gemini", undefined, gemini(429, "RESOURCE_EXHAUSTED"), "rate_limit"],
  ["gemini", 307, "", "protocol"],
  ["gemini", 304, "", "protocol"],
];

for (const [type, status, body, kind] of TABLE) {
  const shown = (JSON.stringify(body) ?? "").slice(0, 90);
  Deno.test(`classifyRefusal() makes ${type} ${status ?? "in a stream"} ${shown} ${kind}`, () => {
    const error = classify(type, status, body);
    assert.equal(error.kind, kind);
    assert.equal(error.provider, type);
    assert.equal(error.model, "m1");
    assert.ok(!Deno.inspect(error, { depth: 10 }).includes(SECRET), error.message);
    assert.match(error.message, /^Provider \w+ \(m1\) .+\.$/);
    if (status !== undefined) assert.equal(error.status, status);
  });
}

Deno.test("classifyRefusal() never fails, whatever the body", () => {
  const bodies = ["", "null", "[]", "[[]]", "7", '"x"', "{", '{"error":null}', '{"error":[]}', '{"error":7}'];
  const odd = [{ error: { details: "x" } }, { error: { details: [7, null, { violations: [null, 7] }] } }, {
    error: "{",
  }];
  for (const body of [...bodies, ...odd]) {
    for (const status of [400, 404, 429, 500]) assert.ok(classify("gemini", status, body).message);
  }
});

Deno.test("classifyRefusal() shows the provider's name for it and the status, and nothing else of the body", () => {
  assert.match(classify("groq", 429, groq("rate_limit_exceeded")).message, /\(HTTP 429, rate_limit_exceeded\)\.$/);
  const odd = classify("groq", 400, { error: { code: `has a space ${SECRET}`, type: "x".repeat(65) } });
  assert.match(odd.message, /\(HTTP 400\)\.$/);
});

Deno.test("classifyRefusal() gives each configuration fault its remedy", () => {
  assert.equal(classify("ollama", 404, { error: "no" }).remedy, "Run: ollama pull m1");
  assert.match(classify("groq", 400, groq("model_decommissioned")).remedy ?? "", /models test groq/);
  assert.match(classify("gemini", 403, gemini(403, "PERMISSION_DENIED")).remedy ?? "", /API key of provider gemini/);
  assert.match(classify("ollama", 400, nested("exceed_context_size_error")).remedy ?? "", /larger context/);
  assert.match(classify("groq", 308, "").remedy ?? "", /base_url of provider groq/);
  const memory = classify("ollama", 500, { error: "model requires more system memory (5.6 GiB) than is available" });
  assert.match(memory.remedy ?? "", /smaller model/);
  assert.match(classify("ollama", 400, { error: `"m1" does not support tools` }).message, /does not support tools/);
});

Deno.test("classifyRefusal() takes a 404 about no model for a wrong address", () => {
  const error = classify("ollama", 404, "404 page not found", {}, null);
  assert.equal(error.kind, "protocol");
  assert.match(error.remedy ?? "", /base_url/);
});

Deno.test("classifyRefusal() says when to ask again, from the headers or the body", () => {
  const seconds = (error: { retryAtMs: number | undefined }) => ((error.retryAtMs ?? NOW) - NOW) / 1000;
  assert.equal(seconds(classify("groq", 429, groq("rate_limit_exceeded"), { "retry-after": "4" })), 4);
  assert.equal(seconds(classify("gemini", 429, gemini(429, "RESOURCE_EXHAUSTED", "", quota("PerMinute")))), 17);
  const daily = classify(
    "gemini",
    429,
    gemini(429, "RESOURCE_EXHAUSTED", "", quota("RequestsPerDayPerModel-FreeTier")),
  );
  assert.equal(daily.retryAtMs, Date.UTC(2026, 10, 24, 8));
  assert.match(daily.message, /quota for today/);
  assert.equal(classify("groq", 400, "", { "retry-after": "5" }).retryAtMs, undefined);
});

Deno.test("classifyNetworkError() tells a refusal of the sandbox from a provider that is not there", () => {
  const subject = { provider: "lan", type: "ollama", model: "m1" } as const;
  const origin = "http://192.168.1.9:11434";
  const denied = new Deno.errors.NotCapable('Requires net access to "192.168.1.9:11434"');
  for (const error of [denied, new Error("wrapped", { cause: denied }), new TypeError(denied.message)]) {
    const { kind, message, remedy = "" } = classifyNetworkError(error, subject, origin);
    assert.equal(kind, "egress_denied");
    assert.match(message, /192\.168\.1\.9:11434/);
    assert.match(remedy, /"192\.168\.1\.9:11434" to permissions\.default\.net in deno\.json/);
    assert.match(remedy, /--allow-net=192\.168\.1\.9:11434/);
  }
  const https = classifyNetworkError(denied, { provider: "groq", type: "groq" }, "https://api.groq.com");
  assert.match(https.remedy ?? "", /"api\.groq\.com:443"/);
  const cause = new Error("error sending request for url (x): client error (Connect): tcp connect error: refused");
  const refused = classifyNetworkError(new TypeError("fetch failed", { cause }), subject, origin);
  assert.equal(refused.kind, "unavailable");
  assert.equal(refused.message, `Provider lan cannot be reached at ${origin}: tcp connect error: refused.`);
  assert.match(refused.remedy ?? "", /ollama serve/);
  assert.equal(classifyNetworkError("odd", subject, origin).kind, "unavailable");
});

Deno.test("classifyRefusal() blames the request only for what the request can mend", () => {
  const kinds = (statuses: readonly number[]) => statuses.map((status) => classify("groq", status, "").kind);
  assert.deepEqual(kinds([402, 410]), ["auth", "model_not_found"]);
  assert.deepEqual(new Set(kinds([409, 424, 425, 498, 499])), new Set(["unavailable"]));
  assert.deepEqual(new Set(kinds([400, 405, 415, 422])), new Set(["bad_request"]));
});
