/** The sender's own clockwork: what it sends when, how long it waits, and when it stops. With fake time. */
import assert from "node:assert/strict";
import { mock } from "node:test";
import { type SharedProblem, SharedUsageError } from "../../src/storage/postgres_errors.ts";
import { type Outbox, Sender, type SenderOptions } from "../../src/storage/sender.ts";
import type { SharedUsage } from "../../src/storage/shared_usage.ts";
import { StorageError } from "../../src/storage/sqlite.ts";
import type { StoredUsageRow } from "../../src/storage/usage.ts";
import { stored } from "../support/shared_store.ts";
import { usageRow } from "../support/usage_rows.ts";

const INSTANCE = "11111111-1111-4111-8111-111111111111";

function failure(problem: SharedProblem, message = "the server does not like it"): SharedUsageError {
  return new SharedUsageError(problem, message, { remedy: "Look at it." });
}

interface Scene {
  readonly sender: Sender;
  /** Moves the clock, and lets everything happen that follows from it. */
  tick(ms: number): Promise<void>;
  /** Puts rows into the outbox without telling the sender, as another process does. */
  write(...rows: StoredUsageRow[]): void;
  /** Puts one row into the outbox and tells the sender. */
  add(): void;
  /** What the server has got, a list for each insert. */
  readonly inserts: StoredUsageRow[][];
  /** What a connection or an insert does instead of succeeding; undefined lets it succeed. */
  refuse: ((rows?: readonly StoredUsageRow[]) => Promise<never> | undefined) | undefined;
  /** What the outbox throws; undefined lets it work. */
  outboxError: Error | undefined;
  readonly counts: { connects: number; closes: number };
  readonly signals: AbortSignal[];
  readonly confirmed: number[];
  readonly warnings: string[];
  readonly notes: string[];
}

/** A sender over an outbox and a server of the test, in a time that only `tick` moves. */
function test(name: string, body: (scene: Scene) => Promise<void>, options: Partial<SenderOptions> = {}): void {
  Deno.test(name, async () => {
    mock.timers.enable({ apis: ["setTimeout"] });
    try {
      const scene = createScene(options);
      await body(scene);
      const stopping = scene.sender.stop(1000);
      await scene.tick(1000);
      await stopping;
    } finally {
      mock.timers.reset();
    }
  });
}

function createScene(options: Partial<SenderOptions>): Scene {
  const rows: StoredUsageRow[] = [];
  const scene: Omit<Scene, "sender"> & { sender?: Sender } = {
    async tick(ms) {
      await settle();
      mock.timers.tick(ms);
      await settle();
    },
    write: (...more) => void rows.push(...more),
    add() {
      rows.push(...someRows(1));
      sender.notify();
    },
    inserts: [],
    refuse: undefined,
    outboxError: undefined,
    counts: { connects: 0, closes: 0 },
    signals: [],
    confirmed: [],
    warnings: [],
    notes: [],
  };
  const outbox: Outbox = {
    nextBatch(_storeId, limit) {
      if (scene.outboxError) throw scene.outboxError;
      const from = scene.confirmed.at(-1) ?? 0;
      const batch = rows.slice(from, from + limit);
      return batch.length === 0 ? undefined : { rows: batch, lastSeq: from + batch.length };
    },
    confirm: (_storeId, lastSeq) => void scene.confirmed.push(lastSeq),
    sampleConfirmed: () => [],
    forget: () => assert.fail(),
    refuse: () => {},
    refusedRows: () => [],
    accept: () => {},
  };
  const sender = new Sender({
    outbox: () => outbox,
    async connect(signal) {
      scene.counts.connects++;
      scene.signals.push(signal);
      await scene.refuse?.();
      return serverOf(scene);
    },
    warn: (message, remedy) => void scene.warnings.push(`${message} → ${remedy}`),
    inform: (message) => void scene.notes.push(message),
    random: () => 0,
    ...options,
  });
  return Object.assign(scene, { sender });
}

function serverOf(scene: Pick<Scene, "refuse" | "inserts" | "counts">): SharedUsage {
  return {
    storeId: "store",
    async insert(batch) {
      await scene.refuse?.(batch);
      scene.inserts.push([...batch]);
    },
    countKnown: () => assert.fail(),
    summarize: () => assert.fail(),
    rows: () => assert.fail(),
    close: () => Promise.resolve(void scene.counts.closes++),
  };
}

