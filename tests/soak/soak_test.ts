import assert from "node:assert/strict";
import { projectPath } from "../support/paths.ts";
import { childrenOf } from "../support/processes.ts";
import { createFolder } from "../support/program.ts";
import { until } from "../support/rig.ts";
import { skipped } from "../support/skipped.ts";
import { vitalsMissing } from "../support/vitals.ts";
import { problemsOf, renderReport } from "./report.ts";
import { runSoak, type SoakResult } from "./run.ts";

const ignore = skipped(vitalsMissing);

/** So soon after the start the heap is still filling and code still being compiled; about 15 MB have been seen. */
const SHORT = { growthMb: 40 };

Deno.test("20,000 messages and 4,000 requests: every answer once, every attempt booked, every socket closed", {
  ignore,
}, async () => {
  const result = await runSoak({ messages: 20_000, requests: 4000, signal: new AbortController().signal });
  assert.deepEqual(problemsOf(result, SHORT), [], renderReport(result, SHORT));
  const { samples, replies, answers, asked } = result;
  assert.deepEqual([samples.length, samples.at(-1)?.messages, samples.at(-1)?.requests], [40, 20_000, 4000]);
  assert.deepEqual([replies.asked, replies.takenBack], [520, 40]);
  assert.ok(replies.answered >= 480 && replies.byModel >= 400);
  assert.deepEqual(answers, { whole: 3600, fallbacks: 200, hungUp: 200, refused: 200, wrong: [] });
  assert.equal(asked["flaky"], 400);
});

/** A run of which nothing is wrong. */
function goodResult(): SoakResult {
  const vitals = { rssMb: 150, peakMb: 160, descriptors: 32, sockets: 7, threads: 9 };
  return {
    messages: 1000,
    requests: 20,
    seconds: 1,
    samples: Array.from({ length: 40 }, (_, index) => ({
      ...vitals,
      rssMb: 150 + index % 7,
      messages: (index + 1) * 25,
      requests: (index + 1) / 2,
      seconds: index / 40,
    })),
    atStart: vitals,
    atRest: { ...vitals, descriptors: 35 },
    replies: { asked: 26, answered: 24, lost: 0, doubled: 0, wrong: 0, byModel: 20, takenBack: 2 },
    answers: { whole: 18, fallbacks: 1, hungUp: 1, refused: 1, wrong: [] },
    asked: { bench: 38, flaky: 2 },
    usage: [
      { from: "api", model: "bench", outcome: "ok", count: 17 },
      { from: "api", model: "bench", outcome: "aborted", count: 1 },
      { from: "api", model: "flaky", outcome: "failed", count: 1 },
      { from: "api", model: "flaky", outcome: "ok", count: 1 },
      { from: "bot", model: "bench", outcome: "ok", count: 20 },
    ],
    exitCode: 0,
  };
}

Deno.test("problemsOf() finds whatever is wrong with a run, and nothing wrong with a good one", () => {
  const good = goodResult();
  assert.deepEqual(problemsOf(good), []);
  const { replies, answers, atRest, samples, usage } = good;
  const leaking = samples.map((sample, index) => ({ ...sample, rssMb: sample.rssMb + index }));
  const without = (index: number) => usage.map((row, at) => at === index ? { ...row, count: row.count - 1 } : row);
  const faults: readonly (readonly [Partial<SoakResult>, RegExp])[] = [
    [{ samples: leaking }, /^Memory grows: by \d\d\.\d MB/],
    [{ samples: samples.slice(0, 5) }, /too few samples/],
    [{ atRest: { ...atRest, sockets: 8 } }, /^Sockets stay open: 7 at the start, 8 at rest/],
    [{ atRest: { ...atRest, descriptors: 37 } }, /^Descriptors stay open/],
    [{ replies: { ...replies, lost: 1 } }, /1 answers were lost/],
    [{ replies: { ...replies, doubled: 1 } }, /1 came twice/],
    [{ replies: { ...replies, wrong: 1 } }, /1 were not what/],
    [{ answers: { ...answers, wrong: ["500"] } }, /wrong: 500/],
    [{ requests: 21 }, /Of 21 requests to \/v1 20 came out/],
    [{ usage: without(0) }, /17 rows of answers of \/v1, and 18/],
    [{ usage: without(1) }, /0 rows of clients that hung up, and 1/],
    [{ usage: without(2) }, /0 rows of failures, and 1/],
    [{ usage: without(3) }, /1 rows of the second model, and 2/],
    [{ usage: without(4) }, /37 rows of the first model, and 38/],
    [{ usage: without(4) }, /19 rows of answers on Discord, and 20/],
    [{ exitCode: 1 }, /ended with 1/],
  ];
  for (const [fault, text] of faults) {
    const problems = problemsOf({ ...good, ...fault });
    assert.ok(problems.some((each) => text.test(each)), `${text}: ${problems}`);
    assert.match(renderReport({ ...good, ...fault }), /^Verdict: (grows|not ok)$/m);
  }
  assert.match(renderReport(good), /^Verdict: ok$/m);
});

