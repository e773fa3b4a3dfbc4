import type { Env } from "../config/env.ts";
import { AgentError, describeFault, EXIT, withRemedy } from "../core/errors.ts";
import { type AgentEvent, createEventBus, type EventBus } from "../core/events.ts";
import { createLog, type Log, LOG_LEVELS, type LogLevel } from "../core/log.ts";

/**
 * The log of a run, as loud as DJANGO_LOG_LEVEL says.
 * @throws AgentError (exit 78) when there is no such level
 */
export function createRunLog(env: Env): Log {
  return createLog({ level: logLevel(env) });
}

function logLevel(env: Env): LogLevel {
  const wanted = env.get("DJANGO_LOG_LEVEL") ?? "warn";
  const level = LOG_LEVELS.find((name) => name === wanted);
  if (level) return level;
  throw new AgentError("Cannot use DJANGO_LOG_LEVEL: there is no such level", {
    exitCode: EXIT.config,
    remedy: `Use one of: ${LOG_LEVELS.join(", ")}.`,
  });
}

/** An event bus whose events a person at the keyboard is told of, as far as they are for one. */
export function createLoggedBus(log: Log): EventBus {
  const events = createEventBus({
    onListenerError: (error) => log.error(`An event listener failed: ${describeFault(error)}`),
  });
  events.subscribe((event) => logEvent(log, event));
  return events;
}

/** What a person at the keyboard should know of what happens inside. */
function logEvent(log: Log, { name, data }: AgentEvent): void {
  switch (name) {
    case "system.warning":
      return log.warn(withRemedy(data.message, data.remedy));
    case "security.request_refused":
      return log.warn(`A request to the HTTP API was refused: ${data.reason}`);
    case "security.egress_denied":
      return log.warn(withRemedy(data.reason, data.remedy));
    case "router.breaker_changed":
      return log[data.to === "open" ? "warn" : "info"](
        `breaker of ${data.provider}: ${data.from} → ${data.to} (${data.reason})`,
      );
    case "router.fallback":
      return log.info(
        `${data.from} could not answer (${data.kind}); ${data.to ? `asking ${data.to}` : "none is left"}`,
      );
    case "chat.message_received":
    case "chat.response_generated":
    case "agent_state.thinking":
    case "agent_state.acting":
    case "agent_state.idle":
    case "agent_state.error":
      return log.debug(`${name} ${data.conversation_id}`);
    case "config.router_reloaded":
      if (data.ok) return log.info(`models.json reloaded: ${data.changes.join("; ") || "nothing changed"}`);
      return log.warn(`models.json refused, the old one goes on serving:\n${data.problems.join("\n")}`);
  }
}
