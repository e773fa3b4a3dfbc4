import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { chunksOf } from "../../src/memory/chunks.ts";
import { learnDocument } from "../../src/memory/learn.ts";
import type { MemoryTable } from "../../src/storage/memory_table.ts";
import {
  createTable,
  giveVectors,
  LEARNED,
  type MemoryFolder,
  NEVER,
  openMemoryTable,
  sourcesFound,
  teach,
  textsOf,
} from "../support/memory_store.ts";
import { type Script, startScript } from "../support/script.ts";

/** A document of so many sections, each a passage of its own. */
function sections(count: number, first = 0): string {
  return Array.from({ length: count }, (_, index) => `# Part ${first + index}\n\nText of part ${first + index}.\n`)
    .join("\n");
}

function textOf(text: string): string[] {
  return [...chunksOf(text)].map((chunk) => chunk.text);
}

function stateOf(table: MemoryTable): [string, boolean][] {
  return table.sources().map(({ name, hash }) => [name, hash !== null]);
}

Deno.test("learnDocument() keeps every passage, with its heading and the date of the document", async () => {
  await using made = await createTable();
  const { table } = made;
  const learned = await learnDocument(
    table,
    { name: "house.md", text: "# House\n\n## Boiler\n\nIt wants 1.3 bar.", atMs: 1234 },
    { signal: NEVER },
  );
  const [id = 0] = learned.added_ids;
  assert.deepEqual(learned, {
    name: "house.md",
    outcome: "learned",
    passages: 1,
    added: 1,
    added_ids: [id],
  });
  assert.deepEqual(table.passages([id]).get(id), {
    id,
    kind: "learned_knowledge",
    source: "house.md",
    heading: "House > Boiler",
    text: "It wants 1.3 bar.",
    at_ms: 1234,
  });
});

Deno.test("a document that is learned again is unchanged, and nothing is written", async () => {
  await using made = await createTable();
  const { table } = made;
  await teach(table, "a.md", sections(300));
  const before = table.revision;
  const again = await teach(table, "a.md", sections(300));
  assert.deepEqual(again, {
    name: "a.md",
    outcome: "unchanged",
    passages: 0,
    added: 0,
    added_ids: [],
  });
  assert.equal(table.revision, before);
});

Deno.test("the same document under another name is kept under both, so that one may change or go", async () => {
  await using made = await createTable();
  const { table } = made;
  await teach(table, "a.md", sections(3));
  const copy = await teach(table, "b.md", sections(3));
  assert.deepEqual([copy.outcome, copy.added], ["learned", 3]);
  await teach(table, "a.md", "Something else.");
  assert.deepEqual(textsOf(table, "b.md").toSorted(), textOf(sections(3)));
});

Deno.test("two documents that share a passage both have it", async () => {
  await using made = await createTable();
  const { table } = made;
  await teach(table, "a.md", sections(3));
  await teach(table, "b.md", `${sections(3)}\n# More\n\nMore text.`);
  await table.forget({ source: "a.md" });
  assert.equal(textsOf(table, "b.md").length, 4);
});

Deno.test("a changed document keeps the passages that are the same, with their vectors, and drops the others", async () => {
  await using made = await createTable();
  const { table } = made;
  const { added_ids: [zero = 0, one = 0, two = 0] } = await teach(table, "a.md", sections(3));
  giveVectors(table, "fake/model", new Map([[zero, [1, 0]], [one, [1, 0]], [two, [1, 0]]]));
  const changed = await teach(table, "a.md", `${sections(1)}\n${sections(1, 7)}\n${sections(1, 2)}`);
  assert.deepEqual([changed.outcome, changed.passages, changed.added], ["learned", 3, 1]);
  assert.deepEqual([...table.passages([zero, one, two]).keys()], [zero, two]);
  assert.deepEqual([...table.vectors.exact(1, [zero, one, two]).keys()], [zero, two]);
  assert.deepEqual(textsOf(table, "a.md").toSorted(), ["Text of part 0.", "Text of part 2.", "Text of part 7."]);
  assert.equal(table.count(LEARNED, { stem: "part", prefix: false, forms: [] }, 99), 3);
});

Deno.test("a document that becomes the same as another one does not keep what it said before", async () => {
  await using made = await createTable();
  const { table } = made;
  await teach(table, "a.md", "The key is under the mat.");
  await teach(table, "b.md", "The key is with the neighbour.");
  await teach(table, "b.md", "The key is under the mat.");
  assert.deepEqual(sourcesFound(table, "neighbour"), []);
});

Deno.test("a document that says the same twice has one passage of it", async () => {
  await using made = await createTable();
  const { table } = made;
  const text = "# A\n\nThe same.\n\n# A\n\nThe same.\n\n# B\n\nThe same.";
  const learned = await teach(table, "a.md", text);
  assert.deepEqual([learned.passages, learned.added], [2, 2]);
});

