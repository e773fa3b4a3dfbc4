import assert from "node:assert/strict";
import { parseConfig } from "../../src/config/load.ts";
import { assertOnlyProblem, type Example, validExample } from "./examples.ts";

const LEAKS: readonly [string, (example: Example) => void, string, RegExp, RegExp][] = [
  [
    "in its own chain",
    (e) => e.profiles.local.fallback_chain = ["home/big", "groq/openai/oss"],
    "profiles.local.fallback_chain[1]",
    /"groq\/openai\/oss" runs on somebody else's machine, and this profile/,
    /your own Ollama, or remove local_only/,
  ],
  [
    "for every role",
    (e) => e.profiles.local.assignments = { "*": "groq/openai/oss" },
    "profiles.local.assignments.*",
    /this profile is local_only/,
    /remove local_only/,
  ],
  [
    "for one role beside the star",
    (e) => e.profiles.local.assignments["business"] = "groq/openai/oss",
    "profiles.local.assignments.business",
    /this profile is local_only/,
    /remove local_only/,
  ],
  [
    "in the chain it inherits",
    (e) => e.fallback_chain.unshift("groq/openai/oss"),
    "fallback_chain[0]",
    /the local_only profile "local" inherits it/,
    /Give profiles\.local a fallback_chain of its own/,
  ],
  [
    "in an assignment it inherits",
    (e) => Reflect.deleteProperty(e.profiles.local, "assignments"),
    "assignments.technical",
    /"local" inherits it/,
    /Give profiles\.local an assignment for technical of its own/,
  ],
  [
    "under a name Ollama runs in its cloud",
    (e) => {
      e.providers.home.models["gpt-oss:120B-Cloud"] = { context: 1 };
      e.profiles.local.fallback_chain = ["home/gpt-oss:120B-Cloud"];
    },
    "profiles.local.fallback_chain[0]",
    /somebody else's machine/,
    /your own Ollama/,
  ],
  [
    "under the tag cloud",
    (e) => {
      e.providers.home.models["kimi:cloud"] = { context: 1 };
      e.profiles.local.fallback_chain = ["home/kimi:cloud"];
    },
    "profiles.local.fallback_chain[0]",
    /somebody else's machine/,
    /your own Ollama/,
  ],
  [
    "under a cloud name with the tag latest",
    (e) => {
      e.providers.home.models["kimi-cloud:latest"] = { context: 1 };
      e.profiles.local.fallback_chain = ["home/kimi-cloud:latest"];
    },
    "profiles.local.fallback_chain[0]",
    /somebody else's machine/,
    /your own Ollama/,
  ],
  [
    "for embeddings, which the star does not replace",
    (e) => {
      e.providers["google"] = {
        type: "gemini",
        api_key_env: "GEMINI_API_KEY",
        models: { e: { context: 1, embeddings: true } },
      };
      e.assignments["embeddings"] = "google/e";
    },
    "assignments.embeddings",
    /"local" inherits it/,
    /an assignment for embeddings/,
  ],
];

for (const [where, spoil, path, message, remedy] of LEAKS) {
  Deno.test(`parseConfig() refuses a local_only profile with a cloud model ${where}`, () => {
    assertOnlyProblem(spoil, path, message, remedy);
  });
}

Deno.test("parseConfig() lets a profile that is not local_only use the cloud", () => {
  const example = validExample();
  example.providers.home.models["kimi:cloud"] = { context: 1 };
  example.profiles.mixed = {
    fallback_chain: ["groq/openai/oss", "home/kimi:cloud"],
    assignments: { "*": "groq/openai/oss" },
  };
  assert.equal(parseConfig(JSON.stringify(example), "x").models.profiles["mixed"]?.fallback_chain?.length, 2);
});

Deno.test("parseConfig() does not take a model for a cloud model because cloud is in its name", () => {
  const example = validExample();
  example.providers.home.models["cloudy"] = { context: 1 };
  example.providers.home.models["cloud-writer:7b"] = { context: 1 };
  example.profiles.local.fallback_chain = ["home/cloudy", "home/cloud-writer:7b"];
  assert.equal(parseConfig(JSON.stringify(example), "x").models.profile, "local");
});

Deno.test("parseConfig() reports the leaks of a profile that is not the active one", () => {
  assertOnlyProblem(
    (e) => {
      e.profiles["second"] = {
        local_only: true,
        fallback_chain: ["groq/openai/oss"],
        assignments: { "*": "home/big" },
      };
    },
    "profiles.second.fallback_chain[0]",
    /local_only/,
    /remove local_only/,
  );
});
