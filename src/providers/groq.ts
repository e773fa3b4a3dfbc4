import type { FinishReason, Usage } from "../core/types.ts";
import { chatRequest, createCallCollector, isStoppedEarly, readFinish, readUsage } from "./groq_chat.ts";
import { asRecord, asRecords, asText, isTextOrNothing } from "./json.ts";
import type { ChatCall, ModelInfo, Provider, ProviderChunk } from "./provider.ts";
import type { EgressRecorder, Exchange } from "./exchange.ts";
import { createFetchSender } from "./fetch_sender.ts";
import { createWire } from "./wire.ts";

/** What `createGroq` needs. */
export interface GroqOptions {
  /** The provider's name in models.json. */
  readonly id: string;
  readonly apiKey: string;
  /** Default `https://api.groq.com`. */
  readonly baseUrl?: string;
  readonly ledger: EgressRecorder;
}

/** Longest wait for the list of models. */
const CONTROL_MS = 10_000;
/** The largest delay a timer takes: the library's own limit must never come first. */
const NEVER_MS = 2 ** 31 - 1;

/** Groq's cloud. The client library is loaded at the first call, so that a run without Groq does not pay for it. */
export function createGroq({ id, apiKey, baseUrl = "https://api.groq.com", ledger }: GroqOptions): Provider {
  const base = baseUrl.replace(/\/+$/, "");
  const { origin } = new URL(base);
  const wire = createWire({
    providerId: id,
    type: "groq",
    origin,
    local: false,
    ledger,
    send: createFetchSender(origin),
  });
  const list = async (signal: AbortSignal): Promise<ModelInfo[]> => {
    const headers = { authorization: `Bearer ${apiKey}` };
    const limits = { localOnly: false, firstTokenMs: CONTROL_MS };
    const answer = await wire.json(`${base}/openai/v1/models`, { headers }, limits, signal);
    return asRecords(asRecord(answer)?.["data"]).map(({ id: name }) => {
      return { name: asText(name) ?? "", remote: true, sizeBytes: null, loadedContextTokens: null };
    });
  };
  return {
    id,
    type: "groq",
    origin,
    local: false,
    chat(call, signal) {
      const { model, localOnly, deadlines: { firstTokenMs, idleMs } } = call;
      const limits = { model, localOnly, format: "sse", firstTokenMs, idleMs } as const;
      return wire.stream(limits, signal, (exchange) => readAnswer(exchange, call, { apiKey, baseURL: base }));
    },
    listModels: list,
    async health(signal) {
      await list(signal);
      return { version: null, cloudDisabled: null };
    },
  };
}

async function* readAnswer(
  exchange: Exchange,
  call: ChatCall,
  access: { readonly apiKey: string; readonly baseURL: string },
): AsyncGenerator<ProviderChunk> {
  const { default: Groq } = await import("groq-sdk");
  const client = new Groq({ ...access, fetch: exchange.fetch, maxRetries: 0, timeout: NEVER_MS, logLevel: "off" });
  const calls = createCallCollector();
  let calledTools = false;
  let finish: FinishReason | undefined;
  let usage: Usage | undefined;
  try {
    for await (const chunk of await client.chat.completions.create(chatRequest(call))) {
      exchange.throwIfFailed();
      if (isStoppedEarly(chunk)) throw exchange.error("unavailable", `Groq stopped the answer of ${call.model} early.`);
      usage = readUsage(chunk) ?? usage;
      const choice = chunk.choices?.[0];
      const { reasoning, content, tool_calls } = choice?.delta ?? {};
      if (!isTextOrNothing(reasoning) || !isTextOrNothing(content)) throw exchange.misshapen();
      if (reasoning || content || tool_calls?.length) exchange.firstToken();
      if (reasoning) yield { type: "thinking", text: reasoning };
      if (content) yield { type: "text", text: content };
      if (tool_calls?.length) {
        calledTools = true;
        calls.add(tool_calls);
      }
      if (choice?.finish_reason) finish = finishOf(exchange, choice.finish_reason, call.model, calledTools);
      if (finish === undefined || usage === undefined) continue;
      exchange.complete();
      break;
    }
  } catch (error) {
    // An answer that has its finish is complete, whatever becomes of the counts and the connection after it.
    const failure = exchange.explain(error);
    if (finish === undefined || failure.kind === "aborted") throw failure;
  }
  if (finish === undefined) throw exchange.unfinished();
  const finished = calls.finish();
  if (finished === undefined) {
    throw exchange.error(
      "protocol",
      `The model ${call.model} called a tool with arguments that are not a JSON object.`,
    );
  }
  for (const tool of finished) yield { type: "tool_call", call: tool };
  yield { type: "final", finish_reason: finish, usage: usage ?? null };
}

function finishOf(exchange: Exchange, reason: string, model: string, calledTools: boolean): FinishReason {
  exchange.firstToken();
  const finish = readFinish(reason, calledTools);
  if (finish !== undefined) return finish;
  throw reason === "content_filter"
    ? exchange.error("content_filter", `Groq's content filter stopped the answer of ${model}.`)
    : exchange.error("protocol", `Groq ended the answer of ${model} without finishing it.`);
}
