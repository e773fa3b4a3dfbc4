import assert from "node:assert/strict";
import { mock } from "node:test";
import { WorkingMemory, type WorkingMessage } from "../../src/memory/working.ts";

const HOUR = 60 * 60 * 1000;

function message(content: string, user_id: string | null = null): WorkingMessage {
  return { role: "user", content, user_id, at_ms: 0 };
}

function messages(count: number, first = 0): WorkingMessage[] {
  return Array.from({ length: count }, (_, index) => message(`m${first + index}`));
}

function contents(memory: WorkingMemory, id: string): string[] {
  return memory.recall(id).map(({ content }) => content);
}

/** A memory in a time that only `mock.timers.tick` moves. */
function test(name: string, body: (memory: WorkingMemory) => void): void {
  Deno.test(name, () => {
    mock.timers.enable({ apis: ["Date"], now: Date.UTC(2026, 10, 1) });
    try {
      body(new WorkingMemory());
    } finally {
      mock.timers.reset();
    }
  });
}

test("WorkingMemory.recall() gives what was added, oldest first, and nothing of an unknown conversation", (memory) => {
  memory.add("a", [message("one"), message("two")], "en");
  memory.add("a", [message("three")], "en");
  memory.add("b", [message("other")], "en");
  assert.deepEqual(contents(memory, "a"), ["one", "two", "three"]);
  assert.deepEqual(contents(memory, "b"), ["other"]);
  assert.deepEqual(contents(memory, "c"), []);
  assert.deepEqual([memory.size, memory.messages], [2, 4]);
});

test("WorkingMemory.add() keeps 20 messages and then drops the oldest in one large step", (memory) => {
  memory.add("a", messages(20), "en");
  assert.deepEqual(contents(memory, "a"), messages(20).map(({ content }) => content));
  memory.add("a", messages(2, 20), "en");
  const kept = contents(memory, "a");
  assert.equal(kept.at(-1), "m21");
  assert.ok(kept.length >= 2 && kept.length <= 16, `${kept.length} are left`);
  assert.deepEqual(kept, messages(kept.length, 22 - kept.length).map(({ content }) => content));
});

test("no conversation ever has more than 20 messages, however many are added at once", (memory) => {
  for (let count = 0; count < 100; count++) {
    memory.add("a", messages(1 + count % 30), "en");
    assert.ok(memory.recall("a").length <= 20);
  }
});

test("the 51st conversation takes the place of the one that was used least recently", (memory) => {
  for (let index = 0; index < 50; index++) memory.add(`c${index}`, messages(1), "en");
  assert.equal(memory.size, 50);
  memory.add("c0", messages(1), "en"); // c1 has rested longest now
  memory.add("new", messages(1), "en");
  assert.equal(memory.size, 50);
  assert.deepEqual([memory.recall("c0").length, memory.recall("c1").length, memory.recall("c2").length], [2, 0, 1]);
  assert.equal(memory.recall("new").length, 1);
});

test("10,000 conversations leave the last 50", (memory) => {
  for (let index = 0; index < 10_000; index++) memory.add(`c${index}`, messages(1), "en");
  assert.equal(memory.size, 50);
  assert.deepEqual([memory.recall("c9949").length, memory.recall("c9950").length], [0, 1]);
});

test("a conversation that rests for an hour is forgotten, one that goes on is not", (memory) => {
  memory.add("rests", messages(1), "en");
  memory.add("goes on", messages(1), "en");
  mock.timers.tick(HOUR - 1);
  assert.equal(memory.size, 2);
  memory.add("goes on", messages(1), "en");
  mock.timers.tick(1);
  assert.deepEqual(contents(memory, "rests"), []);
  assert.deepEqual([memory.size, memory.messages, memory.recall("goes on").length], [1, 2, 2]);
  memory.add("rests", [message("again")], "en");
  assert.deepEqual(contents(memory, "rests"), ["again"]);
});

test("the language is that of the beginning, until the conversation is forgotten", (memory) => {
  assert.equal(memory.languageOf("a"), undefined);
  memory.add("a", messages(1), "es");
  memory.add("a", messages(1), "en");
  assert.equal(memory.languageOf("a"), "es");
  memory.clear("a");
  assert.equal(memory.languageOf("a"), undefined);
});

test("WorkingMemory.languageOf() knows nothing of a conversation that has rested for an hour", (memory) => {
  memory.add("a", messages(1), "es");
  mock.timers.tick(HOUR);
  assert.equal(memory.languageOf("a"), undefined);
});

test("WorkingMemory.clear() forgets one or all, and counts only what there was", (memory) => {
  for (const id of ["a", "b", "c"]) memory.add(id, messages(1), "en");
  assert.equal(memory.clear("nobody"), 0);
  assert.equal(memory.clear("a"), 1);
  assert.deepEqual([memory.recall("a").length, memory.recall("b").length], [0, 1]);
  assert.equal(memory.clear(), 2);
  assert.deepEqual([memory.size, memory.messages], [0, 0]);
});

test("WorkingMemory.clear() does not count what an hour's rest has made it forget already", (memory) => {
  memory.add("a", messages(1), "en");
  mock.timers.tick(HOUR);
  assert.equal(memory.clear("a"), 0);
  memory.add("b", messages(1), "en");
  mock.timers.tick(HOUR);
  assert.equal(memory.clear(), 0);
});

test("WorkingMemory.clearUser() forgets every conversation in which that person said something", (memory) => {
  memory.add("alone", [message("x", "ana")], "en");
  memory.add("together", [message("x", "luis"), message("y", "ana")], "en");
  memory.add("others", [message("x", "luis"), message("y", null)], "en");
  assert.equal(memory.clearUser("ana"), 2);
  assert.deepEqual([memory.size, memory.recall("others").length], [1, 2]);
  assert.equal(memory.clearUser("ana"), 0);
});

test("WorkingMemory.keepLast() keeps the last messages of one conversation", (memory) => {
  memory.add("a", messages(5), "en");
  memory.add("b", messages(5), "en");
  memory.keepLast("a", 2);
  assert.deepEqual(contents(memory, "a"), ["m3", "m4"]);
  memory.keepLast("a", 9);
  assert.deepEqual(contents(memory, "a"), ["m3", "m4"]);
  memory.keepLast("a", 0);
  assert.deepEqual([contents(memory, "a"), memory.recall("b").length], [[], 5]);
  memory.keepLast("nobody", 1);
  assert.equal(memory.size, 2);
});

test("what WorkingMemory.recall() gave stays as it was when more is said", (memory) => {
  memory.add("a", messages(1), "en");
  const before = memory.recall("a");
  memory.add("a", messages(1), "en");
  memory.keepLast("a", 0);
  assert.equal(before.length, 1);
});

test("a clock that is set back does not keep other conversations alive", (memory) => {
  mock.timers.setTime(Date.UTC(2026, 10, 1, 12));
  memory.add("before", messages(1), "en");
  mock.timers.setTime(Date.UTC(2026, 10, 1, 11));
  memory.add("after", messages(1), "en");
  mock.timers.setTime(Date.UTC(2026, 10, 1, 12, 30));
  assert.deepEqual(contents(memory, "after"), []);
});
