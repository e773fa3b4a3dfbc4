import type { ChatRequest, ChatResponse, Message as OllamaMessage, Tool } from "ollama/browser";
import { surelyExceeds } from "../core/tokens.ts";
import type { FinishReason, Message, ToolCall, Usage } from "../core/types.ts";
import { asCount } from "./json.ts";
import type { ChatCall } from "./provider.ts";
import { toolNames } from "./tool_names.ts";

/** Ollama knows these since 0.12.4, its library not yet: refuse a prompt that is too long instead of cutting it. */
export interface StrictChatRequest extends ChatRequest {
  readonly stream: true;
  readonly truncate: false;
  readonly shift: false;
}

/** The body of `/api/chat`. */
export function chatRequest(call: ChatCall): StrictChatRequest {
  const { temperature, sampling, max_tokens, stop, json_schema, tools } = call;
  return {
    model: call.model,
    messages: ollamaMessages(call.messages),
    stream: true,
    truncate: false,
    shift: false,
    // With a schema and thinking, Ollama runs two completions and counts only the second.
    think: json_schema === undefined ? call.think ?? false : false,
    ...(json_schema !== undefined && { format: json_schema }),
    ...(tools !== undefined && tools.length > 0 && { tools: tools.map(ollamaTool) }),
    options: {
      // Always sent and always the same: another value makes Ollama load the model anew.
      num_ctx: call.contextTokens,
      ...(temperature !== undefined && { temperature }),
      ...sampling,
      ...(max_tokens !== undefined && { num_predict: max_tokens }),
      ...(stop !== undefined && { stop: [...stop] }),
    },
  };
}

function ollamaTool({ name, description, parameters }: NonNullable<ChatCall["tools"]>[number]): Tool {
  type Parameters = NonNullable<Tool["function"]["parameters"]>;
  return {
    type: "function",
    function: { name, ...(description !== undefined && { description }), parameters: parameters as Parameters },
  };
}

function ollamaMessages(messages: readonly Message[]): OllamaMessage[] {
  const names = toolNames(messages);
  return messages.map((message) => {
    const { role, content } = message;
    switch (message.role) {
      case "system":
        return { role, content };
      case "user":
        return { role, content, ...(message.images?.length && { images: message.images.map(({ data }) => data) }) };
      case "assistant":
        return { role, content, ...(message.tool_calls?.length && { tool_calls: message.tool_calls.map(ollamaCall) }) };
      case "tool": {
        const name = message.tool_name ?? names.get(message.tool_call_id);
        return { role, content, ...(name !== undefined && { tool_name: name }) };
      }
    }
  });
}

function ollamaCall({ name, arguments: given }: ToolCall) {
  return { function: { name, arguments: { ...given } } };
}

/** The counts of the last line; `null` when it has none. */
export function readUsage(last: Partial<ChatResponse>): Usage | null {
  const input = asCount(last.prompt_eval_count);
  const output = asCount(last.eval_count);
  if (input === undefined && output === undefined) return null;
  const { prompt_eval_count, eval_count, prompt_eval_duration, eval_duration, load_duration, total_duration } = last;
  return {
    input: input ?? 0,
    cached_input: 0,
    output: output ?? 0,
    reasoning: 0,
    total: (input ?? 0) + (output ?? 0),
    source: "provider",
    raw: { prompt_eval_count, eval_count, prompt_eval_duration, eval_duration, load_duration, total_duration },
  };
}

/** What `done_reason` means; `undefined` when it is no end of an answer. Versions before 0.3 name no reason. */
export function readFinish(reason: string | undefined, calledTools: boolean): FinishReason | undefined {
  if (reason === "length") return "length";
  if (reason === "stop" || reason === undefined || reason === "") return calledTools ? "tool_calls" : "stop";
  return undefined;
}

/** Prompts under this many tokens are not checked: templates and short words make the estimate unsure. */
const FEWEST_CHECKED_TOKENS = 250;

/**
 * True when Ollama counted fewer prompt tokens than the messages can possibly have: it cut the prompt without saying
 * so, which it does where `truncate: false` is not known.
 */
export function wasPromptCut(messages: readonly Message[], promptTokens: number | undefined): boolean {
  // Without a count (older versions name none for a cached prompt) nothing can be said.
  if (!promptTokens) return false;
  return surelyExceeds(messages, Math.max(FEWEST_CHECKED_TOKENS, promptTokens));
}
