import { ProviderError } from "../core/errors.ts";
import type { Delta, Message, ToolCall, Usage } from "../core/types.ts";
import type { FinalChunk, ProviderChunk } from "../providers/provider.ts";
import type { Candidate } from "./chain.ts";
import { estimateUsage } from "../core/tokens.ts";

/** Pieces kept before they are joined. */
const PIECES = 1024;

/** A text that grows in many small pieces. Joined now and then, or every piece would cost several times its length. */
class LongText {
  readonly #blocks: string[] = [];
  #pieces: string[] = [];

  add(piece: string): void {
    this.#pieces.push(piece);
    if (this.#pieces.length === PIECES) this.#join();
  }

  get text(): string {
    this.#join();
    return this.#blocks.join("");
  }

  #join(): void {
    if (this.#pieces.length > 0) this.#blocks.push(this.#pieces.join(""));
    this.#pieces = [];
  }
}

/** An answer as it grows. Belongs to one attempt; when that fails, so does this. */
export class Answer {
  readonly #content = new LongText();
  readonly #thinking = new LongText();
  readonly toolCalls: ToolCall[] = [];
  #final: FinalChunk | undefined;
  #begun = false;

  /** True once anything has come. */
  get begun(): boolean {
    return this.#begun;
  }

  get content(): string {
    return this.#content.text;
  }

  get thinking(): string {
    return this.#thinking.text;
  }

  /** Takes a chunk in and gives it back when it is something a reader may see. */
  add(chunk: ProviderChunk): Delta | undefined {
    this.#begun = true;
    switch (chunk.type) {
      case "final":
        this.#final = chunk;
        return undefined;
      case "text":
        this.#content.add(chunk.text);
        return chunk;
      case "thinking":
        this.#thinking.add(chunk.text);
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
