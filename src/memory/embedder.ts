import type { Priority } from "../core/types.ts";

/** Whoever turns texts into vectors. */
export interface Embedder {
  /** The model it uses now, as `provider/model`; undefined when there is none. */
  readonly model: string | undefined;
  /** A vector for each text. @throws NoAnswerError, AgentError */
  embed(texts: readonly string[], options: EmbedderOptions): Promise<readonly (readonly number[])[]>;
}

export interface EmbedderOptions {
  readonly priority: Priority;
  readonly signal: AbortSignal;
}
