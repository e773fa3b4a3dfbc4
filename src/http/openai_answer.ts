import type { Delta, ModelResponse, StreamStart, ToolCall, Usage } from "../core/types.ts";
import type { ChatCompletion } from "./openai_schema.ts";

/** Turns answers of the router into OpenAI's. */

/** A whole completion. */
export function toCompletion(response: ModelResponse, id: string): ChatCompletion {
  const { provider, model, content, thinking, tool_calls, finish_reason, usage } = response;
  return {
    id,
    object: "chat.completion",
    created: now(),
    model: `${provider}/${model}`,
    choices: [{
      index: 0,
      message: {
        role: "assistant",
        content: content === "" && tool_calls ? null : content,
        refusal: null,
        ...(thinking && { reasoning_content: thinking }),
        ...(tool_calls && { tool_calls: tool_calls.map(toToolCall) }),
      },
      logprobs: null,
      finish_reason,
    }],
    usage: toUsage(usage),
  };
}

/** The chunks of one streamed completion. */
export class ChunkWriter {
  readonly #head: string;
  #calls = 0;

  constructor({ provider, model }: StreamStart, id: string) {
    const model_ = JSON.stringify(`${provider}/${model}`);
    // Every chunk begins alike, and there may be thousands.
    this.#head = `{"id":${JSON.stringify(id)},"object":"chat.completion.chunk","created":${now()},"model":${model_},`;
  }

  start(): string {
    return this.#chunk('{"role":"assistant","content":""}');
  }

  delta(delta: Delta): string {
    switch (delta.type) {
      case "text":
        return this.#chunk(`{"content":${JSON.stringify(delta.text)}}`);
      case "thinking":
        return this.#chunk(`{"reasoning_content":${JSON.stringify(delta.text)}}`);
      case "tool_call": {
        const call = { index: this.#calls++, ...toToolCall(delta.call) };
        return this.#chunk(JSON.stringify({ tool_calls: [call] }));
      }
    }
  }

  /** The last chunk, and one with the counts when they were asked for. */
  finish({ finish_reason, usage }: ModelResponse, includeUsage: boolean): string {
    const last = this.#chunk("{}", finish_reason);
    return includeUsage
      ? `${last}data: ${this.#head}"choices":[],"usage":${JSON.stringify(toUsage(usage))}}\n\n`
      : last;
  }

  #chunk(delta: string, finish: string | null = null): string {
    const choice = `{"index":0,"delta":${delta},"logprobs":null,"finish_reason":${JSON.stringify(finish)}}`;
    return `data: ${this.#head}"choices":[${choice}]}\n\n`;
  }
}

/** Who answered, at which cost: what OpenAI's shapes have no place for. */
export function answerHeaders(
  { provider, model, fallback }: Pick<StreamStart, "provider" | "model" | "fallback">,
  costUsd?: number | null,
): Record<string, string> {
  return {
    "x-django-provider": `${provider}/${model}`,
    "x-django-fallback": String(fallback),
    ...(costUsd !== undefined && { "x-django-cost-usd": costUsd === null ? "unknown" : String(costUsd) }),
  };
}

function toToolCall({ id, name, arguments: args }: ToolCall) {
  return { id, type: "function" as const, function: { name, arguments: JSON.stringify(args) } };
}

function toUsage({ input, output, total, cached_input, reasoning }: Usage) {
  return {
    prompt_tokens: input,
    completion_tokens: output,
    total_tokens: total,
    prompt_tokens_details: { cached_tokens: cached_input },
    completion_tokens_details: { reasoning_tokens: reasoning },
  };
}

function now(): number {
  return Math.floor(Date.now() / 1000);
}
