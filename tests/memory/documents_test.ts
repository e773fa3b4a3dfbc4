import assert from "node:assert/strict";
import { relative } from "node:path";
import { findDocuments, MAX_DOCUMENT_BYTES, readDocument, type Unreadable } from "../../src/memory/documents.ts";
import { createFolder } from "../support/program.ts";
import { ROOT_FOLDER } from "../support/paths.ts";

const UNIX = Deno.build.os !== "windows";

/** What is found at a path, relative to `folder`; what cannot be learned as `path: problem`. */
async function found(folder: string, path = folder): Promise<string[]> {
  const all = await Array.fromAsync(findDocuments(path));
  return all.map((each) => {
    const name = relative(folder, each.path);
    return "problem" in each ? `${name}: ${each.problem}` : name;
  });
}

/** A folder with these files: text, bytes, or null for a folder. */
async function createTree(files: Readonly<Record<string, string | Uint8Array | null>>) {
  const folder = await createFolder();
  for (const [name, content] of Object.entries(files)) {
    const path = `${folder.path}/${name}`;
    await Deno.mkdir(content === null ? path : path.slice(0, path.lastIndexOf("/")), { recursive: true });
    if (content !== null) {
      await Deno.writeFile(path, typeof content === "string" ? new TextEncoder().encode(content) : content);
    }
  }
  return folder;
}

async function refusal(path: string): Promise<Unreadable> {
  const read = await readDocument(path);
  assert.ok("problem" in read, "it was read");
  assert.equal(read.path, path);
  assert.notEqual(read.remedy, "");
  return read;
}

async function textOf(path: string): Promise<string> {
  const read = await readDocument(path);
  assert.ok("text" in read, JSON.stringify(read));
  return read.text;
}

Deno.test("findDocuments() finds text files in a folder and below by name, and nothing else", async () => {
  await using folder = await createTree({
    "b.md": "x",
    "a.txt": "x",
    "C.MD": "x",
    "d.markdown": "x",
    "sub/deep/e.md": "x",
    "sub/a.md": "x",
    "picture.png": "x",
    "script.ts": "x",
    "md": "x",
    "empty": null,
    ".hidden.md": "x",
    ".git/notes.md": "x",
    "folder.md/inside.txt": "x",
  });
  assert.deepEqual(await found(folder.path), [
    "C.MD",
    "a.txt",
    "b.md",
    "d.markdown",
    "folder.md/inside.txt",
    "sub/a.md",
    "sub/deep/e.md",
  ]);
});

Deno.test("findDocuments() takes a file that is named itself, a hidden one too", async () => {
  await using folder = await createTree({ ".hidden.md": "x", "a.png": "x", ".notes/b.md": "x" });
  assert.deepEqual(await found(folder.path, `${folder.path}/.hidden.md`), [".hidden.md"]);
  assert.deepEqual(await found(folder.path, `${folder.path}/.notes`), [".notes/b.md"]);
  const [refused = ""] = await found(folder.path, `${folder.path}/a.png`);
  assert.match(refused, /^a\.png: .*\.md, \.markdown, \.txt/);
});

Deno.test("findDocuments() says that there is nothing at a path, and finds nothing in an empty folder", async () => {
  await using folder = await createFolder();
  assert.deepEqual(await found(folder.path), []);
  assert.match((await found(folder.path, `${folder.path}/no.md`)).join(), /^no\.md: There is no such file/);
  assert.equal((await found(folder.path, "")).length, 1);
  assert.match((await found(folder.path, `${folder.path}/a\0b.md`)).join(), /: /);
});

Deno.test("findDocuments() follows links within the folder, each folder once, and none that leads out of it", {
  ignore: !UNIX,
}, async () => {
  await using folder = await createTree({
    "real/a.md": "x",
    "elsewhere/b.md": "x",
    "notes/c.md": "x",
    "notes/deep/d.md": "x",
  });
  const link = (target: string, name: string) => Deno.symlink(target, `${folder.path}/notes/${name}`);
  await link("deep/d.md", "inside.md");
  await link("../elsewhere", "linked");
  await link("../real/a.md", "linked.md");
  await link("..", "up"); // a folder above
  await link(".", "self");
  await link("loop.md", "loop.md");
  await link("loop", "loop"); // no text by its name
  await link("nowhere.md", "broken.md");
  const all = await found(folder.path, `${folder.path}/notes`);
  assert.deepEqual(all.map((each) => each.replace(/:.*/, "")).toSorted(), [
    "notes/broken.md",
    "notes/c.md",
    "notes/deep/d.md",
    "notes/inside.md",
    "notes/linked",
    "notes/linked.md",
    "notes/loop.md",
    "notes/up",
  ]);
  const out = all.filter((each) => each.includes("leads out of the folder")).map((each) => each.replace(/:.*/, ""));
  assert.deepEqual(out.toSorted(), ["notes/linked", "notes/linked.md", "notes/up"]);
  const problems = all.filter((each) => each.includes(":"));
  assert.match(problems.join("\n"), /broken\.md: There is no such file[^]*loop\.md: It is a link that leads back/);
});

