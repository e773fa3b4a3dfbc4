import assert from "node:assert/strict";
import fc from "fast-check";
import { type Api, startApi } from "../support/api.ts";
import { assertSecurityHeaders, errorIn } from "../support/api_answers.ts";

/** Looks like something that must never be repeated. */
const MARK = "sk-MARKER-0123456789abcdef0123";

/** What was said and taught is told again where it is asked for. */
const REMEMBERS = /\/api\/(chat|memory)/;

const WITH_BODY = [
  "PUT /api/models/profile",
  "PUT /api/models/assignment",
  "POST /api/models/test",
  "POST /v1/chat/completions",
  "POST /v1/embeddings",
  "POST /api/chat",
  "POST /api/memory/search",
  "POST /api/memory/semantic",
  "POST /api/memory/working/clear",
  "POST /api/memory/forget",
] as const;

/** Holds an answer to what every answer has to keep, whatever was asked. */
async function check(response: Response): Promise<number> {
  const body = await response.text();
  assert.notEqual(response.status, 500, body);
  assertSecurityHeaders(response.headers);
  if (response.status !== 200 || !REMEMBERS.test(response.url)) {
    assert.ok(!body.includes("MARKER"), body.slice(0, 300));
  }
  if (response.status === 200) return 200;
  const error = errorIn(body);
  assert.ok(response.status >= 400 && response.status !== 502, `${response.status} ${body}`);
  assert.ok(body.length < 4000, "an error is short");
  assert.equal(error.type, response.status === 503 ? "server_error" : "invalid_request_error");
  return response.status;
}

const word = fc.oneof(
  fc.string({ unit: "binary", maxLength: 20 }),
  fc.constantFrom(
    MARK,
    "",
    "__proto__",
    "constructor",
    "first",
    "small",
    "x/y",
    "/",
    "\u0000",
    "\ud800",
    "a".repeat(9000),
  ),
);
const anything = fc.oneof(
  fc.jsonValue({ depthSize: "medium" }),
  word,
  fc.array(word, { maxLength: 3 }),
  fc.dictionary(word, word, { maxKeys: 5 }),
  fc.constantFrom(null, 0, -1, 1e308, 2 ** 53, true),
);

/** Mostly what the field wants, sometimes anything, sometimes nothing. */
function field(wanted: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  return fc.oneof({ weight: 30, arbitrary: wanted }, { weight: 1, arbitrary: anything }, {
    weight: 1,
    arbitrary: fc.constant(undefined),
  });
}

const text = fc.oneof(fc.constant("Hola"), fc.constant(MARK), word);
const content = fc.oneof(
  text,
  fc.array(fc.record({ type: field(fc.constant("text")), text: field(text) }), { minLength: 1, maxLength: 3 }),
);
const pixel = "data:image/png;base64,iVBORw0KGgo=";
const image = fc.record({
  type: field(fc.constant("image_url")),
  image_url: field(fc.record({ url: field(fc.constantFrom(pixel, pixel, "http://x/", MARK)) })),
});
const toolCall = fc.record({
  id: field(fc.constant("call_1")),
  type: field(fc.constant("function")),
  function: field(
    fc.record({ name: field(fc.constant("look_up")), arguments: field(fc.constantFrom("{}", "{}", MARK)) }),
  ),
});
const message = fc.oneof(
  fc.record({ role: field(fc.constantFrom("system", "developer", "user", "assistant")), content: field(content) }),
  fc.record({ role: fc.constant("user"), content: fc.array(image, { minLength: 1, maxLength: 2 }) }),
  fc.record({
    role: fc.constant("assistant"),
    content: fc.constant(null),
    tool_calls: field(fc.array(toolCall, { minLength: 1, maxLength: 2 })),
  }),
  fc.record({ role: fc.constant("tool"), content: field(text), tool_call_id: field(fc.constantFrom("call_1", MARK)) }),
);
const tool = fc.record({
  type: field(fc.constant("function")),
  function: field(fc.record({
    name: field(fc.constant("look_up")),
    description: field(text),
    parameters: field(fc.dictionary(word, anything, { maxKeys: 3 })),
  })),
});
const responseFormat = fc.record({
  type: field(fc.constantFrom("text", "json_object", "json_schema")),
  json_schema: field(
    fc.record({ name: field(fc.constant("x")), schema: field(fc.dictionary(word, anything, { maxKeys: 3 })) }),
  ),
});
const chatRequest = fc.record({
  model: field(
    fc.constantFrom("auto", "auto", "role:technical", "role:embeddings", "first/llama3.2", "first/none", ""),
  ),
  messages: field(fc.array(message, { minLength: 1, maxLength: 3 })),
  stream: field(fc.boolean()),
  stream_options: field(fc.record({ include_usage: field(fc.boolean()) })),
  temperature: field(fc.double({ min: 0, max: 2, noNaN: true })),
  top_p: field(fc.double({ min: 0, max: 1, noNaN: true })),
  seed: field(fc.integer()),
  max_tokens: field(fc.integer({ min: 1, max: 100 })),
  stop: field(fc.oneof(text, fc.array(text, { maxLength: 4 }))),
  n: field(fc.constant(1)),
  response_format: field(responseFormat),
  tools: field(fc.array(tool, { maxLength: 2 })),
  tool_choice: field(fc.constantFrom("auto", "none")),
  reasoning_effort: field(fc.constantFrom("none", "low", "high")),
  user: field(fc.constant(MARK)),
}, { requiredKeys: ["model", "messages"] });
const embeddingsRequest = fc.record({
  model: field(fc.constantFrom("auto", "role:embeddings", "first/embeddinggemma", "first/llama3.2")),
  input: field(fc.oneof(text, fc.array(text, { maxLength: 4 }))),
  encoding_format: field(fc.constantFrom("float", "base64", "hex")),
  dimensions: field(fc.constant(null)),
}, { requiredKeys: ["model", "input"] });

