import assert from "node:assert/strict";
import { parseConfig } from "../../src/config/load.ts";
import { assertOnlyProblem, assertProblem, type Example, problemsAfter, problemsIn, validExample } from "./examples.ts";

Deno.test("parseConfig() accepts the example every other test spoils", () => {
  assert.equal(parseConfig(JSON.stringify(validExample()), "models.json").models.profile, "local");
});

Deno.test("parseConfig() fills in every default", () => {
  const { models } = parseConfig(JSON.stringify(validExample()), "models.json");
  assert.deepEqual(models.circuit_breaker, { failure_threshold: 3, recovery_seconds: 30 });
  assert.deepEqual(models.deadlines, {
    load_seconds: 300,
    first_token_seconds: 60,
    idle_seconds: 30,
    total_seconds: 600,
  });
  assert.equal(models.providers["home"]?.max_concurrent, 1);
  assert.equal(models.providers["groq"]?.max_concurrent, 8);
  assert.equal(models.providers["home"]?.max_waiting, 64);
});

Deno.test("parseConfig() fills in what a half-given group leaves out, and keeps what is given", () => {
  const example = validExample();
  example["deadlines"] = { idle_seconds: 5 };
  example["circuit_breaker"] = { failure_threshold: 1 };
  Object.assign(example.providers.home, { max_concurrent: 2, max_waiting: 0, deadlines: { load_seconds: 0.5 } });
  const { models } = parseConfig(JSON.stringify(example), "models.json");
  assert.deepEqual(models.deadlines, {
    load_seconds: 300,
    first_token_seconds: 60,
    idle_seconds: 5,
    total_seconds: 600,
  });
  assert.deepEqual(models.circuit_breaker, { failure_threshold: 1, recovery_seconds: 30 });
  assert.equal(models.providers["home"]?.max_concurrent, 2);
  assert.equal(models.providers["home"]?.max_waiting, 0);
  assert.deepEqual(models.providers["home"]?.deadlines, { load_seconds: 0.5 });
});