Deno.test("a loop of links named itself is told", { ignore: !UNIX }, async () => {
  await using folder = await createFolder();
  await Deno.symlink("b.md", `${folder.path}/a.md`);
  await Deno.symlink("a.md", `${folder.path}/b.md`);
  assert.match((await found(folder.path, `${folder.path}/a.md`)).join(), /leads back to itself/);
});

Deno.test("a named pipe is refused and not waited for", { ignore: !UNIX }, async () => {
  await using folder = await createTree({ "a.md": "x" });
  const { success } = await new Deno.Command("mkfifo", { args: [`${folder.path}/pipe.md`] }).output();
  assert.ok(success);
  assert.deepEqual(await found(folder.path), ["a.md", "pipe.md: It is not a regular file"]);
  assert.deepEqual(await found(folder.path, `${folder.path}/pipe.md`), ["pipe.md: It is not a regular file"]);
});

Deno.test("a file that is too large is refused before it is read, one of just that size is not", async () => {
  await using folder = await createTree({ "large.md": "", "fits.md": "" });
  await Deno.truncate(`${folder.path}/large.md`, MAX_DOCUMENT_BYTES + 1);
  await Deno.truncate(`${folder.path}/fits.md`, MAX_DOCUMENT_BYTES);
  const [fits, large] = await found(folder.path);
  assert.equal(fits, "fits.md");
  assert.match(large ?? "", /^large\.md: It has .*is the most/);
});

Deno.test("readDocument() gives text, name and date of a file", async () => {
  await using folder = await createTree({ "a.md": "# Canción\n🙂" });
  const path = `${folder.path}/a.md`;
  await Deno.utime(path, 1000, new Date("2020-02-03T04:05:06Z"));
  assert.deepEqual(await readDocument(path), {
    name: path,
    text: "# Canción\n🙂",
    atMs: Date.UTC(2020, 1, 3, 4, 5, 6),
  });
});

Deno.test("readDocument() calls a file below the current folder by its short name, however it is given", async () => {
  const names = ["README.md", "./README.md", `${ROOT_FOLDER}README.md`, "src/../README.md"];
  for (const name of names) {
    const read = await readDocument(`${name}`);
    assert.equal("name" in read ? read.name : read.problem, "README.md");
  }
});

Deno.test("readDocument() leaves out a byte order mark", async () => {
  await using folder = await createTree({ "a.md": "\ufeff# Heading\ntext" });
  assert.equal(await textOf(`${folder.path}/a.md`), "# Heading\ntext");
});

Deno.test("readDocument() refuses what is no UTF-8 text", async (t) => {
  const contents = {
    "NUL bytes": [0x61, 0, 0x62],
    "nothing but NUL bytes": new Array(1000).fill(0),
    "Latin-1": [0x63, 0x61, 0x6e, 0x63, 0x69, 0xf3, 0x6e],
    "UTF-16": [0xff, 0xfe, 0x61, 0, 0x62, 0],
    "half a letter at the end": [0x61, 0xc3],
    "a surrogate": [0xed, 0xa0, 0x80],
    "an overlong form": [0xc0, 0xaf],
  };
  await using folder = await createFolder();
  for (const [name, bytes] of Object.entries(contents)) {
    await t.step(name, async () => {
      const path = `${folder.path}/a.md`;
      await Deno.writeFile(path, Uint8Array.from(bytes));
      assert.match((await refusal(path)).problem, /not text|not UTF-8/);
    });
  }
});

Deno.test("readDocument() tells of a file that is gone meanwhile, and of a folder", async () => {
  await using folder = await createFolder();
  assert.match((await refusal(`${folder.path}/a.md`)).problem, /no such file/);
  await refusal(folder.path);
});

Deno.test("a file that fails to be read is told", { ignore: Deno.build.os !== "linux" }, async () => {
  // Its memory, of which nothing lies at address 0: reading it fails for everybody.
  assert.match((await refusal("/proc/self/mem")).problem, /cannot be read/);
});

Deno.test({
  name: "what the sandbox does not allow is told with what would allow it",
  permissions: { read: [`${ROOT_FOLDER}src`] },
  async fn() {
    const [refused] = await Array.fromAsync(findDocuments(`${ROOT_FOLDER}README.md`));
    assert.ok(refused && "problem" in refused);
    assert.match(refused.problem, /sandbox/);
    assert.match(refused.remedy, /README\.md" to permissions\.default\.read/);
    const [folder] = await Array.fromAsync(findDocuments(ROOT_FOLDER));
    assert.ok(folder && "problem" in folder);
    assert.match(folder.problem, /sandbox/);
    assert.match((await refusal(`${ROOT_FOLDER}README.md`)).problem, /sandbox/);
    const allowed = await Array.fromAsync(findDocuments(`${ROOT_FOLDER}src/README.md`));
    assert.deepEqual(allowed, [{ path: `${ROOT_FOLDER}src/README.md` }]);
  },
});
