import assert from "node:assert/strict";
import type { ErrorKind } from "../../src/core/types.ts";
import type { Behaviour, FakeProvider } from "../support/fake_provider.ts";
import {
  assertProviderError,
  type Bench,
  callOf,
  collect,
  SECRET,
  type Subject,
  SUBJECTS,
  textOf,
  until,
  withBench,
  withSilentConsole,
} from "../providers/subjects.ts";

/** Characters of every width in UTF-8, and the ones JSON and the framings treat specially. */
const TOKENS = ["¡Hola", ' "mundo"', "\n\n", "日本", "😀", "\\ñ\r\n", "data: x", "\u2028", "."];

/** Runs one test for each provider with a fake of its own, asserting that nothing is written to the console. */
function each(name: string, body: (bench: Bench & { readonly subject: Subject }) => Promise<void>): void {
  for (const subject of SUBJECTS) {
    Deno.test(`${subject.name}.${name}`, () =>
      withSilentConsole(() => withBench(subject, (bench) => body({ ...bench, subject }))));
  }
}

/** A short limit where the test waits for it. */
const SHORT = { loadMs: 80, firstTokenMs: 80, idleMs: 80 };

each("chat() streams the deltas as they came and one final chunk", async ({ subject, fake, provider }) => {
  fake.next({ kind: "answer", tokens: TOKENS, usage: { input: 11, output: 9 } });
  const { chunks, error } = await collect(provider, callOf(subject));
  assert.equal(error, undefined);
  assert.deepEqual(chunks.slice(0, -1), TOKENS.map((text) => ({ type: "text", text })));
  const final = chunks.at(-1);
  assert.ok(final?.type === "final");
  assert.equal(final.finish_reason, "stop");
  const { raw, ...usage } = final.usage ?? { raw: undefined };
  assert.deepEqual(usage, {
    input: 11,
    cached_input: 0,
    output: 9,
    reasoning: 0,
    total: 20,
    source: "provider",
  });
  assert.ok(raw);
});

for (const splitBytes of [1, 7]) {
  each(`chat() reads an answer cut into pieces of ${splitBytes} byte(s)`, async ({ subject, fake, provider }) => {
    fake.next({ kind: "answer", tokens: TOKENS, splitBytes });
    const { chunks, error } = await collect(provider, callOf(subject));
    assert.equal(error, undefined);
    assert.equal(textOf(chunks), TOKENS.join(""));
    assert.equal(chunks.length, TOKENS.length + 1);
  });
}

each("chat() gives thinking, tool calls, and counts of both in one shape", async ({ subject, fake, provider }) => {
  fake.next({
    kind: "answer",
    thinking: ["Let me", " see"],
    toolCalls: [{ id: "call_7", name: "look_up", arguments: { city: "Málaga", deep: { days: [1, 2] } } }],
    usage: { input: 100, cached: 40, output: 30, reasoning: 12 },
    finish: "tool_calls",
  });
  const { chunks, error } = await collect(provider, callOf(subject, { think: true }));
  assert.equal(error, undefined);
  assert.deepEqual(chunks.slice(0, -1), [
    { type: "thinking", text: "Let me" },
    { type: "thinking", text: " see" },
    {
      type: "tool_call",
      call: { id: "call_7", name: "look_up", arguments: { city: "Málaga", deep: { days: [1, 2] } } },
    },
  ]);
  const final = chunks.at(-1);
  assert.ok(final?.type === "final" && final.usage);
  assert.equal(final.finish_reason, "tool_calls");
  assert.equal(final.usage.input, 100);
  assert.equal(final.usage.output, 30);
  assert.equal(final.usage.total, 130);
  const detailed = subject.name !== "ollama";
  assert.equal(final.usage.cached_input, detailed ? 40 : 0);
  assert.equal(final.usage.reasoning, detailed ? 12 : 0);
});

each("chat() makes up an id for a tool call that has none", async ({ subject, fake, provider }) => {
  fake.next({ kind: "answer", toolCalls: [{ id: "", name: "now", arguments: {} }], finish: "tool_calls" });
  const { chunks } = await collect(provider, callOf(subject));
  const [first] = chunks;
  assert.ok(first?.type === "tool_call");
  assert.match(first.call.id, /^call_\w+/);
  assert.deepEqual(first.call.arguments, {});
});

each("chat() reports an answer that reached the limit of tokens", async ({ subject, fake, provider }) => {
  fake.next({ kind: "answer", finish: "length" });
  const { chunks } = await collect(provider, callOf(subject));
  const final = chunks.at(-1);
  assert.ok(final?.type === "final");
  assert.equal(final.finish_reason, "length");
});

