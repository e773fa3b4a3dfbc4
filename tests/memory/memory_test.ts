import assert from "node:assert/strict";
import { mock } from "node:test";
import { DatabaseSync } from "node:sqlite";
import { roughTokens } from "../../src/core/tokens.ts";
import type { Memory, RecallRequest } from "../../src/memory/memory.ts";
import type { WorkingMessage } from "../../src/memory/working.ts";
import { LEARNED, NEVER } from "../support/memory_store.ts";
import { createMind, exchange, keep, type Mind, said } from "../support/mind.ts";

const KINDS = ["working", "learned_knowledge", "episodic"] as const;

function ask(text: string, options: Partial<RecallRequest> = {}): RecallRequest {
  return {
    text,
    conversation_id: "c1",
    kinds: KINDS,
    said: [],
    tokens: 2000,
    byMeaning: true,
    signal: NEVER,
    ...options,
  };
}

async function teach(memory: Memory, name: string, text: string): Promise<readonly number[]> {
  return (await memory.learn({ name, text, atMs: 1 }, { signal: NEVER })).added_ids;
}

/** What a turn of the conversation begins with. */
function recent(memory: Memory, conversation_id: string): readonly WorkingMessage[] {
  return memory.beginTurn(conversation_id).history;
}

async function kindsRecalled(memory: Memory, request: RecallRequest): Promise<string[]> {
  return (await memory.recall(request)).map(({ kind, source }) => `${kind} ${source}`);
}

Deno.test("Memory.recall() gives this conversation, then what was learned, then earlier exchanges", async () => {
  await using mind = await createMind();
  const { memory } = mind;
  keep(memory, "c1", "— boiler?\n— It was serviced.");
  keep(memory, "c2", "— boiler?\n— A secret.");
  await teach(memory, "house.md", "The boiler wants 1.3 bar.");
  memory.working.add("c1", [said("the boiler drips")], "en");
  memory.working.add("c2", [said("the boiler is secret")], "en");
  assert.deepEqual(await kindsRecalled(memory, ask("boiler")), [
    "working c1",
    "learned_knowledge house.md",
    "episodic c1",
  ]);
  assert.deepEqual(await kindsRecalled(memory, ask("boiler", { kinds: ["learned_knowledge"] })), [
    "learned_knowledge house.md",
  ]);
  assert.deepEqual(await kindsRecalled(memory, ask("boiler", { kinds: ["working"] })), ["working c1"]);
  assert.deepEqual(await kindsRecalled(memory, ask("boiler", { kinds: [] })), []);
  assert.deepEqual(await kindsRecalled(memory, ask("roses")), []);
});

Deno.test("Memory.recall() keeps its budget", async () => {
  await using mind = await createMind();
  const { memory } = mind;
  const paragraphs = Array.from(
    { length: 40 },
    (_, index) => `# Boiler ${index}\n\n${`boiler ${index} word `.repeat(90)}`,
  );
  await teach(memory, "long.md", paragraphs.join("\n\n"));
  for (let index = 0; index < 10; index++) exchange(memory, "c1", `boiler ${index}? ${"why ".repeat(200)}`, "because");
  for (const tokens of [0, 10, 100, 500, 2000]) {
    const recalled = await memory.recall(ask("boiler word", { tokens }));
    const cost = recalled.reduce((sum, { heading, text }) => sum + roughTokens(heading) + roughTokens(text), 0);
    assert.ok(cost <= tokens, `${cost} of ${tokens}`);
    assert.ok(tokens < 500 || cost > tokens / 2, `${cost} of ${tokens}`);
  }
});

Deno.test("what was said in this conversation is recalled however much was learned about it", async () => {
  await using mind = await createMind();
  const { memory } = mind;
  exchange(memory, "c1", "The boiler of my sister is green", "I see, her boiler is green.");
  const long = Array.from(
    { length: 12 },
    (_, index) => `# Boiler ${index}\n\n${`the boiler has part ${index} `.repeat(95)}`,
  );
  await teach(memory, "long.md", long.join("\n\n"));
  const recalled = await memory.recall(ask("what is the boiler like"));
  assert.ok(recalled.some(({ text }) => text.includes("sister")), "it is not among what is recalled");
});

Deno.test("Memory.recall() gives at most eight passages for each kind that is searched", async () => {
  await using mind = await createMind();
  const { memory } = mind;
  for (let index = 0; index < 20; index++) await teach(memory, `n${index}.md`, `Boiler number ${index}.`);
  const count = async (kinds: RecallRequest["kinds"]) => (await memory.recall(ask("boiler", { kinds }))).length;
  assert.deepEqual([await count(["learned_knowledge"]), await count(["learned_knowledge", "episodic"])], [8, 16]);
});

