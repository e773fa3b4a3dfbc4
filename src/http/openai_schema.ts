import { z } from "@hono/zod-openapi";

/** The part of OpenAI's requests that is understood here. Fields that nobody knows are ignored, as OpenAI does. */

const textPart = z.object({ type: z.literal("text"), text: z.string() });
const imagePart = z.object({
  type: z.literal("image_url"),
  image_url: z.object({ url: z.string(), detail: z.string().optional() }),
});
const textContent = z.union([z.string(), z.array(textPart)]);

const toolCallSchema = z.object({
  id: z.string(),
  type: z.literal("function"),
  function: z.object({ name: z.string(), arguments: z.string() }),
});

const messageSchema = z.discriminatedUnion("role", [
  z.object({ role: z.enum(["system", "developer"]), content: textContent }),
  z.object({
    role: z.literal("user"),
    content: z.union([z.string(), z.array(z.discriminatedUnion("type", [textPart, imagePart]))], {
      error: "must be a text or a list of parts; of these only text and image_url are supported",
    }),
  }),
  z.object({
    role: z.literal("assistant"),
    content: textContent.nullish(),
    tool_calls: z.array(toolCallSchema).nullish(),
  }),
  z.object({ role: z.literal("tool"), content: textContent, tool_call_id: z.string() }),
]);

const toolSchema = z.object({
  type: z.literal("function"),
  function: z.object({
    name: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/),
    description: z.string().nullish(),
    parameters: z.record(z.string(), z.unknown()).nullish(),
  }),
});

const responseFormatSchema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("text") }),
  z.object({ type: z.literal("json_object") }),
  z.object({
    type: z.literal("json_schema"),
    json_schema: z.object({ name: z.string().optional(), schema: z.record(z.string(), z.unknown()) }),
  }),
]);

const penalty = z.number().min(-2).max(2).nullish();

/** `POST /v1/chat/completions` */
export const chatRequestSchema = z.object({
  model: z.string().openapi({ description: "`provider/model`, `role:technical`, or `auto`", example: "auto" }),
  messages: z.array(messageSchema).min(1),
  stream: z.boolean().nullish(),
  stream_options: z.object({ include_usage: z.boolean().nullish() }).nullish(),
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
  seed: z.int().nullish(),
  presence_penalty: penalty,
  frequency_penalty: penalty,
  max_tokens: z.int().min(1).nullish(),
  max_completion_tokens: z.int().min(1).nullish(),
  stop: z.union([z.string(), z.array(z.string()).max(4)], { error: "must be a text or up to four texts" }).nullish(),
  n: z.literal(1, { error: "only one answer at a time is supported" }).nullish(),
  response_format: responseFormatSchema.nullish(),
  tools: z.array(toolSchema).max(128).nullish(),
  tool_choice: z.enum(["auto", "none"], { error: "only auto and none are supported" }).nullish(),
  parallel_tool_calls: z.boolean().nullish(),
  reasoning_effort: z.enum(["none", "minimal", "low", "medium", "high"]).nullish(),
  logprobs: z.literal(false, { error: "is not supported" }).nullish(),
  user: z.string().nullish(),
}).openapi("ChatCompletionRequest");
export type ChatRequest = z.output<typeof chatRequestSchema>;

/** Fields OpenAI knows and this server cannot honour; refused by name rather than ignored. */
export const UNSUPPORTED = [
  "audio",
  "function_call",
  "functions",
  "logit_bias",
  "modalities",
  "prediction",
  "top_logprobs",
  "web_search_options",
] as const;

/** `POST /v1/embeddings` */
export const embeddingsRequestSchema = z.object({
  model: z.string().openapi({ description: "the embeddings model, `role:embeddings`, or `auto`", example: "auto" }),
  input: z.union([z.string().min(1), z.array(z.string().min(1)).min(1).max(2048)], {
    error: "must be a text or a list of at most 2048 texts, none of them empty; tokens are not supported",
  }),
  encoding_format: z.enum(["float", "base64"]).nullish(),
  dimensions: z.null({ error: "is not supported" }).optional(),
  user: z.string().nullish(),
}).openapi("EmbeddingsRequest");
export type EmbeddingsRequest = z.output<typeof embeddingsRequestSchema>;

const usageSchema = z.object({
  prompt_tokens: z.number(),
  completion_tokens: z.number(),
  total_tokens: z.number(),
  prompt_tokens_details: z.object({ cached_tokens: z.number() }),
  completion_tokens_details: z.object({ reasoning_tokens: z.number() }),
});

export const chatCompletionSchema = z.object({
  id: z.string(),
  object: z.literal("chat.completion"),
  created: z.number(),
  model: z.string(),
  choices: z.array(z.object({
    index: z.number(),
    message: z.object({
      role: z.literal("assistant"),
      content: z.string().nullable(),
      refusal: z.null(),
      reasoning_content: z.string().optional(),
      tool_calls: z.array(toolCallSchema).optional(),
    }),
    logprobs: z.null(),
    finish_reason: z.enum(["stop", "length", "tool_calls"]),
  })),
  usage: usageSchema,
}).openapi("ChatCompletion");
export type ChatCompletion = z.output<typeof chatCompletionSchema>;

export const embeddingsSchema = z.object({
  object: z.literal("list"),
  data: z.array(z.object({
    object: z.literal("embedding"),
    index: z.number(),
    embedding: z.union([z.array(z.number()), z.string()]),
  })),
  model: z.string(),
  usage: z.object({ prompt_tokens: z.number(), total_tokens: z.number() }),
}).openapi("Embeddings");

export const modelListSchema = z.object({
  object: z.literal("list"),
  data: z.array(z.object({ id: z.string(), object: z.literal("model"), created: z.number(), owned_by: z.string() })),
}).openapi("ModelList");
