import assert from "node:assert/strict";
import { AgentError, EXIT, SealedError } from "../../src/core/errors.ts";
import { describeError } from "../../src/http/errors.ts";
import { startApi } from "../support/api.ts";
import { readError } from "../support/api_answers.ts";

const CHAT = { model: "auto", messages: [{ role: "user", content: "Hola" }] };

Deno.test("describeError() tells what this process may never do from what a file does not permit", () => {
  for (const openai of [false, true]) {
    const sealed = describeError(new SealedError("Profile cloudy asks groq/x"), { openai });
    assert.deepEqual([sealed.status, sealed.body.error.code], [409, "egress_sealed"]);
    assert.match(sealed.body.error.message, /--cloud/);
    const denied = new AgentError("Cannot write config/models.json", {
      exitCode: EXIT.permission,
      remedy: "Try this.",
    });
    const { status, body: { error } } = describeError(denied, { openai });
    assert.deepEqual([status, error.code], [403, "permission_denied"]);
    assert.equal(error.message, "Cannot write config/models.json → Try this.");
  }
});

Deno.test("a fault of the program is told with its place, and never with its words", async () => {
  await using api = await startApi();
  const warnings: string[] = [];
  api.agent.events.subscribe(({ name, data }) => {
    if (name === "system.warning") warnings.push(`${data.code}: ${data.message}`);
  });
  api.agent.router.generate = () => Promise.reject(new RangeError("SECRET"));
  const { message } = await readError(await api.send("POST", "/v1/chat/completions", CHAT), 500);
  assert.equal(message, "Internal error: RangeError");
  assert.equal(warnings.length, 1);
  assert.match(warnings.join(), /^internal_error: .*RangeError at .*errors_test\.ts:\d+/);
  assert.ok(!warnings.join().includes("SECRET"));
});
