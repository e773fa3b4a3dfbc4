import assert from "node:assert/strict";
import type { RecordedRequest } from "../support/raw_server.ts";
import { WEBHOOK_TOKEN } from "../support/fake_discord.ts";
import { createPostWorld, longText, type PostWorld, USUAL } from "./post_world.ts";

const PICTURE = Uint8Array.from({ length: 70_000 }, (_, index) => index * 7 % 256);

function idsOf({ discord }: PostWorld): string {
  return discord.messages.map(({ id }) => `${id}\n`).join("");
}

Deno.test("post sends a text, pings nobody, and prints the id of the message", async () => {
  await using world = await createPostWorld();
  const { code, stdout, stderr } = await world.post(['Hola @everyone "quoted" \\ ñ 😀']);
  assert.deepEqual([code, stdout, stderr], [0, idsOf(world), "sent\n"]);
  assert.deepEqual(world.discord.messages.map(({ payload }) => payload), [
    { content: 'Hola @everyone "quoted" \\ ñ 😀', ...USUAL },
  ]);
  const [request] = world.discord.requests;
  assert.match(request?.path ?? "", /\?wait=true$/);
  assert.match(request?.headers.get("user-agent") ?? "", /^DiscordBot \(https:\/\/\S+, \d+\.\d+\.\d+\)$/);
});

Deno.test("post has every option of a message in its payload", async () => {
  await using world = await createPostWorld();
  const args = [
    ...[
      "Look",
      "--username",
      "Ana",
      "--avatar-url",
      "https://x.example/a.png",
      "--tts",
      "--silent",
      "--suppress-embeds",
    ],
    ...["--ping", "everyone", "--ping", "123", "--ping=456", "--thread-id", "77"],
  ];
  assert.equal((await world.post(args)).code, 0);
  const [message] = world.discord.messages;
  assert.deepEqual(message?.payload, {
    content: "Look",
    username: "Ana",
    avatar_url: "https://x.example/a.png",
    tts: true,
    flags: 4096 + 4,
    allowed_mentions: { parse: ["everyone"], users: ["123", "456"], roles: ["123", "456"] },
  });
  assert.equal(message?.channelId, "77");
});

Deno.test("post has every option of an embed in its payload", async () => {
  await using world = await createPostWorld();
  const { code, stderr } = await world.post([
    ...["Text", "--embed", "--title", "- T", "--url", "https://x.example", "--color", "#0f8"],
    ...["--author", "A", "--author-url", "https://x.example/a", "--author-icon", "https://x.example/i.png"],
    ...["--thumbnail", "https://x.example/t.png", "--image", "https://x.example/p.png"],
    ...["--field", "a|b|inline", "--field", "c\\|d|e|f", "--footer", "F", "--footer-icon", "https://x.example/f.png"],
    "--timestamp=2026-01-31T12:00:00+01:00",
  ]);
  assert.equal(code, 0, stderr);
  assert.deepEqual(world.payloads(), [{
    embeds: [{
      title: "- T",
      url: "https://x.example",
      author: { name: "A", url: "https://x.example/a", icon_url: "https://x.example/i.png" },
      thumbnail: { url: "https://x.example/t.png" },
      color: 0x00ff88,
      description: "Text",
      timestamp: "2026-01-31T11:00:00.000Z",
      fields: [{ name: "a", value: "b", inline: true }, { name: "c|d", value: "e|f" }],
      image: { url: "https://x.example/p.png" },
      footer: { text: "F", icon_url: "https://x.example/f.png" },
    }],
  }]);
});

Deno.test("post shows a text beside an embed that options make, and takes now for a time", async () => {
  await using world = await createPostWorld();
  assert.equal((await world.post(["Text", "--title", "T", "--description", "D", "--timestamp"])).code, 0);
  const [{ content, embeds }] = world.payloads() as [{ content: string; embeds: [Record<string, string>] }];
  assert.equal(content, "Text");
  const { timestamp = "", ...embed } = embeds[0];
  assert.deepEqual(embed, { title: "T", description: "D", color: 0x5865f2 });
  assert.ok(Math.abs(Date.now() - Date.parse(timestamp)) < 60_000);
});

Deno.test("post sends a long file in parts, one after the other, with thread, name and picture on each", async () => {
  await using world = await createPostWorld({ limit: { requests: 2, windowMs: 200 } });
  const text = `# Title\n\n${longText(5000)}`;
  await world.write("notes.md", text);
  const args = [
    "--file",
    "notes.md",
    "--username",
    "Ana",
    "--avatar-url",
    "https://x.example/a.png",
    "--thread-id",
    "77",
  ];
  const { code, stdout, stderr } = await world.post(args);
  assert.deepEqual([code, stdout, stderr], [0, idsOf(world), "sent 4 messages\n"]);
  const { messages, requests } = world.discord;
  assert.equal(messages.map(({ payload }) => payload["content"]).join(""), text);
  for (const { payload, channelId } of messages) {
    assert.deepEqual([payload["username"], payload["avatar_url"], channelId], ["Ana", "https://x.example/a.png", "77"]);
  }
  assert.equal(requests.length, 4); // none was turned away by the limit
});

