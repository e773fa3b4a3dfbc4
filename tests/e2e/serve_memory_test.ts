/** What a running `serve` does with the memory by itself: vectors in the background. */
import assert from "node:assert/strict";
import type { RecordedRequest } from "../support/raw_server.ts";
import { writeModels } from "../support/program.ts";
import { until } from "../support/rig.ts";
import { serve, type Served } from "./served.ts";
import { createWorld, EMBEDDING, modelsFor, withEmbeddings, type World } from "./setup.ts";

/** Teaches it three passages and gives them no vectors. */
async function teach(world: World): Promise<void> {
  await Deno.writeTextFile(`${world.folder}/a.md`, "# A\n\nAlpha.\n\n# B\n\nBeta.\n\n# C\n\nGamma.");
  const { code, stderr } = await world.run(["learn", "a.md", "--no-vectors"]);
  assert.equal(code, 0, stderr);
}

async function vectorsOf(served: Served): Promise<number> {
  return (await (await served.get("/api/memory/stats")).json()).vectors;
}

/** Waits until there are so many vectors, however long it takes. */
async function untilVectors(served: Served, count: number): Promise<void> {
  while (await vectorsOf(served) !== count) await new Promise((resolve) => setTimeout(resolve, 20));
}

/** Texts that a model was asked to turn into vectors. */
function embedded(world: World, model: string): string[] {
  return world.ollama.requests.filter(({ path }) => path === "/api/embed").map(bodyOf)
    .filter((body) => body.model === model).flatMap(({ input }) => input);
}

function bodyOf({ body }: RecordedRequest): { readonly model: string; readonly input: string[] } {
  return JSON.parse(new TextDecoder().decode(body));
}

/** A second model for vectors beside the first. */
function withTwo(models: ReturnType<typeof modelsFor>) {
  models.providers.ollama.models["bge-m3"] = { context: 2048, embeddings: true };
  return withEmbeddings(models);
}

const TWO = { models: [...EMBEDDING.models ?? [], "bge-m3"] };

Deno.test("serve makes the vectors that a learn --no-vectors left out, in the background", async () => {
  await using world = await createWorld(withEmbeddings, EMBEDDING);
  await teach(world);
  await using served = await serve(world);
  await untilVectors(served, 3);
  assert.deepEqual(embedded(world, "embeddinggemma").sort(), ["A\n\nAlpha.", "B\n\nBeta.", "C\n\nGamma."]);
  assert.equal(served.program.told.includes("warn"), false, served.program.told);
});

Deno.test("serve makes the vectors of what is taught and said while it runs, each once", async () => {
  await using world = await createWorld(withEmbeddings, EMBEDDING);
  await using served = await serve(world);
  await served.post("/api/memory/semantic", { content: "The spade hangs on the left.", source: "shed" });
  await untilVectors(served, 1);
  await served.post("/api/chat", { message: "hola, ¿qué tal?", conversation_id: "casa" });
  await untilVectors(served, 2);
  const texts = embedded(world, "embeddinggemma");
  assert.equal(texts.filter((text) => text === "The spade hangs on the left.").length, 1);
  assert.equal(texts.filter((text) => text.startsWith("— hola")).length, 1);
});

Deno.test("serve makes the vectors anew when the embeddings assignment changes, over the API", async () => {
  await using world = await createWorld(withTwo, TWO);
  await teach(world);
  await using served = await serve(world);
  await untilVectors(served, 3);
  const response = await fetch(`${served.origin}/api/models/assignment`, {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ agent_role: "embeddings", model: "ollama/bge-m3" }),
  });
  assert.equal(response.status, 200, await response.text());
  await until(() => embedded(world, "bge-m3").length === 3);
  await untilVectors(served, 3);
});

