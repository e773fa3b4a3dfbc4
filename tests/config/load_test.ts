import assert from "node:assert/strict";
import { join } from "node:path";
import { loadConfig, parseConfig } from "../../src/config/load.ts";
import { describeAccess } from "../../src/config/read_file.ts";
import { AgentError, ConfigError, EXIT } from "../../src/core/errors.ts";
import { assertProblem, inNewFolder, problemsIn, rejection, validExample } from "./examples.ts";
import { callAsOutsider } from "./outsider.ts";

const VALID = JSON.stringify(validExample(), null, 2);

/** What is said about a folder whose models.json has been prepared by `prepare`. */
async function problemsOf(prepare: (path: string) => Promise<void>) {
  let error: unknown;
  await inNewFolder(async (dir) => {
    await prepare(join(dir, "models.json"));
    error = await rejection(loadConfig({ dir }));
  });
  assert(error instanceof ConfigError, String(error));
  assert.equal(error.exitCode, 78);
  assert.match(error.file, /models\.json$/);
  return error.problems;
}

Deno.test("loadConfig() reads models.json of the folder and says where it comes from", async () => {
  await inNewFolder(async (dir) => {
    await Deno.writeTextFile(join(dir, "models.json"), VALID);
    const { source, path, text, models } = await loadConfig({ dir });
    assert.equal(source, join(dir, "models.json"));
    assert.equal(path, join(dir, "models.json"));
    assert.equal(text, VALID);
    assert.equal(models.profile, "local");
  });
});

Deno.test("loadConfig() names the file as a person would, without ./", async () => {
  const { source, path } = await loadConfig({ dir: "./config" });
  assert.equal(source, join("config", "models.json"));
  assert.equal(path, source);
});

Deno.test("loadConfig() takes the embedded defaults without a file, and without a folder", async () => {
  await inNewFolder(async (dir) => {
    for (const place of [dir, join(dir, "missing")]) {
      const { source, path, models } = await loadConfig({ dir: place });
      assert.equal(source, "the embedded defaults");
      assert.equal(path, null);
      assert.equal(models.profile, "privacy_mode");
    }
  });
});

Deno.test("parseConfig() reads comments, trailing commas, a byte order mark and Windows line ends", () => {
  const text = `\uFEFF// hello\r\n${
    VALID.replace("{", "{ /* a // comment */").replace(/\}$/, ",}").replaceAll("\n", "\r\n")
  }`;
  const snapshot = parseConfig(text, "models.json");
  assert.deepEqual(snapshot.models, parseConfig(VALID, "models.json").models);
  assert.equal(snapshot.text, text);
});

Deno.test("parseConfig() returns a snapshot that cannot be changed at any depth", () => {
  const snapshot = parseConfig(VALID, "models.json");
  const frozen = (value: unknown): boolean =>
    typeof value !== "object" || value === null ||
    (Object.isFrozen(value) && Object.values(value).every((inner) => frozen(inner)));
  assert(frozen(snapshot));
  assert.throws(() => Object.assign(snapshot.models.providers["home"] ?? {}, { type: "groq" }), TypeError);
});

for (
  const [what, text] of [["empty", ""], ["blank", " \r\n\t"], ["only comments", "// nothing\n/* here */"], [
    "only a byte order mark",
    "\uFEFF",
  ]] as const
) {
  Deno.test(`loadConfig() refuses a file that is ${what}`, async () => {
    assertProblem(await problemsOf((path) => Deno.writeTextFile(path, text)), "", /file is empty/, /embedded defaults/);
  });
}

Deno.test("loadConfig() says where a half-written file breaks off, wherever it was cut", async () => {
  const cut = VALID.slice(0, VALID.indexOf('"big"') - 1).trimEnd();
  const line = cut.split("\n").length;
  const column = (cut.split("\n").at(-1) ?? "").length + 1;
  const where = new RegExp(`breaks off at line ${line}, column ${column}: `);
  assertProblem(await problemsOf((path) => Deno.writeTextFile(path, cut)), "", where, /half written/);
  for (let length = 1; length < VALID.length; length += 7) {
    const [problem, ...others] = problemsIn(VALID.slice(0, length));
    assert.match(problem?.message ?? "", /line \d+, column \d+/);
    assert.deepEqual(others, []);
  }
});

const SYNTAX: readonly [string, string, RegExp][] = [
  ["a missing comma", '{\n  "a": 1\n  "b": 2\n}', /line 3, column 3: a comma is missing/],
  ["a missing colon", '{ "a" 1 }', /line 1, column 7: a colon is missing/],
  ["a name without quotes", "{ a: 1 }", /line 1, column 3: .*name in double quotes|a word JSON does not know/],
  ["a text without quotes", '{ "a": yes }', /line 1, column 8: a word JSON does not know/],
  ["a text over the line's end", '{ "a": "x\n}', /line 1, column 8: a text is not closed/],
  ["something after the end", "{}\n{}", /line 2, column 1: something follows/],
  ["a comment without an end", '{ /* "a": 1 }', /breaks off at line 1, column 3: a comment is not closed/],
  ["a malformed escape", '{ "a": "\\q" }', /line 1, column 8: a malformed \\ escape/],
  ["a value without a number", '{ "a": , }', /line 1, column 8: a value is missing/],
  ["old line ends", '{\r  "a": 1\r  "b": 2\r}', /line 3, column 3: a comma is missing/],
];

