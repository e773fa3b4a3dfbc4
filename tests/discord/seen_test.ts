import assert from "node:assert/strict";
import { createSeen } from "../../src/discord/seen.ts";

Deno.test("Seen.isNew() is true once for every key", () => {
  const seen = createSeen(3);
  assert.deepEqual(["a", "b", "a", "c", "b"].map((key) => seen.isNew(key)), [true, true, false, true, false]);
});

Deno.test("Seen.isNew() forgets the oldest key first, however often it has gone round", () => {
  const seen = createSeen(3);
  for (let key = 0; key < 10; key++) assert.equal(seen.isNew(`${key}`), true);
  assert.deepEqual(["9", "8", "7"].map((key) => seen.isNew(key)), [false, false, false]);
  assert.equal(seen.isNew("6"), true); // takes the place of 7
  assert.deepEqual(["6", "9", "8"].map((key) => seen.isNew(key)), [false, false, false]);
  assert.equal(seen.isNew("7"), true);
});

Deno.test("Seen.isNew() does not count a key again that was asked about again", () => {
  const seen = createSeen(2);
  seen.isNew("a");
  seen.isNew("b");
  for (let time = 0; time < 5; time++) seen.isNew("b");
  assert.equal(seen.isNew("a"), false);
});
