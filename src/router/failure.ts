import { exitCodeOf, NoAnswerError, type ProviderError, withRemedy } from "../core/errors.ts";
import { formatWait } from "../core/format.ts";
import type { Attempt, ErrorKind } from "../core/types.ts";

/** What there is to say about a call that failed. */
export interface FailureFacts {
  readonly attempts: readonly Attempt[];
  /** True when a part of the answer had been handed out. */
  readonly partial: boolean;
  /** The one failure that ended the call, if it was not the end of the chain. */
  readonly cause?: ProviderError | undefined;
  /** Milliseconds after which trying again may work. */
  readonly retryInMs?: number | undefined;
}

/** Sums the attempts of a call up in one error: the kind that fits them all, a line for each, and what to do. */
export function explainFailure({ attempts, partial, cause, retryInMs }: FailureFacts): NoAnswerError {
  const kind = cause?.kind ?? commonKind(attempts);
  const lines = describeAttempts(attempts);
  return new NoAnswerError([headline(kind, { partial, cause }), ...lines].join("\n"), {
    kind,
    attempts,
    remedy: remedyFor(kind, retryInMs),
    retryAtMs: retryInMs === undefined ? undefined : Date.now() + retryInMs,
    cause,
  });
}

function headline(kind: ErrorKind, { partial, cause }: Pick<FailureFacts, "partial" | "cause">): string {
  if (partial) return "The answer broke off: what was shown is not complete";
  switch (kind) {
    case "aborted":
      return "The call was stopped";
    case "content_filter":
      return "The model's provider refused the content";
    case "bad_request":
      return cause ? "The provider refused the request" : "No model can take the request";
    case "context_length":
      return "The prompt is too large for every model that may answer";
    default:
      return "No model could answer";
  }
}

/** A line for each attempt; one that went the same way twice is said once. */
function describeAttempts(attempts: readonly Attempt[]): string[] {
  const times = new Map<string, number>();
  for (const { provider, model, outcome, error_kind, reason, remedy } of attempts) {
    if (outcome === "ok") continue;
    const why = reason ? `: ${withRemedy(reason, remedy)}` : "";
    const line = `  ${provider}/${model}: ${outcome}, ${error_kind}${why}`;
    times.set(line, (times.get(line) ?? 0) + 1);
  }
  return [...times].map(([line, count]) => (count === 1 ? line : `${line} (${count} times)`));
}

/** The kind all tries agree on. Candidates that the set-up forbids only count when nothing else was there. */
function commonKind(attempts: readonly Attempt[]): ErrorKind {
  const isForbidden = ({ outcome, error_kind }: Attempt) =>
    outcome === "skipped" && (error_kind === "egress_denied" || error_kind === "auth");
  const tried = attempts.filter((attempt) => !isForbidden(attempt));
  const kinds = (tried.length > 0 ? tried : attempts).flatMap(({ error_kind }) => error_kind ?? []);
  const [first = "unavailable"] = kinds;
  return kinds.every((kind) => exitCodeOf(kind) === exitCodeOf(first)) ? first : "unavailable";
}

function remedyFor(kind: ErrorKind, retryInMs: number | undefined): string {
  const later = retryInMs === undefined ? "later" : `in ${formatWait(retryInMs)}`;
  switch (kind) {
    case "rate_limit":
      return `Try again ${later}, or add a model of another provider to the chain.`;
    case "timeout":
      return "Try again, use a smaller model, or raise the deadlines in config/models.json.";
    case "unavailable":
    case "protocol":
      return `Run \`doctor\` to see what is wrong; try again ${later}.`;
    case "model_not_found":
      return "Pull the model or name another one in config/models.json; `doctor` prints the lines to type.";
    case "auth":
      return "Put a valid key into .env; `doctor` shows which one is missing.";
    case "egress_denied":
      return "Run `privacy` to see what may leave this machine and how to allow more.";
    case "context_length":
      return "Shorten the prompt or add a model with a larger context window.";
    case "bad_request":
    case "content_filter":
      return "Change the request; repeating it gives the same result.";
    case "aborted":
      return "Nothing to do.";
  }
}
