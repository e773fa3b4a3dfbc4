import assert from "node:assert/strict";
import { mock } from "node:test";
import { setImmediate } from "node:timers/promises";
import { remainingDelayMs, Typing, type TypingOptions } from "../../src/discord/typing.ts";

/** A typing whose requests are counted, with time that passes only by `tick`. */
async function withTyping(
  send: (signal: AbortSignal) => Promise<unknown>,
  test: (scene: { typing: Typing; sent: AbortSignal[]; tick: (ms: number) => Promise<void> }) => Promise<void>,
  options?: TypingOptions,
): Promise<void> {
  mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  const sent: AbortSignal[] = [];
  const typing = new Typing((signal) => {
    sent.push(signal);
    return send(signal);
  }, options);
  const tick = async (ms: number) => {
    mock.timers.tick(ms);
    await setImmediate();
  };
  try {
    await test({ typing, sent, tick });
  } finally {
    typing.stop();
    mock.timers.reset();
  }
}

const done = () => Promise.resolve();
const never = () => new Promise<never>(() => {});

Deno.test("Typing begins when it is told, and goes on every eight seconds", async () => {
  await withTyping(done, async ({ typing, sent, tick }) => {
    await tick(20_000);
    assert.equal(sent.length, 0);
    typing.start();
    assert.equal(sent.length, 1, "at once");
    typing.start();
    await tick(7999);
    assert.equal(sent.length, 1);
    await tick(1);
    assert.equal(sent.length, 2);
    await tick(8000);
    assert.equal(sent.length, 3);
  });
});

Deno.test("Typing ends with its scope, whatever ends that, and gives a request under way up", async () => {
  await withTyping(never, async ({ typing, sent, tick }) => {
    const work = () => {
      using shown = typing;
      shown.start();
      throw new Error("no answer");
    };
    assert.throws(work, /no answer/);
    assert.equal(sent[0]?.aborted, true);
    await tick(60_000);
    typing.start();
    await tick(60_000);
    assert.equal(sent.length, 1, "nothing after the end, not even a new beginning");
    typing.stop();
  });
});

Deno.test("Typing ends by itself after two minutes", async () => {
  await withTyping(done, async ({ typing, sent, tick }) => {
    typing.start();
    for (let step = 0; step < 40; step++) await tick(8000);
    assert.ok(sent.length === 15 || sent.length === 16, String(sent.length));
    assert.equal(sent[0]?.aborted, true);
  });
});

Deno.test("Typing sends no request while another is under way", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  await withTyping(() => promise, async ({ typing, sent, tick }) => {
    typing.start();
    await tick(8000);
    await tick(8000);
    assert.equal(sent.length, 1);
    resolve();
    await setImmediate();
    await tick(8000);
    assert.equal(sent.length, 2);
  });
});

Deno.test("Typing survives failures, and gives up after two in a row", async () => {
  let count = 0;
  const failing = [true, false, true, true, true];
  const send = () => failing[count++] ? Promise.reject(new Error("403")) : Promise.resolve();
  await withTyping(send, async ({ typing, sent, tick }) => {
    typing.start();
    for (let step = 0; step < 6; step++) await tick(8000);
    assert.equal(sent.length, 4);
  });
});

Deno.test("Typing survives a request that throws at once", async () => {
  const send = (): Promise<void> => {
    throw new Error("no connection");
  };
  await withTyping(send, async ({ typing, sent, tick }) => {
    typing.start();
    await tick(8000);
    await tick(8000);
    assert.equal(sent.length, 2);
  });
});

Deno.test("remainingDelayMs() waits as long as a person would take, without what has passed already", () => {
  const pace = { letters: 100, lettersPerSecond: 50, tookMs: 0 };
  assert.equal(remainingDelayMs(pace), 2000);
  assert.equal(remainingDelayMs({ ...pace, tookMs: 500 }), 1500);
  assert.equal(remainingDelayMs({ ...pace, tookMs: 2000 }), 0);
  assert.equal(remainingDelayMs({ ...pace, tookMs: 60_000 }), 0);
  assert.equal(remainingDelayMs({ ...pace, tookMs: -10 }), 2000, "a clock that was set back");
  assert.equal(remainingDelayMs({ ...pace, letters: 1e9 }), 8000);
  assert.equal(remainingDelayMs({ ...pace, letters: 1e9, mostMs: 3000, tookMs: 1000 }), 2000);
  for (const lettersPerSecond of [0, -1, NaN]) assert.equal(remainingDelayMs({ ...pace, lettersPerSecond }), 0);
});
