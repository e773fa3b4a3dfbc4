import type { ProviderError } from "../core/errors.ts";

/** What a failed attempt leads to. */
export type Step =
  /** The same model once more after a short pause. */
  | "retry"
  | "next_model"
  /** Like `next_model`, but no other model of the same provider either. */
  | "next_provider"
  /** Only models with a larger context window from here on. */
  | "larger_context"
  | "stop";

/** How far the failed attempt had come: nothing received, something received, something handed to the caller. */
export type Progress = "nothing" | "received" | "shown";

/**
 * Decides by `kind` alone. A pure table; the reasons stand in design.md.
 */
export function nextStep(error: ProviderError, progress: Progress): Step {
  if (progress === "shown") return "stop";
  switch (error.kind) {
    case "aborted":
    case "content_filter":
    case "bad_request":
      return "stop";
    case "context_length":
      return "larger_context";
    case "auth":
      return "next_provider";
    case "unavailable":
      if (progress === "received") return "next_model";
      if (error.status === 503) return "next_provider";
      return "retry";
    case "rate_limit": // the provider's other models are held back with it
    case "timeout":
    case "protocol":
    case "model_not_found":
    case "egress_denied": // it may be one model that runs in somebody's cloud; the next one costs no connection
      return "next_model";
  }
}

/** What follows when the retry that `nextStep` asked for is spent. */
export function withoutRetry(error: ProviderError): Step {
  // Without a status nobody answered at all: the provider's other models are behind the same closed door.
  return error.status === undefined ? "next_provider" : "next_model";
}

/** Whether the failure says that the provider is in bad health. */
export function countsAgainstBreaker(error: ProviderError): boolean {
  switch (error.kind) {
    case "unavailable":
    case "protocol":
      return true;
    case "timeout":
      return !error.whileLoading;
    case "aborted":
    case "auth":
    case "model_not_found":
    case "context_length":
    case "bad_request":
    case "content_filter":
    case "rate_limit":
    case "egress_denied":
      return false;
  }
}
