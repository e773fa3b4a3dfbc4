import assert from "node:assert/strict";
import type { Priority } from "../../src/core/types.ts";
import { CallQueue, type Release } from "../../src/router/queue.ts";
import { createWatchedSignal } from "../support/watched_signal.ts";

const NEVER = new AbortController().signal;

/** Asks for a place and notes `name` in `order` when it is granted. */
function join(queue: CallQueue, name: string, order: string[], priority: Priority = "interactive") {
  const entry = { release: () => {} };
  const place = queue.acquire(priority, NEVER);
  assert.ok(place instanceof Promise, `${name} has to wait`);
  const granted = place.then((release) => {
    order.push(name);
    entry.release = release;
  });
  return { granted, release: () => entry.release() };
}

function take(queue: CallQueue): Release {
  const place = queue.acquire("interactive", NEVER);
  assert.ok(typeof place === "function", "a place at once");
  return place;
}

/** Lets the promises that are settled run. */
async function settle(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 0));
}

Deno.test("CallQueue.acquire() gives free places at once and lets the rest wait", async () => {
  const queue = new CallQueue({ maxConcurrent: 2, maxWaiting: 10 });
  const order: string[] = [];
  const [first, second] = [take(queue), take(queue)];
  const third = join(queue, "third", order);
  await settle();
  assert.deepEqual([queue.running, queue.depth, order], [2, 1, []]);
  first();
  await third.granted;
  assert.deepEqual([queue.running, queue.depth], [2, 0]);
  second();
  third.release();
  assert.equal(queue.running, 0);
});

Deno.test("CallQueue serves calls of one priority in the order they came", async () => {
  const queue = new CallQueue({ maxConcurrent: 1, maxWaiting: 10 });
  const order: string[] = [];
  let release = take(queue);
  for (const priority of ["interactive", "background"] as const) {
    const waiting = ["a", "b", "c", "d"].map((name) => join(queue, name, order, priority));
    for (const call of waiting) {
      release();
      await call.granted;
      release = call.release;
    }
    assert.deepEqual(order.splice(0), ["a", "b", "c", "d"], priority);
  }
  release();
});

Deno.test("CallQueue serves interactive calls before background calls that came earlier", async () => {
  const queue = new CallQueue({ maxConcurrent: 1, maxWaiting: 10 });
  const order: string[] = [];
  const release = take(queue);
  const background = join(queue, "background", order, "background");
  const interactive = join(queue, "interactive", order);
  release();
  await interactive.granted;
  interactive.release();
  await background.granted;
  background.release();
  assert.deepEqual(order, ["interactive", "background"]);
});

Deno.test("CallQueue lets a background call through after eight interactive ones", async () => {
  const queue = new CallQueue({ maxConcurrent: 1, maxWaiting: 100 });
  const order: string[] = [];
  let release = take(queue);
  const background = [1, 2].map((number) => join(queue, `background ${number}`, order, "background"));
  const interactive = Array.from({ length: 20 }, (_, number) => join(queue, `interactive ${number}`, order));
  for (let served = 0; served < 22; served++) {
    release();
    await settle();
    const latest = order.at(-1) ?? "";
    const [line = "", number] = latest.split(" ");
    release = (line === "background" ? background[Number(number) - 1] : interactive[Number(number)])?.release ??
      assert.fail(latest);
  }
  release();
  assert.deepEqual([order.indexOf("background 1"), order.indexOf("background 2")], [8, 17]);
  assert.deepEqual([queue.running, queue.depth], [0, 0]);
});

Deno.test("CallQueue.acquire() never lets a newcomer overtake one that waits", async () => {
  const queue = new CallQueue({ maxConcurrent: 1, maxWaiting: 10 });
  const order: string[] = [];
  const release = take(queue);
  const early = join(queue, "early", order);
  release();
  const late = join(queue, "late", order);
  await early.granted;
  early.release();
  await late.granted;
  late.release();
  assert.deepEqual(order, ["early", "late"]);
});

