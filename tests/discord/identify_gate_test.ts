import assert from "node:assert/strict";
import { IdentifyGate } from "../../src/discord/identify_gate.ts";

const log = { error() {}, warn() {}, info() {}, debug() {} };
const DAY = { remaining: 5, total: 5, resetAfterMs: 86_400_000, maxConcurrency: 16 };

/** How many of so many shards are let in; the others have to wait. */
async function letIn(gate: IdentifyGate, shards: number): Promise<number> {
  const leaving = new AbortController();
  let count = 0;
  const all = Array.from({ length: shards }, async (_, shard) => {
    if (await gate.pass(shard, leaving.signal)) count++;
  });
  await new Promise((resolve) => setTimeout(resolve, 0));
  leaving.abort();
  await Promise.all(all);
  return count;
}

Deno.test("IdentifyGate.pass() lets in no more than are left, however many come at once", async () => {
  assert.equal(await letIn(new IdentifyGate({ ...DAY, remaining: 1 }, log), 4), 1);
  assert.equal(await letIn(new IdentifyGate(DAY, log), 9), 5);
});

Deno.test("IdentifyGate.pass() counts anew when a day is over, whatever was left of it", async () => {
  const gate = new IdentifyGate({ ...DAY, resetAfterMs: 5 }, log, 0);
  await new Promise((resolve) => setTimeout(resolve, 10));
  assert.equal(await letIn(gate, 9), 5);
  gate.giveBack();
  assert.equal(await letIn(gate, 9), 1);
});
