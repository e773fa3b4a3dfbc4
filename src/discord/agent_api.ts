import { AgentError, EXIT } from "../core/errors.ts";

/** What was said is longer than any model that may answer can take. */
export class TooLongError extends AgentError {
  override readonly name = "TooLongError";

  constructor(message: string) {
    super(message, { exitCode: EXIT.data });
  }
}

/** One message for the agent, as `POST /api/chat` takes it. */
export interface AgentRequest {
  readonly message: string;
  readonly conversation_id: string;
  readonly cognitive_mode: 1 | 2 | 3;
  readonly context?: string;
  /** Pictures as `data:image/png;base64,…`. */
  readonly images?: readonly string[];
  readonly user: { readonly id: string; readonly name: string };
}

export interface AgentReply {
  readonly content: string;
  /** True when the agent chose to say nothing. */
  readonly silent: boolean;
}

/** The agent as the bot sees it: its HTTP API, in this process or in another. */
export interface AgentApi {
  /** @throws TooLongError; AgentError when nothing can answer; the reason of the signal */
  chat(request: AgentRequest, signal: AbortSignal): Promise<AgentReply>;
  /** Whether the model that answers sees pictures. @throws AgentError; the reason of the signal */
  sees(signal: AbortSignal): Promise<boolean>;
  /** Ends a conversation: what was said in it is not remembered any longer. @throws AgentError */
  clear(conversationId: string, signal: AbortSignal): Promise<void>;
  /** Forgets every exchange with a person, for good. @throws AgentError */
  forgetUser(userId: string, signal: AbortSignal): Promise<void>;
}
