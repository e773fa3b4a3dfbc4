import assert from "node:assert/strict";
import { AgentError } from "../../src/core/errors.ts";
import { parsePayload } from "../../src/discord/payload.ts";

const SECRET = "SECRET-CONTENT";

function refusalOf(json: string): string[] {
  try {
    parsePayload(json);
  } catch (error) {
    assert.ok(error instanceof AgentError, Deno.inspect(error));
    assert.equal(error.exitCode, 65);
    assert.ok(!error.message.includes(SECRET), error.message);
    return error.message.split("\n").slice(1).map((line) => line.trim());
  }
  return assert.fail("it should be refused");
}

Deno.test("parsePayload() takes everything that a webhook takes, as it is written", () => {
  const payload = {
    content: "Hola",
    username: "Django",
    avatar_url: "https://x.example/a.png",
    tts: false,
    embeds: [{
      title: "t",
      type: "rich",
      description: "d",
      url: "https://x.example",
      timestamp: "2026-01-31T12:00:00.000+01:00",
      color: 0xffffff,
      footer: { text: "f", icon_url: "https://x.example/f.png" },
      image: { url: "attachment://i.png" },
      thumbnail: { url: "https://x.example/t.png" },
      author: { name: "a", url: "https://x.example", icon_url: null },
      fields: [{ name: "n", value: "v", inline: true }],
    }],
    allowed_mentions: { parse: ["roles"], users: ["123"] },
    flags: 4096,
    poll: {
      question: { text: "?" },
      answers: [{ poll_media: { text: "yes" } }],
      duration: 24,
      allow_multiselect: false,
    },
    thread_name: "News",
    applied_tags: ["5"],
    attachments: [{ id: 0, filename: "i.png", description: "alt" }],
  };
  assert.deepEqual(parsePayload(JSON.stringify(payload)), payload);
});

Deno.test("parsePayload() takes the empty values that editors of embeds write", () => {
  const payload = { content: null, embeds: [{ title: "t", color: null }], username: null, attachments: [] };
  assert.deepEqual(parsePayload(JSON.stringify(payload)), { ...payload, allowed_mentions: { parse: [] } });
});

Deno.test("parsePayload() lets nobody be pinged by a payload that does not say so", () => {
  for (const payload of [{ content: "@everyone" }, { content: "x", allowed_mentions: null }]) {
    assert.deepEqual(parsePayload(JSON.stringify(payload)).allowed_mentions, { parse: [] });
  }
});

Deno.test("parsePayload() names the place of everything wrong, and never what stands there", () => {
  assert.deepEqual(
    refusalOf(JSON.stringify({
      contents: SECRET,
      content: [SECRET],
      embeds: [{ title: 5, colour: SECRET, color: "#fff", timestamp: SECRET, fields: [{ name: SECRET }] }],
      allowed_mentions: { parse: [SECRET], users: [SECRET] },
      flags: 1.5,
    })).toSorted(),
    [
      "allowed_mentions.parse[0]: It must be one of users, roles, everyone",
      "allowed_mentions.users[0]: It must be an id, as a text of digits",
      "content: It must be of type string",
      "contents: This field is not known here",
      "embeds[0].color: It must be of type number",
      "embeds[0].colour: This field is not known here",
      "embeds[0].fields[0].value: It must be of type string",
      "embeds[0].timestamp: It must be a time like 2026-01-31T12:00:00Z",
      "embeds[0].title: It must be of type string",
      "flags: It must be a whole number",
    ],
  );
});

Deno.test("parsePayload() says where JSON breaks, without quoting it", () => {
  assert.match(refusalOf(`{\n  "content": ${SECRET}}`).join(), /^The payload: .*line 2, column 14/);
  assert.match(refusalOf(`{"content": "${SECRET}`).join(), /^The payload: .*line 1, column/);
  assert.match(refusalOf(`{"content": "${SECRET}", "content": "x"}`).join(), /content/);
  for (const json of ["", "[]", "null", `"${SECRET}"`, "1"]) assert.equal(refusalOf(json).length, 1, json);
});

Deno.test("parsePayload() survives a payload that is nested without end, and one that would change prototypes", () => {
  const deep = `{"embeds":${"[".repeat(100_000)}${"]".repeat(100_000)}}`;
  assert.equal(refusalOf(deep).length, 1);
  assert.deepEqual(refusalOf('{"__proto__": {"content": "x"}}'), ["__proto__: This cannot be a name"]);
});
