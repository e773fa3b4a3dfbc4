import { z } from "@hono/zod-openapi";
import { SOURCE_KINDS } from "../chat/chat.ts";
import { printable } from "../core/format.ts";
import { CHAT_ROLES, COGNITIVE_MODES } from "../core/types.ts";
import { NO_IMAGE, readImage } from "./image.ts";

/** Shapes of `/api/chat`. */

/** One line of printable letters. */
export const lineSchema = (most: number) =>
  z.string().min(1).max(most).refine(
    (text) => !/[\p{Cc}\p{Zl}\p{Zp}]/u.test(text) && text.isWellFormed(),
    "it must be one line of printable letters",
  );

/** A text in which something is said. */
export const saying = z.string().refine((text) => printable(text).trim() !== "", "it is empty");

export const conversationIdSchema = lineSchema(200).openapi({
  description: "a conversation of the caller's choice; one that is not known begins",
});

// Told apart one by one: of a list the library would describe the first alone.
const modeSchema = z.union(
  COGNITIVE_MODES.map((mode) => z.literal(mode)),
  "it must be 1, 2 or 3",
);

/** Pictures of one message: each takes a model's window like hundreds of words. */
const MOST_IMAGES = 8;

const imageSchema = z.string().transform((url, context) => {
  const image = readImage(url);
  if (image) return image;
  context.addIssue(NO_IMAGE);
  return z.NEVER;
}).openapi({ type: "string", example: "data:image/png;base64,…" });

export const chatRequestSchema = z.strictObject({
  message: saying,
  conversation_id: conversationIdSchema.optional().openapi({ description: "default: a new one" }),
  cognitive_mode: modeSchema.default(2).openapi({
    description: "1 all memory, model and web; 2 model grounded in memory; 3 memory alone, without a model",
  }),
  role: z.enum(CHAT_ROLES).default("identity_core").openapi({ description: "whose model answers" }),
  context: z.string().optional().openapi({
    description: "what the caller sees around the message; the agent may talk about it, and may keep silent",
  }),
  images: z.array(imageSchema).max(MOST_IMAGES).default([]).openapi({
    description: "pictures that go with the message; a model that sees none is told how many there are",
  }),
  user: z.strictObject({
    id: lineSchema(200).openapi({ description: "stays the same when the name changes" }),
    name: z.string().min(1).max(200),
  }).optional(),
  stream: z.boolean().default(false).openapi({ description: "events delta, done, error instead of one answer" }),
}).openapi("ChatRequest");

export const chatAnswerSchema = z.object({
  content: z.string(),
  silent: z.boolean().openapi({ description: "true: it chose to say nothing" }),
  conversation_id: z.string(),
  cognitive_mode: modeSchema,
  provider: z.string().nullable().openapi({ description: "null when no model was asked" }),
  model: z.string().nullable(),
  fallback: z.boolean(),
  knowledge_sources: z.array(z.object({
    kind: z.enum(SOURCE_KINDS),
    source: z.string(),
    id: z.number().nullable(),
    heading: z.string().nullable(),
  })),
  usage: z.object({
    input: z.number(),
    cached_input: z.number(),
    output: z.number(),
    reasoning: z.number(),
    total: z.number(),
    source: z.enum(["provider", "estimated"]),
  }).nullable(),
  cost_usd: z.number().nullable(),
  latency_ms: z.number(),
}).openapi("ChatAnswer");
