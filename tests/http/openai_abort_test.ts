import assert from "node:assert/strict";
import OpenAI from "openai";
import { type Api, startApi } from "../support/api.ts";
import type { Behaviour } from "../support/fake_behaviour.ts";
import { type Chunk, complete, connectClient, PLAIN, stream, textOf } from "../support/openai_client.ts";
import { connectTo, rawRequest, writeAll } from "../support/raw_http.ts";
import { until } from "../support/rig.ts";

/** Where a call can be when its client leaves. None of these would ever end by itself. */
const MOMENTS: readonly Behaviour[] = [{ kind: "silence" }, { kind: "stall", after: 2 }];

function latest({ agent }: Api) {
  return agent.usage.local?.latest(1)[0];
}

/** Waits until the call is with the model and has come as far as it will. */
async function untilAsked({ first, agent }: Api): Promise<void> {
  await until(() => first.chats.length > 0 && agent.router.lanes["first"]?.in_flight === 1);
}

/** Waits until the provider has seen its client leave, and checks the books. */
async function assertEnded(api: Api, what: string): Promise<void> {
  const [chat = assert.fail(what)] = api.first.chats.splice(0);
  await until(() => chat.goneAtMs !== undefined && api.agent.router.lanes["first"]?.in_flight === 0);
  const row = latest(api);
  assert.deepEqual([row?.outcome, row?.error_kind, row?.model], ["aborted", "aborted", "llama3.2"], what);
}

async function readUntil(chunks: AsyncIterable<Chunk>, wanted: string, then: () => void): Promise<Chunk[]> {
  const seen: Chunk[] = [];
  for await (const chunk of chunks) {
    seen.push(chunk);
    if (textOf(seen) === wanted) then();
  }
  return seen;
}

Deno.test("POST /v1/chat/completions ends the model's work when the client aborts a call", async () => {
  await using api = await startApi();
  const client = connectClient(api);
  for (const moment of MOMENTS) {
    api.first.next(moment);
    const leaving = new AbortController();
    const call = assert.rejects(
      client.chat.completions.create(PLAIN, { signal: leaving.signal }),
      OpenAI.APIUserAbortError,
    );
    await untilAsked(api);
    leaving.abort();
    await call;
    await assertEnded(api, moment.kind);
  }
  assert.equal(api.second.chats.length, 0, "another model was asked for nobody");
});

Deno.test("POST /v1/chat/completions ends the model's work when the client aborts before the first token", async () => {
  await using api = await startApi();
  api.first.next({ kind: "silence" });
  const leaving = new AbortController();
  const call = assert.rejects(
    connectClient(api).chat.completions.create({ ...PLAIN, stream: true }, { signal: leaving.signal }),
    OpenAI.APIUserAbortError,
  );
  await untilAsked(api);
  leaving.abort();
  await call;
  await assertEnded(api, "silence");
});

Deno.test("POST /v1/chat/completions ends the model's work when the client aborts a stream", async () => {
  await using api = await startApi();
  api.first.next({ kind: "stall", after: 2 });
  const leaving = new AbortController();
  const chunks = await connectClient(api).chat.completions.create(
    { ...PLAIN, stream: true },
    { signal: leaving.signal },
  );
  const seen = await readUntil(chunks, "Hola, soy", () => leaving.abort());
  assert.equal(textOf(seen), "Hola, soy");
  await assertEnded(api, "stall");
  const row = latest(api);
  assert.equal(row?.source, "estimated");
  assert.ok(row.output_tokens > 0, "what had been said is not counted");
});

Deno.test("POST /v1/chat/completions ends the model's work when the reader leaves its loop", async () => {
  await using api = await startApi();
  api.first.next({ kind: "endless_body", of: "tokens" });
  const { data } = await stream(connectClient(api));
  for await (const chunk of data) if (textOf([chunk]) !== "") break;
  await assertEnded(api, "endless");
});

Deno.test("POST /v1/chat/completions ends the model's work when the client's socket is closed", async () => {
  await using api = await startApi();
  for (const streamed of [false, true]) {
    for (const moment of [...MOMENTS, { kind: "endless_body", of: "tokens" } as const]) {
      await hangUp(api, { streamed, moment, content: "Hello" });
    }
  }
  assert.equal(api.second.chats.length, 0);
});