Deno.test("a database that cannot be opened costs no answer and is told once", async (t) => {
  const places: Record<string, (path: string) => void> = {
    "a folder in its place": (path) => Deno.mkdirSync(path),
    "another program's database": (path) => {
      const db = new DatabaseSync(path);
      db.exec("CREATE TABLE letters (text TEXT)");
      db.close();
    },
    "a file where its folder should be": (path) => {
      Deno.removeSync(path.replace(/\/memory\.db$/, ""));
      Deno.writeTextFileSync(path.replace(/\/memory\.db$/, ""), "a file");
    },
  };
  for (const [name, prepare] of Object.entries(places)) {
    await t.step(name, async () => {
      await using mind = await createMind();
      const { memory, warnings, database } = mind;
      prepare(database);
      for (let count = 0; count < 3; count++) {
        exchange(memory, "c1", `the boiler drips ${count}`, "I see");
        const recalled = await memory.recall(ask("boiler"));
        assert.deepEqual(new Set(recalled.map(({ kind }) => kind)), new Set(["working"]));
      }
      assert.equal(recent(memory, "c1").length, 6);
      assert.equal(warnings.length, 1, warnings.join("\n"));
      assert.match(warnings[0] ?? "", /memory\.db: .* → ./);
      await assert.rejects(
        memory.search({ text: "boiler", realms: [LEARNED], limit: 1 }, NEVER),
        /Cannot use the database/,
      );
    });
  }
});

Deno.test("a database that cannot be opened at first is used as soon as it can be", async () => {
  await using mind = await createMind();
  const { memory, database } = mind;
  Deno.mkdirSync(database);
  assert.deepEqual(await memory.recall(ask("boiler")), []);
  Deno.removeSync(database);
  await teach(memory, "a.md", "The boiler drips.");
  assert.deepEqual(await kindsRecalled(memory, ask("boiler")), ["learned_knowledge a.md"]);
});

Deno.test("Memory.recall() ends with the reason of a signal that has aborted", async () => {
  await using mind = await createMind();
  await teach(mind.memory, "a.md", "The boiler drips.");
  await mind.memory.vectors.complete({ batch: 9, priority: "background", signal: NEVER });
  const controller = new AbortController();
  mind.embedder.beforeAnswer = () => controller.abort(new Error("gone"));
  await assert.rejects(mind.memory.recall(ask("boiler", { signal: controller.signal })), /gone/);
  assert.deepEqual(mind.warnings, []);
});

Deno.test("Memory.forget() drops what is being said as well, of a conversation, a person or all", async () => {
  await using mind = await createMind();
  const { memory } = mind;
  const fill = () => {
    exchange(memory, "c1", "the boiler drips", "I see", "ana");
    exchange(memory, "c2", "the boiler drips", "I see", "luis");
  };
  const known = () => ["c1", "c2"].filter((id) => recent(memory, id).length > 0);
  fill();
  await memory.forget({ conversation_id: "c1" });
  assert.deepEqual(known(), ["c2"]);
  fill();
  assert.equal((await memory.forget({ user_id: "luis" })).passages, 2);
  assert.deepEqual(known(), ["c1"]);
  fill();
  await memory.forget({ source: "c1" });
  assert.deepEqual(known(), ["c1", "c2"]);
  await memory.forget({ all: true });
  assert.deepEqual(known(), []);
  assert.deepEqual(await memory.recall(ask("boiler")), []);
});

Deno.test("what is being said is dropped when another process forgets, and what is said after it is kept", async (t) => {
  await using mind = await createMind();
  const { memory } = mind;
  using other = mind.other();
  exchange(memory, "c1", "the boiler drips", "I see");
  await t.step("a conversation that goes on", async () => {
    await other.forget({ conversation_id: "c1" });
    assert.deepEqual(recent(memory, "c1"), []);
    assert.deepEqual(await memory.recall(ask("boiler")), []);
  });
  await t.step("the next one", () => {
    exchange(memory, "c1", "the roof leaks", "I see");
    assert.equal(recent(memory, "c1").length, 2);
  });
  await t.step("one that began after the other process forgot, while nothing was going on", async () => {
    memory.working.clear();
    await other.forget({ all: true });
    assert.deepEqual(recent(memory, "c1"), []);
    exchange(memory, "c1", "the roof leaks", "I see");
    assert.equal(recent(memory, "c1").length, 2);
  });
  await t.step("a passage that another process deletes drops nothing of what is said", async () => {
    memory.working.clear();
    exchange(memory, "c1", "the roof leaks", "I see");
    const [id = 0] = await teach(other, "a.md", "text");
    await other.deletePassage(id);
    assert.equal(recent(memory, "c1").length, 2);
  });
});

