import assert from "node:assert/strict";
import { codeOf } from "../../src/memory/code_index.ts";
import { unitVector } from "../../src/memory/vector_search.ts";
import type { Forgettable } from "../../src/storage/memory.ts";
import type { MemoryTable } from "../../src/storage/memory_table.ts";
import {
  addExchange,
  createMemoryFolder,
  createTable,
  filesWith,
  giveVectors,
  LEARNED,
  openMemoryTable,
  sourcesFound,
  teach,
  type TestTable,
  textsOf,
} from "../support/memory_store.ts";
import { startScript } from "../support/script.ts";

const DIMENSIONS = 768;

/** A word that nothing else contains, not even its middle; each number has its own. */
function secretWord(number: number): string {
  return `zq${(Math.imul(number + 1, 2654435761) >>> 0).toString(36).padStart(7, "0")}xk`;
}

/** What is left of a word where an index shares its beginning with the word before. */
function middleOf(word: string): string {
  return word.slice(2, 9);
}

/** A vector like no other's. */
function vectorOf(number: number): number[] {
  let state = number * 7919 + 1;
  return Array.from({ length: DIMENSIONS }, () => {
    state = Math.imul(state ^ (state >>> 13), 0x5bd1e995) + 0x6d2b79f5 | 0;
    return (state >>> 8) / 0xffffff - 0.5;
  });
}

