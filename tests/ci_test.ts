import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";

const SCRIPT = fileURLToPath(new URL("../.ci/run", import.meta.url));
/** What a system has that can run the script at all. Nothing else of this machine is within its reach. */
const TOOLS = ["bash", "cat", "dirname", "env", "grep", "id", "mktemp", "rm", "sed", "sh", "tail", "tee"];
/** What the script installs when it is not there, with the Debian package it comes from. */
const NEEDED = {
  npx: "npm",
  openssl: "openssl",
  script: "bsdutils",
  strace: "strace",
  ip: "iproute2",
  chromium: "chromium",
  "systemd-analyze": "systemd",
  initdb: "postgresql",
};

/** What the stand-in for npx prints and answers, by the arguments it is called with, and what else there is. */
interface Script {
  /** What `task test` prints. */
  readonly report: string;
  /** The exit code of `task test`; default 0. */
  readonly code?: number;
  /** A command that fails besides, such as `lint`. */
  readonly failing?: string;
  /** The commands of `NEEDED` that are there besides npx; default all of them. */
  readonly present?: readonly string[];
}

interface CiRun {
  readonly code: number;
  readonly lines: readonly string[];
  /** The calls of npx, one string each. */
  readonly calls: readonly string[];
  /** What it did to the machine: calls of apt-get and pg_ctlcluster, one string each. */
  readonly changes: readonly string[];
}

/** Runs `.ci/run` from a foreign folder, without input, on a path where everything but `TOOLS` is a stand-in. */
async function runCi({ report, code = 0, failing = "none", present = Object.keys(NEEDED) }: Script): Promise<CiRun> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/report`, report);
    await Deno.writeTextFile(`${folder}/changes`, "");
    for (const name of TOOLS) await Deno.symlink(await findTool(name), `${folder}/${name}`);
    const standIn = (name: string, ...lines: string[]) =>
      Deno.writeTextFile(`${folder}/${name}`, ["#!/bin/sh", ...lines].join("\n"), { mode: 0o755 });
    for (const name of present) await standIn(name);
    await standIn("sudo", 'exec "$@"');
    await standIn("pg_lsclusters", "echo 15 main 5432 online postgres");
    for (const name of ["apt-get", "pg_ctlcluster"]) await standIn(name, `echo "${name} $*" >>"${folder}/changes"`);
    await standIn(
      "npx",
      `echo "$*" >>"${folder}/calls"`,
      `case "$*" in`,
      `*"task test") cat "${folder}/report"; exit ${code} ;;`,
      `*"${failing}"*) exit 9 ;;`,
      `esac`,
    );
    const output = await new Deno.Command(`${folder}/bash`, {
      args: [SCRIPT],
      cwd: folder,
      stdin: "null",
      env: { PATH: folder },
    }).output();
    return {
      code: output.code,
      lines: new TextDecoder().decode(output.stdout).trimEnd().split("\n"),
      calls: await readLines(`${folder}/calls`),
      changes: await readLines(`${folder}/changes`),
    };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function findTool(name: string): Promise<string> {
  for (const folder of (Deno.env.get("PATH") ?? "").split(":")) {
    const found = await Deno.stat(`${folder}/${name}`).then(({ isFile }) => isFile, () => false);
    if (found) return `${folder}/${name}`;
  }
  throw new Error(`This machine has no ${name}`);
}

async function readLines(path: string): Promise<string[]> {
  return (await Deno.readTextFile(path)).split("\n").slice(0, -1);
}

Deno.test(".ci/run installs what the lock names, checks, tests, shows the report and ends with its counts", async () => {
  const report = "a ... ok (1ms)\n\nok | 2 passed (1 step) | 0 failed (7ms)\n";
  const { code, lines, calls } = await runCi({ report });
  assert.equal(code, 0);
  assert.ok(lines.includes("a ... ok (1ms)"));
  assert.equal(lines.at(-1), "tests: 2 passed, 0 failed, 0 skipped");
  assert.deepEqual(calls, [
    "-y deno@2.9.6 install --frozen",
    "-y deno@2.9.6 fmt --check",
    "-y deno@2.9.6 lint",
    "-y deno@2.9.6 task check",
    "-y deno@2.9.6 task test",
  ]);
});

Deno.test(".ci/run installs the package of every command that is missing, and only of those", async () => {
  const report = "ok | 1 passed | 0 failed (1ms)\n";
  const { npx: _, ...rest } = NEEDED;
  const bare = await runCi({ report, present: [] });
  assert.deepEqual(
    bare.changes.filter((change) => !change.startsWith("apt-get update")),
    [
      ...Object.values(rest).map((name) => `apt-get install -yq ${name}`),
      "pg_ctlcluster 15 main stop", // the server that Debian has just started
    ],
  );
  assert.equal(bare.code, 0);
  const all = await runCi({ report });
  assert.deepEqual(all.changes.filter((change) => change.startsWith("apt-get")), []);
});

const GOOD_REPORT = "ok | 3 passed | 0 failed (1s)\n";

const BAD_RUNS: readonly { name: string; script: Script; counts: string }[] = [
  {
    name: "a failed test",
    script: { report: "FAILED | 14 passed (7 steps) | 3 failed (2 steps) (62ms)\n\nerror: Test failed\n", code: 1 },
    counts: "14 passed, 3 failed, 0 skipped",
  },
  {
    name: "an ignored test",
    script: { report: "ok | 5 passed | 0 failed | 2 ignored (8ms)\n" },
    counts: "5 passed, 0 failed, 2 skipped",
  },
  {
    name: "an ignored step",
    script: { report: "ok | 2 passed (1 step) | 0 failed | 0 ignored (1 step) (8ms)\n" },
    counts: "2 passed, 0 failed, 1 skipped",
  },
  {
    name: "a filtered test",
    script: { report: "ok | 2 passed | 0 failed | 1 ignored (3 steps) | 4 filtered out (8ms)\n" },
    counts: "2 passed, 0 failed, 8 skipped",
  },
  {
    name: "no test at all",
    script: { report: "ok | 0 passed | 0 failed (1ms)\n" },
    counts: "0 passed, 0 failed, 0 skipped",
  },
  {
    name: "a report without a closing line",
    script: { report: "error: Type checking failed.\n", code: 1 },
    counts: "0 passed, 0 failed, 0 skipped",
  },
  { name: "a report that says nothing", script: { report: "" }, counts: "0 passed, 0 failed, 0 skipped" },
  {
    name: "a good report with a bad exit code",
    script: { report: GOOD_REPORT, code: 1 },
    counts: "3 passed, 0 failed, 0 skipped",
  },
  ...["install", "fmt", "lint", "check"].map((failing) => ({
    name: `a failing ${failing}`,
    script: { report: GOOD_REPORT, failing },
    counts: "3 passed, 0 failed, 0 skipped",
  })),
];

for (const { name, script, counts } of BAD_RUNS) {
  Deno.test(`.ci/run fails on ${name}, and still ends with the counts`, async () => {
    const { code, lines } = await runCi(script);
    assert.equal(code, 1);
    assert.equal(lines.at(-1), `tests: ${counts}`);
  });
}

Deno.test(".ci/run takes the last closing line, not one that a test printed", async () => {
  const report = "ok | 99 passed | 0 failed (1ms)\nx ... ok (1ms)\n\nok | 4 passed | 0 failed (1m2s)\n";
  assert.equal((await runCi({ report })).lines.at(-1), "tests: 4 passed, 0 failed, 0 skipped");
});