const MISSHAPEN: readonly [string, (example: Example) => void, string, RegExp, RegExp][] = [
  [
    "a missing setting",
    (e) => delete e.providers.home.models.big["context"],
    "providers.home.models.big.context",
    /missing/,
    /whole number from 1 .*context window/,
  ],
  ["a missing group", (e) => Reflect.deleteProperty(e, "profiles"), "profiles", /missing/, /object/],
  [
    "a text for a number",
    (e) => e.providers.home["max_concurrent"] = "2",
    "providers.home.max_concurrent",
    /the text "2"/,
    /whole number from 1 to 256/,
  ],
  [
    "a fraction for a whole number",
    (e) => e.providers.home["max_waiting"] = 1.5,
    "providers.home.max_waiting",
    /number 1.5/,
    /whole number from 0 to 10000/,
  ],
  [
    "a number for a text",
    (e) => e.profile = 3,
    "profile",
    /number 3/,
    /text in double quotes: name of the active profile/,
  ],
  ["null", (e) => e.profile = null, "profile", /null/, /text in double quotes/],
  [
    "a text for a switch",
    (e) => Object.assign(e.profiles.local, { local_only: "yes" }),
    "profiles.local.local_only",
    /the text "yes"/,
    /true or false/,
  ],
  ["a list for an object", (e) => Object.assign(e, { circuit_breaker: [] }), "circuit_breaker", /a list/, /object/],
  ["an object for a list", (e) => Object.assign(e, { fallback_chain: {} }), "fallback_chain", /an object/, /list \[/],
  ["true for a text", (e) => e.fallback_chain[1] = true, "fallback_chain[1]", /true/, /provider\/model/],
  [
    "an unknown provider type",
    (e) => e.providers.home.type = "olama",
    "providers.home.type",
    /"olama"/,
    /"ollama", "groq", "gemini".*Did you mean "ollama"/,
  ],
  [
    "a provider name with a slash",
    (e) => e.providers["a/b"] = { ...e.providers.home },
    'providers["a/b"]',
    /cannot be a name/,
    /letters, digits/,
  ],
  [
    "a model name with a space or a control character",
    (e) => e.providers.home.models["a b"] = { context: 1 },
    'providers.home.models["a b"]',
    /cannot be a name/,
    /letters, digits and/,
  ],
  [
    "a negative price",
    (e) => e.providers.groq.models["openai/oss"]["usd_per_million"] = { input: -0.1, output: 1 },
    'providers.groq.models["openai/oss"].usd_per_million.input',
    /cannot be negative: -0.1/,
    /from 0 to 10000: US dollars per million/,
  ],
  [
    "a negative price of cached input",
    (e) => e.providers.groq.models["openai/oss"]["usd_per_million"] = { input: 1, cached_input: -1, output: 1 },
    'providers.groq.models["openai/oss"].usd_per_million.cached_input',
    /cannot be negative/,
    /US dollars/,
  ],
  [
    "a price beyond reason",
    (e) => e.providers.groq.models["openai/oss"]["usd_per_million"] = { input: 1, output: 10_001 },
    'providers.groq.models["openai/oss"].usd_per_million.output',
    /10001 is out of range/,
    /to 10000/,
  ],
  [
    "no context at all",
    (e) => e.providers.home.models.big["context"] = 0,
    "providers.home.models.big.context",
    /0 is out of range/,
    /from 1 to 16777216/,
  ],
  [
    "a context beyond reason",
    (e) => e.providers.home.models.big["context"] = 1e15,
    "providers.home.models.big.context",
    /out of range/,
    /to 16777216/,
  ],
  [
    "a number no integer can hold",
    (e) => e.providers.home["max_concurrent"] = 1e300,
    "providers.home.max_concurrent",
    /out of range/,
    /to 256/,
  ],
  [
    "a deadline of nothing",
    (e) => e["deadlines"] = { idle_seconds: 0 },
    "deadlines.idle_seconds",
    /0 is out of range/,
    /from 0.001 to 86400: between two pieces/,
  ],
  [
    "a deadline longer than a day",
    (e) => e["deadlines"] = { total_seconds: 86_401 },
    "deadlines.total_seconds",
    /out of range/,
    /to 86400/,
  ],
  [
    "a breaker that never opens",
    (e) => e["circuit_breaker"] = { failure_threshold: 0 },
    "circuit_breaker.failure_threshold",
    /out of range/,
    /from 1 to 100/,
  ],
  [
    "an endless recovery",
    (e) => e["circuit_breaker"] = { recovery_seconds: 3601 },
    "circuit_breaker.recovery_seconds",
    /out of range/,
    /to 3600/,
  ],
  [
    "an unknown setting",
    (e) => e["fallback"] = [],
    "fallback",
    /no such setting/,
    /Remove it, or use one of: .*fallback_chain/,
  ],
  [
    "a misspelt setting",
    (e) => e.providers.home["max_concurent"] = 1,
    "providers.home.max_concurent",
    /no such setting/,
    /Did you mean "max_concurrent"/,
  ],
  [
    "a letter too many",
    (e) => e["fallback_chains"] = [],
    "fallback_chains",
    /no such setting/,
    /Did you mean "fallback_chain"/,
  ],
  [
    "another letter",
    (e) => e["fallback-chain"] = [],
    "fallback-chain",
    /no such setting/,
    /Did you mean "fallback_chain"/,
  ],
  [
    "two letters swapped",
    (e) => Object.assign(e.profiles.local, { local_olny: true }),
    "profiles.local.local_olny",
    /no such setting/,
    /Did you mean "local_only"/,
  ],
  [
    "an unknown role",
    (e) => e.assignments["tecnical"] = "home/big",
    "assignments.tecnical",
    /no such setting/,
    /identity_core.*Did you mean "technical"/,
  ],
  [
    "a star among the general assignments",
    (e) => e.assignments["*"] = "home/big",
    "assignments.*",
    /no such setting/,
    /use one of: identity_core/,
  ],
  [
    "a price for something unknown",
    (e) => e.providers.groq.models["openai/oss"]["usd_per_million"] = { input: 1, output: 1, thinking: 1 },
    'providers.groq.models["openai/oss"].usd_per_million.thinking',
    /no such setting/,
    /input, cached_input, output/,
  ],
  [
    "a deadline of the whole call for one provider",
    (e) => e.providers.home["deadlines"] = { total_seconds: 9 },
    "providers.home.deadlines.total_seconds",
    /no such setting/,
    /general deadlines/,
  ],
  [
    "a key in the file",
    (e) => e.providers.groq["api_key"] = "gsk_abcdefghijklmnop",
    "providers.groq.api_key",
    /no such setting/,
    /into \.env/,
  ],
];

for (const [what, spoil, path, message, remedy] of MISSHAPEN) {
  Deno.test(`parseConfig() refuses ${what} with its path and remedy`, () => {
    assertOnlyProblem(spoil, path, message, remedy);
  });
}

for (const text of ["[]", "3", '"models"', "null"]) {
  Deno.test(`parseConfig() refuses ${text} in place of an object`, () => {
    assertProblem(problemsIn(text), "", /^This is /, /Write an object/);
  });
}

Deno.test("parseConfig() reports all problems at once, of the shape and of the rules", () => {
  const problems = problemsAfter((example) => {
    example["colour"] = "blue";
    example.providers.groq.models["openai/oss"]["usd_per_million"] = { input: -1, output: 1 };
    example.providers.home["max_concurrent"] = 1000;
    example.fallback_chain.push("nowhere/model");
    example.profile = "missing";
  });
  assert.deepEqual(problems.map(({ path }) => path).sort(), [
    "colour",
    "fallback_chain[2]",
    "profile",
    'providers.groq.models["openai/oss"].usd_per_million.input',
    "providers.home.max_concurrent",
  ]);
});

Deno.test("parseConfig() puts every problem with its remedy into the message", () => {
  const example = validExample();
  example.profile = "nope";
  example["colour"] = 1;
  assert.throws(
    () => parseConfig(JSON.stringify(example), "config/models.json"),
    /^ConfigError: Cannot use config\/models\.json:\n {2}colour: .* → .*\n {2}profile: There is no profile "nope" → Use one of: mixed, local\.$/,
  );
});

Deno.test("parseConfig() never repeats what looks like a secret", () => {
  const secret = "gsk_A1b2C3d4E5f6G7h8I9j0";
  const places: ((example: Example) => void)[] = [
    (e) => e.profile = secret,
    (e) => e.providers.home.type = secret,
    (e) => e.providers.groq["api_key_env"] = secret,
    (e) => e.providers.groq["api_key_env"] = "AbCdEfGhIjKlMnOpQrStUvWxYz0123",
    (e) => e.providers.groq["base_url"] = `https://user:${secret}@api.example.com`,
    (e) => e.providers.groq["base_url"] = `https://api.example.com/?key=${secret}`,
    (e) => e.providers.groq["base_url"] = secret,
    (e) => e.providers.groq["api_key"] = secret,
    (e) => e.providers.groq["max_waiting"] = secret,
    (e) => e[secret] = 1,
    (e) => e.fallback_chain[0] = secret,
    (e) => e.fallback_chain[0] = `groq/${secret}`,
    (e) => e.fallback_chain[0] = `${secret}/model`,
  ];
  for (const spoil of places) {
    const said = JSON.stringify(problemsAfter(spoil));
    assert(!said.includes(secret) && !said.includes("OpQrStUv"), said);
  }
});
