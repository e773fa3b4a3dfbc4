import { asRecord, asRecords, asText, parseJson } from "./json.ts";
import { type BodyHints, parseDuration } from "./retry_moment.ts";

/** What the error body of any of the three providers says, in one shape. */
export interface ErrorBody extends BodyHints {
  /** Short machine-readable names found in it, most specific first: reason, code, type, status. */
  readonly ids: readonly string[];
  /** HTTP status named in the body itself; Gemini repeats it there, also inside a stream. */
  readonly status: number | undefined;
  /** Free text, to be searched and never shown: it can quote the prompt. */
  readonly text: string;
}

/** Reads an error body; anything that is not JSON is text without names. Never throws. */
export function readErrorBody(body: string): ErrorBody {
  const parsed = parseJson(body);
  const outer = asRecord(Array.isArray(parsed) ? parsed[0] : parsed);
  return outer === undefined ? { ...NOTHING, text: body } : readErrorObject(outer);
}

const NOTHING: ErrorBody = { ids: [], status: undefined, text: "", retryDelayMs: undefined, dailyQuota: false };

/**
 * Reads `{error: "text"}` (Ollama), `{error: {message, type, code}}` (Groq, and Ollama's runner, which Ollama may pass
 * on as JSON inside that text), and `{error: {code, status, message, details}}` (Gemini).
 */
export function readErrorObject(outer: Readonly<Record<string, unknown>>): ErrorBody {
  const error = outer["error"];
  if (typeof error === "string") return readErrorText(error);
  const fields = asRecord(error) ?? outer;
  const details = asRecords(fields["details"]);
  const code = fields["code"] ?? fields["status_code"];
  const ids = [...details.map((detail) => detail["reason"]), fields["code"], fields["type"], fields["status"]];
  const quotas = details.flatMap((detail) => asRecords(detail["violations"]));
  const delays = details.map((detail) => parseDuration(asText(detail["retryDelay"]) ?? ""));
  return {
    ids: ids.filter((id) => typeof id === "string").filter((id) => /^[\w.-]{1,64}$/.test(id)),
    status: typeof code === "number" && code >= 400 && code < 600 ? code : undefined,
    text: asText(fields["message"]) ?? "",
    retryDelayMs: delays.find((delay) => delay !== undefined),
    dailyQuota: quotas.some((quota) => /PerDay/i.test(asText(quota["quotaId"]) ?? "")),
  };
}

function readErrorText(text: string): ErrorBody {
  const inner = asRecord(parseJson(text.slice(text.indexOf("{"))));
  return inner === undefined ? { ...NOTHING, text } : { ...readErrorObject(inner), text };
}
