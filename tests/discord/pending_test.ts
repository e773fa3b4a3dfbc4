import assert from "node:assert/strict";
import fc from "fast-check";
import type { ChannelMessage } from "../../src/discord/events.ts";
import { PendingTurns, type TurnKind } from "../../src/discord/pending.ts";
import { author, message as messageOf } from "./messages.ts";

let lastId = 0;

function message(by: string, content = ""): ChannelMessage {
  return messageOf(String(++lastId), { author: author(by), content, atMs: lastId });
}

/** Takes everything, as `kind:content,content`. */
function drain(pending: PendingTurns): string[] {
  const turns: string[] = [];
  for (let turn = pending.take(); turn; turn = pending.take()) {
    turns.push(`${turn.kind}:${turn.messages.map(({ content }) => content).join(",")}`);
  }
  return turns;
}

function pendingOf(...adds: [kind: TurnKind, author: string, content: string][]) {
  const pending = new PendingTurns();
  const messages = adds.map(([kind, author, content]) => {
    const added = message(author, content);
    pending.add(kind, added);
    return added;
  });
  return { pending, messages };
}

Deno.test("PendingTurns takes together what one person writes in a row, and nobody else's", () => {
  const { pending } = pendingOf(
    ["addressed", "ana", "a1"],
    ["addressed", "ana", "a2"],
    ["addressed", "bob", "b1"],
    ["addressed", "ana", "a3"],
  );
  assert.deepEqual(drain(pending), ["addressed:a1,a2", "addressed:b1", "addressed:a3"]);
});

Deno.test("PendingTurns takes nothing together that is to be answered in different ways", () => {
  const pending = new PendingTurns();
  pending.add("addressed", message("ana", "1"));
  pending.add("addressed", message("ana", "2"), { mode: 3 });
  assert.deepEqual([pending.take()?.mode, pending.take()?.mode], [2, 3]);
});

Deno.test("PendingTurns answers those who wait first, and comments on nothing that came before", () => {
  const { pending } = pendingOf(["ambient", "ana", "1"], ["addressed", "bob", "2"], ["ambient", "eva", "3"]);
  assert.deepEqual(drain(pending), ["addressed:2", "ambient:3"]);
  const { pending: older } = pendingOf(["ambient", "ana", "1"], ["addressed", "bob", "2"]);
  assert.deepEqual(drain(older), ["addressed:2"]);
});

Deno.test("PendingTurns keeps the latest chance to comment alone", () => {
  const { pending } = pendingOf(["ambient", "ana", "1"], ["ambient", "ana", "2"], ["ambient", "bob", "3"]);
  assert.deepEqual(drain(pending), ["ambient:3"]);
});

Deno.test("PendingTurns drops comments when too much waits, and nobody who is waiting", () => {
  const adds = Array.from(
    { length: 40 },
    (_, index): [TurnKind, string, string] => ["addressed", `${index}`, `${index}`],
  );
  const { pending } = pendingOf(["ambient", "x", "x"], ...adds);
  assert.deepEqual(drain(pending), adds.map(([, , content]) => `addressed:${content}`));
});

Deno.test("PendingTurns answers an edited message in its new form, and a deleted one not at all", () => {
  const { pending, messages } = pendingOf(["addressed", "ana", "1"], ["addressed", "ana", "2"], [
    "addressed",
    "bob",
    "3",
  ]);
  const [first, second, third] = messages;
  assert.ok(first && second && third);
  assert.equal(pending.edit({ ...second, content: "2b" }), true);
  assert.equal(pending.edit(message("ana", "other")), false);
  pending.remove([first.id, third.id, "nowhere"]);
  assert.deepEqual(drain(pending), ["addressed:2b"]);
});

Deno.test("PendingTurns loses no message of somebody who waits, whatever comes in between", () => {
  const adds = fc.array(fc.tuple(fc.constantFrom<TurnKind>("addressed", "ambient"), fc.constantFrom("a", "b", "c")));
  fc.assert(fc.property(adds, (made) => {
    const { pending, messages } = pendingOf(
      ...made.map(([kind, author]) => [kind, author, ""] as [TurnKind, string, string]),
    );
    const waiting = messages.filter((_, index) => made[index]?.[0] === "addressed").map(({ id }) => id);
    const taken: string[] = [];
    for (let turn = pending.take(); turn; turn = pending.take()) {
      assert.equal(new Set(turn.messages.map(({ author }) => author.id)).size, 1);
      if (turn.kind === "addressed") taken.push(...turn.messages.map(({ id }) => id));
    }
    assert.deepEqual(taken, waiting);
  }));
});
