/** What nobody should type, and what no server should answer. */
import assert from "node:assert/strict";
import { createPostWorld } from "./post_world.ts";

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
