import assert from "node:assert/strict";
import { type Api, startApi } from "../support/api.ts";
import { readError, readOk } from "../support/api_answers.ts";
import { hear, historyIn, lastOf, promptOf, say, shownIn, teach, watchEvents } from "../support/conversation.ts";
import { namespacesMissing } from "../support/namespaces.ts";
import { startScript } from "../support/script.ts";
import { skipped } from "../support/skipped.ts";
import type { BadDiskReport } from "./memory_on_bad_disk.ts";

const ANSWER = "Hola, soy Django.";

/** What was warned of. */
function warningsIn(events: ReturnType<typeof watchEvents>, code: string) {
  return events.flatMap(({ name, data }) => name === "system.warning" && data.code === code ? [data] : []);
}

/** Converses, streamed and not, and holds every answer to be there and the conversation to be remembered. */
async function assertAnswers(api: Api): Promise<void> {
  const more = { conversation_id: crypto.randomUUID() };
  assert.equal((await say(api, "Uno", more)).content, ANSWER);
  const events = await hear(api, "Dos", more);
  assert.deepEqual([shownIn(events), lastOf(events, "done")["content"]], [ANSWER, ANSWER]);
  await say(api, "Tres", { ...more, cognitive_mode: 1 });
  assert.deepEqual(historyIn(promptOf(api.first)), ["Uno", ANSWER, "Dos", ANSWER]);
  assert.equal((await say(api, "¿Dijiste Dos?", { ...more, cognitive_mode: 3 })).silent, false);
}

Deno.test("a memory that cannot be opened costs no answer and is told once", async () => {
  await using api = await startApi();
  await Deno.mkdir(`${api.folder}/data/memory.db`, { recursive: true });
  const events = watchEvents(api);
  for (let round = 0; round < 3; round++) await assertAnswers(api);
  const [warning, ...others] = warningsIn(events, "memory");
  assert.match(warning?.message ?? "", /memory\.db/);
  assert.notEqual(warning?.remedy, "");
  assert.deepEqual(others, []);
});

Deno.test("a memory that cannot be opened is named by the routes of the memory, with its remedy", async () => {
  await using api = await startApi();
  await Deno.mkdir(`${api.folder}/data/memory.db`, { recursive: true });
  const asked: readonly (readonly [string, string, object?])[] = [
    ["POST", "/api/memory/search", { query: "huerto" }],
    ["POST", "/api/memory/semantic", { content: "El huerto" }],
    ["DELETE", "/api/memory/semantic/1"],
    ["POST", "/api/memory/forget", { all: true }],
    ["GET", "/api/memory/stats"],
  ];
  for (const [method, path, body] of asked) {
    const error = await readError(await api.send(method, path, body), 503);
    assert.deepEqual([error.code, error.type], ["unavailable", "server_error"], path);
    assert.match(error.message, /memory\.db.* → /);
  }
  await readOk(await api.send("POST", "/api/memory/working/clear", {}));
});

Deno.test("a memory that another program holds costs no answer, and works again when it is free", async () => {
  await using api = await startApi();
  const events = watchEvents(api);
  await teach(api, "huerto.md", "El huerto se riega los martes.");
  await using holder = startScript("storage/lock_holder.ts", { args: ["write", `${api.folder}/data/memory.db`] });
  assert.equal(await holder.line(), "held");
  await assertAnswers(api);
  const known = await say(api, "¿Cuándo se riega el huerto?");
  assert.deepEqual(known.knowledge_sources.map(({ source }) => source), ["huerto.md"], "reading goes on");
  assert.equal(warningsIn(events, "memory").length, 1);
  const busy = await readError(await api.send("POST", "/api/memory/semantic", { content: "Otra cosa" }), 503);
  assert.match(busy.message, /another program holds it/);
  await holder.tell("0");
  assert.equal(await holder.line(), "free");
  await say(api, "Hola", { conversation_id: "c1" });
  const { results } = await readOk<{ results: { kind: string }[] }>(
    await api.send("POST", "/api/memory/search", { query: "Django", conversation_id: "c1" }),
  );
  assert.deepEqual(results.map(({ kind }) => kind), ["episodic"]);
});

Deno.test("a memory that is damaged is set aside, and a new one begun", async () => {
  await using api = await startApi();
  await Deno.mkdir(`${api.folder}/data`, { recursive: true });
  await Deno.writeTextFile(`${api.folder}/data/memory.db`, "this was never a database ".repeat(400));
  const events = watchEvents(api);
  await assertAnswers(api);
  assert.equal(warningsIn(events, "memory").length, 1);
  const stats = await readOk<{ episodes: number }>(await api.send("GET", "/api/memory/stats"));
  assert.equal(stats.episodes, 3);
});

/** What comes of a conversation over a disk that cannot be written. */
async function converseOnBadDisk(fate: "full" | "read-only"): Promise<BadDiskReport> {
  const folder = await Deno.makeTempDir({ prefix: "django-agent-" });
  try {
    await using script = startScript("chat/memory_on_bad_disk.ts", {
      args: [folder, fate],
      tmpfs: { folder, options: "size=512k" },
    });
    return JSON.parse((await script.end()).trim().split("\n").at(-1) ?? "");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const CASES = [["full", /the disk is full/, [1, 5]], ["read-only", /it cannot be written/, [-1, -1]]] as const;

for (const [fate, message, episodes] of CASES) {
  Deno.test({
    name: `a memory on a disk that is ${fate} costs no answer and is told once`,
    ignore: skipped(namespacesMissing),
    async fn() {
      const report = await converseOnBadDisk(fate);
      assert.deepEqual(report.contents, [ANSWER, ANSWER, ANSWER, ANSWER]);
      assert.deepEqual([report.history.length, report.history.at(-2)], [6, "¿Y en trozos?"]);
      assert.equal(report.warnings.length, 1, JSON.stringify(report.warnings));
      assert.match(report.warnings[0]?.message ?? "", message);
      assert.deepEqual(report.episodes, episodes);
    },
  });
}
