import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { nameOfNote } from "../memory/learn.ts";
import type { Memory } from "../memory/memory.ts";
import { describeHit, realmsFor } from "../memory/search.ts";
import { answers, bodyOf, createApi } from "./context.ts";
import { HttpError } from "./errors.ts";
import {
  clearedSchema,
  clearSchema,
  deletedSchema,
  forgetSchema,
  forgottenSchema,
  memoryHitsSchema,
  memorySearchSchema,
  memoryStatsSchema,
  taughtSchema,
  teachSchema,
} from "./memory_schema.ts";

const searchRoute = createRoute({
  method: "post",
  path: "/api/memory/search",
  summary: "Look for what is remembered, by words and by meaning",
  ...bodyOf(memorySearchSchema),
  responses: answers(memoryHitsSchema, "best first"),
});

const teachRoute = createRoute({
  method: "post",
  path: "/api/memory/semantic",
  summary: "Teach it a text",
  ...bodyOf(teachSchema),
  responses: answers(taughtSchema, "what came of it"),
});

const deleteRoute = createRoute({
  method: "delete",
  path: "/api/memory/semantic/{id}",
  summary: "Delete one learned passage for good",
  request: { params: z.object({ id: z.string().regex(/^[1-9]\d{0,15}$/).transform(Number) }) },
  responses: answers(deletedSchema, "it is gone"),
});

const clearRoute = createRoute({
  method: "post",
  path: "/api/memory/working/clear",
  summary: "Forget what was said in one conversation that goes on, or in all of them",
  ...bodyOf(clearSchema),
  responses: answers(clearedSchema, "done"),
});

const forgetRoute = createRoute({
  method: "post",
  path: "/api/memory/forget",
  summary: "Delete everything of a conversation, a person or a source for good",
  ...bodyOf(forgetSchema),
  responses: answers(forgottenSchema, "how much there was"),
});

const statsRoute = createRoute({
  method: "get",
  path: "/api/memory/stats",
  summary: "How much is remembered",
  responses: answers(memoryStatsSchema, "right now"),
});

/** What is remembered: looking for it, adding to it, deleting it. */
export function createMemory(memory: Memory): OpenAPIHono {
  const api = createApi();
  api.openapi(searchRoute, async (c) => {
    const { query, conversation_id, limit } = c.req.valid("json");
    const asked = { text: query, realms: realmsFor(conversation_id), limit };
    return c.json({ results: (await memory.search(asked, c.req.raw.signal)).map(describeHit) }, 200);
  });
  api.openapi(teachRoute, async (c) => {
    const { content, source } = c.req.valid("json");
    const text = content.toWellFormed().replaceAll("\0", "");
    const document = { name: source ?? nameOfNote(text), text, atMs: Date.now() };
    const learned = await memory.learn(document, { signal: c.req.raw.signal });
    const { name, outcome, passages, added, added_ids } = learned;
    return c.json({ source: name, outcome, passages, added, ids: [...added_ids] }, 200);
  });
  api.openapi(deleteRoute, async (c) => {
    const { id } = c.req.valid("param");
    if (await memory.deletePassage(id)) return c.json({ deleted: true as const, id }, 200);
    throw new HttpError(404, "There is no learned passage of that id", { code: "not_found", param: "id" });
  });
  api.openapi(clearRoute, (c) => {
    const { conversation_id } = c.req.valid("json");
    return c.json({ conversations: memory.working.clear(conversation_id) }, 200);
  });
  api.openapi(forgetRoute, async (c) => c.json(await memory.forget(c.req.valid("json")), 200));
  api.openapi(statsRoute, (c) => {
    const working = { conversations: memory.working.size, messages: memory.working.messages };
    return c.json({ working, ...memory.stats(), vector_bytes: memory.vectorBytes }, 200);
  });
  return api;
}
