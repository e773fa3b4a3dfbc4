import assert from "node:assert/strict";
import { AgentError } from "../../src/core/errors.ts";
import { createRemoteCall } from "../../src/cli/chat_api.ts";
import { readAll } from "../../src/cli/chat_client.ts";
import type { Ledger } from "../../src/privacy/ledger.ts";
import { createWatchedSignal } from "../support/watched_signal.ts";

const ledger: Ledger = { sent() {}, sentMore() {}, received() {}, entries: () => [], [Symbol.dispose]() {} };

Deno.test("createRemoteCall() posts what it is given, and asks for what is there without", async () => {
  const seen: string[] = [];
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    seen.push(`${request.method} ${request.headers.get("authorization")} ${await request.text()}`);
    return new Response("ñandú");
  });
  const call = createRemoteCall({ origin: `http://127.0.0.1:${server.addr.port}`, token: "t", ledger });
  const { signal } = new AbortController();
  for (const body of [{ a: 1 }, undefined]) {
    const { status, pieces } = await call("/x", body, signal);
    assert.deepEqual([status, await readAll(pieces)], [200, "ñandú"]);
  }
  assert.deepEqual(seen, ['POST Bearer t {"a":1}', "GET Bearer t "]);
});

Deno.test("createRemoteCall() leaves nothing behind on a signal that lives on, whatever came of the call", async () => {
  const { signal, listeners } = createWatchedSignal();
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, () => new Response("x"));
  const call = createRemoteCall({
    origin: `http://127.0.0.1:${server.addr.port}`,
    token: undefined,
    ledger,
    remedy: "Look elsewhere.",
  });
  const { pieces } = await call("/x", {}, signal);
  assert.equal(listeners.size, 1);
  await readAll(pieces);
  assert.equal(listeners.size, 0);
  await server.shutdown();
  await assert.rejects(call("/x", {}, signal), (error) => {
    return error instanceof AgentError && /Nothing answers/.test(error.message) && error.remedy === "Look elsewhere.";
  });
  assert.equal(listeners.size, 0);
});
