import type { Context } from "hono";
import { HTTPException } from "hono/http-exception";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import {
  AgentError,
  BusyError,
  ConfigError,
  describeProblem,
  EXIT,
  NoAnswerError,
  SealedError,
  withRemedy,
} from "../core/errors.ts";
import type { Attempt } from "../core/types.ts";

/** What every error answer looks like; the names are OpenAI's. */
export interface ErrorBody {
  readonly error: {
    readonly message: string;
    readonly type: string;
    readonly code: string;
    readonly param?: string;
    /** Every problem of a refused models.json. */
    readonly problems?: readonly string[];
    /** Every model that was tried, when none answered. */
    readonly attempts?: readonly Attempt[];
  };
}

/** What an answer says besides its status and message. */
export interface HttpErrorOptions {
  readonly code: string;
  /** Where in the request: `messages[0].content`. */
  readonly param?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  readonly problems?: readonly string[];
}

/** An error that knows its status. */
export class HttpError extends Error {
  override readonly name = "HttpError";

  constructor(readonly status: ContentfulStatusCode, message: string, readonly options: HttpErrorOptions) {
    super(message);
  }
}

interface Answer {
  readonly status: ContentfulStatusCode;
  readonly body: ErrorBody;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The one place where errors become answers. Whatever was not foreseen shows its name only. */
export function answerError(error: unknown, c: Context): Response {
  const { status, body, headers } = describeError(error, { openai: c.req.path.startsWith("/v1/") });
  return c.json(body, status, { ...headers });
}

/**
 * The answer an error becomes.
 * @param openai where OpenAI's statuses are expected: 400 and 404 where the rest of the API says 422
 */
export function describeError(error: unknown, { openai }: { readonly openai: boolean }): Answer {
  if (error instanceof HttpError) return ofHttpError(error, openai);
  if (error instanceof NoAnswerError) return ofNoAnswer(error, openai);
  if (error instanceof ConfigError) {
    const problems = error.problems.map(describeProblem);
    return answer(422, "models.json was refused: " + problems.join("; "), "config_refused", { problems });
  }
  if (error instanceof SealedError) return answer(409, withRemedy(error.message, error.remedy), "egress_sealed");
  if (error instanceof BusyError) return answer(429, withRemedy(error.message, error.remedy), "busy");
  if (error instanceof AgentError) return ofAgentError(error, openai);
  if (error instanceof HTTPException) return answer(error.status, error.message, "bad_request");
  return answer(500, `Internal error: ${error instanceof Error ? error.name : typeof error}`, "internal_error");
}

function ofHttpError({ status, message, options }: HttpError, openai: boolean): Answer {
  const { code, param, headers, problems } = options;
  const shown = openai && status === 422 ? 400 : status;
  const more = { ...(param !== undefined && { param }), ...(problems && { problems }) };
  return { ...answer(shown, message, code, more), ...(headers && { headers }) };
}

function ofAgentError({ message, remedy, exitCode }: AgentError, openai: boolean): Answer {
  const text = withRemedy(message, remedy);
  switch (exitCode) {
    case EXIT.usage:
    case EXIT.data:
      return answer(openai ? 400 : 422, text, "invalid_value");
    case EXIT.config:
      return answer(422, text, "config_refused");
    case EXIT.permission:
      return answer(403, text, "permission_denied");
    case EXIT.unavailable:
    case EXIT.tempfail:
      return answer(503, text, "unavailable");
    default:
      return answer(500, text, "internal_error");
  }
}

function ofNoAnswer(error: NoAnswerError, openai: boolean): Answer {
  const { attempts, kind, retryAtMs } = error;
  const text = withRemedy(error.message, error.remedy);
  const seconds = retryAtMs === undefined ? undefined : Math.max(1, Math.ceil((retryAtMs - Date.now()) / 1000));
  const headers = seconds === undefined ? {} : { "retry-after": String(seconds) };
  const { status, code } = statusOf(kind, attempts, openai);
  return { ...answer(status, text, code, { attempts }), headers };
}

function statusOf(
  kind: NoAnswerError["kind"],
  attempts: readonly Attempt[],
  openai: boolean,
): { readonly status: ContentfulStatusCode; readonly code: string } {
  switch (kind) {
    case "rate_limit":
      return { status: 429, code: "rate_limit_exceeded" };
    case "timeout":
      return { status: 504, code: "timeout" };
    case "egress_denied":
      return { status: 409, code: "egress_sealed" };
    case "context_length":
      return { status: openai ? 400 : 422, code: "context_length_exceeded" };
    case "bad_request":
      return { status: openai ? 400 : 422, code: "bad_request" };
    case "content_filter":
      return { status: openai ? 400 : 422, code: "content_filter" };
    case "aborted":
      return { status: 503, code: "aborted" };
    case "unavailable":
    case "auth":
    case "model_not_found":
    case "protocol": {
      const nobodyAsked = attempts.every(({ outcome }) => outcome === "skipped");
      return nobodyAsked ? { status: 503, code: "unavailable" } : { status: 502, code: "no_answer" };
    }
  }
}

function answer(status: ContentfulStatusCode, message: string, code: string, more: object = {}): Answer {
  return { status, body: { error: { message, type: typeOf(status), code, ...more } } };
}

/** OpenAI's names for kinds of error. */
function typeOf(status: number): string {
  if (status === 401) return "authentication_error";
  if (status === 403) return "permission_error";
  if (status === 429) return "rate_limit_error";
  return status < 500 ? "invalid_request_error" : "server_error";
}