Deno.test("deno task soak refuses what it cannot do, and says what is wrong", async () => {
  const cases: readonly (readonly [args: string[], text: RegExp])[] = [
    [["--messages", "many"], /--messages takes a whole number from 0 to 100000000, not "many"/],
    [["--requests=-1"], /--requests takes a whole number/],
    [["--requests"], /option '--requests.*' argument missing/],
    [["--messages", "999999999"], /not "999999999"/],
    [["--requests", "999"], /--requests takes 0, or 1000 at least/],
    [["--hours", "2"], /unknown option '--hours'/],
    [["--messages", "0", "--requests", "0"], /there is nothing to do/],
  ];
  await Promise.all(cases.map(async ([args, text]) => {
    const { code, stdout, stderr } = await start(args).output();
    assert.deepEqual([code, stdout.length], [64, 0]);
    assert.match(new TextDecoder().decode(stderr), text);
  }));
  const { code, stdout } = await start(["--help"]).output();
  assert.equal(code, 0);
  assert.match(new TextDecoder().decode(stdout), /^Usage: deno task soak/);
});

Deno.test("Ctrl-C ends a soak with everything it has started", { ignore }, async () => {
  await using folder = await createFolder();
  const { path } = folder;
  // What outlived it would hold a pipe open for ever.
  const child = start([], { env: { TMPDIR: path }, stderr: "null" });
  const ended = child.output();
  let started: number[] = [];
  await using _ending = {
    async [Symbol.asyncDispose]() {
      for (const pid of [child.pid, ...started].filter(isAlive)) Deno.kill(pid, "SIGKILL");
      await ended;
    },
  };
  const held = async () => (await Array.fromAsync(Deno.readDir(path))).map(({ name }) => name);
  let isOver = false;
  ended.then(() => isOver = true);
  // The program has claimed its data folder: it runs, and so does the fake Ollama.
  await until(() => isOver || (started = childrenOf(child.pid)).length >= 2 && hasPidFile(path));
  child.kill("SIGINT");
  const { code, stdout } = await ended;
  assert.deepEqual([code, stdout.length, await held()], [130, 0, []]);
  assert.deepEqual(started.filter(isAlive), []);
});

function start(
  args: readonly string[],
  { env = {}, stderr = "piped" }: Pick<Deno.CommandOptions, "env" | "stderr"> = {},
): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-q", "-A", "--no-prompt", "--cached-only", projectPath("tests/soak/soak.ts"), ...args],
    env: { DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1", ...env },
    stdout: "piped",
    stderr,
  }).spawn();
}

function hasPidFile(folder: string): boolean {
  return [...Deno.readDirSync(folder)].some(({ name }) => exists(`${folder}/${name}/data/django-agent.pid`));
}

function isAlive(pid: number): boolean {
  return exists(`/proc/${pid}/stat`);
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(path) !== undefined;
  } catch {
    return false;
  }
}
