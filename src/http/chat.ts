import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import type { Chat, ChatAnswer, ChatItem, ChatRequest } from "../chat/chat.ts";
import { chatAnswerSchema, chatRequestSchema } from "./chat_schema.ts";
import { smallWithoutImages } from "./body.ts";
import { answers, bodyOf, createApi, MAX_BYTES } from "./context.ts";
import { describeError } from "./errors.ts";
import { EVENT_STREAM, toByteStream } from "./sse.ts";

const body = bodyOf(chatRequestSchema, "images");

const chatRoute = createRoute({
  method: "post",
  path: "/api/chat",
  summary: "Say something to the agent; with `stream: true` its answer comes as it is made",
  ...body,
  middleware: [...body.middleware, smallWithoutImages(MAX_BYTES.ordinary)],
  responses: {
    ...answers(chatAnswerSchema, "the answer"),
    200: {
      description: "the answer; when streamed, events `delta`, then `done` with the same as unstreamed, or `error`",
      content: {
        "application/json": { schema: chatAnswerSchema },
        "text/event-stream": { schema: z.string() },
      },
    },
  },
});

/** The one way to converse: for the bot, the terminal and the page. */
export function createChat(chat: Chat): OpenAPIHono {
  const api = createApi();
  api.openapi(chatRoute, async (c) => {
    const { stream, conversation_id = crypto.randomUUID(), ...said } = c.req.valid("json");
    const request: ChatRequest = { ...said, conversation_id, signal: c.req.raw.signal };
    return stream ? await streamAnswer(c, chat, request) : c.json(toBody(await chat.answer(request)), 200);
  });
  return api;
}

/** Waits until there will be an answer before it says that all is well: until then an error still has a status. */
async function streamAnswer(c: Context, chat: Chat, request: ChatRequest) {
  const items = chat.stream(request);
  await items.next();
  const events = eventsOf(items);
  // A generator that nobody has read from yet does not end what it reads from.
  const end = async () => void await Promise.allSettled([events.return(), items.return()]);
  return c.body(toByteStream(events, end), 200, EVENT_STREAM) as never;
}

async function* eventsOf(items: AsyncGenerator<ChatItem, void, void>): AsyncGenerator<string, void, void> {
  try {
    for await (const item of items) {
      if (item.type === "delta") yield event("delta", { text: item.text });
      else if (item.type === "done") yield event("done", toBody(item.answer));
    }
  } catch (error) {
    yield event("error", describeError(error, { openai: false }).body);
  }
}

function event(name: string, data: object): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}

/** The provider's own counts are of no use outside. */
function toBody({ usage, knowledge_sources, ...answer }: ChatAnswer): z.output<typeof chatAnswerSchema> {
  if (!usage) return { ...answer, knowledge_sources: [...knowledge_sources], usage };
  const { raw: _, ...counts } = usage;
  return { ...answer, knowledge_sources: [...knowledge_sources], usage: counts };
}