Deno.test("nothing is opened before it is needed, and then once", async () => {
  await using mind = await createMind();
  const { memory } = mind;
  memory.working.add("c1", [said("x")], "en");
  assert.deepEqual([memory.working.recall("c1").length, memory.vectorBytes, mind.opens], [1, 0, 0]);
  assert.equal(memory.path, mind.database);
  await memory.recall(ask("boiler"));
  memory.beginTurn("c1");
  memory.stats();
  assert.equal(mind.opens, 1);
});

/** A memory with two learned passages that have vectors. */
async function createMindWithVectors(): Promise<Mind> {
  const mind = await createMind();
  await teach(mind.memory, "a.md", "calefaccionista");
  await teach(mind.memory, "b.md", "xylophone");
  await mind.memory.vectors.complete({ batch: 9, priority: "background", signal: NEVER });
  mind.embedder.calls.length = 0;
  return mind;
}

/** Its letters are near those of a.md, but it has no word in common with it. */
const NEAR = ask("alefaccionist");

Deno.test("Memory.recall() finds by meaning when there are vectors", async () => {
  await using mind = await createMindWithVectors();
  assert.deepEqual(await kindsRecalled(mind.memory, NEAR), ["learned_knowledge a.md"]);
  assert.equal(mind.embedder.calls.length, 1);
  assert.ok(mind.memory.vectorBytes > 0);
});

Deno.test("no model is asked for the vector of a question when there is nothing to compare it with", async () => {
  await using mind = await createMind();
  await teach(mind.memory, "a.md", "The boiler drips.");
  assert.equal((await mind.memory.recall(ask("boiler"))).length, 1);
  assert.deepEqual(mind.embedder.calls, []);
});

Deno.test("a model is asked for the vector of a bounded, well-formed text only", async () => {
  await using mind = await createMindWithVectors();
  await mind.memory.recall(ask(`x${"😀".repeat(512 * 1024)}`));
  const [[text = ""] = []] = mind.embedder.calls;
  assert.ok(text.length > 0 && text.length <= 4000 && text.isWellFormed());
});

Deno.test("a model that fails costs no answer, and is not asked for every question", async () => {
  await using mind = await createMindWithVectors();
  const { memory, embedder } = mind;
  embedder.beforeAnswer = () => Promise.reject(new Error("down"));
  for (let count = 0; count < 5; count++) {
    assert.deepEqual(await kindsRecalled(memory, ask("calefaccionista")), ["learned_knowledge a.md"]);
  }
  assert.equal(embedder.calls.length, 1);
});

Deno.test("a question that one person breaks off does not cost the others their vectors", async () => {
  await using mind = await createMindWithVectors();
  const { memory, embedder } = mind;
  const controller = new AbortController();
  embedder.beforeAnswer = (_, { signal }) => {
    if (embedder.calls.length > 1) return;
    controller.abort(new Error("gone"));
    throw signal.reason;
  };
  await assert.rejects(memory.recall({ ...NEAR, signal: controller.signal }), /gone/);
  assert.deepEqual(await kindsRecalled(memory, NEAR), ["learned_knowledge a.md"]);
});

Deno.test("a model that takes too long is not waited for", async () => {
  await using mind = await createMindWithVectors();
  const { memory, embedder } = mind;
  const late = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  embedder.beforeAnswer = () => {
    asked.resolve();
    return late.promise;
  };
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    const recalling = kindsRecalled(memory, ask("calefaccionista"));
    await asked.promise;
    mock.timers.tick(5000);
    assert.deepEqual(await recalling, ["learned_knowledge a.md"]);
  } finally {
    mock.timers.reset();
    late.resolve();
  }
});

Deno.test("what is remembered and learned is given vectors in the background", async () => {
  await using mind = await createMind();
  const { memory, embedder } = mind;
  const controller = new AbortController();
  const running = memory.vectors.run(controller.signal);
  const texts = () => embedder.calls.flat();
  await settle();
  keep(memory, "c1", "said");
  await settle();
  assert.deepEqual(texts(), ["said"]);
  await teach(memory, "a.md", "learned");
  await settle();
  assert.deepEqual(texts(), ["said", "learned"]);
  controller.abort();
  await running;
});

/** Lets everything happen that waits for no timer. */
async function settle(): Promise<void> {
  for (let count = 0; count < 200; count++) await Promise.resolve();
}
