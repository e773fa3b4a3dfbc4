/** The program killed at random moments: what it has answered is on the books, here and in the shared table. */
import assert from "node:assert/strict";
import { UsageTable } from "../../src/storage/usage_table.ts";
import { startFakeOllama } from "../support/fake_ollama.ts";
import { projectPath, ROOT_FOLDER } from "../support/paths.ts";
import { postgresMissing, startCluster } from "../support/postgres.ts";
import { createFolder } from "../support/program.ts";
import { allRows } from "../support/shared_store.ts";
import { skipped } from "../support/skipped.ts";

const ROUNDS = 20;
/** Every so many rounds the kill comes while the program is still starting. */
const EARLY = 4;

/** Not called `ollama`, which the OLLAMA_HOST of whoever runs the tests would move elsewhere. */
function modelsFor(origin: string) {
  return {
    profile: "private",
    providers: {
      home: { type: "ollama", base_url: origin, max_concurrent: 6, models: { "llama3.2": { context: 8192 } } },
    },
    fallback_chain: ["home/llama3.2"],
    profiles: { private: { local_only: true } },
  };
}

interface Running {
  /** Resolves with the first line it prints, or when it has ended. */
  readonly begun: Promise<void>;
  kill(): void;
  /** The ids it has printed until its end. */
  readonly ended: Promise<readonly string[]>;
}

/** Starts tests/support/endless_calls.ts in a folder, in the program's own sandbox. */
function start(folder: string, args: readonly string[] = []): Running {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-q", "--no-check", "--cached-only", "-P", `--config=${projectPath("deno.json")}`, "--no-prompt"],
      ...["--deny-import", `--allow-read=${folder},${ROOT_FOLDER}`, `--allow-write=${folder}/data`],
      ...[projectPath("tests/support/endless_calls.ts"), ...args],
    ],
    cwd: folder,
    env: { DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const begun = Promise.withResolvers<void>();
  const ended = (async () => {
    let printed = "";
    const stderr = new Response(child.stderr).text();
    for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
      printed += text;
      begun.resolve();
    }
    begun.resolve();
    await child.status;
    assert.equal(await stderr, "");
    const lines = printed.split("\n");
    assert.equal(lines.pop(), "", "a line is printed as a whole or not at all");
    return lines;
  })();
  return {
    begun: begun.promise,
    kill() {
      try {
        child.kill("SIGKILL");
      } catch (error) {
        if (!(error instanceof TypeError)) throw error; // it has ended already
      }
    },
    ended,
  };
}

async function pauseAtRandom(longestMs: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, Math.random() * longestMs));
}

Deno.test({
  name: "kill -9 at any moment loses no row of a finished call and doubles none, here and in the shared table",
  ignore: skipped(postgresMissing),
  async fn() {
    await using cluster = await startCluster();
    const url = await cluster.createDatabase();
    await using ollama = disposable(startFakeOllama({ models: ["llama3.2"] }));
    await using folder = await createFolder(modelsFor(ollama.origin));
    await Deno.writeTextFile(`${folder.path}/.env`, `DATABASE_URL=${url}\n`);
    const finished: string[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const program = start(folder.path);
      if (round % EARLY !== 0) await program.begun;
      await pauseAtRandom(400);
      program.kill();
      finished.push(...await program.ended);
    }
    assert.ok(finished.length > ROUNDS, `only ${finished.length} calls were finished`);
    const before = await sharedRows();
    finished.push(...await start(folder.path, ["catch-up"]).ended);

    using table = new UsageTable({
      path: `${folder.path}/data/django.db`,
      busyTimeoutMs: 5000,
      onSetAside: (aside) => assert.fail(`the database was damaged: ${aside}`),
    });
    table.check();
    const rows = await allRows(table);
    const conversations = rows.map(({ conversation_id }) => conversation_id ?? assert.fail());
    assert.equal(new Set(conversations).size, conversations.length, "a call has two rows");
    const missing = new Set(finished).difference(new Set(conversations));
    assert.deepEqual([...missing], [], "a finished call has no row");
    const shared = await sharedRows();
    assert.deepEqual(shared.map(({ id }) => id), rows.map(({ id }) => id).sort());
    assert.deepEqual(new Set(shared.map(({ instance_id }) => instance_id)), new Set([table.instanceId]));
    assert.ok(before.length > 0 && before.length < shared.length, "some was shared before the end, and some was not");

    function sharedRows() {
      return cluster.query<{ id: string; instance_id: string }>(
        url,
        "SELECT id, instance_id FROM token_usage ORDER BY id",
      );
    }
  },
});

function disposable<T extends { stop(): Promise<void> }>(server: T): T & AsyncDisposable {
  return Object.assign(server, { [Symbol.asyncDispose]: () => server.stop() });
}
