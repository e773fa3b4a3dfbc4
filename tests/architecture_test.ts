import assert from "node:assert/strict";
import {
  findConcreteImports,
  findCycles,
  findEagerSdks,
  findRankViolations,
  findStraySdks,
  findSupportImports,
  findUnknownPlaces,
} from "./support/architecture.ts";
import {
  type Dependency,
  listFiles,
  loadModuleGraph,
  type ModuleGraph,
  parseModuleGraph,
} from "./support/module_graph.ts";
import {
  countLines,
  findForbiddenCode,
  findLongFile,
  findLongFunctions,
  findMachineNames,
  findSuppressions,
} from "./support/source_rules.ts";

const ROOT = new URL("../", import.meta.url);
const MAX_MAIN_LINES = 39;

async function readSources(files: readonly string[]): Promise<[string, string][]> {
  return await Promise.all(
    files.map(async (file): Promise<[string, string]> => [file, await Deno.readTextFile(new URL(file, ROOT))]),
  );
}

async function listCode(folder: string): Promise<string[]> {
  return (await listFiles(ROOT, folder)).filter((file) => file.endsWith(".ts"));
}

/** Everything in the project's folder but what git ignores, as far as it is text. */
async function readProjectTexts(): Promise<[string, string][]> {
  const ignored = (await Deno.readTextFile(new URL(".gitignore", ROOT))).split("\n").map((line) =>
    line.replace(/\/$/, "")
  );
  const files = await listFiles(ROOT, "", new Set([".git", ...ignored.filter((line) => line !== "")]));
  return (await readSources(files)).filter(([, text]) => !text.includes("\0"));
}

Deno.test("the program keeps the layout's import rules", async (t) => {
  const files = await listFiles(ROOT, "src/");
  const graph = await loadModuleGraph(["main.ts", ...files.filter((file) => file.endsWith(".ts"))], ROOT);
  const expectNone = (name: string, violations: string[]) => t.step(name, () => assert.deepEqual(violations, []));
  await t.step("the graph knows the whole program", () => {
    assert.ok(graph.has("main.ts"));
    assert.deepEqual(files.filter((file) => file.endsWith(".ts") && !graph.has(file)), []);
  });
  await expectNone("every file lies in a known room", findUnknownPlaces(files));
  await expectNone("every import goes to the own room or to a lower rank", findRankViolations(graph));
  await expectNone("no import cycles", findCycles(graph));
  await expectNone(
    "only the composition roots name concrete providers, stores and the bot",
    findConcreteImports(graph),
  );
  await expectNone("only src/providers and src/discord name the SDKs of services", findStraySdks(graph));
  await expectNone("no static import leads to an SDK that is loaded on demand", findEagerSdks(graph));
});

Deno.test("what the tests share imports none of them", async () => {
  const graph = await loadModuleGraph(await listCode("tests/support/"), ROOT);
  assert.ok(graph.has("tests/support/rig.ts"));
  assert.deepEqual(findSupportImports(graph), []);
});

Deno.test("the program's source keeps the layout's code rules", async () => {
  const sources = await readSources(["main.ts", ...await listCode("src/")]);
  const violations = sources.flatMap((source) => [...findForbiddenCode(...source), ...findSuppressions(...source)]);
  assert.deepEqual(violations, []);
});

Deno.test("files and functions stay short", async () => {
  const sources = await readSources(["main.ts", ...await listCode("src/"), ...await listCode("tests/")]);
  assert.deepEqual(sources.flatMap((source) => [...findLongFile(...source), ...findLongFunctions(...source)]), []);
  const main = await Deno.readTextFile(new URL("main.ts", ROOT));
  assert.deepEqual(findLongFile("main.ts", main, MAX_MAIN_LINES), []);
});

Deno.test("no file names a machine's folder or a package registry", async () => {
  const texts = await readProjectTexts();
  assert.ok(texts.some(([path]) => path === "deno.json") && texts.some(([path]) => path === ".ci/run"));
  assert.deepEqual(texts.flatMap(([path, text]) => findMachineNames(path, text)), []);
});

