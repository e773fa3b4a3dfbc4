import assert from "node:assert/strict";
import { projectPath } from "../support/paths.ts";
import { createFolder } from "../support/program.ts";
import { readOptions, requireFolder } from "./options.ts";
import { PARTS } from "./parts.ts";

const KNOWN = ["router", "start-up"];

/** `deno task bench` with these words. */
async function bench(...args: string[]) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-q",
      "--no-check",
      "-A",
      "--no-prompt",
      "--cached-only",
      projectPath("tests/bench/bench.ts"),
      ...args,
    ],
    env: { DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1" },
  }).output();
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, out: decode(stdout), err: decode(stderr) };
}

Deno.test("readOptions() takes parts as a list or one by one, and nothing for all", () => {
  const all = { parts: [], json: undefined, compare: undefined };
  assert.deepEqual(readOptions([], KNOWN), all);
  assert.deepEqual(readOptions(["--part", "router, start-up"], KNOWN).parts, KNOWN);
  assert.deepEqual(readOptions(["--part=router", "--part", "start-up"], KNOWN).parts, KNOWN);
  assert.deepEqual(readOptions(["--json", "a", "--compare=b"], KNOWN), { ...all, json: "a", compare: "b" });
  assert.throws(() => readOptions(["--json", "a", "--compare=a"], KNOWN), { message: /write over/, exitCode: 64 });
});

Deno.test("readOptions() refuses what it does not know, with what there is instead", () => {
  for (
    const [args, message] of [
      [["--parts", "router"], /^unknown option '--parts'$/],
      [["router"], /^unexpected argument 'router'$/],
      [["--json"], /^option '--json <value>' argument missing$/],
      [["--json", "--compare", "x"], /^option '--json' argument is ambiguous$/],
      [["--json="], /'--json' needs the name of a file/],
      [["--compare", ""], /'--compare' needs the name of a file/],
      [["--part", "ruter"], /knows no part "ruter"\. Did you mean "router"\?/],
      [["--part", "router,"], /knows no part ""/],
    ] as const
  ) {
    assert.throws(() => readOptions(args, KNOWN), { message, exitCode: 64 });
  }
});

Deno.test("requireFolder() wants a folder that is there and a file that is none, and writes nothing", async () => {
  await using folder = await createFolder();
  const { path } = folder;
  await assert.rejects(requireFolder(`${path}/nowhere/a.json`), /there is no folder/);
  await assert.rejects(requireFolder(`${path}/nowhere/`), /there is no folder .*nowhere$/);
  for (const there of [path, `${path}/`, "."]) await assert.rejects(requireFolder(there), /it is a folder/);
  await requireFolder("a.json");
  await requireFolder(`${path}/a.json`);
  assert.deepEqual([...Deno.readDirSync(path)], []);
});

Deno.test("bench says what is wrong before it measures anything, with exit code 64", async () => {
  await using folder = await createFolder();
  const { path } = folder;
  await Deno.writeTextFile(`${path}/text`, "no report");
  await Deno.writeTextFile(`${path}/other.json`, `{"machine": "2 processors"}`);
  for (
    const [args, message] of [
      [["--compare", `${path}/nowhere.json`], /there is no such file → `deno task bench --json FILE` writes one/],
      [["--compare", `${path}/text`], /text: it is not JSON/],
      [["--compare", `${path}/other.json`], /other\.json: it is not a report of this benchmark \(at: /],
      [["--compare", path], /cannot compare with /],
      [["--json", `${path}/nowhere/a.json`], /cannot write the report to .*there is no folder/],
      [["--part", "nothing"], /The parts are router, accounting, api, chat, poster, bot, start-up, page\./],
    ] as const
  ) {
    const { code, out, err } = await bench("--part", "poster", ...args); // the quickest, should it measure after all
    assert.match(err, message);
    assert.match(err, /^error: .*\n$/, "one line, no stack");
    assert.deepEqual([code, out], [64, ""]);
  }
});

Deno.test("bench --help names every part and option", async () => {
  const { code, out } = await bench("--help", "--part", "router");
  assert.equal(code, 0);
  for (const word of [...Object.keys(PARTS), "--part", "--json", "--compare", "--help"]) assert.ok(out.includes(word));
});
