import assert from "node:assert/strict";
import { z } from "zod";
import { EMBEDDED_TEXT, parseConfig } from "../../src/config/load.ts";
import { modelsJsonSchema, schemaFileText } from "../../src/config/schema.ts";
import { ROLES } from "../../src/core/types.ts";
import { isUntouched, validExample } from "./examples.ts";

const shipped = () => parseConfig(EMBEDDED_TEXT, "config/models.json").models;

/** A validator built from the JSON Schema alone. */
const fromFile = () => z.fromJSONSchema(modelsJsonSchema() as Parameters<typeof z.fromJSONSchema>[0]);

Deno.test("config/models.schema.json is what the schema generates", async () => {
  const file = await Deno.readTextFile(new URL("../../config/models.schema.json", import.meta.url));
  assert.equal(file, schemaFileText(), "config/models.schema.json is out of date: run `deno task schema`");
});

Deno.test("the shipped config/models.json is what the program embeds, unless a person has made it theirs", async () => {
  const path = "config/models.json";
  const file = await Deno.readTextFile(new URL(`../../${path}`, import.meta.url));
  assert.ok(parseConfig(file, path).models);
  assert.equal(shipped().$schema, "./models.schema.json");
  if (await isUntouched(path)) assert.equal(file, EMBEDDED_TEXT, "copy src/config/default_models.json to config/");
});

Deno.test("The JSON Schema accepts the shipped example and refuses what the program refuses", () => {
  const schema = fromFile();
  assert(schema.safeParse(structuredClone(shipped())).success);
  assert(schema.safeParse(validExample()).success);
  const refused: ((example: ReturnType<typeof validExample>) => void)[] = [
    (e) => e["colour"] = 1,
    (e) => e.providers.home["max_concurrent"] = 0,
    (e) => e.providers.home.type = "other",
    (e) => delete e.providers.home.models.big["context"],
    (e) => e.fallback_chain[0] = "noslash",
    (e) => e.providers.groq["api_key_env"] = "small letters",
    (e) => e.assignments["nobody"] = "home/big",
    (e) => e.providers["a/b"] = e.providers.home,
  ];
  for (const spoil of refused) {
    const example = validExample();
    spoil(example);
    assert(!schema.safeParse(example).success, String(spoil));
  }
});

Deno.test("The shipped example keeps everything local until somebody chooses otherwise", () => {
  const models = shipped();
  assert.equal(models.profile, "privacy_mode");
  assert.equal(models.profiles["privacy_mode"]?.local_only, true);
  for (const ref of models.profiles["privacy_mode"]?.fallback_chain ?? []) assert.match(ref, /^ollama\//);
});

Deno.test("The shipped example has the four profiles with their models", () => {
  const { profiles, assignments, fallback_chain } = shipped();
  assert.deepEqual(Object.keys(profiles), ["balanced", "max_quality", "privacy_mode", "budget_mode"]);
  assert.deepEqual(profiles["balanced"], {});
  for (const role of ["identity_core", "communication", "governance"] as const) {
    assert.match(assignments[role] ?? "", /^gemini\//);
  }
  for (const role of ["business", "technical"] as const) assert.match(assignments[role] ?? "", /^groq\//);
  assert.deepEqual(Object.keys(assignments).sort(), [...ROLES].sort());
  assert.match(profiles["max_quality"]?.assignments?.["*"] ?? "", /^gemini\//);
  assert.match(profiles["privacy_mode"]?.assignments?.["*"] ?? "", /^ollama\//);
  assert.match(profiles["budget_mode"]?.assignments?.["*"] ?? "", /^ollama\/qwen3\.5:2b$/);
  assert.equal(fallback_chain.at(-1), "ollama/llama3.2");
});

Deno.test("The shipped example gives every cloud model a price and no local one", () => {
  for (const { type, models } of Object.values(shipped().providers)) {
    for (const [name, model] of Object.entries(models)) {
      assert.equal(model.usd_per_million !== undefined, type !== "ollama", name);
    }
  }
});

Deno.test("The shipped example names no model that is retired", () => {
  assert.doesNotMatch(EMBEDDED_TEXT, /llama-3\.3-70b|gemini-2\.5/);
});
