import { ProviderError, type ProviderErrorOptions } from "../core/errors.ts";
import type { ErrorKind, ProviderType } from "../core/types.ts";
import type { ErrorBody } from "./error_body.ts";
import { retryMoment } from "./retry_moment.ts";

/** Whom an error is about. */
export interface Subject {
  readonly provider: string;
  readonly type: ProviderType;
  /** Unset for requests that are about no model. */
  readonly model?: string;
}

/** An answer that says no: an HTTP status over 299, or an error object inside a stream. */
export interface ErrorReply extends Subject {
  readonly status: number | undefined;
  readonly headers: Headers;
  readonly body: ErrorBody;
  /** Epoch milliseconds now. */
  readonly nowMs: number;
}

/** Turns an answer that says no into the one error the router understands. Shows no text of the provider's. */
export function classifyRefusal(refusal: ErrorReply): ProviderError {
  const { provider, model, body } = refusal;
  const status = refusal.status ?? body.status;
  const kind = kindOf(status, body, model !== undefined);
  const retryAtMs = retryMoment(refusal.headers, body, refusal.nowMs);
  const name = body.ids[0];
  const shown = [status === undefined ? undefined : `HTTP ${status}`, name].filter((item) => item !== undefined);
  const detail = shown.length === 0 ? "" : ` (${shown.join(", ")})`;
  const remedy = remedyOf(kind, refusal);
  const options: ProviderErrorOptions = {
    provider,
    model,
    status,
    retryAtMs: kind === "rate_limit" ? retryAtMs : undefined,
    remedy,
  };
  return new ProviderError(kind, `${sentenceOf(kind, refusal)}${detail}.`, options);
}

const CONTEXT_STATUSES: readonly (number | undefined)[] = [undefined, 400, 413, 422, 500];
/** Conflict, failed dependency, too early, and what Groq (498) and proxies (499) say when they are too busy. */
const PASSING_STATUSES = [409, 424, 425, 498, 499];
const CONTEXT_IDS = /^(context_length_exceeded|exceed_context_size_error|request_too_large)$/i;
const CONTEXT_TEXTS =
  /exceeds? the (available )?context|exceeds the maximum number of tokens|maximum context length|reduce the length of the messages/i;
const FILTER_TEXTS = /content[ _](filter|policy)/i;
const FILTER_IDS = /^(content_filter|content_policy_violation|SAFETY|PROHIBITED_CONTENT)$/i;
const MODEL_IDS = /^(model_not_found|model_decommissioned|model_not_active|model_terms_required)$/i;
/** The model's own output did not fit the tool or the schema: another model may do better. */
const OUTPUT_IDS = /^(json_validate_failed|tool_use_failed)$/i;
const KEY_IDS = /^(API_KEY_INVALID|invalid_api_key|FAILED_PRECONDITION|PERMISSION_DENIED|UNAUTHENTICATED)$/i;

function kindOf(status: number | undefined, body: ErrorBody, aboutModel: boolean): ErrorKind {
  const has = (pattern: RegExp) => body.ids.some((id) => pattern.test(id));
  if (CONTEXT_STATUSES.includes(status) && (has(CONTEXT_IDS) || CONTEXT_TEXTS.test(body.text))) return "context_length";
  if (status === undefined) return has(FILTER_IDS) ? "content_filter" : "unavailable";
  if (status === 401 || status === 402 || status === 403 || has(KEY_IDS)) return "auth";
  if (status === 429) return "rate_limit";
  if (has(MODEL_IDS) || ((status === 404 || status === 410) && aboutModel)) return "model_not_found";
  if (status === 408) return "timeout";
  // Groq answers 413 to a prompt over the tokens a minute of one model: it will never fit there, but may elsewhere.
  if (status === 413) return "context_length";
  if (status >= 500 || PASSING_STATUSES.includes(status)) return "unavailable";
  if (status < 400 || status === 404 || status === 410) return "protocol";
  if (has(FILTER_IDS) || FILTER_TEXTS.test(body.text)) return "content_filter";
  return has(OUTPUT_IDS) ? "protocol" : "bad_request";
}

function sentenceOf(kind: ErrorKind, { provider, model, body, status }: ErrorReply): string {
  const name = model === undefined ? `Provider ${provider}` : `Provider ${provider} (${model})`;
  switch (kind) {
    case "auth":
      return `${name} did not accept the API key or the account`;
    case "rate_limit":
      return body.dailyQuota
        ? `${name} has used up its quota for today`
        : `${name} has had too many requests and wants a pause`;
    case "model_not_found":
      return `${name} does not have this model or no longer serves it`;
    case "timeout":
      return `${name} gave up waiting for the request`;
    case "context_length":
      return `${name} cannot take a prompt of this length`;
    case "content_filter":
      return `${name} refused the content of the request`;
    case "protocol":
      return status !== undefined && status >= 300 && status < 400
        ? `${name} answered with a redirect, and redirects are refused`
        : `${name} gave an answer that cannot be used`;
    case "unavailable":
      return isOutOfMemory(body) ? `${name} has not enough memory for the model` : `${name} cannot answer right now`;
    case "bad_request":
    case "aborted":
    case "egress_denied":
      return `${name} refused the request${missingAbility(body)}`;
  }
}

function isOutOfMemory(body: ErrorBody): boolean {
  return /requires more system memory|out of memory/i.test(body.text);
}

/** Ollama says `"NAME" does not support tools`; the word is shown only when it is one of those known to occur. */
function missingAbility(body: ErrorBody): string {
  const ability = /does not support (tools|thinking|chat|images|vision|embeddings)\b/i.exec(body.text)?.[1];
  return ability === undefined ? "" : `: the model does not support ${ability.toLowerCase()}`;
}

function remedyOf(kind: ErrorKind, { provider, type, model, body, status }: ErrorReply): string | undefined {
  switch (kind) {
    case "auth":
      return `Check the API key of provider ${provider} and what its account may use.`;
    case "model_not_found":
      return type === "ollama"
        ? `Run: ollama pull ${model}`
        : `Choose a model that provider ${provider} serves today: models test ${provider}`;
    case "context_length":
      return "Shorten the conversation, or use a model with a larger context.";
    case "rate_limit":
      return "Wait, or let another provider answer.";
    case "unavailable":
      return isOutOfMemory(body) ? "Use a smaller model, or a smaller context in models.json." : undefined;
    case "protocol":
      return status !== undefined && status < 500
        ? `Check the base_url of provider ${provider}; it must be the address itself, not one that redirects.`
        : undefined;
    case "bad_request":
    case "content_filter":
    case "timeout":
    case "aborted":
    case "egress_denied":
      return undefined;
  }
}
