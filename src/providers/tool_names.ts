import type { Message } from "../core/types.ts";

/** The tool each call id stands for; Ollama and Gemini match a tool's answer to its call by the name. */
export function toolNames(messages: readonly Message[]): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  for (const message of messages) {
    if (message.role !== "assistant") continue;
    for (const call of message.tool_calls ?? []) names.set(call.id, call.name);
  }
  return names;
}
