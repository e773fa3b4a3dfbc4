import assert from "node:assert/strict";
import { loadModuleGraph } from "../support/module_graph.ts";

Deno.test("src/providers loads the client libraries at the first call only", async () => {
  const names = ["ollama", "groq", "gemini"];
  const graph = await loadModuleGraph(
    names.map((name) => `src/providers/${name}.ts`),
    new URL("../../", import.meta.url),
  );
  const libraries = [...graph.values()].flat().filter(({ target }) => target.startsWith("npm:"));
  assert.deepEqual(libraries.filter(({ kind }) => kind === "static"), []);
  const dynamic = new Set(libraries.filter(({ kind }) => kind === "dynamic").map(({ target }) => target));
  assert.deepEqual(dynamic, new Set(["npm:ollama", "npm:groq-sdk", "npm:@google/genai"]));
});
