import type { Delta, FinishReason, GenerationOptions, Message, ProviderType, Usage } from "../core/types.ts";

/** Limits of one attempt in milliseconds. The limit of the whole call belongs to the router. */
export interface AttemptDeadlines {
  /** To the first token while the model is not in memory yet (Ollama loads on demand). */
  readonly loadMs: number;
  /** To the first token otherwise. */
  readonly firstTokenMs: number;
  /** Between two reads of the body once tokens flow. */
  readonly idleMs: number;
}

/** One chat with one model. */
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

/** Texts to turn into vectors. */
export interface EmbedCall {
  readonly model: string;
  readonly contextTokens: number;
  readonly texts: readonly string[];
  readonly deadlines: AttemptDeadlines;
  readonly localOnly: boolean;
}

/** One vector a text, in the order given. */
export interface EmbedResult {
  readonly vectors: readonly (readonly number[])[];
  readonly usage: Usage | null;
}

/** A model as the provider lists it. */
export interface ModelInfo {
  readonly name: string;
  /** True when the provider runs the model on somebody else's machine. */
  readonly remote: boolean;
  /** Size of its file; `null` when the provider does not say. */
  readonly sizeBytes: number | null;
  /** Context window in tokens the model is loaded with right now; `null` when it is not in memory or unknown. */
  readonly loadedContextTokens: number | null;
}

/** What a provider knows of one model. */
export interface ModelDetails {
  /** Largest context window the model was trained for, in tokens. */
  readonly maxContextTokens: number | null;
  /** As the provider names them: `completion`, `tools`, `vision`, `thinking`, `embedding`. */
  readonly capabilities: readonly string[];
}

/** What a provider says of itself. */
export interface ProviderHealth {
  readonly version: string | null;
  /** Ollama only: whether its own cloud models are switched off; `null` when it does not say. */
  readonly cloudDisabled: boolean | null;
}

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
  /** Absent where the provider makes no vectors. */
  embed?(call: EmbedCall, signal: AbortSignal): Promise<EmbedResult>;
  /** The models it can serve right now. */
  listModels(signal: AbortSignal): Promise<readonly ModelInfo[]>;
  /** Absent where the provider does not tell. */
  describeModel?(model: string, signal: AbortSignal): Promise<ModelDetails>;
  /** Whether it answers at all: throws when it does not. */
  health(signal: AbortSignal): Promise<ProviderHealth>;
}