each("chat() says null where the provider sent no counts", async ({ subject, fake, provider }) => {
  fake.next({ kind: "answer", usage: null });
  const { chunks, error } = await collect(provider, callOf(subject));
  assert.equal(error, undefined);
  assert.deepEqual(chunks.at(-1), { type: "final", finish_reason: "stop", usage: null });
});

each("chat() ends at the finish when the connection stays open", async ({ subject, fake, provider }) => {
  fake.next({ kind: "open_after_finish" });
  const { chunks, error } = await collect(provider, callOf(subject));
  assert.equal(error, undefined);
  assert.equal(chunks.at(-1)?.type, "final");
  await until("the connection is let go", () => fake.chats[0]?.goneAtMs !== undefined);
});

interface Row {
  readonly behaviour: Behaviour;
  readonly kind: ErrorKind;
  readonly short?: boolean;
}

const status = (code: number, body?: string | object): Behaviour => ({
  kind: "status",
  status: code,
  ...(body && { body }),
});

const ROWS: Readonly<Record<string, Row>> = {
  "a malformed request": { behaviour: status(400), kind: "bad_request" },
  "an unknown key": { behaviour: status(401), kind: "auth" },
  "a forbidden request": { behaviour: status(403), kind: "auth" },
  "an unknown model": { behaviour: status(404), kind: "model_not_found" },
  "a 404 in HTML": { behaviour: status(404, `<html>${SECRET}</html>`), kind: "model_not_found" },
  "a request timeout": { behaviour: status(408), kind: "timeout" },
  "a payload too large": { behaviour: status(413), kind: "context_length" },
  "an unprocessable request": { behaviour: status(422), kind: "bad_request" },
  "too many requests": { behaviour: status(429), kind: "rate_limit" },
  "an internal error": { behaviour: status(500), kind: "unavailable" },
  "a 500 with broken JSON": { behaviour: status(500, `{"error": ${SECRET}`), kind: "unavailable" },
  "a bad gateway": { behaviour: status(502, `<html>${SECRET}</html>`), kind: "unavailable" },
  "an overloaded service": { behaviour: status(503), kind: "unavailable" },
  "a gateway timeout": { behaviour: status(504), kind: "unavailable" },
  "a prompt in the error text": {
    behaviour: status(400, { error: { message: `bad: ${SECRET}`, code: `no ${SECRET}`, status: SECRET.repeat(9) } }),
    kind: "bad_request",
  },
  "a blocked prompt": { behaviour: { kind: "blocked_prompt" }, kind: "content_filter" },
  "a redirect": { behaviour: { kind: "redirect", to: "http://127.0.0.1:9/elsewhere" }, kind: "protocol" },
  "a login page": { behaviour: { kind: "html" }, kind: "protocol" },
  "an empty body": { behaviour: { kind: "empty" }, kind: "protocol" },
  "gzip garbage": { behaviour: { kind: "gzip_garbage" }, kind: "protocol" },
  "headers without end": { behaviour: { kind: "endless_headers" }, kind: "unavailable" },
  "something that is not HTTP": { behaviour: { kind: "raw", bytes: `${SECRET}\r\n\r\n` }, kind: "unavailable" },
  "a body without end": { behaviour: { kind: "endless_body" }, kind: "protocol" },
  "10 MB in one line": { behaviour: { kind: "big_line", bytes: 10_000_000 }, kind: "protocol" },
  "a cut before the first token": { behaviour: { kind: "cut", after: 0 }, kind: "protocol" },
  "a cut in the answer": { behaviour: { kind: "cut", after: 2 }, kind: "protocol" },
  "an end without a finish": { behaviour: { kind: "no_finish", after: 2 }, kind: "protocol" },
  "a malformed chunk": { behaviour: { kind: "malformed", after: 2 }, kind: "protocol" },
  "an error in the stream": {
    behaviour: { kind: "error_in_stream", after: 2, message: SECRET },
    kind: "unavailable",
  },
  "an error in the stream, told another way": {
    behaviour: { kind: "error_in_stream", after: 2, message: SECRET, form: "alternative" },
    kind: "unavailable",
  },
  "a finish nobody knows": { behaviour: { kind: "finish", raw: "unload" }, kind: "protocol" },
  "silence": { behaviour: { kind: "silence" }, kind: "timeout", short: true },
  "a stall before the first token": { behaviour: { kind: "stall", after: 0 }, kind: "timeout", short: true },
  "a stall in the answer": { behaviour: { kind: "stall", after: 2 }, kind: "timeout", short: true },
};

for (const [name, row] of Object.entries(ROWS)) {
  each(`chat() makes ${name} an error of kind ${row.kind}`, async ({ subject, fake, provider }) => {
    fake.next(row.behaviour);
    const { chunks, error } = await collect(provider, callOf(subject, row.short ? { deadlines: SHORT } : {}));
    assertProviderError(error, row.kind, subject);
    assert.ok(chunks.every(({ type }) => type === "text"), "no final chunk");
    assert.ok(fake.chats.length <= 1, "nothing is asked twice");
  });
}

