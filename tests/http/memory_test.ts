import assert from "node:assert/strict";
import { type Api, startApi } from "../support/api.ts";
import { readError, readOk } from "../support/api_answers.ts";
import { historyIn, promptOf, say, teach } from "../support/conversation.ts";

const GARDEN = "# Huerto\n\nLos tomates del huerto se riegan los martes.";

interface Taught {
  readonly source: string;
  readonly outcome: string;
  readonly passages: number;
  readonly added: number;
  readonly ids: readonly number[];
}

interface Found {
  readonly id: number;
  readonly kind: string;
  readonly source: string;
  readonly heading: string;
  readonly text: string;
  readonly at: string;
  readonly relevance: string;
  readonly coverage: number;
  readonly cosine: number | null;
}

interface Stats {
  readonly working: { readonly conversations: number; readonly messages: number };
  readonly sources: number;
  readonly learned_passages: number;
  readonly episodes: number;
  readonly file_bytes: number;
}

async function post<Body>(api: Api, path: string, body: unknown): Promise<Body> {
  return await readOk<Body>(await api.send("POST", `/api/memory/${path}`, body));
}

async function search(api: Api, query: string, more: object = {}): Promise<readonly Found[]> {
  return (await post<{ results: readonly Found[] }>(api, "search", { query, ...more })).results;
}

async function statsOf(api: Api): Promise<Stats> {
  return await readOk<Stats>(await api.send("GET", "/api/memory/stats"));
}

Deno.test("what is taught is found, used, and gone when it is deleted", async () => {
  await using api = await startApi();
  const taught = await post<Taught>(api, "semantic", { content: GARDEN, source: "huerto.md" });
  const [id = 0] = taught.ids;
  assert.deepEqual(taught, { source: "huerto.md", outcome: "learned", passages: 1, added: 1, ids: [id] });
  const [found, ...others] = await search(api, "¿Cuándo se riega el tomate?");
  assert.deepEqual(others, []);
  const { at, coverage, cosine: _, ...rest } = found ?? assert.fail("it is not found");
  assert.deepEqual(rest, {
    id,
    kind: "learned_knowledge",
    source: "huerto.md",
    heading: "Huerto",
    text: "Los tomates del huerto se riegan los martes.",
    relevance: "relevant",
  });
  assert.ok(Math.abs(Date.now() - Date.parse(at)) < 60_000 && coverage === 1);
  const used = await say(api, "¿Cuándo se riegan los tomates?");
  assert.deepEqual(used.knowledge_sources.map((source) => source.id), [id]);
  assert.deepEqual(await readOk(await api.send("DELETE", `/api/memory/semantic/${id}`)), { deleted: true, id });
  assert.deepEqual(await search(api, "tomates"), []);
  assert.deepEqual((await say(api, "¿Cuándo se riegan los tomates?")).knowledge_sources, []);
  assert.equal((await statsOf(api)).sources, 0);
  const error = await readError(await api.send("DELETE", `/api/memory/semantic/${id}`), 404);
  assert.deepEqual([error.code, error.param], ["not_found", "id"]);
});

Deno.test("POST /api/memory/semantic learns the same once under a name, and a changed text anew", async () => {
  await using api = await startApi();
  const [id = 0] = await teach(api, "huerto.md", GARDEN);
  const again = await post<Taught>(api, "semantic", { content: GARDEN, source: "huerto.md" });
  assert.deepEqual([again.outcome, again.source, again.added, again.ids], ["unchanged", "huerto.md", 0, []]);
  const copy = await post<Taught>(api, "semantic", { content: GARDEN, source: "copia.md" });
  assert.deepEqual([copy.outcome, copy.source], ["learned", "copia.md"]);
  await readOk(await api.send("POST", "/api/memory/forget", { source: "copia.md" }));
  const changed = await post<Taught>(api, "semantic", {
    content: GARDEN.replace("martes", "lunes"),
    source: "huerto.md",
  });
  assert.deepEqual([changed.outcome, changed.added], ["learned", 1]);
  assert.notEqual(changed.ids[0], id);
  const found = await search(api, "tomates");
  assert.deepEqual(found.map(({ text }) => text), ["Los tomates del huerto se riegan los lunes."]);
});

