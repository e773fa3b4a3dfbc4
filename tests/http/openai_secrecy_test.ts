import assert from "node:assert/strict";
import { type Api, startApi, withVision } from "../support/api.ts";
import { captureLog } from "../support/captured_log.ts";
import type { Behaviour } from "../support/fake_behaviour.ts";

/** Stands for everything a person says; no error answer, log line, event, metric or usage row may hold it. */
const MARKER = "MARKER4711";
const PATH = "/v1/chat/completions";

/** A request that says it wherever something can be said. */
const SPOKEN = {
  model: "auto",
  user: MARKER,
  stop: [MARKER],
  messages: [
    { role: "system", content: MARKER },
    { role: "user", content: [{ type: "text", text: MARKER }, image(`data:image/png;base64,${MARKER}`)] },
    {
      role: "assistant",
      content: MARKER,
      tool_calls: [{
        id: MARKER,
        type: "function",
        function: { name: MARKER, arguments: `{"${MARKER}":"${MARKER}"}` },
      }],
    },
    { role: "tool", tool_call_id: MARKER, content: MARKER },
  ],
  tools: [{ type: "function", function: { name: MARKER, description: MARKER, parameters: { title: MARKER } } }],
  response_format: { type: "json_schema", json_schema: { name: MARKER, schema: { title: MARKER } } },
};

/** Bodies that are refused before any model is asked. */
const REFUSED: readonly unknown[] = [
  `{"model":"auto","messages":[{"role":"user","content":"${MARKER}"}]`,
  { ...SPOKEN, model: "nobody/unknown" },
  { ...SPOKEN, model: "groq/openai/gpt-oss-120b" },
  { ...SPOKEN, temperature: MARKER },
  { ...SPOKEN, stop: { [MARKER]: MARKER } },
  { ...SPOKEN, logit_bias: { [MARKER]: 1 } },
  { ...SPOKEN, tool_choice: { type: "function", function: { name: MARKER } } },
  { ...SPOKEN, tools: [{ type: "function", function: { name: `${MARKER} ${MARKER}` } }] },
  { ...SPOKEN, response_format: { type: MARKER } },
  { ...SPOKEN, messages: MARKER },
  { ...SPOKEN, messages: [{ role: MARKER, content: MARKER }] },
  { ...SPOKEN, messages: [{ role: "user", content: { [MARKER]: MARKER } }] },
  { ...SPOKEN, messages: [{ role: "user", content: [{ type: MARKER, [MARKER]: MARKER }] }] },
  { ...SPOKEN, messages: [{ role: "user", content: [image(`https://example.com/${MARKER}.png`)] }] },
  { ...SPOKEN, messages: [{ role: "system", content: MARKER }] },
  {
    ...SPOKEN,
    messages: [{
      role: "assistant",
      tool_calls: [{ id: "a", type: "function", function: { name: MARKER, arguments: MARKER } }],
    }],
  },
];

/** What providers may do to a request; some of them repeat what was said to them. */
const FAILURES: readonly Behaviour[] = [
  ...[400, 401, 403, 404, 413, 429, 500, 503].map((status) => {
    const error = { message: MARKER, type: `${MARKER} ${MARKER}`, code: `about "${MARKER}"` };
    // Far away, or the router would wait for it.
    return { kind: "status", status, body: { error }, headers: { "retry-after": "86400" } } as const;
  }),
  { kind: "status", status: 500, body: `${MARKER} and no JSON` },
  { kind: "status", status: 302, headers: { location: `https://example.com/${MARKER}` }, body: "" },
  { kind: "raw", bytes: `HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n${MARKER}` },
  { kind: "malformed", after: 0 },
  { kind: "error_in_stream", after: 0, message: MARKER },
  { kind: "finish", raw: MARKER },
  { kind: "reset" },
  { kind: "html" },
];

function image(url: string) {
  return { type: "image_url", image_url: { url } };
}

/** What the program shows of its past besides its answers. */
async function memoriesOf({ send }: Api): Promise<string> {
  const paths = ["/api/events/recent", "/api/token-usage", "/metrics", "/api/router/status", "/api/privacy"];
  const texts = await Promise.all(paths.map(async (path) => {
    const response = await send("GET", path);
    assert.equal(response.status, 200, path);
    return await response.text();
  }));
  return texts.join("\n");
}

function assertSilent(text: string, what: string): void {
  assert.ok(!text.includes(MARKER), `${what} repeats what was said: ${text.slice(0, 500)}`);
}

Deno.test("POST /v1/chat/completions repeats nothing of a request that it refuses", async () => {
  using log = captureLog();
  await using api = await startApi();
  for (const body of REFUSED) {
    const response = await api.send("POST", PATH, body);
    assert.ok(response.status >= 400 && response.status < 500, `${response.status} for ${JSON.stringify(body)}`);
    assertSilent(`${await response.text()} ${JSON.stringify([...response.headers])}`, JSON.stringify(body));
  }
  assertSilent(await memoriesOf(api), "the program's memory");
  assertSilent(log.lines.join("\n"), "the log");
  assert.deepEqual([api.first.chats, api.second.chats], [[], []]);
});

Deno.test("POST /v1/chat/completions repeats nothing of a request that failed, nor of what a provider said", async () => {
  using log = captureLog();
  for (const failure of FAILURES) {
    for (const stream of [false, true]) {
      await using api = await startApi({ change: withVision("llama3.2", "small") }); // each with closed breakers
      api.first.always(failure);
      api.second.always(failure);
      const response = await api.send("POST", PATH, { ...SPOKEN, stream });
      const text = await response.text();
      assert.ok(response.status >= 400 || text.includes('{"error":'), `${text} for ${JSON.stringify(failure)}`);
      assertSilent(`${text} ${JSON.stringify([...response.headers])}`, JSON.stringify(failure));
      assert.ok(JSON.stringify(api.first.chats[0]?.body).includes(MARKER), "it has never been said");
      assertSilent(await memoriesOf(api), JSON.stringify(failure));
    }
  }
  assert.ok(log.lines.length > 0, "nothing has been logged at all");
  assertSilent(log.lines.join("\n"), "the log");
});

Deno.test("POST /v1/chat/completions logs nothing of what is answered, whole or broken off", async () => {
  using log = captureLog();
  await using api = await startApi({ change: withVision("llama3.2", "small") });
  for (const stream of [false, true]) {
    api.first.next({ kind: "answer", tokens: [MARKER], thinking: [MARKER] });
    const response = await api.send("POST", PATH, { ...SPOKEN, stream });
    assert.equal(response.status, 200);
    assert.ok((await response.text()).includes(MARKER));
  }
  api.first.next({ kind: "error_in_stream", after: 2, message: MARKER });
  const broken = await api.send("POST", PATH, { ...SPOKEN, stream: true });
  const text = await broken.text();
  assert.ok(text.includes('{"error":'));
  assertSilent(text, "the error inside the stream");
  assertSilent(await memoriesOf(api), "the program's memory");
  assertSilent(log.lines.join("\n"), "the log");
});