Deno.test("POST /v1/chat/completions notices a closed socket whatever the size of the request", async () => {
  await using api = await startApi();
  // What the server reads at once and what it reads in pieces are different matters to it.
  for (const chars of [500, 5_000, 25_000]) {
    for (const streamed of [false, true]) {
      for (const moment of MOMENTS) await hangUp(api, { streamed, moment, content: "1 ".repeat(chars / 2) });
    }
  }
});

interface HangUp {
  readonly streamed: boolean;
  readonly moment: Behaviour;
  readonly content: string;
}

/** Asks over a socket of its own and closes it as soon as the model works. */
async function hangUp(api: Api, { streamed, moment, content }: HangUp): Promise<void> {
  api.first.next(moment);
  const body = JSON.stringify({ ...PLAIN, messages: [{ role: "user", content }], stream: streamed });
  const connection = await connectTo(api.origin);
  await writeAll(
    connection,
    rawRequest([
      "POST /v1/chat/completions HTTP/1.1",
      "host: 127.0.0.1",
      "content-type: application/json",
      `content-length: ${body.length}`,
    ], body),
  );
  await untilAsked(api);
  if (streamed && moment.kind !== "silence") await readPast(connection, "Hola");
  connection.close();
  await assertEnded(api, `${streamed ? "streamed" : "whole"}, ${moment.kind}, ${body.length} bytes`);
}

/** Reads until `text` has come, or the first `más` of an endless answer. */
async function readPast(connection: Deno.TcpConn, text: string): Promise<void> {
  const buffer = new Uint8Array(4096);
  for (let seen = ""; !seen.includes(text) && !seen.includes(" más");) {
    const count = await connection.read(buffer);
    assert.ok(count !== null, "the server hung up first");
    seen += new TextDecoder().decode(buffer.subarray(0, count));
  }
}

Deno.test("POST /v1/chat/completions never asks a model for a client that left while it waited", async () => {
  await using api = await startApi({
    change: (models) => ({ ...models, providers: { ...models.providers, first: one(models.providers["first"]) } }),
  });
  const client = connectClient(api);
  api.first.next({ kind: "stall", after: 2 });
  const leaving = [new AbortController(), new AbortController()] as const;
  const working = assert.rejects(client.chat.completions.create(PLAIN, { signal: leaving[0].signal }));
  await untilAsked(api);
  const waiting = assert.rejects(client.chat.completions.create(PLAIN, { signal: leaving[1].signal }));
  await until(() => api.agent.router.lanes["first"]?.waiting === 1);
  leaving[1].abort();
  await waiting;
  await until(() => api.agent.router.lanes["first"]?.waiting === 0);
  assert.equal(api.first.chats.length, 1);
  leaving[0].abort();
  await working;
  await assertEnded(api, "the one that was being answered");
  const { data } = await complete(client);
  assert.equal(data.model, "first/llama3.2");
  assert.equal(api.first.chats.length, 1, "the call that waited came through after all");
});

/** A provider that answers one call at a time. */
function one(provider: unknown): unknown {
  return { ...provider as Record<string, unknown>, max_concurrent: 1 };
}

Deno.test("POST /v1/chat/completions does not hold clients that leave against the provider", async () => {
  await using api = await startApi();
  const client = connectClient(api);
  for (let left = 0; left < 5; left++) { // the breaker opens at three failures
    api.first.next({ kind: "silence" });
    const leaving = new AbortController();
    const call = assert.rejects(client.chat.completions.create(PLAIN, { signal: leaving.signal }));
    await untilAsked(api);
    leaving.abort();
    await call;
    await assertEnded(api, `call ${left}`);
  }
  const { breaker, failures } = api.agent.router.lanes["first"] ?? {};
  assert.deepEqual([breaker, failures], ["closed", 0]);
  assert.equal((await complete(client)).data.model, "first/llama3.2");
});

Deno.test("POST /v1/embeddings ends the model's work when the client aborts", async () => {
  await using api = await startApi();
  api.first.on("/api/embed", { kind: "silence" });
  const asked = () => api.first.requests.some(({ path }) => path === "/api/embed");
  const leaving = new AbortController();
  const call = assert.rejects(
    connectClient(api).embeddings.create({ model: "auto", input: "Hola" }, { signal: leaving.signal }),
    OpenAI.APIUserAbortError,
  );
  await until(asked);
  leaving.abort();
  await call;
  await until(() => latest(api) !== undefined);
  const { outcome, role } = latest(api) ?? {};
  assert.deepEqual([outcome, role], ["aborted", "embeddings"]);
});
