import assert from "node:assert/strict";
import { mock } from "node:test";
import { CallDeadline, pause } from "../../src/router/deadline.ts";
import { createWatchedSignal } from "../support/watched_signal.ts";

const NEVER = new AbortController().signal;

/** Runs `test` with timers that only `tick` moves. */
async function withFakeTimers(test: (tick: (ms: number) => void) => Promise<void> | void): Promise<void> {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    await test((ms) => mock.timers.tick(ms));
  } finally {
    mock.timers.reset();
  }
}

Deno.test("CallDeadline aborts its signal when the time is up, not before", () =>
  withFakeTimers((tick) => {
    using deadline = new CallDeadline(1000, undefined);
    tick(999);
    assert.deepEqual([deadline.signal.aborted, deadline.expired], [false, false]);
    tick(1);
    assert.deepEqual([deadline.signal.aborted, deadline.expired], [true, true]);
    assert.equal(deadline.signal.reason.name, "TimeoutError");
  }));

Deno.test("CallDeadline follows its caller's signal and passes the reason on", () =>
  withFakeTimers((tick) => {
    const caller = new AbortController();
    using deadline = new CallDeadline(1000, caller.signal);
    const reason = new Error("closed the window");
    caller.abort(reason);
    assert.deepEqual([deadline.signal.aborted, deadline.signal.reason, deadline.expired], [true, reason, false]);
    tick(5000);
    assert.deepEqual([deadline.signal.reason, deadline.expired], [reason, false], "the caller was first");
  }));

Deno.test("CallDeadline stays expired when the caller aborts after the time was up", () =>
  withFakeTimers((tick) => {
    const caller = new AbortController();
    using deadline = new CallDeadline(1000, caller.signal);
    tick(1000);
    caller.abort();
    assert.equal(deadline.expired, true);
    assert.equal(deadline.signal.reason.name, "TimeoutError");
  }));

Deno.test("CallDeadline is over at once for a caller that has aborted already", () => {
  using deadline = new CallDeadline(60_000, AbortSignal.abort());
  assert.deepEqual([deadline.signal.aborted, deadline.expired], [true, false]);
});

Deno.test("CallDeadline leaves neither timer nor listener behind once disposed", () =>
  withFakeTimers((tick) => {
    const { controller, signal, listeners } = createWatchedSignal();
    const deadline = new CallDeadline(1000, signal);
    assert.equal(listeners.size, 1);
    deadline[Symbol.dispose]();
    assert.equal(listeners.size, 0);
    tick(5000);
    controller.abort();
    assert.deepEqual([deadline.signal.aborted, deadline.expired], [false, false]);
  }));

Deno.test("CallDeadline.remainingMs counts down and never below zero", () => {
  using deadline = new CallDeadline(60_000, undefined);
  assert.ok(deadline.remainingMs > 0 && deadline.remainingMs <= 60_000);
  using over = new CallDeadline(0, undefined);
  assert.equal(over.remainingMs, 0);
});

Deno.test("pause() resolves when its time is over and leaves no listener behind", () =>
  withFakeTimers(async (tick) => {
    const { signal, listeners } = createWatchedSignal();
    let over = false;
    const pausing = pause(100, signal).then(() => over = true);
    tick(99);
    await Promise.resolve();
    assert.deepEqual([over, listeners.size], [false, 1]);
    tick(1);
    await pausing;
    assert.equal(listeners.size, 0);
  }));

Deno.test("pause() rejects with the signal's reason at once, and drops its timer", async () => {
  const controller = new AbortController();
  const pausing = pause(60_000, controller.signal);
  controller.abort(new Error("stop"));
  await assert.rejects(pausing, { message: "stop" });
  await assert.rejects(pause(60_000, controller.signal), { message: "stop" });
  await pause(0, NEVER);
});
