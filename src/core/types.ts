/** Shapes that every room speaks: requests, answers, usage. Fields that leave the program are snake_case. */

/** The agent roles a model can be assigned to. `embeddings` is the only one that does not chat. */
export const ROLES = [
  "identity_core",
  "communication",
  "governance",
  "business",
  "technical",
  "embeddings",
] as const;
export type Role = typeof ROLES[number];

/** The roles that chat: every one but `embeddings`. */
export const CHAT_ROLES: readonly Role[] = ROLES.filter((role) => role !== "embeddings");

/**
 * What an answer may draw on: 1 everything remembered, the model and the web; 2 the model, grounded in this conversation
 * and in what was learned; 3 the memory alone, without any model.
 */
export const COGNITIVE_MODES = [1, 2, 3] as const;
export type CognitiveMode = typeof COGNITIVE_MODES[number];

/** The kinds of provider this program speaks to. Only `ollama` runs on the user's own machine or network. */
export const PROVIDER_TYPES = ["ollama", "groq", "gemini"] as const;
export type ProviderType = typeof PROVIDER_TYPES[number];

/** A model reference `provider/model`; the provider ends at the first slash. */
export type ModelRef = string;

/** A base64 image without a `data:` prefix. */
export interface Image {
  readonly mime_type: string;
  readonly data: string;
}

/** A function the model may call. */
export interface ToolDefinition {
  readonly name: string;
  readonly description?: string;
  /** JSON Schema of the arguments object. */
  readonly parameters: Readonly<Record<string, unknown>>;
}

/** A call of a function by the model; `id` links the tool message that answers it. */
export interface ToolCall {
  readonly id: string;
  readonly name: string;
  readonly arguments: Readonly<Record<string, unknown>>;
  /** Opaque state that Gemini wants back with the call in the next turn (`thoughtSignature`). */
  readonly signature?: string;
}

/** One turn of a conversation. */
export type Message =
  | { readonly role: "system"; readonly content: string }
  | { readonly role: "user"; readonly content: string; readonly images?: readonly Image[] }
  | { readonly role: "assistant"; readonly content: string; readonly tool_calls?: readonly ToolCall[] }
  | {
    readonly role: "tool";
    readonly content: string;
    readonly tool_call_id: string;
    readonly tool_name?: string;
  };

/** `false` (default) asks for no visible thinking; a level is passed on where the provider knows levels. */
export type Think = boolean | "low" | "medium" | "high";

/** How the next token is chosen, besides the temperature; what a provider does not know it leaves out. */
export interface Sampling {
  readonly top_p?: number;
  readonly seed?: number;
  readonly presence_penalty?: number;
  readonly frequency_penalty?: number;
}

/** What a generation may ask for besides its messages. All optional; the provider's default applies otherwise. */
export interface GenerationOptions {
  readonly temperature?: number;
  readonly sampling?: Sampling;
  /** Upper bound of generated tokens, thinking included. */
  readonly max_tokens?: number;
  readonly stop?: readonly string[];
  /** JSON Schema the answer has to match. */
  readonly json_schema?: Readonly<Record<string, unknown>>;
  readonly tools?: readonly ToolDefinition[];
  readonly think?: Think;
}

/** Who goes first when calls wait for one provider. */
export type Priority = "interactive" | "background";

/** One generation. Exactly one of `prompt` and `messages`. */
export interface GenerateRequest extends GenerationOptions {
  readonly prompt?: string;
  readonly messages?: readonly Message[];
  /** Images that go with `prompt`. */
  readonly images?: readonly Image[];
  readonly system_prompt?: string;
  /** Default `identity_core`. */
  readonly role?: Role;
  /** A model reference, or `auto` (default): the role's model. */
  readonly model?: ModelRef | "auto";
  /** Default `interactive`; `background` waits behind every interactive call. */
  readonly priority?: Priority;
  /** The conversation it belongs to, for the usage table; never sent to a provider. */
  readonly conversation_id?: string;
  readonly signal?: AbortSignal;
}