for (const [what, text, message] of SYNTAX) {
  Deno.test(`parseConfig() names line and column of ${what}`, () => {
    const problems = problemsIn(text);
    assertProblem(problems, "", message, /./);
    assert.equal(problems.length, 1);
  });
}

Deno.test("parseConfig() never repeats the text of a file that is not JSON", () => {
  for (const text of ['{ "k": gsk_secret }', "gsk_secret", '{ "gsk_secret }', '{ "gsk_secret" "gsk_secret" }']) {
    assert(!JSON.stringify(problemsIn(text)).includes("secret"), text);
  }
});

Deno.test("parseConfig() refuses deep nesting before anything recurses into it", () => {
  assertProblem(problemsIn('{"a":'.repeat(33)), "", /deeper than 32 levels, line 1, column 161/, /Remove/);
  assertProblem(problemsIn("[".repeat(1_000_000)), "", /deeper than 32 levels/, /Remove/);
});

Deno.test("parseConfig() does not count brackets inside texts and comments as nesting", () => {
  const text = VALID.replace("{", `{ // ${"[".repeat(50)}\n "$schema": "${"{".repeat(50)}",`);
  assert.equal(parseConfig(text, "x").models.profile, "local");
});

Deno.test("loadConfig() refuses a folder in place of the file", async () => {
  assertProblem(await problemsOf((path) => Deno.mkdir(path)), "", /It is a folder/, /file in its place/);
});

Deno.test("loadConfig() refuses a file in place of the folder", async () => {
  await inNewFolder(async (dir) => {
    await Deno.writeTextFile(join(dir, "config"), "");
    const error = await rejection(loadConfig({ dir: join(dir, "config") }));
    assert(error instanceof ConfigError);
    assert.match(error.message, /is a file and not a folder/);
  });
});

Deno.test("loadConfig() refuses a 50 MB file without reading it", async () => {
  const before = Deno.memoryUsage().external;
  const problems = await problemsOf(async (path) => {
    await Deno.writeTextFile(path, VALID);
    await Deno.truncate(path, 50 * 1024 * 1024);
  });
  assertProblem(problems, "", /It has 50\.0 MiB; 1 MiB is the most/, /shorten/);
  assert(Deno.memoryUsage().external - before < 10_000_000);
});

Deno.test("loadConfig() reads a file of just under 1 MiB", async () => {
  await inNewFolder(async (dir) => {
    await Deno.writeTextFile(join(dir, "models.json"), VALID.padEnd(1024 * 1024, " "));
    assert.equal((await loadConfig({ dir })).models.profile, "local");
  });
});

Deno.test("loadConfig() refuses a file that is not UTF-8", async () => {
  for (const bytes of [[0x7b, 0xff, 0x7d], [0xff, 0xfe, 0x7b, 0x00]]) {
    const problems = await problemsOf((path) => Deno.writeFile(path, new Uint8Array(bytes)));
    assertProblem(problems, "", /not UTF-8/, /Save it as UTF-8/);
  }
});

Deno.test({
  name: "loadConfig() refuses a named pipe instead of waiting for it",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    const problems = await problemsOf(async (path) => {
      await new Deno.Command("mkfifo", { args: [path] }).output();
    });
    assertProblem(problems, "", /not a regular file/, /plain text file/);
  },
});

Deno.test({
  name: "loadConfig() refuses links that lead nowhere or in a circle, rather than taking the defaults",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    assertProblem(
      await problemsOf((path) => Deno.symlink("missing.json", path)),
      "",
      /link to a file that does not exist/,
      /remove the link/,
    );
    assertProblem(
      await problemsOf((path) => Deno.symlink("models.json", path)),
      "",
      /cannot be read/,
      /Check the file/,
    );
  },
});

Deno.test({
  name: "loadConfig() refuses a file whose permissions forbid reading it",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    const dir = await Deno.makeTempDir();
    try {
      await Deno.writeTextFile(`${dir}/models.json`, VALID);
      await Deno.chmod(`${dir}/models.json`, 0o000);
      const outcome = await callAsOutsider("load", dir);
      assert.equal(outcome?.exitCode, EXIT.config);
      assertProblem(outcome?.problems ?? [], "", /permissions do not let you read it/, /chmod u\+r/);
    } finally {
      await Deno.remove(dir, { recursive: true });
    }
  },
});

Deno.test("describeAccess() says how to regain a file that may not be read", () => {
  const error = describeAccess(new Deno.errors.PermissionDenied("no"), "read", "config/models.json");
  assert(error instanceof ConfigError);
  assertProblem(error.problems, "", /permissions do not let you read it/, /chmod u\+r "config\/models\.json"/);
});

Deno.test({
  name: "loadConfig() names the flag and the deno.json entry when the sandbox refuses the folder",
  permissions: { read: ["./config"] },
  fn: async () => {
    const error = await rejection(loadConfig({ dir: "/elsewhere/config" }));
    assert(error instanceof AgentError);
    assert.equal(error.exitCode, EXIT.permission);
    assert.match(error.message, /Cannot read .*elsewhere.*sandbox/);
    assert.match(
      error.remedy ?? "",
      /"[^"]*elsewhere.config" to permissions\.default\.read in deno\.json.*--allow-read="\.\/,[^"]*elsewhere.config"/,
    );
  },
});