function bytesOf(values: Float32Array | Uint32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

/** Everything of secret `number` that may be found in a file. */
function tracesOf(number: number): Record<string, string | Uint8Array> {
  const vector = unitVector(vectorOf(number)) ?? assert.fail();
  return {
    word: secretWord(number),
    "middle of the word": middleOf(secretWord(number)),
    vector: bytesOf(vector).slice(0, 400),
    "end of the vector": bytesOf(vector).slice(-400),
    code: bytesOf(codeOf(vector)),
  };
}

function tracesIn(database: string, number: number): string[] {
  return Object.entries(tracesOf(number)).flatMap(([what, bytes]) => {
    const files = filesWith(database, bytes);
    return files.length > 0 ? [`${what} in ${files}`] : [];
  });
}

/** A passage of some length, with secret `number` in it. */
function textWith(number: number): string {
  return `The pump in the cellar makes ${secretWord(number)} noise when ${
    "the water is high and ".repeat(20)
  }it rains.`;
}

interface Filled {
  /** The number of a secret in what is to be forgotten, and of one in what stays. */
  readonly gone: readonly number[];
  readonly stays: readonly number[];
}

/** Fills a memory with learned passages and exchanges, vectors for all; many, so that the index has some depth. */
async function fill(table: MemoryTable): Promise<void> {
  const many = (first: number, count: number) =>
    Array.from({ length: count }, (_, index) => `# Part ${index}\n\n${textWith(first + index)}\n`).join("\n");
  await teach(table, "gone.md", many(0, 120));
  await teach(table, "stays.md", many(1000, 120));
  for (let index = 0; index < 40; index++) {
    addExchange(table, { conversation_id: "gone", user_id: "luis", text: textWith(2000 + index), at_ms: 1 });
    addExchange(table, { conversation_id: "stays", user_id: "luis", text: textWith(3000 + index), at_ms: 1 });
    addExchange(table, { conversation_id: "mixed", user_id: "ana", text: textWith(4000 + index), at_ms: 1 });
  }
  const wanting = table.vectors.missing(-1, 0, 1000).passages;
  const numbers = new Map(Array.from({ length: 5000 }, (_, number) => [secretWord(number), number]));
  giveVectors(
    table,
    "fake/model",
    new Map(wanting.map(({ id, text }) => {
      const word = /zq\w+xk/.exec(text)?.[0] ?? assert.fail();
      return [id, vectorOf(numbers.get(word) ?? assert.fail())];
    })),
  );
}

const CASES: Record<string, { readonly what: Forgettable } & Filled> = {
  "a conversation": {
    what: { conversation_id: "gone" },
    gone: [2000, 2017, 2039],
    stays: [0, 1000, 3000, 4000],
  },
  "a person": { what: { user_id: "ana" }, gone: [4000, 4020, 4039], stays: [0, 1000, 2000, 3000] },
  "a source": { what: { source: "gone.md" }, gone: [0, 1, 60, 118, 119], stays: [1000, 1119, 2000, 4000] },
  everything: { what: { all: true }, gone: [0, 119, 1000, 1119, 2000, 3000, 4000, 4039], stays: [] },
};

async function assertErased({ table, folder }: TestTable, { what, gone, stays }: { what: Forgettable } & Filled) {
  for (const number of [...gone, ...stays]) {
    assert.equal(tracesIn(folder.database, number).length, 5, `nothing of ${number} is there to begin with`);
  }
  const before = table.stats();
  const forgotten = await table.forget(what);
  assert.equal(forgotten.erased, true);
  for (const number of gone) assert.deepEqual(tracesIn(folder.database, number), []);
  for (const number of stays) assert.equal(tracesIn(folder.database, number).length, 5, `${number} is gone too`);
  const after = table.stats();
  const passages = before.learned_passages + before.episodes - after.learned_passages - after.episodes;
  assert.deepEqual(forgotten, { passages, sources: before.sources - after.sources, erased: true });
  assert.equal(before.vectors - after.vectors, passages);
  assert.ok(passages >= gone.length);
}

for (const [name, example] of Object.entries(CASES)) {
  Deno.test(`MemoryTable.forget() of ${name} leaves no byte of it in the files`, async () => {
    await using made = await createTable();
    await fill(made.table);
    await assertErased(made, example);
  });

  Deno.test(`MemoryTable.forget() of ${name} leaves no byte while another program has the memory open`, async () => {
    await using made = await createTable();
    await fill(made.table);
    await using holder = startScript("storage/lock_holder.ts", { args: ["connection", made.folder.database] });
    assert.equal(await holder.line(), "held");
    await assertErased(made, example);
    await holder.tell("0");
    await holder.end();
  });
}

Deno.test("what was forgotten is found no more, what was not is found as before", async () => {
  await using made = await createTable();
  const { table } = made;
  await fill(table);
  const find = (number: number, conversation_id = "none") => {
    const realms = [LEARNED, { kind: "episodic" as const, conversation_id }];
    return sourcesFound(table, secretWord(number), { realms });
  };
  assert.deepEqual([find(60), find(1060), find(2010, "gone")], [["gone.md"], ["stays.md"], ["gone"]]);
  await table.forget({ source: "gone.md" });
  await table.forget({ conversation_id: "gone" });
  assert.deepEqual([find(60), find(1060), find(2010, "gone")], [[], ["stays.md"], []]);
  assert.deepEqual([find(3010, "stays"), find(4010, "mixed")], [["stays"], ["mixed"]]);
  assert.deepEqual(table.sources().map(({ name }) => name), ["stays.md"]);
  await teach(table, "gone.md", textWith(60));
  assert.deepEqual(find(60), ["gone.md"]); // it may be taught again
});

Deno.test("forgetting what is not there forgets nothing, whatever its name", async () => {
  await using made = await createTable();
  const { table } = made;
  await teach(table, "a.md", "text");
  addExchange(table, { conversation_id: "c1", user_id: null, text: "said", at_ms: 1 });
  for (const name of ["nobody", "", "%", "*", "null", "' OR 1=1 --", "\0", "A.md"]) {
    for (const what of [{ source: name }, { user_id: name }, { conversation_id: name }]) {
      assert.deepEqual(await table.forget(what), { passages: 0, sources: 0, erased: true });
    }
  }
  assert.deepEqual([table.stats().learned_passages, table.stats().episodes], [1, 1]);
});

Deno.test("MemoryTable.deletePassage() leaves no byte of it, and nothing else is missing", async () => {
  await using made = await createTable();
  const { table, folder } = made;
  await fill(table);
  for (const number of [0, 7, 64, 119]) {
    const [{ id } = { id: -1 }] = table.match(LEARNED, [{ stem: secretWord(number), prefix: false, forms: [] }], 1);
    assert.equal(await table.deletePassage(id), true);
    assert.deepEqual(tracesIn(folder.database, number), []);
    assert.equal(await table.deletePassage(id), false);
  }
  for (const number of [1, 8, 63, 118, 1000]) assert.equal(tracesIn(folder.database, number).length, 5);
  assert.equal(table.stats().learned_passages, 236);
});

Deno.test("MemoryTable.deletePassage() deletes no exchange, and a source with its last passage", async () => {
  await using made = await createTable();
  const { table } = made;
  const { added_ids: [id = 0] } = await teach(table, "a.md", "the only passage");
  addExchange(table, { conversation_id: "c1", user_id: null, text: "said", at_ms: 1 });
  for (const other of [id + 1, 0, -1, 99, 2 ** 53 - 1]) assert.equal(await table.deletePassage(other), false);
  assert.equal(table.stats().episodes, 1);
  assert.equal(await table.deletePassage(id), true);
  assert.deepEqual(table.sources(), []);
});

Deno.test("a document that has changed leaves no byte of what it said before", async () => {
  await using made = await createTable();
  const { table, folder } = made;
  await fill(table);
  await teach(table, "gone.md", `# Part 1\n\n${textWith(1)}\n\n# Part 500\n\n${textWith(500)}`);
  for (const number of [0, 2, 60, 119]) assert.deepEqual(tracesIn(folder.database, number), []);
  assert.deepEqual(textsOf(table, "gone.md"), [textWith(1), textWith(500)]);
  assert.equal(tracesIn(folder.database, 1).length, 5); // kept, with its vector
});

Deno.test("while another program reads, MemoryTable.forget() says that old bytes are left; later it erases them", async () => {
  await using made = await createTable();
  const { table, folder } = made;
  await fill(table);
  await using holder = startScript("storage/lock_holder.ts", { args: ["read", folder.database] });
  assert.equal(await holder.line(), "held");
  const forgotten = await table.forget({ conversation_id: "gone" });
  assert.deepEqual(forgotten, { passages: 40, sources: 0, erased: false });
  assert.deepEqual(
    sourcesFound(table, secretWord(2010), { realms: [{ kind: "episodic", conversation_id: "gone" }] }),
    [],
  );
  await holder.tell("0");
  await holder.end();
  assert.equal((await table.forget({ conversation_id: "gone" })).erased, true);
  for (const number of [2000, 2017, 2039]) assert.deepEqual(tracesIn(folder.database, number), []);
});

Deno.test("old bytes that could not be erased go when the memory is closed", async () => {
  await using folder = await createMemoryFolder();
  {
    using table = openMemoryTable(folder.database);
    await fill(table);
    await using holder = startScript("storage/lock_holder.ts", { args: ["read", folder.database] });
    assert.equal(await holder.line(), "held");
    assert.equal((await table.forget({ source: "gone.md" })).erased, false);
    await holder.tell("0");
    await holder.end();
  }
  for (const number of [0, 60, 119]) assert.deepEqual(tracesIn(folder.database, number), []);
});

Deno.test("what a program had forgotten when it was killed leaves no byte after the next one has opened the memory", async () => {
  await using folder = await createMemoryFolder();
  const many = Array.from({ length: 1200 }, (_, number) => `# Part\n\n${textWith(number)}`); // more than go at once
  {
    using table = openMemoryTable(folder.database);
    const { added_ids } = await teach(table, "gone.md", many.join("\n\n"));
    giveVectors(table, "fake/model", new Map(added_ids.map((id, number) => [id, vectorOf(number)])));
    await teach(table, "stays.md", textWith(5000));
  }
  await using forgetter = startScript("memory/forgetter.ts", { args: [folder.database, "gone.md"] });
  await forgetter.end();
  let left = new Set<string>();
  {
    using table = openMemoryTable(folder.database);
    left = new Set(textsOf(table, "gone.md"));
    assert.ok(left.size > 0 && left.size < many.length, `${left.size} are left`);
    const gone = many.flatMap((_, number) => left.has(textWith(number)) ? [] : [number]);
    for (const number of gone.filter((_, at) => at % 10 === 0)) assert.deepEqual(tracesIn(folder.database, number), []);
  }
  using table = openMemoryTable(folder.database);
  assert.deepEqual(sourcesFound(table, secretWord(5000)), ["stays.md"]);
  assert.equal((await table.forget({ source: "gone.md" })).passages, left.size); // and the rest goes as well
  for (let number = 0; number < many.length; number += 50) assert.deepEqual(tracesIn(folder.database, number), []);
});

Deno.test("a program that starts reading before MemoryTable.forget() is done and ends in time does not spoil it", async () => {
  await using made = await createTable();
  const { table, folder } = made;
  await fill(table);
  await using holder = startScript("storage/lock_holder.ts", { args: ["read", folder.database] });
  assert.equal(await holder.line(), "held");
  await holder.tell("300");
  assert.equal((await table.forget({ all: true })).erased, true);
  assert.deepEqual(tracesIn(folder.database, 1000), []);
  await holder.end();
});

Deno.test("what is forgotten makes the file smaller", async () => {
  await using made = await createTable();
  const { table, folder } = made;
  const empty = table.stats().file_bytes;
  await fill(table);
  await table.forget({ conversation_id: "nobody" }); // everything is in the file
  const before = Deno.statSync(folder.database).size;
  await table.forget({ all: true });
  const after = Deno.statSync(folder.database).size;
  assert.ok(before > 3 * empty, `${before} bytes before, ${after} after`);
  assert.deepEqual([after, table.stats().file_bytes], [empty, empty]);
});

Deno.test("after everything was forgotten the memory learns and finds as before", async () => {
  await using made = await createTable();
  const { table } = made;
  await fill(table);
  await table.forget({ all: true });
  await teach(table, "new.md", textWith(9));
  addExchange(table, { conversation_id: "c", user_id: null, text: textWith(10), at_ms: 1 });
  assert.deepEqual(sourcesFound(table, secretWord(9)), ["new.md"]);
  const realms = [{ kind: "episodic" as const, conversation_id: "c" }];
  assert.deepEqual(sourcesFound(table, secretWord(10), { realms }), ["c"]);
  await table.forget({ conversation_id: "c" }); // its index is cleared still
  assert.deepEqual(sourcesFound(table, secretWord(10), { realms }), []);
});
