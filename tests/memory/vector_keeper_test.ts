import assert from "node:assert/strict";
import { NoAnswerError } from "../../src/core/errors.ts";
import { type CompleteOptions, VectorKeeper } from "../../src/memory/vector_keeper.ts";
import { addExchange, NEVER, teach } from "../support/memory_store.ts";
import { trigramVector } from "../support/trigram_embedder.ts";
import { countOf, createScene, failure, unexpected } from "../support/vector_scene.ts";

const COMPLETE: CompleteOptions = { batch: 4, priority: "background", signal: NEVER };

function sections(count: number, first = 0): string {
  return Array.from({ length: count }, (_, index) => `# Part ${first + index}\n\nText ${first + index}.\n`).join("\n");
}

Deno.test("VectorKeeper.complete() gives every passage its vector, heading and all", async () => {
  await using scene = await createScene();
  const { table, keeper, embedder } = scene;
  const { added_ids } = await teach(table, "a.md", sections(10));
  addExchange(table, { conversation_id: "c", user_id: null, text: "said", at_ms: 1 });
  const told: number[] = [];
  assert.equal(await keeper.complete({ ...COMPLETE, onProgress: (count) => told.push(count) }), 11);
  assert.deepEqual(told, [4, 8, 11]);
  assert.deepEqual(embedder.calls.map(({ length }) => length), [4, 4, 3]);
  assert.equal(embedder.calls[0]?.[0], "Part 0\n\nText 0.");
  assert.equal(embedder.calls[2]?.[2], "said");
  assert.equal(countOf(table), 11);
  const expected = trigramVector("Part 0\n\nText 0.");
  const length = Math.hypot(...expected);
  table.vectors.exact(1, added_ids.slice(0, 1)).get(added_ids[0] ?? 0)?.forEach((value, at) => {
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
  const keeper = new VectorKeeper({ store: () => table, embedder, onFailure: unexpected });
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
    assert.deepEqual([countOf(table), countOf(table, "fake/second")], [10, 10]);
  });
  await t.step("and back: nobody is asked again", async () => {
    embedder.model = "fake/trigrams";
    const before = embedder.calls.length;
    assert.equal(await keeper.complete(COMPLETE), 0);
    assert.equal(embedder.calls.length, before);
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
    assert.deepEqual([countOf(table, "fake/third"), countOf(table, "fake/fourth")], [4, 10]);
    assert.deepEqual([countOf(table), countOf(table, "fake/second")], [0, 0]); // away for too long
  });
});

Deno.test("a model that was in use again, with nothing new to do, is kept when another one comes", async () => {
  await using scene = await createScene();
  const { table, keeper, embedder } = scene;
  await teach(table, "a.md", sections(5));
  for (const model of ["fake/one", "fake/two", "fake/one", "fake/three"]) {
    embedder.model = model;
    await keeper.complete(COMPLETE);
  }
  assert.deepEqual(["fake/one", "fake/two", "fake/three"].map((ref) => countOf(table, ref)), [5, 0, 5]);
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
  const keeper = new VectorKeeper({ store: () => table, embedder: { model: "m", embed }, onFailure: unexpected });
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
