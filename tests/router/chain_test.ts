import assert from "node:assert/strict";
import { type ModelsConfig, modelsSchema } from "../../src/config/schema.ts";
import {
  findCloudModels,
  findModel,
  planChat,
  planEmbedding,
  type Profile,
  resolveProfile,
} from "../../src/router/chain.ts";

const GROQ_PRICE = { input: 0.15, cached_input: 0.075, output: 0.6 };

const MODELS: ModelsConfig = modelsSchema.parse({
  profile: "balanced",
  providers: {
    ollama: {
      type: "ollama",
      models: {
        "llama3.2": { context: 8192 },
        "paid": { context: 8192, usd_per_million: { input: 1, output: 2 } },
        "embeddinggemma": { context: 2048, embeddings: true },
      },
    },
    groq: {
      type: "groq",
      api_key_env: "GROQ_API_KEY",
      models: {
        "openai/gpt-oss-120b": { context: 131072, usd_per_million: GROQ_PRICE },
        "unpriced": { context: 4096 },
      },
    },
  },
  fallback_chain: ["groq/openai/gpt-oss-120b", "groq/unpriced", "ollama/llama3.2"],
  assignments: { technical: "groq/unpriced", embeddings: "ollama/embeddinggemma" },
  profiles: {
    balanced: {},
    local: { local_only: true, fallback_chain: ["ollama/llama3.2"], assignments: { "*": "ollama/llama3.2" } },
    mixed: { assignments: { "*": "ollama/paid", business: "groq/unpriced" } },
    own: { fallback_chain: ["ollama/paid"] },
  },
});

function profile(name: string): Profile {
  return resolveProfile(MODELS, name) ?? assert.fail(`no profile ${name}`);
}

function refs(candidates: readonly { readonly ref: string }[]): string[] {
  return candidates.map(({ ref }) => ref);
}

Deno.test("resolveProfile() inherits chain and assignments that the profile does not name", () => {
  assert.deepEqual(profile("balanced"), {
    name: "balanced",
    localOnly: false,
    chain: MODELS.fallback_chain,
    assignments: MODELS.assignments,
  });
  assert.deepEqual(profile("own").chain, ["ollama/paid"]);
  assert.deepEqual(profile("own").assignments, MODELS.assignments);
});

Deno.test("resolveProfile() lets * stand for every role but embeddings, and a named role win over it", () => {
  assert.deepEqual(profile("mixed").assignments, {
    identity_core: "ollama/paid",
    communication: "ollama/paid",
    governance: "ollama/paid",
    business: "groq/unpriced",
    technical: "ollama/paid",
    embeddings: "ollama/embeddinggemma",
  });
  assert.equal(profile("local").localOnly, true);
});

Deno.test("resolveProfile() knows no profile by the name of an object's own machinery", () => {
  for (const name of ["missing", "toString", "__proto__", "constructor", ""]) {
    assert.equal(resolveProfile(MODELS, name), undefined, name);
  }
});

Deno.test("planChat() puts the role's model first, then the chain without repeats", () => {
  assert.deepEqual(refs(planChat(MODELS, profile("balanced"), "technical")), [
    "groq/unpriced",
    "groq/openai/gpt-oss-120b",
    "ollama/llama3.2",
  ]);
});

Deno.test("planChat() begins with the head of the chain for a role without a model", () => {
  assert.deepEqual(refs(planChat(MODELS, profile("balanced"), "governance")), [...MODELS.fallback_chain]);
});

Deno.test("planChat() puts a model asked for by name before the role's", () => {
  assert.deepEqual(refs(planChat(MODELS, profile("local"), "technical", "ollama/paid")), [
    "ollama/paid",
    "ollama/llama3.2",
  ]);
});

Deno.test("planEmbedding() names the one model that embeds, or none", () => {
  assert.deepEqual(refs(planEmbedding(MODELS, profile("mixed"))), ["ollama/embeddinggemma"]);
  const without = { ...profile("balanced"), assignments: {} };
  assert.deepEqual(planEmbedding(MODELS, without), []);
});

Deno.test("findModel() ends the provider at the first slash and brings context and price along", () => {
  assert.deepEqual(findModel(MODELS, "groq/openai/gpt-oss-120b"), {
    ref: "groq/openai/gpt-oss-120b",
    provider: "groq",
    model: "openai/gpt-oss-120b",
    chats: true,
    sees: false,
    contextTokens: 131072,
    price: GROQ_PRICE,
  });
});

Deno.test("findModel() prices Ollama at zero unless told otherwise, and an unpriced cloud model not at all", () => {
  assert.deepEqual(findModel(MODELS, "ollama/llama3.2")?.price, { input: 0, output: 0 });
  assert.deepEqual(findModel(MODELS, "ollama/paid")?.price, { input: 1, output: 2 });
  assert.equal(findModel(MODELS, "groq/unpriced")?.price, null);
});

Deno.test("findModel() finds nothing for a reference that models.json does not list", () => {
  const unknown = [
    "",
    "ollama",
    "ollama/",
    "/llama3.2",
    "ollama/gone",
    "elsewhere/llama3.2",
    "toString/x",
    "groq/toString",
  ];
  for (const ref of unknown) assert.equal(findModel(MODELS, ref), undefined, ref);
});

Deno.test("findCloudModels() lists what would leave the local network, each model once", () => {
  assert.deepEqual(findCloudModels(MODELS, profile("balanced")), ["groq/openai/gpt-oss-120b", "groq/unpriced"]);
  assert.deepEqual(findCloudModels(MODELS, profile("local")), []);
});
