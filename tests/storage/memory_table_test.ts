import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { DatabaseSync } from "node:sqlite";
import fc from "fast-check";
import type { Marks, Realm, Term } from "../../src/storage/memory.ts";
import { MEMORY_ID, MEMORY_MIGRATIONS } from "../../src/storage/memory_schema.ts";
import type { MemoryTable } from "../../src/storage/memory_table.ts";
import { scopeOf } from "../../src/storage/scope.ts";
import { openDatabase, queryValue, StorageError } from "../../src/storage/sqlite.ts";
import {
  addExchange,
  createMemoryFolder,
  createTable,
  giveVectors,
  LEARNED,
  openMemoryTable,
} from "../support/memory_store.ts";

function add(table: MemoryTable, name: string, texts: readonly string[], atMs = 5): readonly number[] {
  const passages = texts.map((text) => ({ heading: "", text, hash: text }));
  return table.addPassages(table.beginSource(name), passages, atMs);
}

function conversation(conversation_id: string): Realm {
  return { kind: "episodic", conversation_id };
}

function say(table: MemoryTable, conversation_id: string, text: string, user_id: string | null = null): void {
  addExchange(table, { conversation_id, user_id, text, at_ms: 7 });
}

function word(stem: string, prefix = false): Term {
  return { stem, prefix, forms: [] };
}

function textsWith(table: MemoryTable, realm: Realm, ...terms: Term[]): string[] {
  const ids = table.match(realm, terms, 100).map(({ id }) => id);
  const passages = table.passages(ids);
  return ids.map((id) => passages.get(id)?.text ?? assert.fail("a passage that was found is not there"));
}

/** What a file's schema is made of, without the blanks between. */
function schemaHash(path: string): string {
  const db = new DatabaseSync(path);
  try {
    const rows = db.prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name").all();
    const text = JSON.stringify(rows.map((row) => Object.values(row))).replace(/(\\n|\s)+/g, " ");
    return createHash("sha256").update(text).digest("hex");
  } finally {
    db.close();
  }
}

Deno.test("the first released step of the memory stays as it is: files that have seen it are out there", async () => {
  await using folder = await createMemoryFolder();
  const path = folder.database;
  openDatabase({
    path,
    busyTimeoutMs: 0,
    onSetAside: assert.fail,
    migrations: MEMORY_MIGRATIONS.slice(0, 1),
    applicationId: MEMORY_ID,
  }).close();
  assert.equal(schemaHash(path), "75a484039ececb26944eaca8c29641b329f0329b2e6397d2f9a7fb212eaefd43");
  const db = new DatabaseSync(path);
  try {
    const pragmas = ["user_version", "application_id", "auto_vacuum"].map((name) => queryValue(db, `PRAGMA ${name}`));
    assert.deepEqual(pragmas, [1, 0x646a676d, 2]);
    for (const index of ["learned_fts", "episodes_fts"]) {
      assert.equal(queryValue(db, `SELECT v FROM ${index}_config WHERE k = 'secure-delete'`), 1);
    }
    assert.equal(queryValue(db, "SELECT deletions || '.' || forgotten || '.' || untidy FROM marks"), "0.0.0");
  } finally {
    db.close();
  }
});

Deno.test("a memory that is opened again holds what it held", async () => {
  await using folder = await createMemoryFolder();
  {
    using table = openMemoryTable(folder.database);
    add(table, "notes.md", ["the boiler wants 1.3 bar"]);
    say(table, "c1", "we spoke of the boiler", "ana");
  }
  using table = openMemoryTable(folder.database);
  assert.deepEqual(textsWith(table, LEARNED, word("boiler")), ["the boiler wants 1.3 bar"]);
  assert.deepEqual(textsWith(table, conversation("c1"), word("boiler")), ["we spoke of the boiler"]);
  assert.deepEqual(table.sources().map(({ name, hash }) => [name, hash]), [["notes.md", null]]);
});

Deno.test("the memory's file is for its owner alone", { ignore: Deno.build.os === "windows" }, async () => {
  await using folder = await createMemoryFolder();
  using table = openMemoryTable(folder.database);
  add(table, "a", ["x"]);
  for (const { name } of Deno.readDirSync(folder.path)) {
    assert.equal((Deno.statSync(`${folder.path}/${name}`).mode ?? 0) & 0o077, 0, name);
  }
});

Deno.test("another program's database and a folder in its place are refused as they are", async () => {
  await using folder = await createMemoryFolder();
  const db = new DatabaseSync(folder.database);
  db.exec("CREATE TABLE letters (text TEXT)");
  db.close();
  const before = Deno.readFileSync(folder.database);
  assert.throws(() => openMemoryTable(folder.database), (error) => {
    return error instanceof StorageError && error.problem === "foreign";
  });
  assert.deepEqual(Deno.readFileSync(folder.database), before);
  Deno.mkdirSync(`${folder.path}/folder.db`);
  assert.throws(() => openMemoryTable(`${folder.path}/folder.db`), StorageError);
});