Deno.test("post begins a thread with its first part, and the others follow into it", async () => {
  await using world = await createPostWorld();
  const { code, stderr } = await world.post(["-", "--thread-name", "News"], { stdin: longText(5000) });
  const [[threadId, name] = []] = [...world.discord.threads];
  assert.deepEqual([code, name, stderr], [0, "News", `sent 3 messages, thread ${threadId}\n`]);
  assert.deepEqual(world.discord.messages.map(({ channelId }) => channelId), [threadId, threadId, threadId]);
  assert.deepEqual(world.discord.messages.map(({ payload }) => payload["thread_name"]), ["News", undefined, undefined]);
});

Deno.test("post reads standard input without being told, when it is all there is", async () => {
  await using world = await createPostWorld();
  assert.equal((await world.post([], { stdin: "piped\n" })).code, 0);
  assert.equal((await world.post(["--embed", "--title", "T"], { stdin: "\uFEFFin a box" })).code, 0);
  assert.deepEqual(world.payloads(), [{ content: "piped\n" }, {
    embeds: [{ title: "T", color: 0x5865f2, description: "in a box" }],
  }]);
});

Deno.test("post waits for no standard input when options say what to post", async () => {
  await using world = await createPostWorld();
  const running = world.start(["--title", "T"], { stdinStaysOpen: true });
  assert.equal((await running.finished).code, 0);
});

Deno.test("post splits a long embed into further embeds and messages", async () => {
  await using world = await createPostWorld();
  const text = longText(9000);
  const { code } = await world.post(["-", "--embed", "--title", "T", "--footer", "F", "--color", "red"], {
    stdin: text,
  });
  assert.equal(code, 0);
  const messages = world.payloads() as { embeds: { description: string; title?: string; footer?: object }[] }[];
  assert.deepEqual(messages.map(({ embeds }) => embeds.length), [2, 1]);
  const embeds = messages.flatMap((message) => message.embeds);
  assert.equal(embeds.map(({ description }) => description).join(""), text);
  assert.deepEqual(embeds.map(({ title, footer }) => [title, footer]), [["T", undefined], [undefined, undefined], [
    undefined,
    { text: "F" },
  ]]);
});

Deno.test("post sends files along, whatever their names and bytes, and shows a picture in the embed", async () => {
  await using world = await createPostWorld();
  await world.write("ñandú 文字 👩‍👩‍👧.png", PICTURE);
  await world.write("log.txt", "a log");
  const picture = "ñandú 文字 👩‍👩‍👧.png";
  assert.equal((await world.post(["--attach", picture, "--attach", "./log.txt"])).code, 0);
  const args = ["Here", "--embed", "--image", `attachment://${picture}`, "--attach", picture];
  assert.equal((await world.post(args)).code, 0);
  const [plain, shown] = world.discord.messages;
  assert.deepEqual(plain?.files.map(({ name, bytes }) => [name, bytes.length]), [[picture, 70_000], ["log.txt", 5]]);
  assert.deepEqual(plain?.files[0]?.bytes, PICTURE);
  // Discord would change that name, and the embed would not find it.
  assert.deepEqual(shown?.files.map(({ name }) => name), ["file-0.png"]);
  const [embed] = shown?.payload["embeds"] as [{ image: object }];
  assert.deepEqual(embed.image, { url: "attachment://file-0.png" });
  const missing = await world.post(["x", "--title", "T", "--image", "attachment://nope.png"]);
  assert.equal(missing.code, 65);
  assert.match(missing.stderr, /embeds\[0\]: It shows a file that is not sent along/);
});

Deno.test("post sends a whole payload as it is, from a file or from standard input", async () => {
  await using world = await createPostWorld();
  const payload = {
    content: "x",
    embeds: [{ title: "t", color: null }],
    allowed_mentions: { parse: ["users"] },
    flags: 4,
  };
  await world.write("payload.json", JSON.stringify(payload));
  assert.equal((await world.post(["--json", "payload.json"])).code, 0);
  assert.equal((await world.post(["--json", "-"], { stdin: '{"content": "y"}' })).code, 0);
  assert.deepEqual(world.discord.messages.map((message) => message.payload), [payload, {
    content: "y",
    allowed_mentions: { parse: [] },
  }]);
});

