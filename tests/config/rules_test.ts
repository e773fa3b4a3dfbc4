import assert from "node:assert/strict";
import { parseConfig } from "../../src/config/load.ts";
import { assertOnlyProblem, assertProblem, type Example, problemsAfter, problemsIn, validExample } from "./examples.ts";

const BROKEN: readonly [string, (example: Example) => void, string, RegExp, RegExp][] = [
  [
    "an active profile that does not exist",
    (e) => e.profile = "locl",
    "profile",
    /no profile "locl"/,
    /mixed, local\. Did you mean "local"/,
  ],
  [
    "an active profile named like a method of every object",
    (e) => e.profile = "constructor",
    "profile",
    /no profile/,
    /Use one of/,
  ],
  [
    "an unknown provider in the chain",
    (e) => e.fallback_chain[1] = "hom/small",
    "fallback_chain[1]",
    /no provider "hom"/,
    /home, groq\. Did you mean "home"/,
  ],
  [
    "an unknown provider in a profile's chain",
    (e) => e.profiles.mixed.fallback_chain = ["lost/model"],
    "profiles.mixed.fallback_chain[0]",
    /no provider "lost"/,
    /Use one of: home, groq/,
  ],
  [
    "a provider named like a method of every object",
    (e) => e.fallback_chain[1] = "toString/x",
    "fallback_chain[1]",
    /no provider/,
    /Use one of/,
  ],
  [
    "a reference without a slash",
    (e) => e.fallback_chain[1] = "small",
    "fallback_chain[1]",
    /"small" does not name a model/,
    /provider\/model, like ollama\/llama3\.2/,
  ],
  [
    "a reference without a model",
    (e) => e.assignments["business"] = "home/",
    "assignments.business",
    /does not name a model/,
    /provider\/model/,
  ],
  [
    "a model of the chain that is not listed",
    (e) => e.fallback_chain[1] = "home/smal",
    "fallback_chain[1]",
    /model "smal" is not listed/,
    /providers\.home\.models.* Did you mean "small"/,
  ],
  [
    "a model named like a method of every object",
    (e) => e.fallback_chain[1] = "home/valueOf",
    "fallback_chain[1]",
    /not listed/,
    /Add it to providers\.home\.models/,
  ],
  [
    "an assignment to a model that is not listed",
    (e) => e.assignments["business"] = "groq/openai/gone",
    "assignments.business",
    /model "openai\/gone" is not listed/,
    /Add it to providers\.groq\.models/,
  ],
  [
    "a profile's assignment to a model that is not listed",
    (e) => e.profiles.mixed.assignments = { "*": "home/gone" },
    "profiles.mixed.assignments.*",
    /not listed/,
    /Add it to/,
  ],
  [
    "a model twice in the chain",
    (e) => e.fallback_chain.push("home/big"),
    "fallback_chain[2]",
    /"home\/big" stands here a second time/,
    /fallback_chain\[0\] names it/,
  ],
  [
    "a model twice in a profile's chain",
    (e) => e.profiles.mixed.fallback_chain = ["home/big", "home/big"],
    "profiles.mixed.fallback_chain[1]",
    /second time/,
    /profiles\.mixed\.fallback_chain\[0\]/,
  ],
  [
    "an embeddings model in the chain",
    (e) => e.profiles.mixed.fallback_chain = ["home/vectors"],
    "profiles.mixed.fallback_chain[0]",
    /cannot chat/,
    /chat model/,
  ],
  [
    "an embeddings model for a role that chats",
    (e) => e.assignments["business"] = "home/vectors",
    "assignments.business",
    /cannot chat/,
    /chat model/,
  ],
  [
    "an embeddings model for every role",
    (e) => e.profiles.mixed.assignments = { "*": "home/vectors" },
    "profiles.mixed.assignments.*",
    /cannot chat/,
    /chat model/,
  ],
  [
    "a chat model for embeddings",
    (e) => e.assignments["embeddings"] = "home/big",
    "assignments.embeddings",
    /not marked as an embeddings model/,
    /"embeddings": true/,
  ],
  [
    "embeddings of a provider that serves none",
    (e) => e.providers.groq.models["v"] = { context: 1, embeddings: true },
    "providers.groq.models.v.embeddings",
    /Groq serves no embeddings/,
    /ollama or gemini/,
  ],
  [
    "an empty chain of a profile",
    (e) => e.profiles.mixed.fallback_chain = [],
    "profiles.mixed.fallback_chain",
    /empty/,
    /at least one model/,
  ],
  [
    "an empty general chain that profiles use",
    (e) => e.fallback_chain = [],
    "fallback_chain",
    /empty or missing.*mixed, local/,
    /at least one model/,
  ],
  [
    "a missing general chain that profiles use",
    (e) => Reflect.deleteProperty(e, "fallback_chain"),
    "fallback_chain",
    /empty or missing/,
    /at least one model/,
  ],
  [
    "a cloud provider without a key",
    (e) => delete e.providers.groq["api_key_env"],
    "providers.groq.api_key_env",
    /needs a key/,
    /"api_key_env": "GROQ_API_KEY"/,
  ],
  [
    "a key in place of its variable's name",
    (e) => e.providers.groq["api_key_env"] = "gsk_1234567890abcdef",
    "providers.groq.api_key_env",
    /looks like a key itself/,
    /\.env \(GROQ_API_KEY=…\)/,
  ],
  [
    "a key without a known prefix",
    (e) => e.providers.groq["api_key_env"] = "ABCDEF0123456789ABCDEF0123456789",
    "providers.groq.api_key_env",
    /looks like a key itself/,
    /replace the key/,
  ],
  [
    "a variable's name in small letters",
    (e) => e.providers.groq["api_key_env"] = "groq key",
    "providers.groq.api_key_env",
    /not the name of a variable/,
    /like "GROQ_API_KEY"/,
  ],
  [
    "another secret as the key",
    (e) => e.providers.groq["api_key_env"] = "DISCORD_BOT_TOKEN",
    "providers.groq.api_key_env",
    /DISCORD_BOT_TOKEN is a secret of another part/,
    /variable of its own/,
  ],
];

