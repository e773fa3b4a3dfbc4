import assert from "node:assert/strict";
import { mock } from "node:test";
import { setImmediate } from "node:timers/promises";
import { VectorKeeper } from "../../src/memory/vector_keeper.ts";
import { addExchange, createTable, openMemoryTable, teach } from "../support/memory_store.ts";
import { TrigramEmbedder } from "../support/trigram_embedder.ts";
import { countOf, createScene, failure, type Scene } from "../support/vector_scene.ts";
import { createWatchedSignal } from "../support/watched_signal.ts";

const MINUTE = 60_000;

/** Lets everything happen that waits for no timer. */
async function settle(): Promise<void> {
  for (let count = 0; count < 20; count++) {
    for (let inner = 0; inner < 20; inner++) await Promise.resolve();
    await setImmediate();
  }
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

testRunning("VectorKeeper.run() gives new passages their vectors as soon as it is told", async (scene) => {
  const { table, keeper } = scene;
  addExchange(table, { conversation_id: "c", user_id: null, text: "said", at_ms: 1 });
  keeper.notify();
  await settle();
  assert.equal(countOf(table), 1);
});

testRunning(
  "VectorKeeper.run() misses nothing that comes just when it is done",
  async ({ table, keeper, embedder }) => {
    const add = (text: string) => addExchange(table, { conversation_id: "c", user_id: null, text, at_ms: 1 });
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
  addExchange(other, { conversation_id: "c", user_id: null, text: "said", at_ms: 1 });
  await settle();
  assert.equal(countOf(table), 0);
  await tick(MINUTE);
  assert.equal(countOf(table), 1);
});

testRunning("VectorKeeper.run() asks nobody as long as nothing changes", async ({ table, keeper, embedder }) => {
  addExchange(table, { conversation_id: "c", user_id: null, text: "said", at_ms: 1 });
  keeper.notify();
  await settle();
  for (let count = 0; count < 10; count++) await tick(MINUTE);
  assert.equal(embedder.calls.length, 1);
});

testRunning("VectorKeeper.run() waits after a failure, longer each time, and then goes on", async (scene) => {
  const { table, keeper, embedder } = scene;
  embedder.beforeAnswer = () => Promise.reject(failure("unavailable"));
  addExchange(table, { conversation_id: "c", user_id: null, text: "said", at_ms: 1 });
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

/** A model that answers nobody until it is told to stop. */
function hang(embedder: TrigramEmbedder): void {
  embedder.beforeAnswer = (_, { signal }) =>
    new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true }));
}

testRunning(
  "VectorKeeper.stepAside() ends a batch that hangs; it is begun again soon, and no failure",
  async (scene) => {
    const { table, keeper, embedder } = scene;
    const signals: AbortSignal[] = [];
    hang(embedder);
    const hanging = embedder.beforeAnswer;
    embedder.beforeAnswer = (texts, options) => {
      signals.push(options.signal);
      return hanging(texts, options);
    };
    addExchange(table, { conversation_id: "c", user_id: null, text: "said", at_ms: 1 });
    keeper.notify();
    for (let times = 1; times <= 5; times++) {
      await settle();
      assert.deepEqual(signals.map(({ aborted }) => aborted), [...new Array(times - 1).fill(true), false]);
      keeper.stepAside();
      await settle();
      assert.ok(signals.every(({ aborted }) => aborted));
      keeper.notify(); // more to do: it stays aside all the same
      await settle();
      assert.equal(embedder.calls.length, times);
      await tick(5000);
    }
    keeper.stepAside();
    embedder.beforeAnswer = () => {};
    await tick(5000);
    assert.equal(countOf(table), 1);
    keeper.stepAside(); // with nothing under way
    addExchange(table, { conversation_id: "c", user_id: null, text: "boiler", at_ms: 1 });
    keeper.notify();
    await settle();
    assert.equal(countOf(table), 2);
  },
);

testRunning("VectorKeeper.restart() cuts the pause after a failure short", async ({ table, keeper, embedder }) => {
  embedder.beforeAnswer = () => Promise.reject(failure("unavailable"));
  addExchange(table, { conversation_id: "c", user_id: null, text: "said", at_ms: 1 });
  keeper.notify();
  for (let count = 0; count < 5; count++) await tick(60 * MINUTE); // the pause is long by now
  const before = embedder.calls.length;
  keeper.notify();
  await settle();
  assert.equal(embedder.calls.length, before);
  keeper.restart();
  await settle();
  assert.equal(embedder.calls.length, before + 1);
  embedder.beforeAnswer = () => {};
  keeper.restart();
  await settle();
  assert.equal(countOf(table), 1);
});

testRunning("VectorKeeper.run() re-embeds everything when the model changes, whenever that is", async (scene) => {
  const { table, keeper, embedder } = scene;
  for (let index = 0; index < 10; index++) {
    addExchange(table, { conversation_id: "c", user_id: null, text: `said ${index}`, at_ms: 1 });
  }
  embedder.beforeAnswer = () => {
    if (embedder.calls.length === 2) embedder.model = "fake/second"; // while it is at work
  };
  keeper.notify();
  await tick(MINUTE);
  await tick(MINUTE);
  assert.deepEqual([countOf(table), countOf(table, "fake/second")], [4, 10]);
  embedder.model = "fake/third";
  await tick(MINUTE);
  assert.deepEqual([countOf(table), countOf(table, "fake/third")], [0, 10]);
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
      await teach(scene.table, "a.md", "# Part\n\nText.");
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
  const told: unknown[] = [];
  const onFailure = (error: unknown) => void told.push(`${error}`);
  const keeper = new VectorKeeper({ store, embedder: new TrigramEmbedder(), onFailure });
  const running = keeper.run(controller.signal);
  try {
    addExchange(made.table, { conversation_id: "c", user_id: null, text: "said", at_ms: 1 });
    await tick(MINUTE);
    assert.equal(countOf(made.table), 1);
    assert.deepEqual(told, ["Error: not now"]);
  } finally {
    controller.abort();
    await running;
    mock.timers.reset();
  }
});