/** Why an answer ended: by itself, at the token limit, or to call tools. */
export type FinishReason = "stop" | "length" | "tool_calls";

/** Token counts. `cached_input` is part of `input`, `reasoning` is part of `output`. */
export interface Usage {
  readonly input: number;
  readonly cached_input: number;
  readonly output: number;
  readonly reasoning: number;
  readonly total: number;
  readonly source: "provider" | "estimated";
  /** The provider's own counts under its own names; `null` when it sent none. */
  readonly raw: unknown;
}

/** What went wrong with an attempt. The router decides by this alone. */
export type ErrorKind =
  /** Refused, reset, or an answer of 5xx. */
  | "unavailable"
  /** One of the deadlines passed. */
  | "timeout"
  | "rate_limit"
  /** The key or the account was not accepted, or there is no key. */
  | "auth"
  | "model_not_found"
  /** The prompt does not fit into the model's window. */
  | "context_length"
  | "bad_request"
  | "content_filter"
  /** Malformed, cut, or without a finish. */
  | "protocol"
  /** The caller stopped it. */
  | "aborted"
  /** The sandbox, the seal or a local_only profile forbids it. */
  | "egress_denied";

/** One try at one model. `skipped` never reached the provider. */
export interface Attempt {
  readonly provider: string;
  readonly model: string;
  readonly outcome: "ok" | "failed" | "skipped" | "aborted";
  readonly error_kind?: ErrorKind;
  /** Why it failed or was skipped; never a secret and never message content. */
  readonly reason?: string;
  /** What can be done about it. */
  readonly remedy?: string;
  /** Milliseconds from the start of the attempt to its end. */
  readonly ms: number;
}

/** A complete answer with everything there is to say about it. */
export interface ModelResponse {
  readonly content: string;
  readonly provider: string;
  readonly model: string;
  readonly role: Role;
  readonly profile: string;
  readonly finish_reason: FinishReason;
  readonly usage: Usage;
  /** Cost in US dollars; `null` when the model has no price in models.json. */
  readonly cost_usd: number | null;
  /** Milliseconds from the call to its end, waiting and failed attempts included. */
  readonly latency_ms: number;
  /** Milliseconds from the call to the first delta of the answer. */
  readonly first_token_ms: number;
  /** True when another model than the first choice answered. */
  readonly fallback: boolean;
  readonly attempts: readonly Attempt[];
  readonly tool_calls?: readonly ToolCall[];
  readonly thinking?: string;
}

/** A piece of an answer as it comes. */
export type Delta =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "thinking"; readonly text: string }
  | { readonly type: "tool_call"; readonly call: ToolCall };

/** The first item of a stream: who answers. From then on no other model can take over. */
export interface StreamStart {
  readonly type: "start";
  readonly provider: string;
  readonly model: string;
  /** True when it is another model than the first choice. */
  readonly fallback: boolean;
}

/** What `stream` yields: `start`, deltas, then exactly one `done` as the last item. */
export type StreamItem = StreamStart | Delta | { readonly type: "done"; readonly response: ModelResponse };

/** Vectors with everything there is to say about them. */
export interface EmbedResponse {
  /** One vector a text, in the order given. */
  readonly vectors: readonly (readonly number[])[];
  readonly provider: string;
  readonly model: string;
  readonly usage: Usage;
  readonly cost_usd: number | null;
  readonly latency_ms: number;
}

/** Splits `groq/openai/gpt-oss-120b` into `groq` and `openai/gpt-oss-120b`; `undefined` when there is no model part. */
export function parseModelRef(ref: ModelRef): { provider: string; model: string } | undefined {
  const slash = ref.indexOf("/");
  if (slash <= 0 || slash === ref.length - 1) return undefined;
  return { provider: ref.slice(0, slash), model: ref.slice(slash + 1) };
}