Deno.test("deno.lock names no host", async () => {
  assert.doesNotMatch(await Deno.readTextFile(new URL("deno.lock", ROOT)), /:\/\//);
});

// The rules themselves: each is shown a small program that breaks it.

/** A graph in short: `type x` is an import of types alone, `lazy x` an import(), a bare path a static import. */
function graphOf(modules: Record<string, string[]>): ModuleGraph {
  const read = (text: string): Dependency => {
    const [prefix, target] = text.includes(" ") ? text.split(" ", 2) : ["", text];
    return { target: target ?? "", kind: prefix === "type" ? "type" : prefix === "lazy" ? "dynamic" : "static" };
  };
  return new Map(Object.entries(modules).map(([path, targets]) => [path, targets.map(read)]));
}

Deno.test("parseModuleGraph() tells static, dynamic and type-only imports apart", () => {
  const root = new URL("file:///p%20q/");
  const modules = [
    {
      specifier: "file:///p%20q/src/a.ts",
      dependencies: [
        { code: { specifier: "file:///p%20q/src/b.ts" }, type: { specifier: "file:///p%20q/src/b.d.ts" } },
        { code: { specifier: "npm:@google/genai@3.1.0/web" }, isDynamic: true },
        { type: { specifier: "npm:/zod@4.6.7" } },
        { code: { specifier: "node:fs" } },
        {},
      ],
    },
    { specifier: "npm:/zod@4.6.7" },
    { specifier: "file:///elsewhere/x.ts" },
  ];
  assert.deepEqual(
    [...parseModuleGraph({ modules }, root)],
    [...graphOf({ "src/a.ts": ["src/b.ts", "lazy npm:@google/genai", "type npm:zod", "node:fs"] })],
  );
});

Deno.test("parseModuleGraph() refuses a graph with a module that could not be loaded", () => {
  const modules = [{ specifier: "file:///p/src/a.ts", error: "not found" }];
  assert.throws(() => parseModuleGraph({ modules }, new URL("file:///p/")), /Cannot load .*a\.ts: not found/);
});

Deno.test("loadModuleGraph() sees files that nothing imports, dynamic imports and types", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const root = new URL(`file://${folder}/`);
    const write = (name: string, text: string) => Deno.writeTextFile(new URL(name, root), text);
    await write("deno.json", "{}");
    await write(
      "lonely.ts",
      `import type { B } from "./b.ts"; export const load = () => import("./c.ts"); export type D = B;`,
    );
    await write("b.ts", "export type B = 1;");
    await write("c.ts", `export * from "./d.ts";`);
    await write("d.ts", "export const d = 1;");
    const graph = await loadModuleGraph(["lonely.ts"], root);
    assert.deepEqual(graph.get("lonely.ts"), graphOf({ a: ["type b.ts", "lazy c.ts"] }).get("a"));
    assert.deepEqual(graph.get("c.ts"), graphOf({ a: ["d.ts"] }).get("a"));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("findUnknownPlaces() refuses a new folder and stray code in src, and lets documents pass", () => {
  const files = [
    "src/README.md",
    "src/app.ts",
    "src/compile.ts",
    "src/http/dashboard/page.ts",
    "main.ts",
    "tests/x.ts",
  ];
  assert.deepEqual(findUnknownPlaces(files), []);
  assert.equal(findUnknownPlaces([...files, "src/helpers/text.ts", "src/utils.ts", "src/misc/note.md"]).length, 3);
});

Deno.test("findRankViolations() refuses upward, sideways and outward imports of every kind", () => {
  const good = {
    "main.ts": ["src/cli/commands.ts", "lazy src/app.ts"],
    "src/app.ts": ["src/cli/ask.ts", "src/core/log.ts", "npm:zod", "deno.json"],
    "src/http/dashboard/page.ts": ["src/http/app.ts", "node:fs"],
    "tests/a_test.ts": ["main.ts", "tests/support/b.ts"],
  };
  assert.deepEqual(findRankViolations(graphOf(good)), []);
  const bad = graphOf({
    "src/core/log.ts": ["lazy src/config/env.ts"],
    "src/http/app.ts": ["type src/discord/message.ts"],
    "src/app.ts": ["src/compile.ts", "main.ts"],
    "src/router/router.ts": ["tests/support/fake.ts", "https://example.com/x.ts"],
  });
  assert.deepEqual(findRankViolations(bad), [
    "src/core/log.ts (rank 0) imports src/config/env.ts (rank 1)",
    "src/http/app.ts (rank 4) imports src/discord/message.ts (rank 4)",
    "src/app.ts (rank 6) imports src/compile.ts (rank 6)",
    "src/app.ts (rank 6) imports main.ts (rank 7)",
    "src/router/router.ts imports tests/support/fake.ts, which is not part of the program",
    "src/router/router.ts imports https://example.com/x.ts, which is not part of the program",
  ]);
});

Deno.test("findSupportImports() refuses imports of other tests of every kind", () => {
  const bad = ["tests/bench/a.ts", "lazy tests/e2e/b.ts", "type tests/a_test.ts"];
  const good = ["tests/support/c.ts", "src/core/log.ts", "npm:ws", "deno.json"];
  const graph = graphOf({ "tests/support/x.ts": [...bad, ...good], "tests/soak/y.ts": bad });
  assert.deepEqual(findSupportImports(graph), [
    "tests/support/x.ts imports tests/bench/a.ts: what both need belongs into tests/support/",
    "tests/support/x.ts imports tests/e2e/b.ts: what both need belongs into tests/support/",
    "tests/support/x.ts imports tests/a_test.ts: what both need belongs into tests/support/",
  ]);
});

Deno.test("findCycles() follows static and dynamic imports, not types", () => {
  assert.deepEqual(findCycles(graphOf({ "a.ts": ["b.ts", "c.ts"], "b.ts": ["c.ts"], "c.ts": ["type a.ts"] })), []);
  assert.deepEqual(findCycles(graphOf({ "a.ts": ["b.ts"], "b.ts": ["c.ts"], "c.ts": ["lazy b.ts"] })), [
    "b.ts → c.ts → b.ts",
  ]);
  assert.deepEqual(findCycles(graphOf({ "a.ts": ["a.ts"] })), ["a.ts → a.ts"]);
});

Deno.test("findConcreteImports() allows the composition roots and the room itself", () => {
  const targets = ["src/providers/groq.ts", "lazy src/storage/sqlite.ts", "type src/discord/bot.ts"];
  assert.deepEqual(findConcreteImports(graphOf({ "src/app.ts": targets })), []);
  assert.deepEqual(findConcreteImports(graphOf({ "src/storage/usage.ts": ["src/storage/sqlite.ts"] })), []);
  assert.equal(findConcreteImports(graphOf({ "src/cli/serve.ts": targets, "main.ts": targets })).length, 6);
});

Deno.test("findStraySdks() keeps SDKs, even their types, in their rooms", () => {
  const sdks = ["npm:ollama", "type npm:groq-sdk", "lazy npm:@google/genai"];
  assert.deepEqual(findStraySdks(graphOf({ "src/providers/x.ts": sdks, "tests/x_test.ts": sdks })), []);
  assert.equal(findStraySdks(graphOf({ "src/app.ts": [...sdks, "npm:zod"] })).length, 3);
  const discord = ["npm:@discordeno/bot", "npm:ws"];
  assert.deepEqual(findStraySdks(graphOf({ "src/discord/x.ts": discord })), []);
  assert.deepEqual(findStraySdks(graphOf({ "src/discord/x.ts": sdks, "src/providers/x.ts": discord })).length, 5);
});

Deno.test("findEagerSdks() finds the static import that leads to a cloud SDK", () => {
  const providers = {
    "src/providers/groq.ts": ["npm:groq-sdk"],
    "src/providers/gemini.ts": ["lazy npm:@google/genai"],
  };
  const lazily = {
    ...providers,
    "src/app.ts": ["lazy src/providers/groq.ts", "src/providers/gemini.ts", "npm:ollama"],
  };
  assert.deepEqual(findEagerSdks(graphOf(lazily)), []);
  const eagerly = { ...providers, "src/app.ts": ["src/wire.ts"], "src/wire.ts": ["src/providers/groq.ts"] };
  assert.deepEqual(findEagerSdks(graphOf(eagerly)), [
    "src/app.ts imports src/wire.ts, which loads npm:groq-sdk: one of the two must be an import()",
    "src/wire.ts imports src/providers/groq.ts, which loads npm:groq-sdk: one of the two must be an import()",
  ]);
});

Deno.test("countLines() and findLongFile() count lines as an editor does", () => {
  assert.deepEqual(["a", "a\n", "a\nb", "a\nb\n"].map(countLines), [1, 1, 2, 2]);
  assert.deepEqual(findLongFile("a.ts", "x\n".repeat(400)), []);
  assert.deepEqual(findLongFile("a.ts", "x\n".repeat(401)), ["a.ts: 401 lines, allowed are 400"]);
});

Deno.test("findLongFunctions() measures every form of function, and nothing else", () => {
  const body = (lines: number) => `{\n${"  1;\n".repeat(lines - 2)}}`;
  const forms = (lines: number) => [
    `function f(): { a: "}" } ${body(lines)}`,
    `export const f = async () => ${body(lines)};`,
    `class A { m() ${body(lines)} }`,
    `class A { get #m() ${body(lines)} }`,
    `class A { constructor() ${body(lines)} }`,
    `const o = { *m() ${body(lines)} };`,
    `run(function () ${body(lines)});`,
  ];
  for (const source of forms(60)) assert.deepEqual(findLongFunctions("a.ts", source), [], source.slice(0, 40));
  for (const source of forms(61)) assert.equal(findLongFunctions("a.ts", source).length, 1, source.slice(0, 40));
  assert.deepEqual(findLongFunctions("a.ts", `class A {\n${"  a = 1;\n".repeat(100)}}\nif (x) ${body(100)}`), []);
});

Deno.test("findForbiddenCode() finds environment reads, console and computed imports in their wrong places", () => {
  const source = [
    `Deno.env.get("A");`,
    `globalThis.Deno["env"];`,
    `process.env.A;`,
    `const { env: e } = Deno;`,
    `console.log(1);`,
    "import(`./${name}.ts`);",
  ];
  for (const line of source) assert.equal(findForbiddenCode("src/router/a.ts", line).length, 1, line);
  const allowed =
    `// Deno.env and console.log\nconst text = "console.log(Deno.env)"; job.env; import("./a.ts"); Deno.args;`;
  assert.deepEqual(findForbiddenCode("src/router/a.ts", allowed), []);
  assert.deepEqual(findForbiddenCode("src/config/env.ts", source.slice(0, 4).join("\n")), []);
  assert.deepEqual(findForbiddenCode("src/cli/ask.ts", "console.log(1);"), []);
  assert.deepEqual(findForbiddenCode("src/core/log.ts", "console.error(1);"), []);
  assert.deepEqual(findForbiddenCode("src/a.ts", "1;\n\nconsole.log(1);"), [
    "src/a.ts:3: only src/core/log.ts and src/cli use the console",
  ]);
});

Deno.test("findSuppressions() and findMachineNames() name file, line and text", () => {
  // Put together here, since this file is searched for them too.
  const [suppression, folder, host] = ["@ts-" + "ignore", "/ro" + "ot/", "registry" + ".example.org"];
  assert.deepEqual(findSuppressions("a.ts", `1;\n// ${suppression}`), [`a.ts:2: ${suppression}`]);
  assert.deepEqual(findMachineNames("a.md", `see ${folder}x\nand https://${host}/y`), [
    `a.md:1: ${folder}`,
    `a.md:2: ${host}`,
  ]);
  assert.deepEqual(findMachineNames("a.md", "workspace, ./work, the registry. Next, https://example.org/rooted/"), []);
});
