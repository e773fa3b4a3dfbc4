import { z } from "@hono/zod-openapi";
import { MOST_RESULTS } from "../memory/search.ts";
import { MEMORY_KINDS } from "../storage/memory.ts";
import { conversationIdSchema, lineSchema, saying } from "./chat_schema.ts";

/** Shapes of `/api/memory/…`. */

export const memorySearchSchema = z.strictObject({
  query: saying,
  conversation_id: conversationIdSchema.optional().openapi({
    description: "also look through the exchanges of this conversation",
  }),
  limit: z.number().int().min(1).max(MOST_RESULTS).default(10),
}).openapi("MemorySearch");

export const memoryHitsSchema = z.object({
  results: z.array(z.object({
    id: z.number(),
    kind: z.enum(MEMORY_KINDS),
    source: z.string(),
    heading: z.string(),
    text: z.string(),
    at: z.string(),
    relevance: z.enum(["relevant", "related", "none"]),
    coverage: z.number().openapi({ description: "share of what was asked that occurs in it, 0 to 1" }),
    cosine: z.number().nullable().openapi({ description: "nearness of its vector, -1 to 1" }),
  })),
}).openapi("MemoryHits");

export const teachSchema = z.strictObject({
  content: saying.openapi({ description: "text or Markdown" }),
  source: lineSchema(500).optional().openapi({
    description: "what it is called; what was taught under the same name is replaced; default: a name of its own",
  }),
}).openapi("Teach");

export const taughtSchema = z.object({
  source: z.string().openapi({ description: "the name it is known under" }),
  outcome: z.enum(["learned", "unchanged"]),
  passages: z.number(),
  added: z.number(),
  ids: z.array(z.number()).openapi({ description: "of the passages that are new" }),
}).openapi("Taught");

export const deletedSchema = z.object({ deleted: z.literal(true), id: z.number() }).openapi("Deleted");

export const clearSchema = z.strictObject({ conversation_id: conversationIdSchema.optional() }).openapi("Clear");
export const clearedSchema = z.object({
  conversations: z.number().openapi({ description: "how many were forgotten" }),
}).openapi("Cleared");

const name = z.string().min(1).max(500);

export const forgetSchema = z.union([
  z.strictObject({ conversation_id: name }),
  z.strictObject({ user_id: name }),
  z.strictObject({ source: name }),
  z.strictObject({ all: z.literal(true) }),
], "name exactly one of conversation_id, user_id, source, and all: true").openapi("Forget");

export const forgottenSchema = z.object({
  passages: z.number(),
  sources: z.number(),
  erased: z.boolean().openapi({ description: "false: old bytes lie on until another program has finished reading" }),
}).openapi("Forgotten");

export const memoryStatsSchema = z.object({
  working: z.object({ conversations: z.number(), messages: z.number() }),
  sources: z.number(),
  learned_passages: z.number(),
  episodes: z.number(),
  vectors: z.number(),
  vector_bytes: z.number().openapi({ description: "what their codes take up in memory" }),
  file_bytes: z.number(),
}).openapi("MemoryStats");