Deno.test("a document without words is known, and has no passages", async () => {
  await using made = await createTable();
  const { table } = made;
  const shares: number[] = [];
  const learned = await teach(table, "empty.md", "", { onProgress: (share) => shares.push(share) });
  assert.deepEqual([learned.outcome, learned.passages], ["learned", 0]);
  assert.equal((await teach(table, "empty.md", "")).outcome, "unchanged");
  for (const share of shares) assert.ok(share >= 0 && share <= 1, `${share}`);
});

Deno.test("a passage that was deleted by hand does not come back with the same document", async () => {
  await using made = await createTable();
  const { table } = made;
  const { added_ids: [first = 0] } = await teach(table, "a.md", sections(3));
  await table.deletePassage(first);
  assert.equal((await teach(table, "a.md", sections(3))).outcome, "unchanged");
  assert.equal(table.stats().learned_passages, 2);
});

Deno.test("progress never goes back and ends with everything", async (t) => {
  const texts = {
    "with headings": sections(1000),
    "one long paragraph": "Some words of it. ".repeat(60_000),
    "many blanks": `${"word\n\n\n\n\n\n\n\n\n".repeat(20_000)}`,
    short: "text",
  };
  for (const [name, text] of Object.entries(texts)) {
    await t.step(name, async () => {
      await using made = await createTable();
      const shares: number[] = [];
      await teach(made.table, "a.md", text, { onProgress: (share) => shares.push(share) });
      assert.deepEqual(shares, shares.toSorted((one, other) => one - other));
      assert.ok(shares.every((share) => share >= 0 && share <= 1));
      assert.equal(shares.at(-1), 1);
    });
  }
});

/** Learns until some of it is written, and then stops it. */
async function interrupt(table: MemoryTable, name: string, text: string): Promise<void> {
  const controller = new AbortController();
  const onProgress = () => controller.abort(new Error("stopped"));
  await assert.rejects(teach(table, name, text, { signal: controller.signal, onProgress }), /stopped/);
}

Deno.test("what was interrupted is found as far as it is in, and goes on where it was", async () => {
  await using made = await createTable();
  const { table } = made;
  await interrupt(table, "a.md", sections(1000));
  const there = table.stats().learned_passages;
  assert.ok(there > 0 && there < 1000, `${there} are in`);
  assert.deepEqual(stateOf(table), [["a.md", false]]);
  assert.deepEqual(sourcesFound(table, "text", { limit: 1 }), ["a.md"]);
  const learned = await teach(table, "a.md", sections(1000));
  assert.deepEqual([learned.outcome, learned.passages, learned.added], ["learned", 1000, 1000 - there]);
  assert.deepEqual(textsOf(table, "a.md"), textOf(sections(1000)));
  assert.deepEqual(stateOf(table), [["a.md", true]]);
});

Deno.test("a change that was interrupted leaves the old passages, and is completed or taken back later", async () => {
  await using made = await createTable();
  const { table } = made;
  await teach(table, "a.md", sections(3));
  await interrupt(table, "a.md", sections(1000, 1));
  assert.deepEqual(sourcesFound(table, "part 0", { limit: 1 }), ["a.md"]);
  await teach(table, "a.md", sections(3));
  assert.deepEqual(textsOf(table, "a.md").toSorted(), textOf(sections(3)));
});

Deno.test("learnDocument() with a signal that has aborted already learns nothing as a whole", async () => {
  await using made = await createTable();
  const { table } = made;
  await assert.rejects(
    teach(table, "a.md", sections(3), { signal: AbortSignal.abort(new Error("stopped")) }),
    /stopped/,
  );
  assert.ok(table.sources().every(({ hash }) => hash === null));
});

Deno.test("learnDocument() lets other work go on", async () => {
  await using made = await createTable();
  let turns = 0;
  const timer = setInterval(() => turns++, 0);
  try {
    await teach(made.table, "a.md", sections(5000));
  } finally {
    clearInterval(timer);
  }
  assert.ok(turns >= 5, `${turns} turns`);
});

Deno.test("a document that is learned twice at once is learned once", async () => {
  await using made = await createTable();
  const { table } = made;
  const outcomes = await Promise.allSettled([
    teach(table, "a.md", sections(1000)),
    teach(table, "a.md", sections(1000)),
  ]);
  assert.deepEqual(outcomes.filter(({ status }) => status === "rejected"), []);
  assert.deepEqual(textsOf(table, "a.md").toSorted(), textOf(sections(1000)).toSorted());
  assert.deepEqual(stateOf(table), [["a.md", true]]);
});