Deno.test("a damaged memory is set aside and a new one begun", async () => {
  await using folder = await createMemoryFolder();
  Deno.writeTextFileSync(folder.database, "no database at all ".repeat(1000));
  const asides: string[] = [];
  using table = openMemoryTable(folder.database, { onSetAside: (aside) => asides.push(aside) });
  assert.equal(table.stats().learned_passages, 0);
  assert.equal(asides.length, 1);
  assert.match(Deno.readTextFileSync(asides[0] ?? ""), /^no database at all/);
});

Deno.test("MemoryTable.match() finds whole words and beginnings, whatever their diacritics and capitals", async () => {
  await using made = await createTable();
  const { table } = made;
  add(table, "a", ["La CANCIÓN del verano", "una cancion vieja", "cancio\u0301n", "cancionero", "solo"]);
  assert.deepEqual(
    textsWith(table, LEARNED, word("cancion")).toSorted(),
    [
      "La CANCIÓN del verano",
      "cancio\u0301n",
      "una cancion vieja",
    ].toSorted(),
  );
  assert.equal(textsWith(table, LEARNED, word("cancion", true)).length, 4);
  assert.equal(table.count(LEARNED, word("cancion"), 99), 3);
  assert.equal(table.count(LEARNED, word("cancion", true), 99), 4);
  assert.deepEqual(textsWith(table, LEARNED, word("nothing")), []);
  assert.deepEqual(table.match(LEARNED, [], 10), []);
});

Deno.test("MemoryTable.match() gives the best first: rarer words, then words of a heading", async () => {
  await using made = await createTable();
  const { table } = made;
  const source = table.beginSource("a");
  table.addPassages(source, [
    { heading: "", text: "the garden has roses and lilies", hash: "1" },
    { heading: "Tools", text: "the garden has roses and a shed", hash: "2" },
    { heading: "Shed", text: "the garden has roses and a gate", hash: "3" },
    { heading: "", text: "the garden has roses and a pond with a pump", hash: "4" },
  ], 1);
  const [first, second] = textsWith(table, LEARNED, word("garden"), word("shed"));
  assert.deepEqual([first, second], ["the garden has roses and a gate", "the garden has roses and a shed"]);
  const scores = table.match(LEARNED, [word("garden"), word("shed")], 100).map(({ score }) => score);
  assert.deepEqual(scores, scores.toSorted((one, other) => other - one));
  assert.equal(table.match(LEARNED, [word("garden")], 2).length, 2);
});

Deno.test("FTS5 keywords and operators as words are only words", async () => {
  await using made = await createTable();
  const { table } = made;
  add(table, "a", ["NEAR the sea AND not OR far", "nothing of it"]);
  for (const stem of ["near", "and", "not", "or", "NEAR", "AND"]) {
    assert.equal(textsWith(table, LEARNED, word(stem), word("sea")).length, 1, stem);
  }
});

Deno.test("an exchange is found from its own conversation only", async () => {
  await using made = await createTable();
  const { table } = made;
  say(table, "c1", "the code of the safe is swordfish");
  say(table, "c2", "the safe is in the cellar");
  add(table, "safe.md", ["a safe protects"]);
  assert.deepEqual(textsWith(table, conversation("c1"), word("safe")), ["the code of the safe is swordfish"]);
  assert.deepEqual(textsWith(table, conversation("c2"), word("safe"), word("swordfish")), [
    "the safe is in the cellar",
  ]);
  assert.equal(table.count(conversation("c2"), word("swordfish"), 99), 0);
  assert.deepEqual(textsWith(table, LEARNED, word("safe")), ["a safe protects"]);
});

Deno.test("no name of a conversation leads into another one", async () => {
  await using made = await createTable();
  const { table } = made;
  const names = ["", "c", "C", " c", "c ", "c1", "*", '"', "scope", "c OR c1", scopeOf(conversation("c")), "é", "e"];
  for (const name of names) say(table, name, `secret of ${JSON.stringify(name)}`);
  for (const name of names) {
    assert.deepEqual(textsWith(table, conversation(name), word("secret")), [`secret of ${JSON.stringify(name)}`]);
  }
  assert.deepEqual(textsWith(table, conversation("c2"), word("secret")), []);
});

Deno.test("the word that stands for a conversation is never found as something that was said", async () => {
  await using made = await createTable();
  const { table } = made;
  say(table, "c1", "hello");
  assert.deepEqual(textsWith(table, conversation("c1"), word(scopeOf(conversation("c1")))), []);
  say(table, "c2", `I know ${scopeOf(conversation("c1"))} and hello`);
  assert.deepEqual(textsWith(table, conversation("c1"), word("hello")), ["hello"]);
});

Deno.test("letters that SQLite does not take for letters find nothing", async () => {
  await using made = await createTable();
  const { table } = made;
  say(table, "c1", "hello");
  add(table, "a", ["hello"]);
  for (const stem of ["𞤀𞤁", "𑄃", "🄰"]) {
    for (const prefix of [true, false]) {
      assert.deepEqual(textsWith(table, conversation("c1"), word(stem, prefix)), []);
      assert.deepEqual(textsWith(table, LEARNED, word(stem, prefix)), []);
    }
  }
});

