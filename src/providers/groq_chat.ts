import type Groq from "groq-sdk";
import type { FinishReason, Message, Think, ToolCall, Usage } from "../core/types.ts";
import { asCount, asRecord, asText, parseJson } from "./json.ts";
import type { ChatCall } from "./provider.ts";

/** The library does not export the name of its own request type. */
type Request = Extract<Parameters<Groq["chat"]["completions"]["create"]>[0], { readonly messages: unknown }> & {
  readonly stream: true;
};
type GroqMessage = Groq.Chat.ChatCompletionMessageParam;
type CallDelta = Groq.Chat.ChatCompletionChunk.Choice.Delta.ToolCall;

/** The body of `/openai/v1/chat/completions`. */
export function chatRequest(call: ChatCall): Request {
  const { temperature, sampling, max_tokens, stop, json_schema, tools, think = false } = call;
  return {
    model: call.model,
    messages: call.messages.map(groqMessage),
    stream: true,
    ...(temperature !== undefined && { temperature }),
    ...sampling,
    ...(max_tokens !== undefined && { max_completion_tokens: max_tokens }),
    ...(stop !== undefined && { stop: [...stop] }),
    ...(json_schema !== undefined && {
      response_format: { type: "json_schema", json_schema: { name: "answer", schema: { ...json_schema } } },
    }),
    ...(tools !== undefined && tools.length > 0 && {
      tools: tools.map(({ name, description, parameters }) => ({
        type: "function",
        function: { name, ...(description !== undefined && { description }), parameters: { ...parameters } },
      })),
    }),
    ...effortOf(think),
  };
}

function effortOf(think: Think): { readonly reasoning_effort?: "low" | "medium" | "high" } {
  if (think === false) return {};
  return { reasoning_effort: think === true ? "medium" : think };
}

function groqMessage(message: Message): GroqMessage {
  const { content } = message;
  switch (message.role) {
    case "system":
      return { role: "system", content };
    case "user":
      return { role: "user", content: message.images?.length ? userParts(message) : content };
    case "assistant":
      return {
        role: "assistant",
        content,
        ...(message.tool_calls?.length && { tool_calls: message.tool_calls.map(groqCall) }),
      };
    case "tool":
      return { role: "tool", content, tool_call_id: message.tool_call_id };
  }
}

function userParts({ content, images = [] }: Extract<Message, { role: "user" }>) {
  return [
    ...(content === "" ? [] : [{ type: "text" as const, text: content }]),
    ...images.map(({ mime_type, data }) => {
      return { type: "image_url" as const, image_url: { url: `data:${mime_type};base64,${data}` } };
    }),
  ];
}

function groqCall({ id, name, arguments: given }: ToolCall) {
  return { id, type: "function" as const, function: { name, arguments: JSON.stringify(given) } };
}

/** Puts tool calls together from the pieces a stream brings them in. */
export interface CallCollector {
  add(pieces: readonly CallDelta[]): void;
  /** The calls in their order; `undefined` when one has no name or its arguments are no JSON object. */
  finish(): ToolCall[] | undefined;
}

/** Creates an empty collector. */
export function createCallCollector(): CallCollector {
  const calls = new Map<number, { id: string; name: string; text: string }>();
  return {
    add(pieces) {
      for (const { index, id, function: part } of pieces) {
        const known = calls.get(index) ?? { id: "", name: "", text: "" };
        calls.set(index, {
          id: known.id || (id ?? ""),
          name: known.name || (part?.name ?? ""),
          text: known.text + (part?.arguments ?? ""),
        });
      }
    },
    finish() {
      const finished: ToolCall[] = [];
      for (const { id, name, text } of calls.values()) {
        const given = asRecord(text.trim() === "" ? {} : parseJson(text));
        if (name === "" || given === undefined) return undefined;
        finished.push({ id: id || `call_${crypto.randomUUID()}`, name, arguments: given });
      }
      return finished;
    },
  };
}

/** The counts of a chunk, wherever it carries them; `undefined` when it carries none. */
export function readUsage(chunk: object): Usage | undefined {
  const { x_groq, usage } = chunk as { readonly x_groq?: unknown; readonly usage?: unknown };
  const raw = asRecord(asRecord(x_groq)?.["usage"]) ?? asRecord(usage);
  if (raw === undefined) return undefined;
  const input = asCount(raw["prompt_tokens"]) ?? 0;
  const output = asCount(raw["completion_tokens"]) ?? 0;
  return {
    input,
    cached_input: asCount(asRecord(raw["prompt_tokens_details"])?.["cached_tokens"]) ?? 0,
    output,
    reasoning: asCount(asRecord(raw["completion_tokens_details"])?.["reasoning_tokens"]) ?? 0,
    total: asCount(raw["total_tokens"]) ?? input + output,
    source: "provider",
    raw,
  };
}

/** What `finish_reason` means; `undefined` when it is no end of an answer. */
export function readFinish(reason: string, calledTools: boolean): FinishReason | undefined {
  switch (reason) {
    case "stop":
    case "tool_calls":
    case "function_call":
      return calledTools ? "tool_calls" : "stop";
    case "length":
      return "length";
    default:
      return undefined;
  }
}

/** True when a chunk says that the stream was stopped early. */
export function isStoppedEarly(chunk: Groq.Chat.ChatCompletionChunk): boolean {
  return asText(chunk.x_groq?.error) !== undefined;
}
