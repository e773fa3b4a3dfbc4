import assert from "node:assert/strict";
import { createPostWorld, longText, shellWords } from "./post_world.ts";

/** The command line that a failed post names to go on with. */
function lineOf(stderr: string): string {
  const line = /^ {2}django-agent (post .*)$/m.exec(stderr)?.[1];
  assert.ok(line !== undefined, stderr);
  return line;
}

Deno.test("post that breaks off exits 73, names what was sent, and the line that goes on loses and repeats nothing", async () => {
  await using world = await createPostWorld();
  await world.write("it's notes.md", longText(7000));
  world.discord.next({ kind: "answer" }, { kind: "answer" }, { kind: "status", status: 403, body: { code: 50013 } });
  const args = ["--file", "it's notes.md", "--username=It's $me", "--thread-name", "News", "--silent", "--ping", "5"];
  const { code, stdout, stderr } = await world.post(args);
  assert.equal(code, 73);
  const [first, second] = world.discord.messages.map(({ id }) => id);
  assert.equal(stdout, `${first}\n${second}\n`);
  assert.ok(stderr.includes(`Sent 2 of 4 messages (${first}, ${second})`), stderr);
  assert.match(stderr, /not permitted to do that/);
  const [thread] = world.discord.threads.keys();
  const rest = await world.post((await shellWords(lineOf(stderr))).slice(1));
  assert.equal(rest.code, 0, rest.stderr);
  assert.equal(world.discord.messages.map(({ payload }) => payload["content"]).join(""), longText(7000));
  for (const { payload, channelId } of world.discord.messages) {
    assert.deepEqual([payload["username"], payload["flags"], channelId], ["It's $me", 4096, thread]);
  }
});

