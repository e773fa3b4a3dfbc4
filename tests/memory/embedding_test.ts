import assert from "node:assert/strict";
import { mock } from "node:test";
import { NoAnswerError } from "../../src/core/errors.ts";
import type { ErrorKind } from "../../src/core/types.ts";
import { type CompleteOptions, VectorKeeper } from "../../src/memory/embedding.ts";
import type { MemoryTable } from "../../src/storage/memory_table.ts";
import { createTable, NEVER, openMemoryTable, teach, type TestTable } from "../support/memory_store.ts";
import { TrigramEmbedder, trigramVector } from "../support/trigram_embedder.ts";
import { createWatchedSignal } from "../support/watched_signal.ts";

const MINUTE = 60_000;
const COMPLETE: CompleteOptions = { batch: 4, priority: "background", signal: NEVER };

function sections(count: number, first = 0): string {
  return Array.from({ length: count }, (_, index) => `# Part ${first + index}\n\nText ${first + index}.\n`).join("\n");
}

function failure(kind: ErrorKind): NoAnswerError {
  return new NoAnswerError(kind, { kind, attempts: [] });
}

/** How many passages have a vector of that model. */
function countOf(table: MemoryTable, ref = "fake/trigrams", dimensions = 256): number {
  return table.vectors.count(table.vectors.modelId(ref, dimensions));
}

interface Scene extends TestTable {
  readonly embedder: TrigramEmbedder;
  readonly keeper: VectorKeeper;
}

async function createScene(): Promise<Scene> {
  const made = await createTable();
  const embedder = new TrigramEmbedder();
  return { ...made, embedder, keeper: new VectorKeeper({ store: () => made.table, embedder }) };
}

/** Lets everything happen that waits for no timer. */
async function settle(): Promise<void> {
  for (let count = 0; count < 200; count++) await Promise.resolve();
}

async function tick(ms: number): Promise<void> {
  await settle();
  mock.timers.tick(ms);
  await settle();
}

/** A keeper that runs in a time that only `tick` moves. */
function testRunning(name: string, body: (scene: Scene) => Promise<void>): void {
  Deno.test(name, async () => {
    await using scene = await createScene();
    mock.timers.enable({ apis: ["setTimeout"] });
    const controller = new AbortController();
    const running = scene.keeper.run(controller.signal);
    try {
      await settle();
      await body(scene);
    } finally {
      controller.abort();
      await running;
      mock.timers.reset();
    }
  });
}

Deno.test("VectorKeeper.complete() gives every passage its vector, heading and all", async () => {
  await using scene = await createScene();
  const { table, keeper, embedder } = scene;
  const { added_ids } = await teach(table, "a.md", sections(10));
  table.addEpisode({ conversation_id: "c", user_id: null, text: "said", at_ms: 1 });
  const told: number[] = [];
  assert.equal(await keeper.complete({ ...COMPLETE, onProgress: (count) => told.push(count) }), 11);
  assert.deepEqual(told, [4, 8, 11]);
  assert.deepEqual(embedder.calls.map(({ length }) => length), [4, 4, 3]);
  assert.equal(embedder.calls[0]?.[0], "Part 0\n\nText 0.");
  assert.equal(embedder.calls[2]?.[2], "said");
  assert.equal(countOf(table), 11);
  const expected = trigramVector("Part 0\n\nText 0.");
  const length = Math.hypot(...expected);
  table.vectors.exact(added_ids.slice(0, 1)).get(added_ids[0] ?? 0)?.forEach((value, at) => {
    assert.ok(Math.abs(value - (expected[at] ?? 0) / length) < 1e-6);
  });
  assert.equal(await keeper.complete(COMPLETE), 0); // nothing is asked twice
  assert.equal(embedder.calls.length, 3);
});

Deno.test("VectorKeeper.complete() asks nobody when there is no model", async () => {
  await using scene = await createScene();
  const { table, keeper, embedder } = scene;
  await teach(table, "a.md", sections(3));
  embedder.model = undefined;
  assert.equal(await keeper.complete(COMPLETE), 0);
  assert.deepEqual(embedder.calls, []);
});

Deno.test("VectorKeeper.complete() keeps what was done before a failure, and goes on there", async () => {
  await using scene = await createScene();
  const { table, keeper, embedder } = scene;
  await teach(table, "a.md", sections(10));
  embedder.beforeAnswer = () => {
    if (embedder.calls.length === 2) throw failure("unavailable");
  };
  await assert.rejects(keeper.complete(COMPLETE), NoAnswerError);
  assert.equal(countOf(table), 4);
  assert.equal(await keeper.complete(COMPLETE), 6);
});

Deno.test("VectorKeeper.complete() leaves out a text that a model refuses, and no other", async (t) => {
  for (const kind of ["context_length", "bad_request"] as const) {
    await t.step(kind, async () => {
      await using scene = await createScene();
      const { table, keeper, embedder } = scene;
      await teach(table, "a.md", sections(10));
      embedder.beforeAnswer = (texts) => {
        if (texts.some((text) => /Text [037]\./.test(text))) throw failure(kind);
      };
      assert.equal(await keeper.complete(COMPLETE), 7);
      assert.equal(countOf(table), 7);
    });
  }
});

