import assert from "node:assert/strict";
import { NoAnswerError } from "../../src/core/errors.ts";
import type { Provider, ProviderChunk } from "../../src/providers/provider.ts";
import { ask, brief, GEMINI, GPT, readStream, type Rig, startRig } from "../support/rig.ts";

/** A rig in which Groq is a provider that breaks the promises of the interface. */
function startBrokenRig(chat: () => AsyncGenerator<ProviderChunk, void, void>): Rig {
  const rig = startRig({ chain: [GPT, GEMINI], breaker: { failure_threshold: 1 } });
  const { snapshot } = rig.router;
  const slot = snapshot.providers.get("groq");
  assert.ok(slot && "provider" in slot);
  const provider: Provider = { ...slot.provider, chat };
  rig.router.apply({ ...snapshot, providers: new Map([...snapshot.providers, ["groq", { provider }]]) });
  return rig;
}

async function* endWithoutFinal(): AsyncGenerator<ProviderChunk, void, void> {
  yield { type: "text", text: "Hola" };
}

async function* throwAnything(): AsyncGenerator<ProviderChunk, void, void> {
  yield* [];
  throw new TypeError("mi secreto");
}

async function* sayNothing(): AsyncGenerator<ProviderChunk, void, void> {}

Deno.test("Router.generate() takes no answer without a final chunk for complete", async () => {
  for (const chat of [endWithoutFinal, sayNothing]) {
    await using rig = startBrokenRig(chat);
    const { attempts, content } = await ask(rig);
    assert.deepEqual(brief(attempts), [`${GPT} failed protocol`, `${GEMINI} ok`]);
    assert.equal(content, "Hola, soy Django.");
    assert.equal(rig.router.lanes["groq"]?.breaker, "open");
  }
});

Deno.test("Router.stream() takes no answer without a final chunk for complete", async () => {
  await using rig = startBrokenRig(endWithoutFinal);
  const { text, response, error } = await readStream(rig.router.stream({ prompt: "¿Quién eres?" }));
  assert.ok(error instanceof NoAnswerError && error.kind === "protocol");
  assert.deepEqual([text, response, rig.router.lanes["groq"]?.breaker], ["Hola", undefined, "open"]);
  await using silent = startBrokenRig(sayNothing);
  const { response: second } = await readStream(silent.router.stream({ prompt: "¿Quién eres?" }));
  assert.deepEqual([second?.provider, second?.fallback], ["gemini", true]);
});

Deno.test("Router treats an unexpected exception as a fault of the provider, and repeats none of its words", async () => {
  await using rig = startBrokenRig(throwAnything);
  const { attempts } = await ask(rig);
  assert.deepEqual(brief(attempts), [`${GPT} failed protocol`, `${GEMINI} ok`]);
  assert.match(attempts[0]?.reason ?? "", /unexpected TypeError/);
  assert.ok(!JSON.stringify([attempts, rig.events]).includes("secreto"));
});