/** After several were learned at once under the name `a.md`: one of them is there, whole, or it shows that none is. */
function assertOneWhole(table: MemoryTable, versions: readonly string[], outcomes: readonly string[]): void {
  const [{ hash = null } = {}] = table.sources();
  if (hash === null) return assert.ok(outcomes.includes("changed"), "it is incomplete, and nobody was told");
  const at = versions.findIndex((text) => createHash("sha256").update(text).digest("hex") === hash);
  const [found, whole] = [new Set(textsOf(table, "a.md")), new Set(textOf(versions[at] ?? assert.fail()))];
  const [missing, strange] = [whole.difference(found).size, found.difference(whole).size];
  assert.deepEqual({ missing, strange, outcome: outcomes[at] }, { missing: 0, strange: 0, outcome: "learned" });
}

Deno.test("two versions of a document that are learned at once leave one of them, whole, or an incomplete one", async (t) => {
  for (const [one, other] of [[1000, 600], [600, 1000], [150, 1000], [1000, 150], [350, 650], [0, 1000], [1000, 0]]) {
    await t.step(`${one} and ${other} passages`, async () => {
      await using made = await createTable();
      const { table, folder } = made;
      using second = openMemoryTable(folder.database);
      const versions = [sections(one ?? 0), sections(other ?? 0, 5000)];
      const learning = [table, second].map((each, at) => teach(each, "a.md", versions[at] ?? ""));
      const outcomes = (await Promise.allSettled(learning)).map((each) =>
        each.status === "fulfilled" ? each.value.outcome : each.reason.problem
      );
      assertOneWhole(table, versions, outcomes);
      await teach(table, "a.md", versions[0] ?? ""); // and it can be mended by learning it once more
      assert.deepEqual(textsOf(table, "a.md").toSorted(), textOf(versions[0] ?? "").toSorted());
    });
  }
});

Deno.test("a source that is forgotten while it is learned does not come back in part", async () => {
  await using made = await createTable();
  const { table } = made;
  const learning = Promise.allSettled([teach(table, "a.md", sections(1000))]);
  await table.forget({ source: "a.md" });
  const [{ status } = { status: "rejected" }] = await learning;
  const { learned_passages } = table.stats();
  assert.ok(
    status === "fulfilled" ? learned_passages === 1000 : learned_passages === 0,
    `${status} ${learned_passages}`,
  );
});

/** Each in a process of its own. */
async function learnAtOnce(
  folder: MemoryFolder,
  documents: readonly { name: string; text: string }[],
): Promise<string[]> {
  await using learners = new AsyncDisposableStack();
  const started: Script[] = [];
  for (const [index, { name, text }] of documents.entries()) {
    const file = `${folder.path}/${index}.md`;
    Deno.writeTextFileSync(file, text);
    const learner = learners.use(startScript("memory/learner.ts", { args: [folder.database, name, file] }));
    assert.equal(await learner.line(), "ready"); // opening the database waits for nobody
    started.push(learner);
  }
  for (const learner of started) await learner.tell("go");
  const outcomes: string[] = [];
  for (const learner of started) outcomes.push(JSON.parse(await learner.end()).outcome);
  return outcomes;
}

Deno.test("two processes learn different documents at once, and the same one, without losing anything", async (t) => {
  const documents = { "different documents": ["a.md", "b.md"], "the same document": ["a.md", "a.md"] };
  for (const [name, names] of Object.entries(documents)) {
    await t.step(name, async () => {
      await using made = await createTable();
      const { folder, table } = made;
      const learned = names.map((each) => ({ name: each, text: `${sections(3000)}${each}` }));
      assert.ok(!(await learnAtOnce(folder, learned)).includes("changed"));
      for (const each of names) assert.equal(new Set(textsOf(table, each)).size, 3000);
      assert.equal(table.stats().learned_passages, 3000 * new Set(names).size);
      assert.ok(table.sources().every(({ hash }) => hash !== null));
    });
  }
});

Deno.test("two processes that learn different texts of one name leave one of them, whole, or an incomplete one", async () => {
  await using made = await createTable();
  const { folder, table } = made;
  const versions = [sections(3000), sections(2500, 5000)];
  const outcomes = await learnAtOnce(folder, versions.map((text) => ({ name: "a.md", text })));
  for (const outcome of outcomes) assert.match(outcome, /^(learned|changed)$/);
  assertOneWhole(table, versions, outcomes);
});

Deno.test("what one process has learned is known to another at once", async () => {
  await using made = await createTable();
  const { table, folder } = made;
  using other = openMemoryTable(folder.database);
  await teach(table, "a.md", "The key is under the mat.");
  assert.deepEqual(sourcesFound(other, "key"), ["a.md"]);
  assert.equal((await teach(other, "a.md", "The key is under the mat.")).outcome, "unchanged");
});