/** Lets everything run that needs no time. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 200; turn++) await Promise.resolve();
}

function someRows(count: number): StoredUsageRow[] {
  return stored(Array.from({ length: count }, () => usageRow()), INSTANCE);
}

/** How many rows came with each insert. */
function sizes({ inserts }: Scene): number[] {
  return inserts.map(({ length }) => length);
}

test("Sender connects when there is news, not before", async (scene) => {
  scene.write(...someRows(2));
  await scene.tick(60_000);
  assert.equal(scene.counts.connects, 0);
  assert.deepEqual(scene.sender.status, { state: "idle", problem: null });
  scene.sender.notify();
  await scene.tick(0);
  assert.deepEqual(sizes(scene), [2]);
  assert.deepEqual(scene.sender.status, { state: "connected", problem: null });
});

test("Sender sends in order, 500 at most at once, and marks each batch when it has arrived", async (scene) => {
  const rows = someRows(1234);
  scene.write(...rows);
  scene.sender.notify();
  await scene.tick(0);
  assert.deepEqual(sizes(scene), [500, 500, 234]);
  assert.deepEqual(scene.inserts.flat(), rows);
  assert.deepEqual(scene.confirmed, [500, 1000, 1234]);
});

test("Sender sends together what comes within 100 ms of the first", async (scene) => {
  scene.add();
  await scene.tick(0);
  await scene.tick(100); // the look that follows the first news
  for (let row = 0; row < 5; row++) {
    scene.add();
    await scene.tick(19);
  }
  assert.deepEqual(sizes(scene), [1]);
  await scene.tick(5);
  assert.deepEqual(sizes(scene), [1, 5]);
  assert.equal(scene.counts.connects, 1);
});

test("Sender finds what another process has written within 10 s and a moment", async (scene) => {
  scene.add();
  await scene.tick(0);
  await scene.tick(100);
  scene.write(...someRows(3));
  await scene.tick(9999);
  assert.deepEqual(sizes(scene), [1]);
  await scene.tick(1);
  await scene.tick(100);
  assert.deepEqual(sizes(scene), [1, 3]);
});

/** The pauses between the next `count` tries, found by moving the clock a step at a time. */
async function pausesOf(scene: Scene, count: number, stepMs: number): Promise<number[]> {
  const pauses: number[] = [];
  for (let waited = 0, seen = scene.counts.connects; pauses.length < count;) {
    await scene.tick(stepMs);
    waited += stepMs;
    if (scene.counts.connects === seen) continue;
    assert.equal(scene.counts.connects, ++seen);
    pauses.push(waited);
    waited = 0;
  }
  return pauses;
}

for (
  const { jitter, random, expected } of [
    { jitter: "the most", random: 0, expected: [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000] },
    { jitter: "the middle", random: 0.5, expected: [750, 1500, 3000, 6000, 12_000, 24_000, 45_000, 45_000] },
    { jitter: "no", random: 1, expected: [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000] },
  ]
) {
  test(`Sender doubles its pauses up to a minute, with ${jitter} jitter`, async (scene) => {
    scene.refuse = () => Promise.reject(failure("away"));
    scene.add();
    await scene.tick(0);
    assert.deepEqual(await pausesOf(scene, expected.length, 250), expected);
  }, { random: () => random });
}

test("Sender is not hurried by new rows while the server is away, and starts anew after a success", async (scene) => {
  scene.refuse = () => Promise.reject(failure("away"));
  scene.add();
  await scene.tick(0);
  for (let waited = 0; waited < 499; waited++) {
    scene.add();
    await scene.tick(1);
  }
  assert.equal(scene.counts.connects, 1);
  await scene.tick(1);
  assert.equal(scene.counts.connects, 2);
  scene.refuse = undefined;
  await scene.tick(1000);
  assert.deepEqual(sizes(scene), [500]);
  await scene.tick(100);
  scene.refuse = (rows) => rows && Promise.reject(failure("away"));
  scene.add();
  await scene.tick(100);
  assert.equal(scene.counts.closes, 1, "a connection that failed is let go of");
  scene.refuse = () => Promise.reject(failure("away"));
  assert.deepEqual(await pausesOf(scene, 2, 250), [500, 1000]);
});