Deno.test("POST /api/memory/semantic gives a note a name of its own, the same for the same text", async () => {
  await using api = await startApi();
  const one = await post<Taught>(api, "semantic", { content: "Mi gata se llama Lola." });
  const same = await post<Taught>(api, "semantic", { content: "Mi gata se llama Lola." });
  const other = await post<Taught>(api, "semantic", { content: "Mi perro se llama Lolo." });
  assert.match(one.source, /^note-[0-9a-f]{12}$/);
  assert.deepEqual([same.source, same.outcome], [one.source, "unchanged"]);
  assert.notEqual(other.source, one.source);
});

Deno.test("POST /api/memory/semantic takes a text of nearly 1 MiB, hostile letters included", async () => {
  await using api = await startApi();
  const content = `# Huerto \ud800\u0000\n\n${"Los tomates del huerto.\u0000 ".repeat(30_000)}`;
  const { passages } = await post<Taught>(api, "semantic", { content, source: "grande.md" });
  assert.ok(passages >= 1);
  const [found] = await search(api, "tomates");
  assert.ok(found?.text.isWellFormed() && !found.text.includes("\0"));
});

Deno.test("POST /api/memory/semantic refuses a text of which nothing is left to learn", async () => {
  await using api = await startApi();
  for (const content of ["\u0000", " \u0000\n\u0000 "]) {
    const error = await readError(await api.send("POST", "/api/memory/semantic", { content }), 422);
    assert.equal(error.param, "content");
  }
  assert.equal((await statsOf(api)).sources, 0);
});

Deno.test("POST /api/memory/search looks through the exchanges of the conversation it is told, and no other", async () => {
  await using api = await startApi();
  await say(api, "Planté berenjenas", { conversation_id: "c1" });
  await say(api, "Planté berenjenas en secreto", { conversation_id: "c2" });
  assert.deepEqual(await search(api, "berenjenas"), []);
  const found = await search(api, "berenjenas", { conversation_id: "c1" });
  assert.deepEqual(found.map(({ kind, source }) => [kind, source]), [["episodic", "c1"]]);
  assert.equal(found[0]?.text, "— Planté berenjenas\n— Hola, soy Django.");
  assert.deepEqual(await search(api, "berenjenas", { conversation_id: "c" }), []);
  assert.deepEqual(await search(api, "c2", { conversation_id: "c1" }), [], "another's id finds nothing either");
});

Deno.test("POST /api/memory/search finds without diacritics, keeps to the limit, and takes any text", async () => {
  await using api = await startApi();
  for (let at = 0; at < 5; at++) await teach(api, `c${at}`, `La canción número ${at} del año.`);
  assert.equal((await search(api, "CANCION")).length, 5);
  assert.equal((await search(api, "canción", { limit: 2 })).length, 2);
  for (
    const query of ['" OR *', "NEAR(a b)", "text:canción", "a\u0000b", "\ud800", "-", "el de la", "a ".repeat(400_000)]
  ) {
    assert.ok(Array.isArray(await search(api, query)), query.slice(0, 20));
  }
});

Deno.test("POST /api/memory/forget deletes what a conversation, a person or a source left, and nothing else", async () => {
  await using api = await startApi();
  await teach(api, "huerto.md", GARDEN);
  await teach(api, "perro.md", "El perro come a las ocho.");
  const spoken = [["c1", "ana"], ["c2", "ana"], ["c3", "luis"]] as const;
  for (const [conversation_id, id] of spoken) {
    await say(api, "Planté berenjenas", { conversation_id, user: { id, name: "Ana" } });
  }
  const forgotten = await post(api, "forget", { conversation_id: "c1" });
  assert.deepEqual(forgotten, { passages: 1, sources: 0, erased: true });
  assert.deepEqual(await search(api, "berenjenas", { conversation_id: "c1" }), []);
  await say(api, "¿Qué planté?", { conversation_id: "c1", user: { id: "eva", name: "Eva" } });
  assert.deepEqual(historyIn(promptOf(api.first)), [], "the conversation goes on as if nothing had been forgotten");
  assert.deepEqual(await post(api, "forget", { user_id: "ana" }), { passages: 1, sources: 0, erased: true });
  assert.deepEqual(await search(api, "berenjenas", { conversation_id: "c2" }), []);
  assert.equal((await search(api, "berenjenas", { conversation_id: "c3" })).length, 1);
  assert.deepEqual(await post(api, "forget", { source: "huerto.md" }), { passages: 1, sources: 1, erased: true });
  assert.deepEqual((await search(api, "tomates perro")).map(({ source }) => source), ["perro.md"]);
  const nothing = { passages: 0, sources: 0, erased: true };
  for (const what of [{ conversation_id: "c9" }, { user_id: "nobody" }, { source: "huerto.md" }]) {
    assert.deepEqual(await post(api, "forget", what), nothing);
  }
  const { working, episodes, learned_passages } = await statsOf(api);
  assert.deepEqual([working.conversations, episodes, learned_passages], [2, 2, 1]);
});

