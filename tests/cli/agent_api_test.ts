import assert from "node:assert/strict";
import { createAgentApi } from "../../src/cli/agent_api.ts";
import type { ApiCall } from "../../src/cli/chat_api.ts";
import { AgentError } from "../../src/core/errors.ts";
import { TooLongError } from "../../src/discord/agent_api.ts";

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

/** An API that answers everything with this. */
function answering(status: number, body: unknown) {
  const asked: string[] = [];
  const call: ApiCall = (path, sent) => {
    asked.push(`${sent ? "POST" : "GET"} ${path}`);
    const text = typeof body === "string" ? body : JSON.stringify(body);
    return Promise.resolve({
      status,
      pieces: (async function* () {
        yield text;
      })(),
    });
  };
  return { api: createAgentApi(call), asked };
}

const { signal } = new AbortController();

Deno.test("createAgentApi() asks at the right places", async () => {
  const reply = { content: "hola", silent: false, vision: ["technical", "identity_core"] };
  const { api, asked } = answering(200, reply);
  assert.deepEqual(await api.chat(REQUEST, signal), { content: "hola", silent: false });
  assert.equal(await api.sees(signal), true);
  await api.clear("c", signal);
  await api.forgetUser("7", signal);
  assert.deepEqual(asked, [
    "POST /api/chat",
    "GET /api/router/status",
    "POST /api/memory/working/clear",
    "POST /api/memory/forget",
  ]);
  assert.equal(await answering(200, { vision: ["technical"] }).api.sees(signal), false);
  assert.equal(await answering(200, { profile: "of a server before" }).api.sees(signal), false);
});

Deno.test("createAgentApi() knows what is too long from what cannot be answered", async () => {
  for (
    const [code, isTooLong] of [["context_length_exceeded", true], ["body_too_large", true], ["busy", false]] as const
  ) {
    const { api } = answering(422, { error: { message: "no", type: "t", code } });
    await assert.rejects(api.chat(REQUEST, signal), (error) => (error instanceof TooLongError) === isTooLong);
  }
  for (const [status, body] of [[200, "<html>"], [200, {}], [502, "<html>"], [200, ""]] as const) {
    await assert.rejects(answering(status, body).api.chat(REQUEST, signal), AgentError);
  }
});