for (const [what, spoil, path, message, remedy] of BROKEN) {
  Deno.test(`parseConfig() refuses ${what}`, () => assertOnlyProblem(spoil, path, message, remedy));
}

Deno.test("parseConfig() names the key variable of the provider's own type", () => {
  assertOnlyProblem(
    (e) => e.providers["google"] = { type: "gemini", models: { flash: { context: 1 } } },
    "providers.google.api_key_env",
    /needs a key/,
    /GEMINI_API_KEY/,
  );
});

Deno.test("parseConfig() refuses a file without any provider, and one without any model", () => {
  assertProblem(
    problemsAfter((e) => Object.assign(e, { providers: {} })),
    "providers",
    /no provider at all/,
    /Name at least one/,
  );
  assertProblem(
    problemsAfter((e) => {
      Object.assign(e.providers.home, { models: {} });
      Object.assign(e.providers.groq, { models: {} });
    }),
    "providers",
    /no model at all/,
    /Name at least one/,
  );
});

Deno.test("parseConfig() asks for a profile when there is none", () => {
  assertProblem(
    problemsAfter((e) => Object.assign(e, { profiles: {} })),
    "profile",
    /no profile/,
    /"profiles": \{ "balanced": \{\} \}/,
  );
});

const ADDRESSES: readonly [string, string, RegExp, RegExp][] = [
  ["http://example.com:11434", "home", /example\.com:11434 is neither this machine nor/, /127\.0\.0\.1:11434/],
  ["https://ollama.com", "home", /ollama\.com is neither/, /private network/],
  ["http://8.8.8.8", "home", /neither/, /192\.168/],
  ["http://172.32.0.1", "home", /neither/, /private network/],
  ["http://[2001:db8::1]:11434", "home", /neither/, /private network/],
  ["http://127.0.0.1.example.com", "home", /neither/, /private network/],
  ["http://0x08080808", "home", /8\.8\.8\.8 is neither/, /private network/],
  ["http://user:word@127.0.0.1:11434", "home", /user name or password/, /Remove them/],
  ["http://127.0.0.1:11434/api", "home", /goes on after host and port/, /Write http:\/\/127\.0\.0\.1:11434 only/],
  ["http://127.0.0.1:11434/?a=b", "home", /goes on after/, /only/],
  ["http://127.0.0.1:11434/#a", "home", /goes on after/, /only/],
  ["file:///etc/passwd", "home", /scheme file:/, /http:\/\/127\.0\.0\.1/],
  ["127.0.0.1:11434", "home", /not an address/, /scheme, host and port/],
  ["localhost:11434", "home", /scheme localhost:/, /like http/],
  ["", "home", /not an address/, /scheme, host and port/],
  ["http://api.groq.com", "groq", /to api\.groq\.com unencrypted/, /https:\/\/api\.groq\.com/],
  ["https://api.groq.com/openai/v1", "groq", /goes on after/, /Write https:\/\/api\.groq\.com only/],
  ["https://a:b@api.groq.com", "groq", /user name or password/, /Remove them/],
];

for (const [url, provider, message, remedy] of ADDRESSES) {
  Deno.test(`parseConfig() refuses ${url || "an empty text"} as the address of ${provider}`, () => {
    assertOnlyProblem(
      (e) => Object.assign(e.providers[provider] ?? {}, { base_url: url }),
      `providers.${provider}.base_url`,
      message,
      remedy,
    );
  });
}

Deno.test("parseConfig() accepts addresses of this machine and network, and any https for a cloud provider", () => {
  const good = [
    ["home", "http://localhost:11434/"],
    ["home", "http://[::1]:11434"],
    ["home", "http://192.168.1.20:11434"],
    ["home", "https://10.0.0.5"],
    ["home", "http://nas.local:11434"],
    ["home", "http://nas:11434"],
    ["groq", "https://api.groq.com"],
    ["groq", "http://127.0.0.1:8080"],
  ] as const;
  for (const [provider, url] of good) {
    const example = validExample();
    example.providers[provider]["base_url"] = url;
    assert.equal(parseConfig(JSON.stringify(example), "x").models.providers[provider]?.base_url, url);
  }
});

Deno.test("parseConfig() accepts an empty general chain when every profile has its own", () => {
  const example = validExample();
  example.fallback_chain = [];
  for (const profile of Object.values(example.profiles)) profile.fallback_chain = ["home/big"];
  assert.deepEqual(parseConfig(JSON.stringify(example), "x").models.fallback_chain, []);
});

Deno.test("parseConfig() refuses a name that stands twice, wherever it lies", () => {
  const text = JSON.stringify(validExample());
  const twice = text.replace('"small":{', '"big":{"context":1},"small":{').replace(
    '{"profile"',
    '{"profile":"mixed","profile"',
  );
  const problems = problemsIn(twice);
  assertProblem(problems, "profile", /"profile" stands here twice/, /Remove one/);
  assertProblem(problems, "providers.home.models.big", /"big" stands here twice/, /Remove one/);
  assert.equal(problems.length, 2);
});

Deno.test("parseConfig() refuses the name __proto__", () => {
  const text = JSON.stringify(validExample()).replace('"small":{', '"__proto__":{"context":1},"small":{');
  assertProblem(problemsIn(text), "providers.home.models.__proto__", /cannot be a name/, /Remove it/);
});
