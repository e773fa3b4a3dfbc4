import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import type { Memory } from "../../src/memory/memory.ts";
import type { Forgettable } from "../../src/storage/memory.ts";
import { NEVER, openMemoryTable, textsOf } from "../support/memory_store.ts";
import { createMind, exchange, keep } from "../support/mind.ts";

const FORGOTTEN: Record<string, Forgettable> = {
  "the conversation": { conversation_id: "c1" },
  "the person": { user_id: "ana" },
  "everything": { all: true },
};

/** The texts of a conversation that are kept for good. */
function kept(database: string, conversation: string): string[] {
  const db = new DatabaseSync(database, { readOnly: true });
  try {
    const rows = db.prepare("SELECT text FROM memories WHERE conversation_id = ? ORDER BY id").all(conversation);
    return rows.map(({ text }) => String(text));
  } finally {
    db.close();
  }
}

/** Another program writes; disposing of it lets the others write again. */
function holdLock(database: string): Disposable {
  const db = new DatabaseSync(database);
  db.exec("BEGIN IMMEDIATE");
  return { [Symbol.dispose]: () => db.close() };
}

/** What was said with `person` in a turn that began before: kept for good, whoever forgot something meanwhile. */
function rememberLate(memory: Memory, turn: ReturnType<Memory["beginTurn"]>, text: string): void {
  memory.remember({ conversation_id: "c1", user_id: "ana", text, at_ms: 1 }, turn);
}

for (const [name, what] of Object.entries(FORGOTTEN)) {
  Deno.test(`an answer that began before ${name} was forgotten is not remembered`, async (t) => {
    await t.step("by another process", async () => {
      await using mind = await createMind();
      const { memory, database } = mind;
      using other = mind.other();
      exchange(memory, "c1", "the boiler drips", "I see");
      const turn = memory.beginTurn("c1");
      assert.equal(turn.history.length, 2);
      await other.forget(what);
      rememberLate(memory, turn, "late"); // whether it asks before or not
      assert.equal(memory.mayRemember("c1", turn), false);
      assert.deepEqual(kept(database, "c1"), []);
      assert.deepEqual(memory.beginTurn("c1").history, []);
      exchange(memory, "c1", "the roof leaks", "I see"); // the next turn is remembered
      assert.equal(kept(database, "c1").length, 1);
    });
    await t.step("by this one", async () => {
      await using mind = await createMind();
      const { memory, database } = mind;
      exchange(memory, "c1", "the boiler drips", "I see");
      const turn = memory.beginTurn("c1");
      await memory.forget(what);
      rememberLate(memory, turn, "late");
      assert.equal(memory.mayRemember("c1", turn), false);
      assert.deepEqual(kept(database, "c1"), []);
    });
  });
}

Deno.test("a conversation goes on when somebody forgets what was learned, or deletes a passage", async () => {
  await using mind = await createMind();
  const { memory } = mind;
  using other = mind.other();
  const { added_ids: [id = 0] } = await other.learn({ name: "a.md", text: "one", atMs: 1 }, { signal: NEVER });
  exchange(memory, "c1", "the boiler drips", "I see");
  const turn = memory.beginTurn("c1");
  await other.deletePassage(id);
  await other.forget({ source: "a.md" });
  assert.equal(memory.mayRemember("c1", turn), true);
  assert.equal(memory.beginTurn("c1").history.length, 2);
});

Deno.test("what another process forgot is noticed even when something else is forgotten here first", async (t) => {
  for (const what of [{ source: "a.md" }, { conversation_id: "c2" }]) {
    await t.step(Object.keys(what).join(), async () => {
      await using mind = await createMind();
      const { memory } = mind;
      using other = mind.other();
      exchange(memory, "c1", "the boiler drips", "I see");
      await other.forget({ conversation_id: "c1" });
      await memory.forget(what);
      assert.deepEqual(memory.beginTurn("c1").history, []);
    });
  }
});

Deno.test("what another process forgets while something is forgotten here is noticed", async () => {
  await using mind = await createMind();
  const { memory } = mind;
  using other = mind.other();
  for (let index = 0; index < 30; index++) exchange(memory, "c2", `the roof leaks ${index}`, "I see");
  exchange(memory, "c1", "the boiler drips", "I see");
  await Promise.all([memory.forget({ conversation_id: "c2" }), other.forget({ conversation_id: "c1" })]);
  assert.deepEqual(memory.beginTurn("c1").history, []);
});

Deno.test("an exchange that the database cannot take is told, and kept with the next one, in order", async () => {
  await using mind = await createMind();
  const { memory, database, warnings } = mind;
  keep(memory, "c1", "first");
  {
    using _lock = holdLock(database);
    keep(memory, "c1", "second");
    keep(memory, "c1", "third");
    assert.deepEqual(kept(database, "c1"), ["first"]);
    assert.equal(warnings.length, 1, warnings.join("\n"));
    assert.match(warnings[0] ?? "", /another program holds it/);
  }
  keep(memory, "c1", "fourth");
  assert.deepEqual(kept(database, "c1"), ["first", "second", "third", "fourth"]);
});

Deno.test("an exchange that waits for the database is kept when the memory is closed", async () => {
  await using mind = await createMind();
  const other = mind.other();
  keep(other, "c1", "first");
  {
    using _lock = holdLock(mind.database);
    keep(other, "c1", "second");
  }
  other[Symbol.dispose]();
  assert.deepEqual(kept(mind.database, "c1"), ["first", "second"]);
});

Deno.test("an exchange that waits for the database is dropped when something was forgotten meanwhile", async () => {
  await using mind = await createMind();
  const { memory, database } = mind;
  using other = mind.other();
  keep(memory, "c1", "first");
  {
    using _lock = holdLock(database);
    keep(memory, "c1", "second");
  }
  await other.forget({ conversation_id: "c1" });
  keep(memory, "c1", "third");
  assert.deepEqual(kept(database, "c1"), ["third"]);
});

Deno.test("two texts of one name that are learned at once are learned one after the other, each whole", async () => {
  await using mind = await createMind();
  const { memory, database } = mind;
  const text = (name: string, count: number) =>
    Array.from({ length: count }, (_, index) => `# Part ${index}\n\n${name} ${index}.`).join("\n\n");
  const learn = (name: string, count: number) =>
    memory.learn({ name: "a.md", text: text(name, count), atMs: 1 }, { signal: NEVER });
  const learned = await Promise.all([learn("First", 700), learn("Second", 300)]);
  assert.deepEqual(learned.map(({ outcome, passages }) => [outcome, passages]), [["learned", 700], ["learned", 300]]);
  using table = openMemoryTable(database);
  assert.deepEqual(textsOf(table, "a.md"), Array.from({ length: 300 }, (_, index) => `Second ${index}.`));
  assert.ok(table.sources().every(({ hash }) => hash !== null));
});
