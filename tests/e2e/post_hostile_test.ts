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