Deno.test("VectorKeeper.complete() leaves out vectors that are none", async () => {
  await using scene = await createScene();
  const { table } = scene;
  await teach(table, "a.md", sections(6));
  const answers = [[[1, 2], [0, 0]], [[NaN, 1], [3, 4]], [[]]];
  const embedder = { model: "odd/model", embed: () => Promise.resolve(answers.shift() ?? []) };
  const keeper = new VectorKeeper({ store: () => table, embedder });
  assert.equal(await keeper.complete({ ...COMPLETE, batch: 2 }), 2);
  assert.deepEqual([countOf(table, "odd/model", 2), countOf(table, "odd/model", 0)], [2, 0]);
});

Deno.test("VectorKeeper.complete() ends with the reason of the signal, and puts nothing that comes late", async () => {
  await using scene = await createScene();
  const { table, keeper, embedder } = scene;
  await teach(table, "a.md", sections(10));
  const controller = new AbortController();
  embedder.beforeAnswer = () => {
    if (embedder.calls.length === 2) controller.abort(new Error("stopped"));
  };
  await assert.rejects(keeper.complete({ ...COMPLETE, signal: controller.signal }), /stopped/);
  assert.equal(countOf(table), 4);
});

Deno.test("VectorKeeper.complete() gives passages that are deleted meanwhile no vector", async () => {
  await using scene = await createScene();
  const { table, keeper, embedder } = scene;
  await teach(table, "a.md", sections(6));
  embedder.beforeAnswer = async () => {
    if (embedder.calls.length === 1) await table.forget({ source: "a.md" });
  };
  await keeper.complete(COMPLETE);
  assert.equal(table.stats().vectors, 0);
});

Deno.test("when the model changes every passage is given a vector of the new one", async (t) => {
  await using scene = await createScene();
  const { table, keeper, embedder } = scene;
  await teach(table, "a.md", sections(10));
  await keeper.complete(COMPLETE);
  await t.step("between two runs", async () => {
    embedder.model = "fake/second";
    assert.equal(await keeper.complete(COMPLETE), 10);
    assert.deepEqual([countOf(table), countOf(table, "fake/second")], [0, 10]);
  });
  await t.step("while it waits for the first vectors: nobody knows whose those are", async () => {
    embedder.model = "fake/before";
    embedder.beforeAnswer = () => {
      embedder.model = "fake/after";
    };
    await keeper.complete(COMPLETE);
    assert.deepEqual([countOf(table, "fake/before"), countOf(table, "fake/after")], [0, 10]);
  });
  await t.step("while it is at work", async () => {
    embedder.model = "fake/third";
    const before = embedder.calls.length;
    embedder.beforeAnswer = () => {
      if (embedder.calls.length === before + 2) embedder.model = "fake/fourth";
    };
    await keeper.complete(COMPLETE);
    assert.deepEqual([countOf(table, "fake/third"), countOf(table, "fake/fourth")], [0, 10]);
  });
});

Deno.test("a model whose vectors change in length and back is not asked for the same again and again", async () => {
  await using scene = await createScene();
  const { table } = scene;
  await teach(table, "a.md", sections(4));
  let [dimensions, calls] = [8, 0];
  const embed = (texts: readonly string[]) => {
    calls++;
    return Promise.resolve(texts.map((text) => trigramVector(text, dimensions)));
  };
  const keeper = new VectorKeeper({ store: () => table, embedder: { model: "m", embed } });
  for (const each of [8, 16, 8]) {
    dimensions = each;
    await teach(table, `${each}-${calls}.md`, `Note ${calls}`); // something new, from which the length shows
    while (await keeper.complete(COMPLETE) > 0 && calls < 50);
  }
  const before = calls;
  await keeper.complete(COMPLETE);
  assert.equal(calls, before);
  assert.equal(countOf(table, "m", 8), 7);
});

testRunning("VectorKeeper.run() gives new passages their vectors as soon as it is told", async (scene) => {
  const { table, keeper } = scene;
  table.addEpisode({ conversation_id: "c", user_id: null, text: "said", at_ms: 1 });
  keeper.notify();
  await settle();
  assert.equal(countOf(table), 1);
});

testRunning(
  "VectorKeeper.run() misses nothing that comes just when it is done",
  async ({ table, keeper, embedder }) => {
    const add = (text: string) => table.addEpisode({ conversation_id: "c", user_id: null, text, at_ms: 1 });
    for (let steps = 0; steps < 30; steps++) {
      add(`first ${steps}`);
      keeper.notify();
      for (let count = 0; count < steps; count++) await Promise.resolve();
      add(`second ${steps}`); // at whatever point it is
      keeper.notify();
      await settle();
      assert.equal(countOf(table), 2 * steps + 2, `after ${steps} steps`);
    }
    assert.ok(embedder.calls.length > 0);
  },
);