each("chat() hands out what came before the answer broke", async ({ subject, fake, provider }) => {
  for (const kind of ["malformed", "no_finish", "error_in_stream"] as const) {
    fake.next({ kind, after: 3 });
    const { chunks } = await collect(provider, callOf(subject));
    assert.equal(textOf(chunks), "Hola, soy Djan", kind);
  }
});

each("chat() makes a connection that is reset an unavailable error", async ({ subject, fake, provider }) => {
  fake.always({ kind: "reset" });
  const { error } = await collect(provider, callOf(subject));
  assertProviderError(error, "unavailable", subject);
});

each("chat() is sent once, even where Deno would send it again by itself", async ({ subject, fake, provider }) => {
  await provider.listModels(new AbortController().signal); // leaves a kept connection for the chat to go out on
  fake.next({ kind: "reset" });
  const { error } = await collect(provider, callOf(subject));
  assertProviderError(error, "unavailable", subject);
  assert.equal(fake.chats.length, 1);
});

each(
  "chat() makes a refused connection an unavailable error that names the address",
  async ({ subject, fake, provider }) => {
    await fake.down();
    const { error } = await collect(provider, callOf(subject));
    const { message, remedy } = assertProviderError(error, "unavailable", subject);
    assert.ok(message.includes(fake.origin), message);
    assert.match(message, /refused/i);
    assert.ok(remedy);
  },
);

each("chat() gives the moment after which to ask again", async ({ subject, fake, provider }) => {
  fake.next({ kind: "status", status: 429, headers: { "retry-after": "40" } });
  const beforeMs = Date.now();
  const { error } = await collect(provider, callOf(subject));
  const { retryAtMs = 0 } = assertProviderError(error, "rate_limit", subject);
  assert.ok(retryAtMs >= beforeMs + 40_000 && retryAtMs <= Date.now() + 40_000, `${retryAtMs - beforeMs}`);
});

each("chat() follows no redirect", async ({ subject, fake, provider }) => {
  const elsewhere = subject.start();
  for (const status of [301, 302, 307, 308]) {
    fake.next({ kind: "redirect", to: `${elsewhere.origin}/api/chat`, status });
    const { error } = await collect(provider, callOf(subject));
    assert.match(assertProviderError(error, "protocol", subject).message, /redirects are refused/);
  }
  assert.equal(elsewhere.connections, 0);
  await elsewhere.stop();
});

each("chat() cuts 10 MB in one line off early", async ({ subject, fake, provider, ledger }) => {
  fake.next({ kind: "big_line", bytes: 10_000_000 });
  await collect(provider, callOf(subject));
  const received = ledger.records.at(-1)?.received ?? 0;
  assert.ok(received > 1_000_000 && received < 4_000_000, `${received} bytes read`);
});

each("chat() asked with an aborted signal sends nothing", async ({ subject, fake, provider, ledger }) => {
  const { error } = await collect(provider, callOf(subject), AbortSignal.abort());
  assertProviderError(error, "aborted", subject);
  assert.equal(fake.requests.length, 0);
  assert.deepEqual(ledger.records, []);
});

each(
  "chat() aborted before any answer ends at once and lets the connection go",
  async ({ subject, fake, provider }) => {
    fake.next({ kind: "silence" });
    const controller = new AbortController();
    const answer = collect(provider, callOf(subject), controller.signal);
    await until("the request arrives", () => fake.chats.length === 1);
    controller.abort();
    assertProviderError((await answer).error, "aborted", subject);
    await gone(fake);
  },
);

each(
  "chat() aborted while tokens flow ends at once, even with tokens left to give",
  async ({ subject, fake, provider }) => {
    fake.next({ kind: "stall", after: 50 });
    const controller = new AbortController();
    const chunks: string[] = [];
    const error = await (async () => {
      for await (const chunk of provider.chat(callOf(subject), controller.signal)) {
        chunks.push(chunk.type);
        if (chunks.length === 2) controller.abort(new Error(SECRET));
      }
    })().catch((reason: unknown) => reason);
    assertProviderError(error, "aborted", subject);
    assert.equal(chunks.length, 2);
    await gone(fake);
  },
);

each("chat() lets the connection go when its consumer stops early", async ({ subject, fake, provider }) => {
  fake.next({ kind: "endless_body", of: "tokens" });
  let seen = 0;
  for await (const _chunk of provider.chat(callOf(subject), new AbortController().signal)) {
    if (++seen === 3) break;
  }
  await gone(fake);
});

each("chat() never started leaves nothing behind", async ({ subject, fake, provider }) => {
  await provider.chat(callOf(subject), new AbortController().signal).return();
  assert.equal(fake.requests.length, 0);
});

