import assert from "node:assert/strict";
import { describeChanges } from "../../src/config/changes.ts";
import { parseConfig } from "../../src/config/load.ts";
import { assertOnlyProblem, type Example, validExample } from "./examples.ts";

function parse(chat?: unknown) {
  const example = validExample();
  if (chat !== undefined) example["chat"] = chat;
  return parseConfig(JSON.stringify(example), "models.json").models;
}

Deno.test("parseConfig() remembers exchanges, finds the language itself and searches no web unless told", () => {
  for (const chat of [undefined, {}]) {
    assert.deepEqual(parse(chat).chat, { language: "auto", remember_exchanges: true });
  }
});

Deno.test("parseConfig() keeps what the chat section says", () => {
  const chat = { language: "es", remember_exchanges: false, searxng_url: "http://127.0.0.1:8888" };
  assert.deepEqual(parse(chat).chat, chat);
  assert.equal(parse({ language: "en" }).chat.language, "en");
});

Deno.test("parseConfig() takes a SearXNG of this machine or network, and any other over https", () => {
  const good = [
    "http://localhost:8888",
    "http://[::1]:8888",
    "http://192.168.1.20:8080/",
    "http://searx.local",
    "https://searx.example.com",
  ];
  for (const searxng_url of good) assert.equal(parse({ searxng_url }).chat.searxng_url, searxng_url);
});

const BROKEN: readonly (readonly [string, unknown, string, RegExp, RegExp])[] = [
  ["a language nobody speaks here", { language: "fr" }, "chat.language", /"fr"/, /auto.*es.*en/],
  ["a number for a language", { language: 7 }, "chat.language", /7/, /auto/],
  ["null for a language", { language: null }, "chat.language", /null/, /auto/],
  ["a word for a switch", { remember_exchanges: "no" }, "chat.remember_exchanges", /the text "no"/, /true or false/],
  ["a list for the section", [], "chat", /list/, /object/],
  ["a word for the section", "on", "chat", /the text "on"/, /object/],
  ["an unknown setting", { mode: 2 }, "chat.mode", /no such setting/, /language/],
  ["null for an address", { searxng_url: null }, "chat.searxng_url", /null/, /text/],
  ["an empty address", { searxng_url: "" }, "chat.searxng_url", /not an address/, /scheme, host and port/],
  ["an address without a scheme", { searxng_url: "127.0.0.1:8888" }, "chat.searxng_url", /not an address/, /http/],
  ["a path", { searxng_url: "http://127.0.0.1:8888/search" }, "chat.searxng_url", /goes on after/, /:8888 only/],
  ["a query", { searxng_url: "http://127.0.0.1:8888?q=x" }, "chat.searxng_url", /goes on after/, /:8888 only/],
  ["a password", { searxng_url: "http://a:b@127.0.0.1" }, "chat.searxng_url", /password/, /Remove them/],
  ["another scheme", { searxng_url: "file:///etc/passwd" }, "chat.searxng_url", /file:/, /http/],
  [
    "a foreign host in the clear",
    { searxng_url: "http://searx.example.com" },
    "chat.searxng_url",
    /unencrypted/,
    /https:/,
  ],
];

for (const [what, chat, path, message, remedy] of BROKEN) {
  Deno.test(`parseConfig() refuses ${what} in the chat section`, () =>
    assertOnlyProblem((example: Example) => example["chat"] = chat, path, message, remedy));
}

Deno.test("parseConfig() speaks of what is searched for, not of keys, where a SearXNG is asked in the clear", () => {
  const spoil = (example: Example) => example["chat"] = { searxng_url: "http://searx.example.com" };
  assertOnlyProblem(spoil, "chat.searxng_url", /^(?!.*\bkey\b).*unencrypted/, /https:/);
});

Deno.test("describeChanges() tells that the chat section has changed, and repeats nothing of it", () => {
  assert.deepEqual(describeChanges(parse(), parse({ searxng_url: "http://127.0.0.1:8888" })), ["chat changed"]);
  assert.deepEqual(describeChanges(parse({ language: "auto" }), parse()), []);
});