const conversationId = fc.constantFrom("c1", "c2", "a\nb", "");
const conversation = fc.record({
  message: field(text),
  conversation_id: field(conversationId),
  cognitive_mode: field(fc.constantFrom(1, 2, 3, 3)),
  role: field(fc.constantFrom("identity_core", "technical", "embeddings")),
  context: field(text),
  user: field(fc.record({ id: field(fc.constantFrom("ana", "luis")), name: field(text) })),
  stream: field(fc.constant(false)),
}, { requiredKeys: ["message"] });
const forgettable = fc.oneof(
  fc.record({ conversation_id: field(conversationId) }),
  fc.record({ user_id: field(fc.constantFrom("ana", "luis")) }),
  fc.record({ source: field(text) }),
  fc.record({ all: field(fc.constant(true)) }),
);

const SHAPED: Readonly<Record<typeof WITH_BODY[number], fc.Arbitrary<unknown>>> = {
  "PUT /api/models/profile": fc.record({
    profile: field(fc.constantFrom("small_first", "privacy_mode", "cloudy", MARK)),
  }),
  "PUT /api/models/assignment": fc.record({
    agent_role: field(fc.constantFrom("technical", "identity_core", "embeddings", "nobody")),
    model: field(
      fc.constantFrom("first/llama3.2", "second/small", "first/embeddinggemma", "groq/openai/gpt-oss-120b", MARK),
    ),
  }),
  "POST /api/models/test": fc.record({
    provider: field(fc.constantFrom("first", "second", "groq", MARK)),
    model: field(fc.constantFrom("llama3.2", "small", "embeddinggemma", MARK)),
  }),
  "POST /v1/chat/completions": chatRequest,
  "POST /v1/embeddings": embeddingsRequest,
  "POST /api/chat": conversation,
  "POST /api/memory/search": fc.record({
    query: field(fc.oneof(text, fc.constant("el huerto y sus tomates"))),
    conversation_id: field(conversationId),
    limit: field(fc.integer({ min: 1, max: 50 })),
  }, { requiredKeys: ["query"] }),
  "POST /api/memory/semantic": fc.record({ content: field(text), source: field(fc.constantFrom("a", "b", "a\nb")) }, {
    requiredKeys: ["content"],
  }),
  "POST /api/memory/working/clear": fc.record({ conversation_id: field(conversationId) }, { requiredKeys: [] }),
  "POST /api/memory/forget": forgettable,
};

async function send(api: Api, route: string, body: string): Promise<number> {
  const [method = "", path = ""] = route.split(" ");
  return await check(await api.send(method, path, body));
}

/** The fakes answer with these words, so that nothing a request holds comes back as an answer. */
async function startQuiet(): Promise<Api> {
  const api = await startApi();
  for (const fake of [api.first, api.second]) fake.always({ kind: "answer", tokens: ["ok"] });
  return api;
}

for (const route of WITH_BODY) {
  Deno.test(`${route} has no internal error for any request of about its shape`, async () => {
    await using api = await startQuiet();
    const seen = new Set<number>();
    const property = fc.asyncProperty(SHAPED[route], async (body) => {
      seen.add(await send(api, route, JSON.stringify(body)));
    });
    await fc.assert(property, { numRuns: route.startsWith("PUT") ? 100 : 250 });
    assert.ok(seen.has(200) && seen.size > 1, `only ${[...seen]}: these requests show nothing`);
    assert.equal((await api.send("GET", "/health").then((response) => response.json())).status, "ok");
  });
}

Deno.test("no route has an internal error for arbitrary JSON or for what only resembles it", async () => {
  await using api = await startQuiet();
  const json = anything.map((value) => JSON.stringify(value));
  const broken = fc.tuple(json, fc.nat(50)).map(([whole, cut]) => whole.slice(0, -1 - cut) || MARK);
  const routes = fc.constantFrom(...WITH_BODY, "POST /api/router/reload");
  await fc.assert(
    fc.asyncProperty(routes, fc.oneof(json, broken), async (route, body) => void await send(api, route, body)),
    { numRuns: 500 },
  );
});

Deno.test("no route has an internal error for any path and query", async () => {
  await using api = await startQuiet();
  const paths = ["/health", "/api/token-usage", "/api/router/status", "/api/events/recent", "/v1/models", "/metrics"];
  const piece = fc.oneof(word, fc.constantFrom("..", ".", "%", "%2e%2e", "%00", "%ff", "days", "rows"));
  const path = fc.oneof(
    fc.constantFrom(...paths),
    fc.array(piece, { maxLength: 4 }).map((parts) => `/${parts.join("/")}`.slice(0, 400)), // node:http takes 16 KiB of head
  );
  const query = fc.dictionary(
    fc.constantFrom("days", "by", "rows", "x", MARK),
    fc.oneof(word, fc.constantFrom("1", "0", "-1", "1e400", "0x10", "NaN", " 3", "day", "model")),
    { maxKeys: 4 },
  );
  await fc.assert(
    fc.asyncProperty(path, query, async (place, values) => {
      const asked = Object.entries(values).map((pair) =>
        pair.map((part) => encodeURIComponent(part.slice(0, 60).toWellFormed())).join("=")
      );
      const url = new URL(api.origin);
      url.pathname = place.toWellFormed();
      url.search = asked.join("&");
      if (url.pathname !== "/api/events") await check(await fetch(url));
    }),
    { numRuns: 500 },
  );
});