each(
  "chat() holds the idle limit only against the provider, not against a slow consumer",
  async ({ subject, fake, provider }) => {
    fake.next({ kind: "answer", gapMs: 5 });
    const deadlines = { loadMs: 10_000, firstTokenMs: 10_000, idleMs: 100 };
    const texts: string[] = [];
    for await (const chunk of provider.chat(callOf(subject, { deadlines }), new AbortController().signal)) {
      if (chunk.type === "text") texts.push(chunk.text);
      if (texts.length === 1) await new Promise((resolve) => setTimeout(resolve, 150));
    }
    assert.equal(texts.join(""), "Hola, soy Django.");
  },
);

each(
  "chat() lets an answer take longer than the first-token limit once it has begun",
  async ({ subject, fake, provider }) => {
    fake.next({ kind: "answer", gapMs: 40 });
    const deadlines = { loadMs: 100, firstTokenMs: 100, idleMs: 100 };
    const { chunks, error } = await collect(provider, callOf(subject, { deadlines }));
    assert.equal(error, undefined);
    assert.equal(chunks.at(-1)?.type, "final");
  },
);

each("chat() names the kind of wait that was too long", async ({ subject, fake, provider }) => {
  fake.next({ kind: "silence" }, { kind: "stall", after: 1 });
  const first = await collect(provider, callOf(subject, { deadlines: { ...SHORT, idleMs: 10_000 } }));
  assert.match(assertProviderError(first.error, "timeout", subject).message, /no token within 80 ms/);
  const idle = await collect(provider, callOf(subject, { deadlines: { ...SHORT, firstTokenMs: 10_000 } }));
  const error = assertProviderError(idle.error, "timeout", subject);
  assert.match(error.message, /nothing came for 80 ms/);
  assert.equal(error.whileLoading, false);
});

each("chat() tells the ledger once of each request", async ({ subject, fake, provider, ledger }) => {
  fake.next({ kind: "answer" }, { kind: "cut", after: 1 });
  await collect(provider, callOf(subject));
  const perCall = ledger.records.length;
  assert.equal(perCall, fake.requests.length);
  const chat = ledger.records.at(-1);
  assert.equal(chat?.origin, fake.origin);
  assert.equal(chat?.sent, JSON.stringify(fake.chats[0]?.body).length);
  assert.ok(chat.received > 100);
  await collect(provider, callOf(subject));
  assert.equal(ledger.records.length, fake.requests.length);
  assert.ok(ledger.records.length > perCall);
});

each("chat() sends no header about this machine or its libraries", async ({ subject, fake, provider }) => {
  await collect(provider, callOf(subject));
  const names = [...(fake.chats[0]?.headers.keys() ?? [])];
  const key = { ollama: [], groq: ["authorization"], gemini: ["x-goog-api-key"] }[subject.name];
  const framing = ["connection", "content-length", "transfer-encoding"];
  const usual = ["accept", "accept-encoding", "accept-language", "content-type", "host", ...framing];
  assert.deepEqual(names.filter((name) => !usual.includes(name)).sort(), [...key, "user-agent"].sort());
  assert.equal(fake.chats[0]?.headers.get("user-agent"), "django-agent");
});

each("chat() answers many calls at once without mixing them", async ({ subject, fake, provider }) => {
  const names = Array.from({ length: 20 }, (_, at) => `answer ${at}`);
  fake.next(...names.map((text): Behaviour => ({ kind: "answer", tokens: [text, "!"], gapMs: 5 })));
  const answers = await Promise.all(names.map(() => collect(provider, callOf(subject))));
  assert.deepEqual(answers.map(({ chunks }) => textOf(chunks)).sort(), names.map((name) => `${name}!`).sort());
});

each("listModels() and health() answer, and fail as chat() does", async ({ subject, fake, provider }) => {
  const signal = new AbortController().signal;
  const models = await provider.listModels(signal);
  assert.ok(models.some(({ name }) => name.replace(/:latest$/, "") === subject.model), JSON.stringify(models));
  assert.ok(models.every(({ remote }) => remote === (subject.name !== "ollama")));
  const { version } = await provider.health(signal);
  assert.equal(version === null, subject.name !== "ollama");
  const aborted = await provider.health(AbortSignal.abort()).catch((error: unknown) => error);
  assertProviderError(aborted, "aborted", subject);
  await fake.down();
  for (const ask of [provider.listModels, provider.health]) {
    assertProviderError(await ask(signal).catch((error: unknown) => error), "unavailable", subject);
  }
});

async function gone(fake: FakeProvider): Promise<void> {
  await until("the provider sees the client hang up", () => fake.chats.at(-1)?.goneAtMs !== undefined);
}
