import type { Content, GenerateContentConfig, GenerateContentResponseUsageMetadata, Part } from "@google/genai/web";
import type { ErrorKind, FinishReason, Message, Sampling, ToolCall, Usage } from "../core/types.ts";
import { asCount } from "./json.ts";
import type { ChatCall } from "./provider.ts";
import { toolNames } from "./tool_names.ts";

/**
 * Stands for the signature of a call that Gemini did not make itself; a first call without one is refused.
 * https://ai.google.dev/gemini-api/docs/thought-signatures
 */
const NO_SIGNATURE = "skip_thought_signature_validator";

/** The contents of a request; system messages go elsewhere. */
export function geminiContents(messages: readonly Message[]): Content[] {
  const names = toolNames(messages);
  const contents: Content[] = [];
  let answers: Part[] | undefined;
  for (const message of messages) {
    if (message.role === "system") continue;
    if (message.role === "tool") {
      // All answers to one turn's calls have to come in one turn.
      if (answers === undefined) contents.push({ role: "user", parts: answers = [] });
      answers.push(toolAnswer(message, names));
      continue;
    }
    answers = undefined;
    const parts = message.role === "user" ? userParts(message) : modelParts(message);
    if (parts.length > 0) contents.push({ role: message.role === "user" ? "user" : "model", parts });
  }
  return contents;
}

function userParts({ content, images = [] }: Extract<Message, { role: "user" }>): Part[] {
  return [
    ...(content === "" ? [] : [{ text: content }]),
    ...images.map(({ mime_type, data }) => ({ inlineData: { mimeType: mime_type, data } })),
  ];
}

function modelParts({ content, tool_calls = [] }: Extract<Message, { role: "assistant" }>): Part[] {
  return [...(content === "" ? [] : [{ text: content }]), ...tool_calls.map(callPart)];
}

/** Only the first call of a turn has to have a signature; those after it may have none. */
function callPart({ id, name, arguments: args, signature }: ToolCall, index: number): Part {
  const thoughtSignature = signature ?? (index === 0 ? NO_SIGNATURE : undefined);
  return { functionCall: { id, name, args: { ...args } }, ...(thoughtSignature !== undefined && { thoughtSignature }) };
}

function toolAnswer(
  { content, tool_call_id: id, tool_name }: Extract<Message, { role: "tool" }>,
  names: ReadonlyMap<string, string>,
): Part {
  return { functionResponse: { id, name: tool_name ?? names.get(id) ?? id, response: { output: content } } };
}

/** Everything else of a request, but for the level of thinking. */
export function geminiConfig(call: ChatCall): GenerateContentConfig {
  const { temperature, sampling, max_tokens, stop, json_schema, tools } = call;
  const system = call.messages.filter(({ role }) => role === "system").map(({ content }) => content).join("\n\n");
  return {
    // The library would ask again by itself when a stream breaks off.
    automaticContinuation: false,
    automaticFunctionCalling: { disable: true },
    ...(system !== "" && { systemInstruction: system }),
    ...(temperature !== undefined && { temperature }),
    ...samplingOf(sampling),
    ...(max_tokens !== undefined && { maxOutputTokens: max_tokens }),
    ...(stop !== undefined && { stopSequences: [...stop] }),
    ...(json_schema !== undefined && { responseMimeType: "application/json", responseJsonSchema: json_schema }),
    ...(tools !== undefined && tools.length > 0 && {
      tools: [{
        functionDeclarations: tools.map(({ name, description, parameters }) => {
          return { name, ...(description !== undefined && { description }), parametersJsonSchema: parameters };
        }),
      }],
    }),
  };
}

/** The counts so far. Each chunk brings running totals, so the latest replaces the ones before. */
export function readUsage(raw: GenerateContentResponseUsageMetadata | undefined): Usage | undefined {
  if (raw === undefined) return undefined;
  const input = (asCount(raw.promptTokenCount) ?? 0) + (asCount(raw.toolUsePromptTokenCount) ?? 0);
  const reasoning = asCount(raw.thoughtsTokenCount) ?? 0;
  const output = (asCount(raw.candidatesTokenCount) ?? 0) + reasoning;
  return {
    input,
    cached_input: asCount(raw.cachedContentTokenCount) ?? 0,
    output,
    reasoning,
    total: asCount(raw.totalTokenCount) ?? input + output,
    source: "provider",
    raw,
  };
}

const FILTERED =
  /^(SAFETY|RECITATION|BLOCKLIST|PROHIBITED_CONTENT|SPII|MODEL_ARMOR|JAILBREAK|IMAGE_(SAFETY|PROHIBITED_CONTENT|RECITATION))$/;

/** What `finishReason` means: how the answer ended, or the kind of error it stands for. */
export function readFinish(reason: string, calledTools: boolean): { finish: FinishReason } | { error: ErrorKind } {
  if (reason === "STOP") return { finish: calledTools ? "tool_calls" : "stop" };
  if (reason === "MAX_TOKENS") return { finish: "length" };
  return { error: FILTERED.test(reason) ? "content_filter" : "protocol" };
}

/** The tool call in a part, if there is one. */
export function readCall({ functionCall, thoughtSignature }: Part): ToolCall | undefined {
  if (functionCall?.name === undefined) return undefined;
  return {
    id: functionCall.id ?? `call_${crypto.randomUUID()}`,
    name: functionCall.name,
    arguments: functionCall.args ?? {},
    ...(thoughtSignature !== undefined && { signature: thoughtSignature }),
  };
}

function samplingOf({ top_p, seed, presence_penalty, frequency_penalty }: Sampling = {}) {
  return {
    ...(top_p !== undefined && { topP: top_p }),
    ...(seed !== undefined && { seed }),
    ...(presence_penalty !== undefined && { presencePenalty: presence_penalty }),
    ...(frequency_penalty !== undefined && { frequencyPenalty: frequency_penalty }),
  };
}
