import assert from "node:assert/strict";
import fc from "fast-check";
import { ChannelBuffer } from "../../src/discord/buffer.ts";
import { Roster } from "../../src/discord/roster.ts";
import { author, message } from "./messages.ts";

function contents(buffer: ChannelBuffer, channelId = "5"): string[] {
  return buffer.read(channelId).map(({ content }) => content);
}

Deno.test("ChannelBuffer keeps the last 30 messages of each channel, oldest first", () => {
  const buffer = new ChannelBuffer();
  for (let id = 1; id <= 40; id++) {
    buffer.add(message(`${id}`));
    buffer.add(message(`other${id}`, { channelId: "6" }));
  }
  assert.deepEqual(contents(buffer), Array.from({ length: 30 }, (_, index) => `content ${index + 11}`));
  assert.equal(contents(buffer, "6").length, 30);
  assert.deepEqual(contents(buffer, "unknown"), []);
});

Deno.test("ChannelBuffer applies edits in their place, and none of messages it no longer has", () => {
  const buffer = new ChannelBuffer();
  buffer.add(message("1", { atMs: 1 }));
  buffer.add(message("2"));
  const before = buffer.read("5");
  assert.equal(buffer.edit(message("1", { content: "better", atMs: 99 })), true);
  assert.equal(buffer.edit(message("0", { content: "from long ago" })), false);
  assert.equal(buffer.edit(message("1", { channelId: "6" })), false);
  assert.deepEqual(contents(buffer), ["better", "content 2"]);
  assert.equal(buffer.read("5")[0]?.atMs, 1, "it stays where and when it was");
  assert.equal(before[0]?.content, "content 1", "what was read does not change");
});

Deno.test("ChannelBuffer.remove() takes deleted messages out", () => {
  const buffer = new ChannelBuffer();
  for (const id of ["1", "2", "3"]) buffer.add(message(id));
  buffer.remove("5", ["1", "3", "9"]);
  buffer.remove("6", ["2"]);
  assert.deepEqual(contents(buffer), ["content 2"]);
  buffer.remove("5", ["2"]);
  assert.deepEqual(buffer.size, { channels: 0, letters: 0 });
});

Deno.test("ChannelBuffer.forget() leaves nothing that a person wrote in any channel", () => {
  const buffer = new ChannelBuffer();
  buffer.add(message("1"));
  buffer.add(message("2", { author: author("8") }));
  buffer.add(message("3", { channelId: "6" }));
  buffer.forget("7");
  assert.deepEqual(contents(buffer), ["content 2"]);
  assert.equal(buffer.size.channels, 1);
});

Deno.test("ChannelBuffer.clear() empties one channel, guildGone() those of a server", () => {
  const buffer = new ChannelBuffer();
  for (const channelId of ["5", "6", "7"]) buffer.add(message("1", { channelId }));
  buffer.add(message("1", { channelId: "8", guildId: "4" }));
  buffer.add(message("1", { channelId: "9", guildId: undefined }));
  buffer.clear("5");
  assert.deepEqual([contents(buffer, "5").length, contents(buffer, "6").length], [0, 1]);
  buffer.remove("7", []); // what is put in again keeps its server
  buffer.guildGone("3");
  assert.equal(buffer.size.channels, 2);
  assert.deepEqual(contents(buffer, "8"), ["content 1"]);
});

Deno.test("ChannelBuffer lets the channels go that were silent for longest", () => {
  const buffer = new ChannelBuffer({ mostChannels: 2 });
  for (const [id, channelId] of ["a", "b", "a", "c"].entries()) buffer.add(message(`${id}`, { channelId }));
  assert.deepEqual(["a", "b", "c"].map((id) => buffer.read(id).length), [2, 0, 1]);
});

Deno.test("ChannelBuffer keeps the beginning of a long message, and no more letters than it may", () => {
  const buffer = new ChannelBuffer();
  buffer.add(message("1", { content: "🎉".repeat(2000) }));
  assert.equal(contents(buffer)[0], "🎉".repeat(600));
  buffer.edit(message("1", { content: "x".repeat(4000) }));
  assert.equal(contents(buffer)[0], "x".repeat(1200));
  for (let id = 0; id < 10_000; id++) {
    buffer.add(message(`${id}`, { channelId: `${id % 500}`, content: "字".repeat(4000) }));
    assert.ok(buffer.size.letters <= 4_000_000);
  }
});

Deno.test("ChannelBuffer counts its letters right and stays within its bounds, whatever happens", () => {
  const step = fc.record({
    kind: fc.constantFrom("add", "add", "add", "edit", "remove", "forget", "clear"),
    id: fc.nat(40).map(String),
    channelId: fc.nat(6).map(String),
    userId: fc.nat(4).map(String),
    content: fc.string({ unit: "grapheme", maxLength: 40 }),
  });
  fc.assert(fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
    const limits = { perChannel: 4, mostChannels: 4, messageLetters: 20, mostLetters: 200 };
    const buffer = new ChannelBuffer(limits);
    for (const { kind, id, channelId, userId, content } of steps) {
      const event = message(id, { channelId, content, author: author(userId) });
      if (kind === "add") buffer.add(event);
      if (kind === "edit") buffer.edit(event);
      if (kind === "remove") buffer.remove(channelId, [id]);
      if (kind === "forget") buffer.forget(userId);
      if (kind === "clear") buffer.clear(channelId);
      const kept = ["0", "1", "2", "3", "4", "5", "6"].map((channel) => buffer.read(channel));
      const letters = kept.flat().reduce(
        (sum, { content, author }) => sum + content.length + author.name.length + author.username.length,
        0,
      );
      assert.deepEqual(buffer.size, { channels: kept.filter(({ length }) => length > 0).length, letters });
      assert.ok(letters <= 200 && buffer.size.channels <= 4);
      assert.ok(kept.every(({ length }) => length <= 4));
    }
  }));
});

Deno.test("ChannelBuffer and Roster hold no more after 200,000 messages than after 100,000", () => {
  const [buffer, roster] = [new ChannelBuffer(), new Roster()];
  const sizes = [];
  for (let count = 1; count <= 200_000; count++) {
    const channel = (count * 7) % 500;
    const event = message(`${count}`, {
      channelId: `${channel}`,
      guildId: `${channel % 50}`,
      author: author(`${(count * 13) % 10_000}`),
      content: "a message of the usual length",
    });
    buffer.add(event);
    roster.seen(event);
    if (count === 100_000 || count === 200_000) sizes.push({ ...buffer.size, letters: 0, ...roster.size });
  }
  assert.deepEqual(sizes[0], sizes[1]);
  assert.equal(sizes[1]?.channels, 500);
  assert.equal(sizes[1]?.known, 10_000);
});
