import assert from "node:assert/strict";
import { basename, dirname } from "node:path";
import { fileNameOf, folderOf } from "../../src/core/path.ts";

Deno.test("fileNameOf() and folderOf() cut a path as node:path does", () => {
  const paths = [
    "a",
    "a.b",
    "./a",
    "a/b.c",
    "/a",
    "/a/b",
    "../a/b",
    "a/b/",
    "./data/egress.json",
    "/ñ/文 字.png",
    "a/a",
    ".",
  ];
  for (const path of paths) {
    assert.equal(fileNameOf(path), basename(path), path);
    assert.equal(folderOf(path), dirname(path), path);
  }
});
