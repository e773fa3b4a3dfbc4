import assert from "node:assert/strict";
import { mock } from "node:test";
import { inTime } from "../../src/core/in_time.ts";

/** Runs `work` with timers that the test moves on. */
async function withTimers(work: (pass: (ms: number) => void) => Promise<void>): Promise<void> {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    await work((ms) => mock.timers.tick(ms));
  } finally {
    mock.timers.reset();
  }
}

Deno.test("inTime() gives what work comes to, undefined included, and leaves no timer behind", async () => {
  assert.deepEqual(await inTime(60_000, Promise.resolve(7)), { value: 7 });
  assert.deepEqual(await inTime(60_000, Promise.resolve(undefined)), { value: undefined });
});

Deno.test("inTime() fails as the work fails, and leaves no timer behind", async () => {
  await assert.rejects(inTime(60_000, Promise.reject(new Error("no"))), /no/);
});

Deno.test("inTime() gives undefined when the time is up, and not before", () =>
  withTimers(async (pass) => {
    const { promise, resolve } = Promise.withResolvers<number>();
    let result: unknown = "nothing yet";
    const waiting = inTime(100, promise).then((value) => result = value);
    pass(99);
    await Promise.resolve();
    assert.equal(result, "nothing yet");
    pass(1);
    await waiting;
    assert.equal(result, undefined);
    resolve(7);
  }));

Deno.test("inTime() hears nothing of work that fails too late", () =>
  withTimers(async (pass) => {
    const { promise, reject } = Promise.withResolvers<number>();
    const waiting = inTime(100, promise);
    pass(100);
    assert.equal(await waiting, undefined);
    reject(new Error("too late")); // would end the test as an unhandled rejection
    await Promise.allSettled([promise]);
  }));