test("Sender tells what passes by itself as it changes, and a person only what needs one, once", async (scene) => {
  const fail = async (problem: SharedProblem, message: string) => {
    scene.refuse = () => Promise.reject(failure(problem, message));
    await scene.tick(60_000);
    await scene.tick(60_000);
  };
  scene.add();
  await fail("away", "It is away");
  assert.deepEqual(scene.sender.status, { state: "away", problem: "It is away" });
  assert.deepEqual(scene.notes, ["It is away; usage is kept and sent later"]);
  assert.deepEqual(scene.warnings, []);
  await fail("setup", "It has no such database");
  await fail("away", "It is away");
  await fail("setup", "It has no such database");
  assert.deepEqual(scene.warnings, ["It has no such database; usage is kept here meanwhile → Look at it."]);
  scene.refuse = undefined;
  await scene.tick(60_000);
  assert.equal(scene.notes.at(-1), "Usage is shared again");
  assert.deepEqual(scene.sender.status, { state: "connected", problem: null });
});

test("Sender survives what nobody foresaw, says its name only, and tries again", async (scene) => {
  scene.refuse = () => Promise.reject(new TypeError("row 7 of Anna's conversation"));
  scene.add();
  await scene.tick(0);
  assert.deepEqual(scene.warnings, [
    "Sharing usage failed with an unexpected TypeError; usage is kept here meanwhile → ",
  ]);
  scene.refuse = undefined;
  await scene.tick(500);
  assert.deepEqual(sizes(scene), [1]);
});

test("Sender leaves out a row the server refuses, tells it once, and sends every other", async (scene) => {
  const rows = someRows(600);
  const bad = new Set([rows[0], rows[77], rows[78], rows[599]]);
  scene.refuse = (batch) => batch?.some((row) => bad.has(row)) ? Promise.reject(failure("data", "No")) : undefined;
  scene.write(...rows);
  scene.sender.notify();
  await scene.tick(0);
  await scene.tick(0);
  assert.deepEqual(scene.inserts.flat(), rows.filter((row) => !bad.has(row)));
  assert.deepEqual(scene.confirmed, [500, 600]);
  assert.deepEqual(scene.warnings, ["No; it stays on this machine and is tried again later → Look at it."]);
  assert.equal(scene.sender.status.state, "connected");
  assert.equal(scene.counts.connects, 1);
});

test("Sender looks again later when the outbox cannot be used, and keeps its connection", async (scene) => {
  scene.outboxError = new StorageError("busy", "django.db");
  scene.add();
  await scene.tick(0);
  await scene.tick(100);
  assert.deepEqual(sizes(scene), []);
  scene.outboxError = undefined;
  await scene.tick(10_000);
  await scene.tick(100);
  assert.deepEqual(sizes(scene), [1]);
  assert.deepEqual([scene.counts.connects, scene.counts.closes, scene.warnings.length], [1, 0, 0]);
});

// stop()

test("Sender.stop() sends what came last and lets go of the connection, without a pause", async (scene) => {
  scene.add();
  await scene.tick(0);
  await scene.tick(100);
  scene.add();
  await scene.sender.stop(1000); // time stands still
  assert.deepEqual(sizes(scene), [1, 1]);
  assert.equal(scene.counts.closes, 1);
  scene.add();
  await scene.tick(60_000);
  assert.deepEqual([sizes(scene).length, scene.counts.connects], [2, 1], "stopped is stopped");
});

test("Sender.stop() waits for nobody when the server is away, and does not try again", async (scene) => {
  scene.refuse = () => Promise.reject(failure("away"));
  scene.add();
  await scene.tick(0);
  await scene.sender.stop(1000);
  assert.equal(scene.counts.connects, 1);
});

test("Sender.stop() has nothing to do when nothing was sent", async (scene) => {
  await scene.sender.stop(1000);
  assert.equal(scene.counts.connects, 0);
});

for (const when of ["connects", "sends"]) {
  test(`Sender.stop() gives up on a server that is silent while it ${when}, when its time is over`, async (scene) => {
    scene.refuse = (rows) =>
      !rows === (when === "sends") ? undefined : new Promise((_, reject) => {
        const signal = scene.signals.at(-1);
        signal?.addEventListener("abort", () => reject(failure("away")));
      });
    scene.add();
    await scene.tick(0);
    let stopped = false;
    const stopping = scene.sender.stop(1000).then(() => stopped = true);
    await scene.tick(999);
    assert.equal(stopped, false);
    await scene.tick(1);
    await stopping;
    assert.equal(scene.counts.connects, 1);
    assert.equal(scene.counts.closes, when === "sends" ? 1 : 0);
  });
}
