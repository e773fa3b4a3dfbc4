import assert from "node:assert/strict";
import { pause } from "../../src/core/pause.ts";

Deno.test("pause() tells the end of its time from an abort, and leaves nothing behind", async () => {
  const stop = new AbortController();
  assert.equal(await pause(1, stop.signal), true);
  const waiting = pause(60_000, stop.signal);
  stop.abort();
  assert.equal(await waiting, false);
  assert.equal(await pause(60_000, stop.signal), false);
});
