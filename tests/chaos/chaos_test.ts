import assert from "node:assert/strict";
import { projectPath } from "../support/paths.ts";
import { createFolder } from "../support/program.ts";
import { postgresMissing } from "../support/postgres.ts";
import { createRandom } from "../support/random.ts";
import { until } from "../support/rig.ts";
import { skipped } from "../support/skipped.ts";
import { vitalsMissing } from "../support/vitals.ts";
import { readArguments } from "./chaos.ts";
import { type Fault, injectFaults } from "./fault_injector.ts";
import { judgeChaos, renderChaos } from "./report.ts";
import { type Chaos, runChaos } from "./run.ts";

const ignore = skipped(postgresMissing ?? vitalsMissing);

Deno.test({
  name: "the program survives a minute in which everything around it breaks at random",
  ignore,
  fn: async () => {
    const chaos = await runChaos({ seconds: 60, seed: 20_261_129, signal: new AbortController().signal });
    assert.deepEqual(judgeChaos(chaos), [], renderChaos(chaos));
  },
});

const VITALS = { rssMb: 100, peakMb: 110, descriptors: 40, sockets: 10, threads: 5 };
const FINE: Chaos = {
  seconds: 600,
  seed: 1,
  injected: { "groq: gone": 2 },
  outcomes: { answered: 3, refused: { timeout: 1 }, brokenOff: {}, hungUp: 1, wrong: [] },
  replies: { asked: 2, answered: 1, excused: 1, hushed: 0, lost: [], doubled: [] },
  usage: { rows: 9, answered: 4, miscounted: 0, unshared: 0, unknown: 0 },
  memory: Array.from({ length: 20 }, (_, at) => ({ at, value: 100 })),
  before: VITALS,
  atRest: VITALS,
  exitCode: 0,
  internalErrors: [],
};

Deno.test("judgeChaos() finds whatever was lost, doubled, miscounted or left open", () => {
  const complaints = (change: Partial<Chaos>) => judgeChaos({ ...FINE, ...change }).join("\n");
  const { outcomes, replies, usage } = FINE;
  assert.equal(complaints({}), "");
  assert.match(complaints({ outcomes: { ...outcomes, wrong: ["/v1: it hangs"] } }), /no proper end: \/v1: it hangs/);
  assert.match(complaints({ replies: { ...replies, lost: ["7"] } }), /without a reply: 7/);
  assert.match(complaints({ replies: { ...replies, doubled: ["8"] } }), /two replies: 8/);
  assert.match(complaints({ usage: { ...usage, answered: 5 } }), /4 answers were given, and 5 are in the usage table/);
  assert.match(complaints({ usage: { ...usage, miscounted: 1 } }), /1 answers are booked with wrong counts/);
  assert.match(complaints({ usage: { ...usage, unshared: 2 } }), /2 rows never reached PostgreSQL/);
  assert.match(complaints({ usage: { ...usage, unknown: 2 } }), /2 rows are in PostgreSQL alone/);
  assert.match(complaints({ atRest: { ...VITALS, sockets: 30 } }), /30 sockets are open at rest, 10 were before/);
  assert.match(complaints({ atRest: { ...VITALS, descriptors: 60 } }), /60 descriptors are open at rest/);
  assert.match(complaints({ memory: FINE.memory.map(({ at }) => ({ at, value: 100 + 10 * at })) }), /memory grew/);
  assert.equal(complaints({ memory: FINE.memory.map(({ at }) => ({ at, value: 100 + 10 * at })), seconds: 60 }), "");
  assert.match(complaints({ memory: [] }), /too few samples to judge memory by/);
  assert.match(complaints({ before: undefined }), /could not be seen/);
  assert.match(complaints({ atRest: undefined }), /could not be seen/);
  assert.match(complaints({ injected: {} }), /too short for anything to break/);
  assert.match(complaints({ exitCode: 1 }), /it ended with 1/);
  assert.match(complaints({ internalErrors: ["internal error"] }), /a fault of its own/);
  assert.match(
    complaints({ outcomes: { ...outcomes, answered: 0 }, usage: { ...usage, answered: 1 } }),
    /no request was/,
  );
});

Deno.test("renderChaos() names the seed, the counts and the verdict", () => {
  assert.match(renderChaos(FINE), /^seed +1,[\s\S]*groq: gone 2[\s\S]*timeout 1[\s\S]*verdict +ok$/);
  assert.match(renderChaos({ ...FINE, exitCode: 1 }), /verdict +FAILED\n +it ended with 1$/);
});

Deno.test("injectFaults() breaks the same things for the same seed, and leaves nothing broken", async () => {
  const runs = await Promise.all([7, 7, 8].map(async (seed) => {
    const stop = new AbortController();
    const told: string[] = [];
    let broken = 0;
    const faults = ["a", "b", "c", "d"].map((name): Fault => ({
      name,
      begin: () => void broken++,
      end: () => void broken--,
    }));
    const onFault = (name: string) => {
      told.push(name);
      if (told.length === 20) stop.abort();
    };
    const options = { random: createRandom(seed), calmMs: [0, 1], brokenMs: [0, 1], onFault } as const;
    await injectFaults(faults, options, stop.signal);
    assert.equal(broken, 0);
    return told.join("");
  }));
  assert.equal(runs[0], runs[1]);
  assert.notEqual(runs[0], runs[2]);
});

Deno.test("task chaos refuses what it cannot do", () => {
  assert.deepEqual(readArguments(["--minutes", "0.5", "--seed", "7"]), { seconds: 30, seed: 7 });
  assert.equal(readArguments([]).seconds, 600);
  for (const wrong of [["--minutes", "0"], ["--minutes", "x"], ["--seed", "-1"], ["--seed", "1.5"], ["--sed", "1"]]) {
    assert.throws(() => readArguments(wrong), { exitCode: 64 }, wrong.join(" "));
  }
});

Deno.test({
  name: "SIGTERM ends a chaos with everything it has started",
  ignore,
  fn: async () => {
    await using folder = await createFolder();
    await Deno.chmod(folder.path, 0o755); // PostgreSQL runs as nobody
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-q", "-A", "--no-prompt", "--cached-only", projectPath("tests/chaos/chaos.ts"), "--seed", "1"],
      env: { DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1", TMPDIR: folder.path },
      stdout: "null",
      stderr: "null", // what outlived it would hold a pipe open for ever
    }).spawn();
    let isOver = false;
    const ended = child.status.finally(() => isOver = true);
    const entries = () => [...Deno.readDirSync(folder.path)].map(({ name }) => `${folder.path}/${name}`);
    const claims = () => entries().some((entry) => exists(`${entry}/data/django-agent.pid`));
    await until(() => isOver || claims());
    child.kill("SIGTERM");
    assert.equal((await ended).code, 143);
    assert.deepEqual(entries(), []);
  },
});

function exists(path: string): boolean {
  try {
    return Deno.statSync(path) !== undefined;
  } catch {
    return false;
  }
}