Deno.test("serve makes the vectors anew when the embeddings assignment changes in models.json", async () => {
  await using world = await createWorld(withTwo, TWO);
  await teach(world);
  await using served = await serve(world);
  await untilVectors(served, 3);
  const { ollama, groq, gemini } = world;
  const models = withTwo(modelsFor(ollama, groq, gemini));
  await writeModels(world.folder, { ...models, assignments: { embeddings: "ollama/bge-m3" } });
  await until(() => embedded(world, "bge-m3").length === 3);
});

Deno.test("serve makes vectors as soon as there is a model for them, although the one before was missing", async () => {
  await using world = await createWorld((models) => ({
    ...withTwo(models),
    assignments: { embeddings: "ollama/bge-m3" },
  }), EMBEDDING);
  await teach(world);
  await using served = await serve(world);
  await served.program.waitUntilTold("ollama pull bge-m3");
  const { ollama, groq, gemini } = world;
  await writeModels(world.folder, withTwo(modelsFor(ollama, groq, gemini)));
  await untilVectors(served, 3);
});

Deno.test("serve does not let an answer wait for the model for vectors, which hangs", async () => {
  await using world = await createWorld(withEmbeddings, EMBEDDING);
  world.ollama.on("/api/embed", { kind: "silence" });
  await teach(world);
  await using served = await serve(world);
  await until(() => embedded(world, "embeddinggemma").length > 0);
  world.ollama.next({ kind: "answer", firstTokenDelayMs: 300 });
  const answer = served.post("/api/chat", { message: "Alpha", conversation_id: "casa" });
  await until(() => world.ollama.chats.length === 1);
  const asked = world.ollama.open;
  assert.equal((await answer)["content"], "Hola, soy Django.");
  assert.equal(asked, 1, "the batch under way is given up for the sake of the answer");
});

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  Deno.test(`serve ends with 0 on ${signal} while the model for vectors hangs, and hangs up at it`, async () => {
    await using world = await createWorld((models) => ({
      ...withEmbeddings(models),
      deadlines: { load_seconds: 3600, first_token_seconds: 3600, idle_seconds: 3600, total_seconds: 3600 },
    }), EMBEDDING);
    world.ollama.on("/api/embed", { kind: "silence" });
    await teach(world);
    await using served = await serve(world);
    await until(() => embedded(world, "embeddinggemma").length > 0);
    served.program.kill(signal);
    const { code, stderr } = await served.program.finished;
    assert.equal(code, 0, stderr);
    await until(() => world.ollama.open === 0);
    assert.equal((await world.run(["memory", "list", "--json"])).code, 0);
  });
}

Deno.test("serve starts and ends as usual when the memory cannot be used", async () => {
  await using world = await createWorld(withEmbeddings, EMBEDDING);
  await Deno.mkdir(`${world.folder}/data/memory.db`, { recursive: true });
  await using served = await serve(world);
  const { content } = await served.post("/api/chat", { message: "hola", conversation_id: "casa" });
  assert.equal(content, "Hola, soy Django.");
  served.program.kill("SIGTERM");
  const { code, stderr } = await served.program.finished;
  assert.equal(code, 0, stderr);
  assert.doesNotMatch(stderr, /Internal error/);
});

Deno.test("serve goes on answering while a large document is forgotten through it", async () => {
  await using world = await createWorld();
  const words = Array.from(
    { length: 400_000 },
    (_, n) => n % 100 === 0 ? `\n\nPart ${n}` : `word${(n * 7919) % 20_011}`,
  );
  await Deno.writeTextFile(`${world.folder}/big.md`, words.join(" "));
  assert.equal((await world.run(["learn", "big.md"])).code, 0);
  await using served = await serve(world);
  let forgotten = false;
  const forgetting = served.post("/api/memory/forget", { source: "big.md" }).finally(() => forgotten = true);
  let answered = 0;
  while (!forgotten) {
    await (await served.get("/health")).body?.cancel();
    answered++;
  }
  await forgetting;
  // A share of the server's own time: no clock of the machine is asserted on.
  assert.ok(answered > 20, `${answered} answers meanwhile`);
});