Deno.test("POST /api/memory/forget with all leaves nothing, not even in the files", async () => {
  await using api = await startApi();
  await teach(api, "huerto.md", "La palabra es RINOCERONTE.");
  await say(api, "HIPOPOTAMO", { conversation_id: "c1", user: { id: "u", name: "Ana" } });
  assert.deepEqual(await post(api, "forget", { all: true }), { passages: 2, sources: 1, erased: true });
  const { working, sources, learned_passages, episodes } = await statsOf(api);
  assert.deepEqual([working, sources, learned_passages, episodes], [{ conversations: 0, messages: 0 }, 0, 0, 0]);
  for (const { name, isFile } of Deno.readDirSync(`${api.folder}/data`)) {
    if (!isFile) continue;
    const text = new TextDecoder("latin1").decode(Deno.readFileSync(`${api.folder}/data/${name}`)).toLowerCase();
    for (const word of ["rinoceronte", "hipopotamo"]) assert.ok(!text.includes(word), `${name} still holds ${word}`);
  }
  await teach(api, "huerto.md", GARDEN);
  assert.equal((await search(api, "tomates")).length, 1);
});

Deno.test("POST /api/memory/forget forgets a conversation while it is being answered", async () => {
  await using api = await startApi();
  await say(api, "Me llamo Ana", { conversation_id: "c1" });
  api.first.next({ kind: "answer", tokens: ["Sí."], firstTokenDelayMs: 50 });
  const answered = say(api, "¿Sigues ahí?", { conversation_id: "c1" });
  while (api.first.chats.length < 2) await new Promise((resolve) => setTimeout(resolve, 1));
  await post(api, "forget", { conversation_id: "c1" });
  await answered;
  await say(api, "¿Cómo me llamo?", { conversation_id: "c1" });
  assert.ok(!historyIn(promptOf(api.first)).includes("Me llamo Ana"));
});

Deno.test("POST /api/memory/working/clear ends one conversation or all, and keeps what is kept for good", async () => {
  await using api = await startApi();
  for (const conversation_id of ["c1", "c2", "c3"]) await say(api, "Planté berenjenas", { conversation_id });
  assert.deepEqual((await statsOf(api)).working, { conversations: 3, messages: 6 });
  assert.deepEqual(await post(api, "working/clear", { conversation_id: "c1" }), { conversations: 1 });
  assert.deepEqual(await post(api, "working/clear", { conversation_id: "c1" }), { conversations: 0 });
  await say(api, "¿Qué planté?", { conversation_id: "c1" });
  assert.deepEqual(historyIn(promptOf(api.first)), []);
  await say(api, "¿Qué planté?", { conversation_id: "c2" });
  assert.equal(historyIn(promptOf(api.first)).length, 2);
  assert.deepEqual(await post(api, "working/clear", {}), { conversations: 3 });
  assert.deepEqual((await statsOf(api)).working, { conversations: 0, messages: 0 });
  assert.equal((await search(api, "berenjenas", { conversation_id: "c1" })).length, 1);
});

