import assert from "node:assert/strict";
import { createSeen } from "../../src/discord/seen.ts";

Deno.test("Seen.isNew() is true once for every key", () => {
  const seen = createSeen(3);
  assert.deepEqual(["a", "b", "a", "c", "b"].map((key) => seen.isNew(key)), [true, true, false, true, false]);
});

Deno.test("Seen.isNew() remembers the last keys, and forgets those long before them", () => {
  const seen = createSeen(3);
  for (let key = 0; key < 20; key++) {
    assert.equal(seen.isNew(`${key}`), true);
    for (let back = 0; back < 3; back++) {
      if (key >= back) assert.equal(seen.isNew(`${key - back}`), false, `${key - back} after ${key}`);
    }
  }
  assert.equal(seen.isNew("13"), true); // more than twice as many have come since
});
