import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { quote } from "../config/words.ts";
import { withRemedy } from "../core/errors.ts";
import type { GenerateRequest, StreamItem, StreamStart } from "../core/types.ts";
import { findModel } from "../router/chain.ts";
import type { Router } from "../router/router.ts";
import { answers, bodyOf, createApi } from "./context.ts";
import { describeError, HttpError } from "./errors.ts";
import { answerHeaders, ChunkWriter, toCompletion } from "./openai_answer.ts";
import { toGenerateRequest } from "./openai_request.ts";
import {
  chatCompletionSchema,
  type ChatRequest,
  chatRequestSchema,
  type EmbeddingsRequest,
  embeddingsRequestSchema,
  embeddingsSchema,
  modelListSchema,
  UNSUPPORTED,
} from "./openai_schema.ts";
import { ROLE_MODELS } from "./schemas.ts";
import { EVENT_STREAM, toByteStream } from "./sse.ts";

const chatRoute = createRoute({
  method: "post",
  path: "/v1/chat/completions",
  summary: "OpenAI-compatible chat completion, streamed with `stream: true`",
  ...bodyOf(chatRequestSchema, "images"),
  responses: {
    ...answers(chatCompletionSchema, "the answer; an event stream of chunks when streamed"),
    200: {
      description: "the answer; an event stream of chunks when streamed",
      content: {
        "application/json": { schema: chatCompletionSchema },
        "text/event-stream": { schema: z.string() },
      },
    },
  },
});

const embeddingsRoute = createRoute({
  method: "post",
  path: "/v1/embeddings",
  summary: "OpenAI-compatible vectors of texts",
  ...bodyOf(embeddingsRequestSchema),
  responses: answers(embeddingsSchema, "a vector for each text"),
});

const modelsRoute = createRoute({
  method: "get",
  path: "/v1/models",
  summary: "What `model` may be",
  responses: answers(modelListSchema, "references, roles and `auto`"),
});

/** The part of OpenAI's API that clients use most. */
export function createOpenAi(router: Router): OpenAPIHono {
  const api = createApi();
  const startedAt = Math.floor(Date.now() / 1000);
  api.openapi(chatRoute, async (c) => {
    refuseUnsupported(await c.req.json());
    const body = c.req.valid("json");
    const request = { ...toGenerateRequest(body), signal: c.req.raw.signal };
    requireModel(router, request);
    return body.stream
      ? await streamCompletion(c, router, request, body)
      : await completeChat(c, router, request, body);
  });
  api.openapi(embeddingsRoute, async (c) => {
    const body = c.req.valid("json");
    requireEmbeddingsModel(router, body.model);
    return c.json(await embed(router, body, c.req.raw.signal), 200);
  });
  api.openapi(modelsRoute, (c) => c.json(listModels(router, startedAt), 200));
  return api;
}

async function completeChat(
  c: Context,
  router: Router,
  request: GenerateRequest,
  { parallel_tool_calls }: ChatRequest,
) {
  const response = await router.generate(request);
  const calls = response.tool_calls;
  const shown = calls && parallel_tool_calls === false ? { ...response, tool_calls: calls.slice(0, 1) } : response;
  return c.json(toCompletion(shown, newId()), 200, answerHeaders(response, response.cost_usd));
}

/** Waits for the first word before it says that all is well: until then an error still has a status. */
async function streamCompletion(c: Context, router: Router, request: GenerateRequest, body: ChatRequest) {
  const items = router.stream(request);
  const { value: start } = await items.next();
  if (start?.type !== "start") throw new Error("A stream began without its start");
  const headers = { ...EVENT_STREAM, ...answerHeaders(start) };
  const pieces = chunksOf(items, start, body);
  // A generator that nobody has read from yet does not end what it reads from.
  const end = async () => void await Promise.allSettled([pieces.return(), items.return()]);
  return c.body(toByteStream(pieces, end), 200, headers) as never;
}