Deno.test("any text comes back as it was", async () => {
  await using made = await createTable();
  const { table } = made;
  const source = table.beginSource("any");
  let count = 0;
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 100 }), (any) => {
    const text = any.replaceAll("\0", ""); // see the next test
    const [id = 0] = table.addPassages(source, [{ heading: text, text, hash: `${count++}` }], 3);
    const found = table.passages([id]).get(id);
    assert.deepEqual(found, { id, kind: "learned_knowledge", source: "any", heading: text, text, at_ms: 3 });
  }));
});

Deno.test("what follows a NUL is not lost", async () => {
  await using made = await createTable();
  const { table } = made;
  say(table, "c1", "before\0after");
  assert.match(textsWith(table, conversation("c1"), word("after")).join(), /before.?after/s);
});

Deno.test("MemoryTable.passages() knows of what each passage is, and leaves out what is not there", async () => {
  await using made = await createTable();
  const { table } = made;
  const [id = 0] = add(table, "notes.md", ["text"], 11);
  say(table, "c1", "said");
  const found = table.passages([id, id + 1, 99, -1]);
  assert.deepEqual([...found.values()].map(({ kind, source, text, at_ms }) => [kind, source, text, at_ms]), [
    ["learned_knowledge", "notes.md", "text", 11],
    ["episodic", "c1", "said", 7],
  ]);
  assert.equal(table.passages([]).size, 0);
});

Deno.test("ids never repeat, even when everything was forgotten", async () => {
  await using made = await createTable();
  const { table } = made;
  const before = add(table, "a", ["one", "two"]);
  await table.forget({ all: true });
  const after = add(table, "a", ["three"]);
  assert.ok(Math.min(...after) > Math.max(...before));
});

Deno.test("MemoryTable.revision differs after every change, another connection's too", async () => {
  await using made = await createTable();
  const { table, folder } = made;
  using other = openMemoryTable(folder.database);
  const seen = new Set<string>([table.revision]);
  const changes = [
    () => add(table, "a", ["x"]),
    () => say(other, "c1", "y"),
    () => giveVectors(other, "m", new Map([[1, [1, 2]]])),
    () => other.forget({ conversation_id: "c1" }),
    () => table.deletePassage(1),
  ];
  for (const change of changes) {
    await change();
    assert.ok(!seen.has(table.revision), `${change}`);
    seen.add(table.revision);
    assert.ok(seen.has(table.revision), "it changes by itself");
  }
});

Deno.test("MemoryTable.marks tells every connection what was deleted and what a person wanted forgotten", async () => {
  await using made = await createTable();
  const { table, folder } = made;
  using other = openMemoryTable(folder.database);
  add(table, "a", ["x", "y"]);
  say(table, "c1", "said", "ana");
  assert.deepEqual(other.marks, { deletions: 0, forgotten: 0 });
  const changes: [change: () => Promise<unknown>, forgotten: number][] = [
    [() => table.deletePassage(1), 0],
    [() => table.forget({ user_id: "ana" }), 1],
    [() => table.forget({ source: "a" }), 1], // what was learned is in nobody's conversation
    [() => table.forget({ conversation_id: "nobody" }), 2], // it may be going on, and not be kept yet
    [() => other.forget({ all: true }), 3],
  ];
  for (const [change, forgotten] of changes) {
    const before: Marks = other.marks;
    await change();
    assert.deepEqual(other.marks, table.marks);
    assert.ok(other.marks.deletions > before.deletions, `${change}`);
    assert.equal(other.marks.forgotten, forgotten, `${change}`);
  }
});

Deno.test("MemoryTable.stats() counts what there is", async () => {
  await using made = await createTable();
  const { table } = made;
  const empty = table.stats();
  assert.deepEqual({ ...empty, file_bytes: 0 }, {
    sources: 0,
    learned_passages: 0,
    episodes: 0,
    vectors: 0,
    file_bytes: 0,
  });
  const ids = add(table, "a", ["x", "y", "z"]);
  say(table, "c1", "said");
  giveVectors(table, "m", new Map(ids.slice(0, 2).map((id) => [id, [1, -1]])));
  const { sources, learned_passages, episodes, vectors, file_bytes } = table.stats();
  assert.deepEqual([sources, learned_passages, episodes, vectors], [1, 3, 1, 2]);
  assert.ok(file_bytes >= empty.file_bytes);
  assert.deepEqual([table.size("learned_knowledge"), table.size("episodic")], [3, 1]);
});

Deno.test("a passage that is there already is not added to its source twice, whoever adds it", async () => {
  await using made = await createTable();
  const { table, folder } = made;
  using other = openMemoryTable(folder.database);
  add(table, "a", ["x"]);
  const source = other.beginSource("a");
  other.addPassages(source, ["x", "y"].map((text) => ({ heading: "", text, hash: text })), 1);
  assert.deepEqual([...table.hashesOf(source).keys()].toSorted(), ["x", "y"]);
});
