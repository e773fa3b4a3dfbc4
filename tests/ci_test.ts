import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";

const SCRIPT = fileURLToPath(new URL("../.ci/run", import.meta.url));

/** What the stand-in for npx prints and answers, by the arguments it is called with. */
interface Script {
  /** What `task test` prints. */
  readonly report: string;
  /** The exit code of `task test`; default 0. */
  readonly code?: number;
  /** A command that fails besides, such as `lint`. */
  readonly failing?: string;
}

interface CiRun {
  readonly code: number;
  readonly lines: readonly string[];
  /** The calls of npx, one string each. */
  readonly calls: readonly string[];
}

/** Runs `.ci/run` from a foreign folder, without input, with a stand-in for npx first on the path. */
async function runCi({ report, code = 0, failing = "none" }: Script): Promise<CiRun> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/report`, report);
    const npx = [
      "#!/bin/sh",
      `echo "$*" >>"${folder}/calls"`,
      `case "$*" in`,
      `*"task test") cat "${folder}/report"; exit ${code} ;;`,
      `*"${failing}"*) exit 9 ;;`,
      `esac`,
    ];
    await Deno.writeTextFile(`${folder}/npx`, npx.join("\n"), { mode: 0o755 });
    const output = await new Deno.Command("bash", {
      args: [SCRIPT],
      cwd: folder,
      stdin: "null",
      env: { PATH: `${folder}:${Deno.env.get("PATH")}` },
    }).output();
    return {
      code: output.code,
      lines: new TextDecoder().decode(output.stdout).trimEnd().split("\n"),
      calls: (await Deno.readTextFile(`${folder}/calls`)).trimEnd().split("\n"),
    };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
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
