import type { CognitiveMode, Image, Role, Usage } from "../core/types.ts";
import { RECALLED_KINDS } from "../memory/recall.ts";

/** Somebody says something. */
export interface ChatRequest {
  readonly message: string;
  readonly conversation_id: string;
  readonly cognitive_mode: CognitiveMode;
  readonly role: Role;
  /** What the caller sees around it, such as the messages of a channel; data of others. */
  readonly context?: string | undefined;
  /** Pictures that go with the message. */
  readonly images?: readonly Image[] | undefined;
  readonly user?: { readonly id: string; readonly name: string } | undefined;
  readonly signal: AbortSignal;
}

/** Where knowledge may come from. */
export const SOURCE_KINDS = [...RECALLED_KINDS, "web", "context"] as const;

/** Something an answer could draw on. */
export interface KnowledgeSource {
  readonly kind: typeof SOURCE_KINDS[number];
  /** What it was learned from, the conversation, or the address of the page. */
  readonly source: string;
  /** Of the passage; null where there is none. */
  readonly id: number | null;
  readonly heading: string | null;
}

/** An answer, or the decision to give none. */
export interface ChatAnswer {
  readonly content: string;
  /** True when the agent chose to say nothing; then `content` is empty. */
  readonly silent: boolean;
  readonly conversation_id: string;
  readonly cognitive_mode: CognitiveMode;
  /** Null when no model was asked, as are `model` and `usage`. */
  readonly provider: string | null;
  readonly model: string | null;
  readonly fallback: boolean;
  readonly knowledge_sources: readonly KnowledgeSource[];
  readonly usage: Usage | null;
  /** Null when the model has no price. */
  readonly cost_usd: number | null;
  readonly latency_ms: number;
}

/** What an answer comes in: `start` once it is sure that there will be one, deltas, and one `done` at the end. */
export type ChatItem =
  | { readonly type: "start" }
  | { readonly type: "delta"; readonly text: string }
  | { readonly type: "done"; readonly answer: ChatAnswer };

/** Whoever holds conversations. */
export interface Chat {
  /** Reads persona, rules and texts. @throws ConfigError, AgentError when they cannot be used */
  prepare(): Promise<void>;
  /** @throws NoAnswerError, BusyError, AgentError; the reason of the signal */
  answer(request: ChatRequest): Promise<ChatAnswer>;
  /** The answer as it comes. @throws as `answer` */
  stream(request: ChatRequest): AsyncGenerator<ChatItem, void, void>;
}