Deno.test("post that breaks off repeats neither the text nor the webhook's address in the line that goes on", async () => {
  await using world = await createPostWorld();
  world.discord.next({ kind: "answer" }, { kind: "status", status: 401 });
  const env = { DISCORD_API_URL: world.discord.origin };
  const { code, stderr } = await world.post([longText(3000), "--webhook", world.discord.webhookUrl], { env });
  assert.equal(code, 73);
  assert.doesNotMatch(stderr, /word5|webhooks\//);
  assert.match(
    stderr,
    /same text on standard input, with the webhook in DISCORD_WEBHOOK_URL:\n {2}django-agent post - --skip-parts 1\n/,
  );
  const rest = await world.post((await shellWords(lineOf(stderr))).slice(1), { stdin: longText(3000) });
  assert.equal(rest.code, 0);
  assert.equal(world.discord.messages.map(({ payload }) => payload["content"]).join(""), longText(3000));
});

Deno.test("post says so when a part may have arrived although no answer came", async () => {
  await using world = await createPostWorld();
  world.discord.next({ kind: "answer" }, { kind: "cut", when: "after" });
  const { code, stderr } = await world.post(["-"], { stdin: longText(5000) });
  assert.equal(code, 73);
  assert.match(stderr, /Sent 1 of 3 messages .*may have arrived all the same/s);
  assert.match(stderr, /skip one more if that message is there/);
  assert.equal(world.discord.requests.length, 2);
  world.discord.next({ kind: "cut", when: "before" });
  const single = await world.post(["x"]);
  assert.equal(single.code, 69);
  assert.match(single.stderr, /may have arrived all the same\n→ Look whether it is there/);
});

Deno.test("post waits for a rate limit and says so, and gives up with 75 when it lasts too long", async () => {
  await using world = await createPostWorld();
  const limited = (retry_after: number, global: boolean) =>
    ({ kind: "status", status: 429, body: { message: "x", retry_after, global } }) as const;
  world.discord.next(limited(1.1, true));
  const waited = await world.post(["x"]);
  assert.deepEqual([waited.code, waited.stderr], [
    0,
    "The rate limit of everything this machine asks Discord: waiting 2 s\nsent\n",
  ]);
  world.discord.next(limited(60, false));
  const late = await world.post(["x", "--timeout", "5"]);
  assert.equal(late.code, 75);
  assert.match(late.stderr, /rate limit of this webhook lasts another 60 s/);
});

Deno.test("post --json-output prints one document, whatever happens", async () => {
  await using world = await createPostWorld();
  const outcomeOf = async (args: string[], stdin?: string) => {
    const { code, stdout } = await world.post([...args, "--json-output"], stdin === undefined ? {} : { stdin });
    return { code, ...JSON.parse(stdout) };
  };
  const sent = await outcomeOf(["-"], longText(2500));
  const [first, second] = world.discord.messages;
  assert.deepEqual(sent, {
    code: 0,
    outcome: "sent",
    parts: 2,
    skipped: 0,
    messages: [
      { part: 1, id: first?.id, channel_id: first?.channelId },
      { part: 2, id: second?.id, channel_id: second?.channelId },
    ],
  });
  world.discord.next({ kind: "answer" }, { kind: "status", status: 404, body: { code: 10015 } });
  const partly = await outcomeOf(["-"], longText(2500));
  assert.deepEqual([partly.code, partly.outcome, partly.messages.length, partly.error.exit_code], [
    73,
    "partly_sent",
    1,
    73,
  ]);
  assert.equal(partly.continue, "django-agent post - --json-output --skip-parts 1");
  world.discord.next({ kind: "status", status: 500 });
  const unknown = await outcomeOf(["x"]);
  assert.deepEqual([unknown.code, unknown.outcome, unknown.error.may_have_arrived], [69, "unknown", true]);
  world.discord.next({ kind: "status", status: 401 });
  assert.deepEqual((await outcomeOf(["x"])).outcome, "failed");
  assert.equal((await outcomeOf(["x", "--username", ""])).error.exit_code, 65);
  assert.equal((await outcomeOf(["x", "--nonsense"])).error.exit_code, 64);
});

Deno.test("post refuses what Discord would refuse before it sends anything, by field and count", async () => {
  await using world = await createPostWorld();
  const args = ["x", "--title", "t".repeat(300), "--field", `${"n".repeat(257)}|v`, "--username", "Discord news"];
  const { code, stderr } = await world.post(args);
  assert.equal(code, 65);
  assert.match(stderr, /embeds\[0\]\.title: 300 characters, 256 is the most/);
  assert.match(stderr, /embeds\[0\]\.fields\[0\]\.name: 257 characters, 256 is the most/);
  assert.match(stderr, /username: Discord allows no name with "discord" in it/);
  assert.match(stderr, /Nothing has been sent/);
  const edit = await world.post(["--edit", "5", "-"], { stdin: longText(2500) });
  assert.equal(edit.code, 65);
  assert.match(edit.stderr, /would take 2/);
  for (const stdin of ["", " \n\n "]) assert.equal((await world.post(["-"], { stdin })).code, 65);
  assert.equal(world.discord.server.connections, 0);
});

Deno.test("post refuses addresses that are no webhook, and says where they come from", async () => {
  await using world = await createPostWorld();
  const elsewhere = "https://evil.example/api/webhooks/1/s3cret-T0KEN_of-the.webhook-that-nothing-may-show";
  const cases: [args: string[], env: Record<string, string>, code: number, words: RegExp][] = [
    [["--webhook", elsewhere], {}, 64, /--webhook names: .*not a webhook of Discord.*evil\.example/],
    [[], { DISCORD_WEBHOOK_URL: elsewhere }, 78, /Cannot use DISCORD_WEBHOOK_URL: .*evil\.example/],
    [[], { DISCORD_API_URL: "ftp://x" }, 78, /Cannot use DISCORD_API_URL/],
    [["--webhook", "NEWS_WEBHOOK"], {}, 77, /NEWS_WEBHOOK is not set\n→ Put it into \.env/],
    [["--webhook", "not a name"], {}, 64, /neither an address nor the name/],
  ];
  for (const [args, env, wanted, words] of cases) {
    const { code, stderr } = await world.post(["x", ...args], { env });
    assert.deepEqual([code, words.test(stderr)], [wanted, true], stderr);
  }
  await world.write(".env", `NEWS_WEBHOOK=${world.discord.webhookUrl}\nDISCORD_API_URL=${world.discord.origin}\n`);
  const missing = await world.post(["x"]);
  assert.equal(missing.code, 77);
  assert.match(missing.stderr, /There is no webhook: DISCORD_WEBHOOK_URL is not set/);
  assert.equal((await world.post(["x", "--webhook", "NEWS_WEBHOOK"])).code, 0);
});

Deno.test("post goes on to the end when nobody reads the ids any more", async () => {
  await using world = await createPostWorld();
  const { code, stderr } = await world.post(["-"], { stdin: longText(5000), closeStdoutAfter: "\n" });
  assert.deepEqual([code, stderr, world.discord.messages.length], [0, "sent 3 messages\n", 3]);
});

Deno.test("post ends at once on Ctrl-C, and says how far it came", async () => {
  await using world = await createPostWorld();
  await world.write("notes.md", longText(5000));
  world.discord.next({ kind: "answer" }, { kind: "status", status: 429, body: { retry_after: 60 } });
  const running = world.start(["--file", "notes.md"]);
  await running.waitUntilTold("waiting 60 s");
  running.kill("SIGINT");
  const { code, stderr } = await running.finished;
  assert.equal(code, 73);
  assert.match(stderr, /Sent 1 of 3 messages .*Stopped/);
  assert.equal(lineOf(stderr), "post --file=notes.md --skip-parts 1");
});

Deno.test("post names files that it cannot read, and what to do", async () => {
  await using world = await createPostWorld();
  await world.write("latin1.txt", Uint8Array.of(0xe9, 0x41));
  await world.write("large.bin", new Uint8Array(10 * 1024 * 1024 + 1));
  const cases: [args: string[], code: number, words: RegExp][] = [
    [["--file", "none.md"], 65, /There is no file none\.md/],
    [["--file", "."], 65, /is no file/],
    [["--file", "latin1.txt"], 65, /latin1\.txt is not UTF-8 text/],
    [["--file", "/etc/hostname"], 77, /sandbox.*django-agent post - < FILE/s],
    [["x", "--attach", "/etc/hostname"], 77, /sandbox.*copy it into this folder/s],
    [["x", "--attach", "large.bin"], 65, /10485761 bytes, 10485760 is the most/],
    [["--json", "none.json"], 65, /There is no file/],
  ];
  for (const [args, wanted, words] of cases) {
    const { code, stderr } = await world.post(args);
    assert.deepEqual([code, words.test(stderr)], [wanted, true], stderr);
  }
  assert.equal(world.discord.server.connections, 0);
});