async function* chunksOf(items: AsyncGenerator<StreamItem>, start: StreamStart, body: ChatRequest) {
  const writer = new ChunkWriter(start, newId());
  let calls = 0;
  let unsent = writer.start(); // goes out with the first token, which is here already
  try {
    for await (const item of items) {
      if (item.type === "start") continue;
      if (item.type === "done") unsent += writer.finish(item.response, body.stream_options?.include_usage === true);
      else if (item.type !== "tool_call" || calls++ === 0 || body.parallel_tool_calls !== false) {
        yield unsent + writer.delta(item);
        unsent = "";
      }
    }
    yield `${unsent}data: [DONE]\n\n`;
  } catch (error) {
    yield `${unsent}data: ${JSON.stringify(describeError(error, { openai: true }).body)}\n\n`;
  }
}

async function embed(router: Router, { input, encoding_format }: EmbeddingsRequest, signal: AbortSignal) {
  const texts = typeof input === "string" ? [input] : input;
  const { vectors, provider, model, usage } = await router.embed(texts, { priority: "interactive", signal });
  return {
    object: "list" as const,
    data: vectors.map((vector, index) => ({
      object: "embedding" as const,
      index,
      embedding: encoding_format === "base64" ? toBase64(vector) : [...vector],
    })),
    model: `${provider}/${model}`,
    usage: { prompt_tokens: usage.input, total_tokens: usage.total },
  };
}

/** Little-endian 32-bit floats, as OpenAI sends them. */
function toBase64(vector: readonly number[]): string {
  const view = new DataView(new ArrayBuffer(vector.length * 4));
  vector.forEach((value, index) => view.setFloat32(index * 4, value, true));
  return new Uint8Array(view.buffer).toBase64();
}

function listModels(router: Router, created: number) {
  const { models, profile } = router.snapshot;
  const entry = (id: string, owner: string) => ({ id, object: "model" as const, created, owned_by: owner });
  const roles = profile.assignments.embeddings === undefined ? ROLE_MODELS : [...ROLE_MODELS, "role:embeddings"];
  const own = ["auto", ...roles].map((id) => entry(id, "django-agent"));
  const configured = Object.entries(models.providers).flatMap(([provider, settings]) =>
    Object.keys(settings.models).map((model) => entry(`${provider}/${model}`, provider))
  );
  return { object: "list" as const, data: [...own, ...configured] };
}

function refuseUnsupported(body: Readonly<Record<string, unknown>>): void {
  const field = UNSUPPORTED.find((name) => body[name] != null && !isTextAlone(name, body[name]));
  if (field === undefined) return;
  throw new HttpError(400, `${field} is not supported`, { code: "unsupported_parameter", param: field });
}

/** The default of `modalities`, which some clients spell out. */
function isTextAlone(name: string, value: unknown): boolean {
  return name === "modalities" && Array.isArray(value) && value.length === 1 && value[0] === "text";
}

function requireModel({ snapshot }: Router, { model }: GenerateRequest): void {
  if (model !== undefined && !findModel(snapshot.models, model)?.chats) throw unknownModel(model);
}

function requireEmbeddingsModel({ snapshot: { profile } }: Router, model: string): void {
  const assigned = profile.assignments.embeddings;
  if (assigned === undefined) {
    const remedy = "Assign one: django-agent models assign embeddings ollama/embeddinggemma";
    throw new HttpError(404, withRemedy(`Profile ${profile.name} assigns no model to embeddings`, remedy), {
      code: "model_not_found",
      param: "model",
    });
  }
  if (model !== "role:embeddings" && model !== "auto" && model !== assigned) throw unknownModel(model);
}

function unknownModel(model: string): HttpError {
  return new HttpError(404, `There is no model ${quote(model)} for this; GET /v1/models lists them`, {
    code: "model_not_found",
    param: "model",
  });
}

function newId(): string {
  return `chatcmpl-${crypto.randomUUID()}`;
}
