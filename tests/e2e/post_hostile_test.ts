/** What nobody should type, and what no server should answer. */
import assert from "node:assert/strict";
import { createPostWorld, longText, shellWords } from "./post_world.ts";

Deno.test("post edits and deletes nothing that is not named by an id: .. would be the webhook itself", async () => {
  await using world = await createPostWorld();
  const cases = [["--delete", ".."], ["--delete", ""], ["--delete", "5?x=1"], ["x", "--edit", "../.."]];
  for (const args of cases) {
    const { code, stderr } = await world.post(args);
    assert.equal(code, 64, stderr);
    assert.match(stderr, /--(edit|delete) is not an id\n→ An id is a number/);
  }
  assert.equal(world.discord.server.connections, 0);
});

Deno.test("post --edit adds no file twice when the first answer got lost", async () => {
  await using world = await createPostWorld();
  await world.write("a.txt", "a");
  await world.post(["x"]);
  const [message] = world.discord.messages;
  world.discord.next({ kind: "cut", when: "after" });
  const { code, stderr } = await world.post(["y", "--edit", message?.id ?? "", "--attach", "a.txt"]);
  assert.deepEqual([code, message?.files.length], [69, 1]);
  assert.match(stderr, /may have arrived all the same/);
});

Deno.test("post --embed loses no --description, whatever standard input is", async () => {
  await using world = await createPostWorld();
  const { code, stderr } = await world.post(["--embed", "--title", "T", "--description", "Hola"], { stdin: "" });
  assert.equal(code, 0, stderr);
  assert.deepEqual(world.payloads(), [{ embeds: [{ title: "T", description: "Hola", color: 0x5865f2 }] }]);
});

Deno.test("post that is stopped while it reads has sent nothing, says so, and is no fault of the program", async () => {
  await using world = await createPostWorld();
  for (const args of [["-"], ["--json", "-"]]) {
    const running = world.start(args, { stdinStaysOpen: true });
    await running.type("x".repeat(1024 * 1024)); // more than a pipe holds: it is reading when this has gone through
    running.kill("SIGINT");
    const { code, stderr } = await running.finished;
    assert.deepEqual([code, stderr], [130, "error: Stopped before anything was sent\n"]);
  }
  assert.equal(world.discord.server.connections, 0);
});

Deno.test("post --json-output has the exit code of what was done, whether or not anybody takes the document", async () => {
  await using world = await createPostWorld();
  const full = { stdin: longText(3000), stdoutFile: "/dev/full" };
  const sent = await world.post(["-", "--json-output"], full);
  const ids = world.discord.messages.map(({ id }) => id).join(", ");
  assert.equal(sent.code, 0, sent.stderr);
  assert.match(sent.stderr, new RegExp(`^Cannot write the result: .*What has been done so far: sent \\(${ids}\\)\n$`));
  world.discord.next({ kind: "answer" }, { kind: "status", status: 401 });
  const partly = await world.post(["-", "--json-output"], full);
  assert.equal(partly.code, 73, partly.stderr);
  assert.match(partly.stderr, /Sent 1 of 2 messages .*--skip-parts 1/s);
});

Deno.test("post goes on into the thread that it has begun, also when nobody told it which that is", async () => {
  await using world = await createPostWorld();
  const cases = [
    [
      { kind: "no_content" },
      73,
      /Go on like this, with the same text on standard input, with the id of its thread for/,
    ],
    [
      { kind: "cut", when: "after" },
      69,
      /If it is there, go on like this, .* with the id of its thread for THREAD_ID:/,
    ],
  ] as const;
  for (const [behaviour, wanted, words] of cases) {
    world.discord.next(behaviour);
    const { code, stderr } = await world.post(["-", "--thread-name", "News"], { stdin: longText(3000) });
    assert.equal(code, wanted);
    assert.match(stderr, words);
    const [, line = ""] = /^ {2}django-agent (post .*)$/m.exec(stderr) ?? [];
    assert.equal(line, "post - --thread-id=THREAD_ID --skip-parts 1");
    assert.equal((await world.post((await shellWords(line)).slice(1), { stdin: longText(3000) })).code, 64);
  }
});

Deno.test("post --file - says that its text has to come again", async () => {
  await using world = await createPostWorld();
  world.discord.next({ kind: "answer" }, { kind: "status", status: 401 });
  const { stderr } = await world.post(["--file", "-"], { stdin: longText(3000) });
  assert.match(stderr, /with the same text on standard input:\n {2}django-agent post - --skip-parts 1\n/);
});

Deno.test("post does not wait without end for a program that holds the ledger's lock", async () => {
  await using world = await createPostWorld();
  await Deno.mkdir(`${world.folder}/data`);
  const lock = await Deno.open(`${world.folder}/data/egress.json.lock`, { write: true, create: true });
  try {
    await lock.lock(true);
    const { code, stderr } = await world.post(["x"]);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /Cannot write the egress ledger .*another program does not let go of its lock/);
  } finally {
    lock.close();
  }
});

Deno.test("post refuses a second thread, whoever names it", async () => {
  await using world = await createPostWorld();
  await world.write("payload.json", '{"content": "x", "thread_name": "News"}');
  for (
    const args of [["--json", "payload.json", "--thread-id", "5"], ["x", "--thread-name", "N", "--thread-id", "5"]]
  ) {
    assert.equal((await world.post(args)).code, 64);
  }
  const env = { DISCORD_WEBHOOK_URL: `${world.discord.webhookUrl}?thread_id=5` };
  const named = await world.post(["x", "--thread-name", "N"], { env });
  assert.equal(named.code, 64);
  assert.match(named.stderr, /The webhook's address names a thread/);
  const malformed = await world.post(["x"], {
    env: { DISCORD_WEBHOOK_URL: `${world.discord.webhookUrl}?thread_id=x` },
  });
  assert.equal(malformed.code, 78);
  assert.equal(world.discord.server.connections, 0);
});

Deno.test("post whose long description breaks off needs nothing on standard input to go on", async () => {
  await using world = await createPostWorld();
  world.discord.next({ kind: "answer" }, { kind: "status", status: 401 });
  const broken = await world.post(["--embed", "--title", "T", "--description", longText(9000), "--data", "data"]);
  assert.equal(broken.code, 73);
  const line = /^ {2}django-agent post (.*)$/m.exec(broken.stderr)?.[1] ?? "";
  assert.match(line, /^--embed --title=T .* --data=data --skip-parts 1$/);
  const rest = await world.post(await shellWords(line));
  assert.equal(rest.code, 0, rest.stderr);
  const embeds = world.payloads().flatMap((each) => each["embeds"] as { description: string }[]);
  assert.equal(embeds.map(({ description }) => description).join(""), longText(9000));
});

Deno.test("post says what it has done when its output cannot be written, and what failed when nothing could be", async () => {
  await using world = await createPostWorld();
  const { code, stderr } = await world.post(["-"], { stdin: longText(3000), stdoutFile: "/dev/full" });
  const [first] = world.discord.messages;
  assert.deepEqual([code, world.discord.messages.length], [0, 2]);
  assert.match(stderr, new RegExp(`Cannot write the result: .*What has been done so far: sent \\(${first?.id}\\)`));
});

Deno.test("post that goes on and fails at once does not claim to have sent what was there", async () => {
  await using world = await createPostWorld();
  world.discord.next({ kind: "status", status: 401 });
  const { code, stderr } = await world.post(["-", "--skip-parts", "1"], { stdin: longText(3000) });
  assert.equal(code, 73);
  assert.match(stderr, /Sent 0 more, so that 1 of 2 messages are there/);
});
