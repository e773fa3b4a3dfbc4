import type { CognitiveMode, ErrorKind, ModelRef, Role } from "./types.ts";

export type BreakerState = "closed" | "open" | "half_open";

/** Every event of the program by name. Payloads are JSON and never carry message content or a secret. */
export interface EventMap {
  /** Somebody said something; how long it is, not what it is. */
  "chat.message_received": { conversation_id: string; cognitive_mode: CognitiveMode; role: Role; letters: number };
  /** It looks for what it knows. */
  "agent_state.thinking": { conversation_id: string };
  /** It puts the answer together, or has it put together by a model. */
  "agent_state.acting": { conversation_id: string };
  "agent_state.idle": { conversation_id: string };
  /** It could not answer. */
  "agent_state.error": { conversation_id: string; reason: string };
  "chat.response_generated": {
    conversation_id: string;
    cognitive_mode: CognitiveMode;
    /** Null when no model was asked. */
    provider: string | null;
    model: string | null;
    fallback: boolean;
    /** It chose to say nothing. */
    silent: boolean;
    /** How many pieces of knowledge the answer could use. */
    knowledge_sources: number;
    latency_ms: number;
  };
  /** A call moved on to another model; `to` is null when none was left. */
  "router.fallback": { role: Role; from: ModelRef; to: ModelRef | null; kind: ErrorKind };
  "router.breaker_changed": {
    provider: string;
    from: BreakerState;
    to: BreakerState;
    reason: string;
    failures: number;
    /** ISO 8601 moment of the next probe; null unless open. */
    retry_at: string | null;
  };
  "config.router_reloaded": {
    ok: boolean;
    /** Readable lines of what differs from the configuration before. */
    changes: readonly string[];
    /** Why the new file was refused; the old configuration goes on serving. */
    problems: readonly string[];
  };
  "security.egress_denied": { provider: string; model: string | null; reason: string; remedy: string };
  /** Requests to the HTTP API were turned away for this reason; told once a minute at most. */
  "security.request_refused": { reason: string };
  /** Something a person should act on, with the remedy. */
  "system.warning": { code: string; message: string; remedy: string };
}

/** What a reload of models.json came to, or a change of it. */
export type ReloadResult = Readonly<EventMap["config.router_reloaded"]>;

export type EventName = keyof EventMap;
export type AgentEvent = {
  [Name in EventName]: { readonly name: Name; readonly data: Readonly<EventMap[Name]> };
}[EventName];

export interface EventBus {
  emit<Name extends EventName>(name: Name, data: EventMap[Name]): void;
  /** Calls `listener` for every event until the returned function is called. */
  subscribe(listener: (event: AgentEvent) => void): () => void;
}

export interface EventBusOptions {
  /** Told when a listener throws. */
  readonly onListenerError: (error: unknown) => void;
}

/** A synchronous bus: a listener that throws never disturbs the emitter or the other listeners. */
export function createEventBus({ onListenerError }: EventBusOptions): EventBus {
  const listeners = new Set<(event: AgentEvent) => void>();
  return {
    emit(name, data) {
      const event = { name, data } as AgentEvent;
      for (const listener of listeners) {
        try {
          listener(event);
        } catch (error) {
          onListenerError(error);
        }
      }
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}
