import { ProviderError } from "../core/errors.ts";
import type { Delta, Message, ToolCall, Usage } from "../core/types.ts";
import type { FinalChunk, ProviderChunk } from "../providers/provider.ts";
import type { Candidate } from "./chain.ts";
import { estimateUsage } from "../core/tokens.ts";

/** An answer as it grows. Belongs to one attempt; when that fails, so does this. */
export class Answer {
  content = "";
  thinking = "";
  readonly toolCalls: ToolCall[] = [];
  #final: FinalChunk | undefined;

  /** Takes a chunk in and gives it back when it is something a reader may see. */
  add(chunk: ProviderChunk): Delta | undefined {
    switch (chunk.type) {
      case "final":
        this.#final = chunk;
        return undefined;
      case "text":
        this.content += chunk.text;
        return chunk;
      case "thinking":
        this.thinking += chunk.text;
        return chunk;
      case "tool_call":
        this.toolCalls.push(chunk.call);
        return chunk;
    }
  }

  /**
   * How it ended.
   * @throws ProviderError `protocol` when the stream stopped without saying so.
   */
  requireFinal(candidate: Candidate): FinalChunk {
    if (this.#final) return this.#final;
    throw endedEarly(candidate);
  }

  /** The provider's counts, else an estimate. */
  usage(messages: readonly Message[]): Usage {
    if (this.#final?.usage) return this.#final.usage;
    const calls = this.toolCalls.length > 0 ? JSON.stringify(this.toolCalls) : "";
    return estimateUsage(messages, this.thinking + this.content + calls);
  }
}

/** The error of a stream that stopped without saying why. */
export function endedEarly({ provider, model }: Candidate): ProviderError {
  return new ProviderError("protocol", "The stream ended without a finish reason.", { provider, model });
}
