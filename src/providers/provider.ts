import type { Delta, FinishReason, GenerationOptions, Message, Usage } from "../core/types.ts";

/** Limits of one attempt in milliseconds. The limit of the whole call belongs to the router. */
export interface AttemptDeadlines {
  /** To the first token while the model is not in memory yet (Ollama loads on demand). */
  readonly loadMs: number;
  /** To the first token otherwise. */
  readonly firstTokenMs: number;
  /** Between two reads of the body once tokens flow. */
  readonly idleMs: number;
}

export interface ChatCall extends GenerationOptions {
  /** The provider's own name of the model. */
  readonly model: string;
  /** Context window of the model in tokens, as configured. */
  readonly contextTokens: number;
  readonly messages: readonly Message[];
  readonly deadlines: AttemptDeadlines;
  /** True when nothing of this call may leave the local network: checked again at the transport. */
  readonly localOnly: boolean;
}

/** The last chunk of every complete answer. A stream without it was cut. */
export interface FinalChunk {
  readonly type: "final";
  readonly finish_reason: FinishReason;
  /** `null` when the provider sent no counts. */
  readonly usage: Usage | null;
}

export type ProviderChunk = Delta | FinalChunk;

export interface EmbedCall {
  readonly model: string;
  readonly contextTokens: number;
  readonly texts: readonly string[];
  readonly deadlines: AttemptDeadlines;
  readonly localOnly: boolean;
}

export interface EmbedResult {
  readonly vectors: readonly (readonly number[])[];
  readonly usage: Usage | null;
}

export interface ModelInfo {
  readonly name: string;
  /** True when the provider runs the model on somebody else's machine. */
  readonly remote: boolean;
  readonly sizeBytes: number | null;
  /** Context window in tokens the model is loaded with right now; `null` when it is not in memory or unknown. */
  readonly loadedContextTokens: number | null;
}

export interface ModelDetails {
  /** Largest context window the model was trained for, in tokens. */
  readonly maxContextTokens: number | null;
  /** As the provider names them: `completion`, `tools`, `vision`, `thinking`, `embedding`. */
  readonly capabilities: readonly string[];
}

export interface ProviderHealth {
  readonly version: string | null;
  /** Ollama only: whether its own cloud models are switched off; `null` when it does not say. */
  readonly cloudDisabled: boolean | null;
}

export type ProviderType = "ollama" | "groq" | "gemini";

/**
 * One place that answers. Every method throws only `ProviderError`, honours its signal at once, and leaves no open
 * connection behind. A provider never retries and holds no health state: both belong to the router.
 */
export interface Provider {
  readonly id: string;
  readonly type: ProviderType;
  /** `https://host[:port]`, the only origin this provider talks to. */
  readonly origin: string;
  /** True when it runs on this machine or network. */
  readonly local: boolean;
  /** Deltas as they come, then exactly one `final`. */
  chat(call: ChatCall, signal: AbortSignal): AsyncGenerator<ProviderChunk, void, void>;
  embed?(call: EmbedCall, signal: AbortSignal): Promise<EmbedResult>;
  listModels(signal: AbortSignal): Promise<readonly ModelInfo[]>;
  describeModel?(model: string, signal: AbortSignal): Promise<ModelDetails>;
  health(signal: AbortSignal): Promise<ProviderHealth>;
}