testRunning("VectorKeeper.run() looks by itself for what other programs have learned", async ({ table, folder }) => {
  using other = openMemoryTable(folder.database);
  other.addEpisode({ conversation_id: "c", user_id: null, text: "said", at_ms: 1 });
  await settle();
  assert.equal(countOf(table), 0);
  await tick(MINUTE);
  assert.equal(countOf(table), 1);
});

testRunning("VectorKeeper.run() asks nobody as long as nothing changes", async ({ table, keeper, embedder }) => {
  table.addEpisode({ conversation_id: "c", user_id: null, text: "said", at_ms: 1 });
  keeper.notify();
  await settle();
  for (let count = 0; count < 10; count++) await tick(MINUTE);
  assert.equal(embedder.calls.length, 1);
});

testRunning("VectorKeeper.run() waits after a failure, longer each time, and then goes on", async (scene) => {
  const { table, keeper, embedder } = scene;
  embedder.beforeAnswer = () => Promise.reject(failure("unavailable"));
  table.addEpisode({ conversation_id: "c", user_id: null, text: "said", at_ms: 1 });
  keeper.notify();
  await settle();
  const tries = [embedder.calls.length];
  for (let count = 0; count < 60; count++) {
    keeper.notify(); // whoever is in a hurry does not change that
    await tick(MINUTE);
    tries.push(embedder.calls.length);
  }
  assert.equal(tries[0], 1);
  assert.ok((tries[60] ?? 0) >= 3 && (tries[60] ?? 99) <= 10, `${tries}`);
  assert.ok((tries[60] ?? 0) - (tries[30] ?? 0) < (tries[30] ?? 0), `${tries}`);
  embedder.beforeAnswer = () => {};
  await tick(60 * MINUTE);
  assert.equal(countOf(table), 1);
});

testRunning("VectorKeeper.run() re-embeds everything when the model changes, whenever that is", async (scene) => {
  const { table, keeper, embedder } = scene;
  for (let index = 0; index < 10; index++) {
    table.addEpisode({ conversation_id: "c", user_id: null, text: `said ${index}`, at_ms: 1 });
  }
  embedder.beforeAnswer = () => {
    if (embedder.calls.length === 2) embedder.model = "fake/second"; // while it is at work
  };
  keeper.notify();
  await tick(MINUTE);
  await tick(MINUTE);
  assert.deepEqual([countOf(table), countOf(table, "fake/second")], [0, 10]);
  embedder.model = "fake/third";
  await tick(MINUTE);
  assert.equal(countOf(table, "fake/third"), 10);
  embedder.model = undefined;
  await tick(MINUTE);
  assert.equal(countOf(table, "fake/third"), 10);
});

Deno.test("VectorKeeper.run() ends at once when its signal aborts, whatever it is doing", async (t) => {
  const doing: Record<string, (scene: Scene, signal: AbortSignal) => void> = {
    "nothing": () => {},
    "waiting for a model": ({ embedder }, signal) => {
      embedder.beforeAnswer = () =>
        new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true }));
    },
    "waiting after a failure": ({ embedder }) => {
      embedder.beforeAnswer = () => Promise.reject(failure("unavailable"));
    },
  };
  for (const [name, prepare] of Object.entries(doing)) {
    await t.step(name, async () => {
      await using scene = await createScene();
      await teach(scene.table, "a.md", sections(3));
      const controller = new AbortController();
      prepare(scene, controller.signal);
      const running = scene.keeper.run(controller.signal);
      await settle();
      controller.abort();
      await running; // without a timer
    });
  }
  await t.step("not begun", async () => {
    await using scene = await createScene();
    await scene.keeper.run(AbortSignal.abort());
    assert.deepEqual(scene.embedder.calls, []);
  });
});

Deno.test("VectorKeeper.run() leaves no more listeners on its signal the longer it runs", async () => {
  await using scene = await createScene();
  const { keeper } = scene;
  const { controller, signal, listeners } = createWatchedSignal();
  const running = keeper.run(signal);
  await settle();
  const before = listeners.size;
  for (let count = 0; count < 20; count++) {
    keeper.notify();
    await settle();
  }
  const after = listeners.size;
  controller.abort();
  await running;
  assert.equal(after, before);
});

Deno.test("a memory that cannot be opened does not end VectorKeeper.run(): it tries again", async () => {
  await using made = await createTable();
  mock.timers.enable({ apis: ["setTimeout"] });
  const controller = new AbortController();
  let opens = 0;
  const store = () => {
    if (opens++ === 0) throw new Error("not now");
    return made.table;
  };
  const keeper = new VectorKeeper({ store, embedder: new TrigramEmbedder() });
  const running = keeper.run(controller.signal);
  try {
    made.table.addEpisode({ conversation_id: "c", user_id: null, text: "said", at_ms: 1 });
    await tick(MINUTE);
    assert.equal(countOf(made.table), 1);
  } finally {
    controller.abort();
    await running;
    mock.timers.reset();
  }
});
