import assert from "node:assert/strict";
import fc from "fast-check";
import { setImmediate } from "node:timers/promises";
import { Turns } from "../../src/core/turns.ts";
import { BusyError } from "../../src/core/errors.ts";
import { createWatchedSignal } from "../support/watched_signal.ts";

const { signal } = new AbortController();

/** Notes when each of these has got its turn. */
function queue(turns: Turns, id: string, names: readonly string[]) {
  const entered: string[] = [];
  const held = new Map<string, Disposable>();
  const all = names.map(async (name) => {
    held.set(name, await turns.take(id, signal));
    entered.push(name);
  });
  return { entered, all: Promise.all(all), release: (name: string) => held.get(name)?.[Symbol.dispose]() };
}

Deno.test("Turns.take() lets one after the other in, in the order they came", async () => {
  const turns = new Turns("too many wait");
  const { entered, all, release } = queue(turns, "a", ["one", "two", "three"]);
  await setImmediate();
  assert.deepEqual(entered, ["one"]);
  release("one");
  await setImmediate();
  assert.deepEqual(entered, ["one", "two"]);
  release("two");
  await all;
  assert.deepEqual(entered, ["one", "two", "three"]);
  release("three");
  assert.equal(turns.size, 0);
});

Deno.test("Turns.take() lets different conversations in side by side", async () => {
  const turns = new Turns("too many wait");
  const held = await Promise.all(["a", "b", "__proto__", ""].map((id) => turns.take(id, signal)));
  assert.equal(turns.size, 4);
  for (const turn of held) turn[Symbol.dispose]();
  assert.equal(turns.size, 0);
});

Deno.test("Turns.take() refuses whoever would be the seventeenth to wait, and nobody else", async () => {
  const turns = new Turns("too many wait");
  const names = Array.from({ length: 17 }, (_, at) => String(at));
  const { entered, all, release } = queue(turns, "a", names);
  await assert.rejects(turns.take("a", signal), BusyError);
  await assert.rejects(turns.take("a", signal), BusyError);
  (await turns.take("b", signal))[Symbol.dispose]();
  for (const name of names) {
    await setImmediate();
    release(name);
  }
  await all;
  assert.deepEqual(entered, names);
  assert.equal(turns.size, 0);
  (await turns.take("a", signal))[Symbol.dispose]();
});

Deno.test("Turns.take() lets go of whoever leaves the queue, and keeps the others in order", async () => {
  const turns = new Turns("too many wait");
  const { entered, all, release } = queue(turns, "a", ["one", "two"]);
  const { controller, signal: leaving, listeners } = createWatchedSignal();
  const left = turns.take("a", leaving);
  const after = queue(turns, "a", ["three"]);
  controller.abort(new Error("gone"));
  await assert.rejects(left, /gone/);
  assert.equal(listeners.size, 0);
  assert.deepEqual(after.entered, [], "nobody gets in because somebody else has left");
  release("one");
  await all;
  assert.deepEqual([...entered, ...after.entered], ["one", "two"]);
  release("two");
  await after.all;
  after.release("three");
  assert.equal(turns.size, 0);
});

Deno.test("Turns.take() gives no turn to whoever had left before, and keeps no listener of those who stay", async () => {
  const turns = new Turns("too many wait");
  await assert.rejects(turns.take("a", AbortSignal.abort(new Error("gone"))), /gone/);
  assert.equal(turns.size, 0);
  const { signal: staying, listeners } = createWatchedSignal();
  (await turns.take("a", staying))[Symbol.dispose]();
  assert.equal(listeners.size, 0);
});

Deno.test("Turns makes room again when those who waited have left", async () => {
  const turns = new Turns("too many wait");
  const first = await turns.take("a", signal);
  const leaving = new AbortController();
  const waiting = Array.from({ length: 16 }, () => turns.take("a", leaving.signal));
  await assert.rejects(turns.take("a", signal), BusyError);
  leaving.abort(new Error("gone"));
  await Promise.allSettled(waiting);
  const next = turns.take("a", signal);
  first[Symbol.dispose]();
  (await next)[Symbol.dispose]();
  assert.equal(turns.size, 0);
});

Deno.test("Turns never lets two into one conversation and leaves nothing behind, whoever comes and goes", async () => {
  const visit = fc.record({ id: fc.constantFrom("a", "b"), leaves: fc.boolean(), stays: fc.nat(3) });
  await fc.assert(
    fc.asyncProperty(fc.array(visit, { maxLength: 20 }), async (visits) => {
      const turns = new Turns("too many wait");
      const inside = new Set<string>();
      const came: string[] = [];
      await Promise.all(visits.map(async ({ id, leaves, stays }, at) => {
        const person = new AbortController();
        const turn = turns.take(id, person.signal);
        if (leaves) person.abort(new Error("gone"));
        try {
          using _turn = await turn;
          assert.ok(!inside.has(id), "two at once");
          inside.add(id);
          came.push(`${id} ${at}`);
          for (let pause = 0; pause < stays; pause++) await setImmediate();
          inside.delete(id);
        } catch (error) {
          if (!(error instanceof BusyError) && !(leaves && String(error).includes("gone"))) throw error;
        }
      }));
      assert.equal(turns.size, 0);
      for (const id of ["a", "b"]) {
        const order = came.filter((each) => each.startsWith(id)).map((each) => Number(each.slice(2)));
        assert.deepEqual(order, order.toSorted((one, other) => one - other));
      }
    }),
    { numRuns: 200 },
  );
});