Deno.test("post changes a message and deletes it, in its thread", async () => {
  await using world = await createPostWorld();
  const { stdout } = await world.post(["first", "--thread-id", "77"]);
  const id = stdout.trim();
  await world.write("log.txt", "a log");
  const edited = await world.post(["--edit", id, "second", "--thread-id", "77", "--attach", "log.txt"]);
  assert.deepEqual([edited.code, edited.stdout, edited.stderr], [0, "", "edited\n"]);
  const [message] = world.discord.messages;
  assert.deepEqual([message?.payload["content"], message?.files.length], ["second", 1]);
  const patch = world.discord.requests[1];
  assert.match(patch?.path ?? "", new RegExp(`/messages/${id}\\?thread_id=77$`));
  assert.doesNotMatch(new TextDecoder().decode(patch?.body), /username/);
  const deleted = await world.post(["--delete", id, "--thread-id=77"]);
  assert.deepEqual([deleted.code, deleted.stderr, world.discord.messages.length], [0, "deleted\n", 0]);
  const again = await world.post(["--delete", id]);
  assert.equal(again.code, 65);
  assert.match(again.stderr, /no message with that id \(404, code 10008\)/);
});

/** A request as --dry-run shows it. */
function shown({ method, path, headers, body }: RecordedRequest, origin: string): Uint8Array {
  const lines = ["content-type", "user-agent"].flatMap((name) => {
    const value = headers.get(name);
    return value === null ? [] : [`${name}: ${value}\n`];
  });
  const head = `${method} ${origin}${path.replace(WEBHOOK_TOKEN, "***")}\n${lines.join("")}\n`;
  const encoder = new TextEncoder();
  return Uint8Array.from([...encoder.encode(head), ...body, 10]);
}

Deno.test("post --dry-run shows what would be sent, byte for byte, and sends nothing", async () => {
  await using world = await createPostWorld();
  await world.write("notes.md", longText(4500));
  await world.write("picture.png", PICTURE);
  const cases = [
    ["Hola ñ 😀 \u0007", "--title", "T", "--silent"],
    ["--file", "notes.md", "--thread-id", "77", "--attach", "picture.png"],
    ["--edit", "5", "x"],
    ["--delete", "5", "--thread-id", "77"],
  ];
  for (const args of cases) {
    const before = world.discord.requests.length;
    const stdoutFile = `${world.folder}/shown`;
    assert.equal((await world.post([...args, "--dry-run"], { stdoutFile })).code, 0);
    const asJson = await world.post([...args, "--dry-run", "--json-output"]);
    assert.equal(world.discord.requests.length, before);
    await world.post(args);
    const sent = world.discord.requests.slice(before);
    const expected = sent.flatMap((request) => [...shown(request, world.discord.origin)]);
    assert.deepEqual(await Deno.readFile(stdoutFile), Uint8Array.from(expected));
    const { outcome, requests } = JSON.parse(asJson.stdout);
    assert.equal(outcome, "dry_run");
    assert.deepEqual(
      requests.map(({ body, body_base64 }: Record<string, string>) =>
        body === undefined ? Uint8Array.fromBase64(body_base64 ?? "") : new TextEncoder().encode(body)
      ),
      sent.map(({ body }) => body),
    );
  }
  assert.ok(world.discord.requests.length > 4);
});

Deno.test("post --dry-run says where the id of a new thread will stand", async () => {
  await using world = await createPostWorld();
  const { stdout } = await world.post(["-", "--thread-name", "News", "--dry-run"], { stdin: longText(2500) });
  assert.deepEqual(stdout.match(/^POST .*$/gm)?.map((line) => line.split("***")[1]), [
    "?wait=true",
    "?wait=true&thread_id=NEW_THREAD",
  ]);
});

Deno.test("post needs no model, no configuration and no database", async () => {
  await using world = await createPostWorld();
  await Deno.mkdir(`${world.folder}/config`);
  await world.write("config/models.json", "{ broken");
  const env = { DATABASE_URL: "postgres://127.0.0.1:1/none", OLLAMA_HOST: "nonsense" };
  assert.equal((await world.post(["x"], { env })).code, 0);
  const kept = [...Deno.readDirSync(`${world.folder}/data`)].map(({ name }) => name).sort();
  assert.deepEqual(kept, ["egress.json", "egress.json.lock"]);
});

Deno.test("post counts what it sends in the egress ledger", async () => {
  await using world = await createPostWorld();
  await world.post(["x"]);
  const [entry] = JSON.parse(await Deno.readTextFile(`${world.folder}/data/egress.json`));
  const [request] = world.discord.requests;
  const { origin, requests, sent_bytes, received_bytes } = entry;
  assert.deepEqual([origin, requests, sent_bytes], [world.discord.origin, 1, request?.body.length]);
  assert.ok(received_bytes > 50);
});

Deno.test("post touches no host but the webhook's", async () => {
  await using world = await createPostWorld();
  const audit = `${world.folder}/audit.jsonl`;
  await world.post(["x"], { env: { DENO_AUDIT_PERMISSIONS: audit } });
  const lines = (await Deno.readTextFile(audit)).trim().split("\n").map((line) => JSON.parse(line));
  const asked = lines.filter(({ permission }) => permission === "net").map(({ value }) => value);
  const hosts = new Set(asked.map((value) => URL.canParse(value) ? new URL(value).host || value : value));
  assert.deepEqual([...hosts], [new URL(world.discord.origin).host]);
});
