import { quote } from "../config/words.ts";
import type { GenerateRequest, Image, Message, Role, Sampling, Think, ToolCall } from "../core/types.ts";
import { CHAT_ROLES } from "../core/types.ts";
import { HttpError } from "./errors.ts";
import { NO_IMAGE, readImage } from "./image.ts";
import type { ChatRequest } from "./openai_schema.ts";

type OpenAiMessage = ChatRequest["messages"][number];

/**
 * What a chat completion asks of the router.
 * @throws HttpError 400 naming the field that cannot be used
 */
export function toGenerateRequest(request: ChatRequest): GenerateRequest {
  const { temperature, stop, response_format, tools, tool_choice } = request;
  const maxTokens = request.max_completion_tokens ?? request.max_tokens;
  const schema = schemaOf(response_format);
  const sampling = samplingOf(request);
  return {
    ...targetOf(request.model),
    messages: toMessages(request.messages),
    ...(temperature != null && { temperature }),
    ...(Object.keys(sampling).length > 0 && { sampling }),
    ...(maxTokens != null && { max_tokens: maxTokens }),
    ...(stop != null && { stop: typeof stop === "string" ? [stop] : stop }),
    ...(schema && { json_schema: schema }),
    ...(tools?.length && tool_choice !== "none" && { tools: tools.map(toTool) }),
    ...(request.reasoning_effort != null && { think: toThink(request.reasoning_effort) }),
  };
}

/** `auto`, `role:technical`, or a reference; whether that exists the router says. */
export function targetOf(model: string): { readonly role: Role } | { readonly model: string } | Record<never, never> {
  if (model === "auto") return {};
  const [, name] = /^role:(.*)$/.exec(model) ?? [];
  if (name === undefined) return { model };
  const role = CHAT_ROLES.find((known) => known === name);
  if (role) return { role };
  throw new HttpError(404, `There is no role ${quote(name)} that chats; there are ${CHAT_ROLES.join(", ")}`, {
    code: "model_not_found",
    param: "model",
  });
}

function toMessages(messages: readonly OpenAiMessage[]): Message[] {
  const names = new Map<string, string>(); // of the functions called, which the answers to them leave out
  return messages.map((message, index): Message => {
    switch (message.role) {
      case "system":
      case "developer":
        return { role: "system", content: textOf(message.content) };
      case "user":
        return toUserMessage(message, `messages[${index}].content`);
      case "assistant": {
        const calls = (message.tool_calls ?? []).map((call, at) =>
          toToolCall(call, `messages[${index}].tool_calls[${at}]`)
        );
        for (const { id, name } of calls) names.set(id, name);
        const content = message.content == null ? "" : textOf(message.content);
        return { role: "assistant", content, ...(calls.length > 0 && { tool_calls: calls }) };
      }
      case "tool": {
        const name = names.get(message.tool_call_id);
        return {
          role: "tool",
          content: textOf(message.content),
          tool_call_id: message.tool_call_id,
          ...(name !== undefined && { tool_name: name }),
        };
      }
    }
  });
}

function textOf(content: string | readonly { readonly text: string }[]): string {
  return typeof content === "string" ? content : content.map(({ text }) => text).join("\n");
}

function toUserMessage({ content }: Extract<OpenAiMessage, { role: "user" }>, param: string): Message {
  if (typeof content === "string") return { role: "user", content };
  const texts = content.flatMap((part) => part.type === "text" ? [part.text] : []);
  const images = content.flatMap((part, index): Image[] =>
    part.type === "image_url" ? [toImage(part.image_url.url, `${param}[${index}].image_url.url`)] : []
  );
  return { role: "user", content: texts.join("\n"), ...(images.length > 0 && { images }) };
}

function toImage(url: string, param: string): Image {
  const image = readImage(url);
  if (image) return image;
  throw new HttpError(400, NO_IMAGE, { code: "invalid_value", param });
}

function toToolCall({ id, function: { name, arguments: text } }: OpenAiToolCall, param: string): ToolCall {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text === "" ? "{}" : text);
  } catch {
    parsed = undefined;
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    throw new HttpError(400, "The arguments of a call have to be a JSON object", {
      code: "invalid_value",
      param: `${param}.function.arguments`,
    });
  }
  return { id, name, arguments: parsed as Record<string, unknown> };
}

type OpenAiToolCall = NonNullable<Extract<OpenAiMessage, { role: "assistant" }>["tool_calls"]>[number];

function toTool({ function: { name, description, parameters } }: NonNullable<ChatRequest["tools"]>[number]) {
  return {
    name,
    ...(description != null && { description }),
    parameters: parameters ?? { type: "object", properties: {} },
  };
}

function schemaOf(format: ChatRequest["response_format"]): Readonly<Record<string, unknown>> | undefined {
  if (format?.type === "json_object") return { type: "object" };
  return format?.type === "json_schema" ? format.json_schema.schema : undefined;
}

function samplingOf({ top_p, seed, presence_penalty, frequency_penalty }: ChatRequest): Sampling {
  return {
    ...(top_p != null && { top_p }),
    ...(seed != null && { seed }),
    ...(presence_penalty != null && { presence_penalty }),
    ...(frequency_penalty != null && { frequency_penalty }),
  };
}

function toThink(effort: NonNullable<ChatRequest["reasoning_effort"]>): Think {
  if (effort === "none") return false;
  return effort === "minimal" ? "low" : effort;
}