Deno.test("GET /api/memory/stats tells how much is remembered", async () => {
  await using api = await startApi({
    change: ({ assignments: _, ...models }) => models, // nobody makes vectors
  });
  const empty = await statsOf(api);
  const { file_bytes, ...counts } = empty;
  const none = { sources: 0, learned_passages: 0, episodes: 0, vectors: 0, vector_bytes: 0 };
  assert.deepEqual(counts, { working: { conversations: 0, messages: 0 }, ...none });
  await teach(api, "huerto.md", `${GARDEN}\n\n# Perro\n\nEl perro come a las ocho.`);
  await say(api, "Hola", { conversation_id: "c1" });
  const { file_bytes: larger, ...more } = await statsOf(api);
  const some = { ...none, sources: 1, learned_passages: 2, episodes: 1 };
  assert.deepEqual(more, { working: { conversations: 1, messages: 2 }, ...some });
  assert.ok(file_bytes > 0 && larger >= file_bytes);
});

const REFUSED: readonly (readonly [string, object, string | undefined])[] = [
  ["search", {}, "query"],
  ["search", { query: "" }, "query"],
  ["search", { query: " \n" }, "query"],
  ["search", { query: 7 }, "query"],
  ["search", { query: "a", limit: 0 }, "limit"],
  ["search", { query: "a", limit: 51 }, "limit"],
  ["search", { query: "a", limit: 1.5 }, "limit"],
  ["search", { query: "a", limit: "5" }, "limit"],
  ["search", { query: "a", conversation_id: "" }, "conversation_id"],
  ["search", { query: "a", kind: "all" }, undefined],
  ["semantic", {}, "content"],
  ["semantic", { content: "" }, "content"],
  ["semantic", { content: ["a"] }, "content"],
  ["semantic", { content: "a", source: "" }, "source"],
  ["semantic", { content: "a", source: "a\nb" }, "source"],
  ["semantic", { content: "a", source: "\ud800" }, "source"],
  ["semantic", { content: "a", source: "a".repeat(501) }, "source"],
  ["working/clear", { conversation_id: 7 }, "conversation_id"],
  ["working/clear", { conversation: "c1" }, undefined],
  ["forget", {}, undefined],
  ["forget", { all: false }, undefined],
  ["forget", { all: true, source: "a" }, undefined],
  ["forget", { conversation_id: "a", user_id: "b" }, undefined],
  ["forget", { source: "" }, "source"],
  ["forget", { everything: true }, undefined],
];

Deno.test("POST /api/memory/… refuses what makes no sense, names the place, and forgets nothing", async () => {
  await using api = await startApi();
  await teach(api, "huerto.md", GARDEN);
  for (const [path, body, param] of REFUSED) {
    const error = await readError(await api.send("POST", `/api/memory/${path}`, body), 422);
    assert.deepEqual([error.code, error.param], ["invalid_value", param], `${path} ${JSON.stringify(body)}`);
  }
  assert.equal((await statsOf(api)).learned_passages, 1);
});

Deno.test("DELETE /api/memory/semantic/{id} takes numbers only, and deletes no exchange", async () => {
  await using api = await startApi();
  await say(api, "Planté berenjenas", { conversation_id: "c1" });
  const [episode] = await search(api, "berenjenas", { conversation_id: "c1" });
  await readError(await api.send("DELETE", `/api/memory/semantic/${episode?.id}`), 404);
  for (const id of ["abc", "0", "-1", "1.5", "%20", "1e400", "99999999999999999999", "NaN", "true"]) {
    const response = await api.send("DELETE", `/api/memory/semantic/${id}`);
    const error = await readError(response, 422);
    assert.equal(error.param, "id", id);
  }
  assert.equal((await statsOf(api)).episodes, 1);
});

Deno.test("DELETE /api/memory/semantic/{id} takes an id as it is shown, and in no other spelling", async () => {
  await using api = await startApi();
  const [id] = await teach(api, "huerto.md", GARDEN);
  assert.equal(id, 1);
  for (const spelling of ["0x1", "1e0", "+1", "1.0", "01", "%201"]) {
    const response = await api.send("DELETE", `/api/memory/semantic/${spelling}`);
    await response.body?.cancel();
    assert.ok([404, 422].includes(response.status), `${spelling}: ${response.status}`);
    assert.equal((await statsOf(api)).learned_passages, 1, spelling);
  }
});
