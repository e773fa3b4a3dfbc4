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
  assert.match(sent.stderr, new RegExp(`^Cannot write the result: .*What has been done: sent \\(${ids}\\)\n$`));
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
  assert.match(stderr, /with the same text on standard input:\n {2}django-agent post --file=- --skip-parts 1\n/);
});
