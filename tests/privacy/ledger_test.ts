import assert from "node:assert/strict";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { createLog, type Log } from "../../src/core/log.ts";
import { createLedger, type Ledger } from "../../src/privacy/ledger.ts";
import { createFolder } from "../support/program.ts";

const OLLAMA = "http://127.0.0.1:11434";
const GROQ = "https://api.groq.com";
const BYTES = { sent: 10, received: 20 };
const SILENT = createLog({ write: (line) => assert.fail(line) });

interface Place extends AsyncDisposable {
  /** The ledger's file; its folder does not exist yet. */
  readonly path: string;
  open(options?: { log?: Log; writeEveryMs?: number }): Ledger;
}

async function createPlace(): Promise<Place> {
  const folder = await createFolder();
  const path = `${folder.path}/data/egress.json`;
  return {
    path,
    open: (options) => createLedger({ path, log: SILENT, ...options }),
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

/** Origin and number of requests. */
function counts(ledger: Ledger): Record<string, number> {
  return Object.fromEntries(ledger.entries().map(({ origin, requests }) => [origin, requests]));
}

function countsInFile({ open }: Place): Record<string, number> {
  using reader = open();
  return counts(reader);
}

/** One request and its answer. */
function note(ledger: Ledger, origin: string, { sent, received }: { sent: number; received: number }): void {
  ledger.sent(origin, sent);
  ledger.received(origin, received);
}

Deno.test("Ledger.entries() shows each origin with its counts, the latest origin first", async () => {
  await using place = await createPlace();
  using ledger = place.open();
  assert.deepEqual(ledger.entries(), []);
  note(ledger, OLLAMA, BYTES);
  note(ledger, OLLAMA, { sent: 1, received: 2 });
  const before = new Date().toISOString();
  while (new Date().toISOString() === before); // the clock has to move on for an order to exist
  note(ledger, GROQ, BYTES);
  const [latest, first] = ledger.entries();
  assert.deepEqual({ ...latest, last_at: "" }, {
    origin: GROQ,
    local: false,
    requests: 1,
    sent_bytes: 10,
    received_bytes: 20,
    last_at: "",
  });
  assert.deepEqual({ ...first, last_at: "" }, {
    origin: OLLAMA,
    local: true,
    requests: 2,
    sent_bytes: 11,
    received_bytes: 22,
    last_at: "",
  });
  assert.match(latest?.last_at ?? "", /^\d{4}-\d\d-\d\dT.*Z$/);
});

Deno.test("Ledger.sent() writes the first request to an origin at once, into a file for its owner only", async () => {
  await using place = await createPlace();
  using ledger = place.open({ writeEveryMs: 60_000 });
  note(ledger, OLLAMA, BYTES);
  note(ledger, GROQ, BYTES);
  note(ledger, OLLAMA, BYTES);
  assert.deepEqual(countsInFile(place), { [GROQ]: 1, [OLLAMA]: 1 });
  const { mode } = await Deno.stat(place.path);
  assert.equal((mode ?? 0o600) & 0o777, 0o600);
});

Deno.test("Ledger.sent() writes later requests before long", async () => {
  await using place = await createPlace();
  using ledger = place.open({ writeEveryMs: 5 });
  for (let at = 0; at < 10; at++) note(ledger, OLLAMA, BYTES);
  while (countsInFile(place)[OLLAMA] !== 10) await new Promise((resolve) => setTimeout(resolve, 5));
});

Deno.test("disposing of a ledger writes what is left, and a later run goes on counting", async () => {
  await using place = await createPlace();
  for (let run = 1; run <= 2; run++) {
    using ledger = place.open({ writeEveryMs: 60_000 });
    for (let at = 0; at < 5; at++) note(ledger, OLLAMA, BYTES);
    assert.deepEqual(counts(ledger), { [OLLAMA]: run * 5 });
  }
  assert.deepEqual(countsInFile(place), { [OLLAMA]: 10 });
});

Deno.test("several ledgers that add to one file in turn lose nothing", async () => {
  await using place = await createPlace();
  const ledgers = [place.open(), place.open(), place.open()];
  for (let at = 0; at < 30; at++) note(ledgers[at % 3] ?? assert.fail(), at % 2 ? OLLAMA : GROQ, BYTES);
  for (const ledger of ledgers) ledger[Symbol.dispose]();
  assert.deepEqual(countsInFile(place), { [OLLAMA]: 15, [GROQ]: 15 });
});

Deno.test("processes that add to one file at the same time lose nothing, and nobody ever sees it half-written", async () => {
  await using place = await createPlace();
  const writer = fileURLToPath(new URL("ledger_writer.ts", import.meta.url));
  const start = (origin: string) =>
    new Deno.Command(Deno.execPath(), {
      args: ["run", "-q", "-A", "--no-check", "--cached-only", writer, place.path, origin, "400"],
      env: { DENO_NO_UPDATE_CHECK: "1" },
    }).output();
  let running = true;
  const writers = Promise.all([start(OLLAMA), start(OLLAMA), start(GROQ)]).finally(() => running = false);
  let seen = 0;
  while (running) {
    const total = Object.values(countsInFile(place)).reduce((sum, requests) => sum + requests, 0);
    assert.ok(total >= seen, `${total} requests after ${seen}`);
    seen = total;
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  for (const { success, stderr } of await writers) assert.ok(success, new TextDecoder().decode(stderr));
  using ledger = place.open();
  assert.deepEqual(counts(ledger), { [OLLAMA]: 800, [GROQ]: 400 });
  const { sent_bytes, received_bytes } = ledger.entries().find(({ origin }) => origin === OLLAMA) ?? assert.fail();
  assert.deepEqual([sent_bytes, received_bytes], [1600, 2400]);
});

Deno.test("a damaged file is told of, set aside as it is, and counting starts again", async (t) => {
  const good = { origin: GROQ, local: false, requests: 3, sent_bytes: 1, received_bytes: 1, last_at: "2026-01-01" };
  const cases: [string, string][] = [
    ["empty", ""],
    ["half-written", JSON.stringify([good]).slice(0, -5)],
    ["no list", JSON.stringify(good)],
    ["an entry that is none", JSON.stringify([good, null])],
    ["a count that is none", JSON.stringify([{ ...good, requests: "many" }])],
  ];
  for (const [what, text] of cases) {
    await t.step(what, async () => {
      await using place = await createPlace();
      const folder = dirname(place.path);
      await Deno.mkdir(folder);
      await Deno.writeTextFile(place.path, text);
      const lines: string[] = [];
      using ledger = place.open({ log: createLog({ write: (line) => lines.push(line) }) });
      assert.deepEqual([ledger.entries(), ledger.entries()], [[], []]);
      assert.deepEqual(lines, [`warn  Cannot read the egress ledger ${place.path}: it is damaged`]);
      note(ledger, OLLAMA, BYTES);
      assert.deepEqual(countsInFile(place), { [OLLAMA]: 1 });
      const aside = [...Deno.readDirSync(folder)].find(({ name }) => name.includes("damaged"))?.name;
      assert.equal(await Deno.readTextFile(`${folder}/${aside}`), text);
      assert.ok(lines[1]?.includes(`${folder}/${aside}`), lines.join());
    });
  }
});

Deno.test("a file that cannot be written is complained of once, and this run's counts are still shown", async () => {
  await using place = await createPlace();
  const folder = dirname(place.path);
  await Deno.writeTextFile(folder, "a file where the folder should be");
  const lines: string[] = [];
  const ledger = place.open({ log: createLog({ write: (line) => lines.push(line) }) });
  note(ledger, OLLAMA, BYTES);
  note(ledger, OLLAMA, BYTES);
  note(ledger, GROQ, BYTES);
  assert.deepEqual(counts(ledger), { [OLLAMA]: 2, [GROQ]: 1 });
  assert.equal(lines.length, 1);
  assert.ok(lines[0]?.startsWith(`warn  Cannot write the egress ledger ${place.path}: `), String(lines[0]));

  await Deno.remove(folder);
  ledger[Symbol.dispose]();
  assert.deepEqual(countsInFile(place), { [OLLAMA]: 2, [GROQ]: 1 });
});
