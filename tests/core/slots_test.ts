import assert from "node:assert/strict";
import { Slots } from "../../src/core/slots.ts";

const never = new AbortController().signal;

Deno.test("Slots.take() lets so many in, and the others in the order they came", async () => {
  const slots = new Slots(2);
  const held = [await slots.take(never), await slots.take(never)];
  const order: number[] = [];
  const later = [1, 2].map((each) => slots.take(never).then((slot) => (order.push(each), slot)));
  await Promise.resolve();
  assert.deepEqual(order, []);
  held[0]?.[Symbol.dispose]();
  const first = await later[0];
  assert.deepEqual(order, [1]);
  first?.[Symbol.dispose]();
  await later[1];
  assert.deepEqual(order, [1, 2]);
});

Deno.test("Slots.take() takes no slot when its signal aborts before one is free", async () => {
  const slots = new Slots(1);
  const held = await slots.take(never);
  const leaving = new AbortController();
  const left = slots.take(leaving.signal);
  leaving.abort(new Error("left"));
  await assert.rejects(left, /left/);
  held[Symbol.dispose]();
  await slots.take(never);
  await assert.rejects(slots.take(leaving.signal), /left/);
});
