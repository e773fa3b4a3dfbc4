import { AgentError, EXIT } from "../core/errors.ts";
import type { GenerateRequest, GenerationOptions, Message } from "../core/types.ts";

/**
 * The messages of a request: its own, or its prompt as one user message; the system prompt first.
 * @throws AgentError (exit 64) when there is nothing to answer, or both `prompt` and `messages`.
 */
export function messagesOf({ prompt, messages, images, system_prompt }: GenerateRequest): readonly Message[] {
  if ((prompt === undefined) === (messages === undefined)) {
    throw usageError("A request needs either a prompt or messages", "Give exactly one of the two.");
  }
  if (messages !== undefined && images !== undefined) {
    throw usageError("images go with a prompt", "Put them into the user message they belong to.");
  }
  const own: readonly Message[] = messages ??
    [{ role: "user", content: prompt ?? "", ...(images && { images }) }];
  if (!own.some(saysSomething)) throw usageError("The prompt is empty", "Say what you want to know.");
  return system_prompt ? [{ role: "system", content: system_prompt }, ...own] : own;
}

/** The part of a request that goes to the provider as it is. */
export function optionsOf(request: GenerateRequest): GenerationOptions {
  const { temperature, sampling, max_tokens, stop, json_schema, tools, think } = request;
  return {
    ...(temperature !== undefined && { temperature }),
    ...(sampling !== undefined && { sampling }),
    ...(max_tokens !== undefined && { max_tokens }),
    ...(stop !== undefined && { stop }),
    ...(json_schema !== undefined && { json_schema }),
    ...(tools !== undefined && { tools }),
    ...(think !== undefined && { think }),
  };
}

function saysSomething(message: Message): boolean {
  return message.role !== "system" &&
    (message.content.trim() !== "" || (message.role === "user" && (message.images?.length ?? 0) > 0));
}

function usageError(message: string, remedy: string): AgentError {
  return new AgentError(message, { exitCode: EXIT.usage, remedy });
}
