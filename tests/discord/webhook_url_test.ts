import assert from "node:assert/strict";
import { checkApiUrl, parseWebhookUrl } from "../../src/discord/webhook_url.ts";

const TOKEN = "abc-DEF_123.x";

function problemOf(text: string, apiUrl?: string): string {
  const parsed = parseWebhookUrl(text, { apiUrl });
  assert.ok("problem" in parsed, text);
  const { problem, remedy } = parsed;
  assert.ok(!`${problem}${remedy}`.includes(TOKEN), problem);
  return problem;
}

Deno.test("parseWebhookUrl() takes every name of Discord's host and every version of its API for the one it asks", () => {
  const hosts = [
    "discord.com",
    "discordapp.com",
    "canary.discord.com",
    "ptb.discord.com",
    "DISCORD.com",
    "discord.com:443",
  ];
  for (const host of hosts) {
    for (const api of ["/api", "/api/v6", "/api/v10"]) {
      assert.deepEqual(parseWebhookUrl(` https://${host}${api}/webhooks/123/${TOKEN}/\n`), {
        origin: "https://discord.com",
        path: `/api/v10/webhooks/123/${TOKEN}`,
        shown: "https://discord.com/api/v10/webhooks/123/***",
        threadId: undefined,
      });
    }
  }
});

Deno.test("parseWebhookUrl() finds the thread that the address names", () => {
  const parsed = parseWebhookUrl(`https://discord.com/api/webhooks/123/${TOKEN}?wait=true&thread_id=99`);
  assert.ok(!("problem" in parsed));
  assert.deepEqual([parsed.threadId, parsed.path], ["99", `/api/v10/webhooks/123/${TOKEN}`]);
});

Deno.test("parseWebhookUrl() takes webhooks of the server at DISCORD_API_URL, as they are written", () => {
  const url = `http://127.0.0.1:3001/base/api/webhooks/123/${TOKEN}`;
  for (const apiUrl of ["http://127.0.0.1:3001", "http://127.0.0.1:3001/base/api/v10"]) {
    const parsed = parseWebhookUrl(url, { apiUrl });
    assert.ok(!("problem" in parsed));
    assert.deepEqual([parsed.origin, parsed.path], ["http://127.0.0.1:3001", `/base/api/webhooks/123/${TOKEN}`]);
    assert.ok(!("problem" in parseWebhookUrl(`https://discord.com/api/webhooks/1/${TOKEN}`, { apiUrl })));
  }
  assert.match(problemOf(url), /not a webhook of Discord: the host is 127.0.0.1:3001/);
  assert.match(problemOf(url, "http://127.0.0.1:3002"), /nor at DISCORD_API_URL/);
});

Deno.test("parseWebhookUrl() refuses everything else, and says what it is without repeating it", () => {
  const cases: [string, RegExp][] = [
    ["", /not the address/],
    [TOKEN, /not the address/],
    [`/api/webhooks/123/${TOKEN}`, /not the address/],
    [`http://discord.com/api/webhooks/123/${TOKEN}`, /the scheme http:/],
    [`https://discord.com:8443/api/webhooks/123/${TOKEN}`, /the host is discord.com:8443/],
    [`https://discord.com.evil.example/api/webhooks/123/${TOKEN}`, /the host is discord.com.evil.example/],
    [`https://evil.example/discord.com/api/webhooks/123/${TOKEN}`, /the host is evil.example/],
    [`https://discord.com@evil.example/api/webhooks/123/${TOKEN}`, /not the address/],
    [`https://user:${TOKEN}@discord.com/api/webhooks/123/${TOKEN}`, /not the address/],
    [`https://discord.com/api/webhooks/123`, /lacks the id and the token/],
    [`https://discord.com/api/webhooks/abc/${TOKEN}`, /lacks the id and the token/],
    [`https://discord.com/api/webhooks/123/${TOKEN}/messages/5`, /lacks the id and the token/],
    [`https://discord.com/api/webhooks/123/${TOKEN}/slack`, /slack's kind/],
    [`https://discord.com/api/webhooks/123/${TOKEN}/github`, /github's kind/],
    [`https://discord.com/elsewhere/webhooks/123/${TOKEN}`, /not the address/],
    [`https://discord.com/api/channels/webhooks/123/${TOKEN}`, /not the address/],
    [`https://discord.com/api/webhooks/123/${TOKEN}?x=${TOKEN}`, /Behind its \?/],
    [`file:///api/webhooks/123/${TOKEN}`, /the host is missing/],
    [`javascript:${TOKEN}`, /the host is missing/],
  ];
  for (const [text, problem] of cases) assert.match(problemOf(text), problem, text);
});

Deno.test("checkApiUrl() wants https, but for this machine and its network", () => {
  for (
    const url of [
      "http://127.0.0.1:3001",
      "http://localhost:3001/api",
      "http://192.168.1.9/api/v10",
      "https://x.example",
    ]
  ) {
    assert.equal(checkApiUrl(url), undefined, url);
  }
  for (
    const url of [
      "",
      "x.example",
      "ftp://x.example",
      "http://x.example",
      "https://u:p@x.example",
      "https://x.example/?a=b",
    ]
  ) assert.ok(checkApiUrl(url), url);
});