Deno.test("CallQueue.acquire() turns one more away when too many wait, and takes calls again later", async () => {
  const queue = new CallQueue({ maxConcurrent: 1, maxWaiting: 2 });
  const order: string[] = [];
  const release = take(queue);
  const waiting = [join(queue, "a", order), join(queue, "b", order)];
  assert.equal(queue.acquire("interactive", NEVER), null);
  assert.equal(queue.depth, 2);
  release();
  await waiting[0]?.granted;
  waiting.push(join(queue, "c", order));
  for (const call of waiting) {
    await call.granted;
    call.release();
  }
  assert.deepEqual([order, queue.running], [["a", "b", "c"], 0]);
  const full = new CallQueue({ maxConcurrent: 1, maxWaiting: 0 });
  const only = take(full);
  assert.equal(full.acquire("interactive", NEVER), null);
  only();
});

Deno.test("CallQueue.acquire() gives up its turn at once when its signal aborts", async () => {
  const queue = new CallQueue({ maxConcurrent: 1, maxWaiting: 10 });
  const order: string[] = [];
  const release = take(queue);
  const { controller, signal, listeners } = createWatchedSignal();
  const leaving = queue.acquire("interactive", signal);
  const staying = join(queue, "staying", order);
  assert.deepEqual([queue.depth, listeners.size], [2, 1]);
  controller.abort(new Error("changed my mind"));
  await assert.rejects(async () => await leaving, { message: "changed my mind" });
  assert.deepEqual([queue.running, queue.depth], [1, 1]);
  release();
  await staying.granted;
  staying.release();
  assert.deepEqual([order, queue.running], [["staying"], 0]);
});

Deno.test("CallQueue.acquire() leaves no listener behind once the place is granted", async () => {
  const queue = new CallQueue({ maxConcurrent: 1, maxWaiting: 10 });
  const { controller, signal, listeners } = createWatchedSignal();
  const first = queue.acquire("interactive", signal);
  assert.ok(typeof first === "function");
  const second = queue.acquire("interactive", signal);
  assert.equal(listeners.size, 1);
  first();
  const release = await second;
  assert.equal(listeners.size, 0);
  controller.abort();
  assert.equal(queue.running, 1);
  release?.();
  assert.equal(queue.running, 0);
});

Deno.test("CallQueue.acquire() throws the reason of a signal that has aborted, and takes no place", () => {
  const queue = new CallQueue({ maxConcurrent: 1, maxWaiting: 10 });
  const signal = AbortSignal.abort(new Error("too late"));
  assert.throws(() => queue.acquire("interactive", signal), { message: "too late" });
  assert.deepEqual([queue.running, queue.depth], [0, 0]);
});

Deno.test("Release frees its place once, however often it is called", async () => {
  const queue = new CallQueue({ maxConcurrent: 1, maxWaiting: 10 });
  const order: string[] = [];
  const release = take(queue);
  const [second, third] = [join(queue, "second", order), join(queue, "third", order)];
  release();
  release();
  release();
  await second.granted;
  assert.deepEqual([queue.running, queue.depth, order], [1, 1, ["second"]]);
  second.release();
  await third.granted;
  third.release();
  second.release();
  assert.equal(queue.running, 0);
});

Deno.test("CallQueue.configure() grants places that came free, and takes none away", async () => {
  const queue = new CallQueue({ maxConcurrent: 1, maxWaiting: 10 });
  const order: string[] = [];
  const first = take(queue);
  const waiting = ["a", "b", "c"].map((name) => join(queue, name, order));
  queue.configure({ maxConcurrent: 3, maxWaiting: 1 });
  await settle();
  assert.deepEqual([queue.running, queue.depth, order], [3, 1, ["a", "b"]]);
  assert.equal(queue.acquire("interactive", NEVER), null);
  queue.configure({ maxConcurrent: 1, maxWaiting: 1 });
  first();
  waiting[0]?.release();
  await settle();
  assert.deepEqual([queue.running, queue.depth], [1, 1]);
  waiting[1]?.release();
  await waiting[2]?.granted;
  waiting[2]?.release();
  assert.equal(queue.running, 0);
});

Deno.test("CallQueue.acquire() lets an interactive call wait although background calls fill their own line", async () => {
  const queue = new CallQueue({ maxConcurrent: 1, maxWaiting: 1 });
  const order: string[] = [];
  const release = take(queue);
  const background = join(queue, "background", order, "background");
  assert.equal(queue.acquire("background", NEVER), null);
  const interactive = join(queue, "interactive", order);
  release();
  for (const call of [interactive, background]) {
    await call.granted;
    call.release();
  }
  assert.deepEqual(order, ["interactive", "background"]);
});
