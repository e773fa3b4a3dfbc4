import assert from "node:assert/strict";
import { createAgentApi } from "../../src/cli/agent_api.ts";
import type { ApiCall } from "../../src/cli/chat_api.ts";
import { AgentError } from "../../src/core/errors.ts";

const REQUEST = { message: "hola", conversation_id: "c", cognitive_mode: 2, user: { id: "7", name: "Ana" } } as const;

const silent: ApiCall = (_path, _body, signal) =>
  new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));

Deno.test("createAgentApi() gives up an API that never answers", async () => {
  const api = createAgentApi(silent, { longestMs: 1 });
  const { signal } = new AbortController();
  await assert.rejects(api.chat(REQUEST, signal), (error) => error instanceof AgentError);
});

Deno.test("createAgentApi() throws the reason of the signal", async () => {
  const leaving = new AbortController();
  const answer = createAgentApi(silent).chat(REQUEST, leaving.signal);
  leaving.abort(new Error("left"));
  await assert.rejects(answer, /left/);
});
