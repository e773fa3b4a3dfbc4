import { AgentError, EXIT, type ExitCode } from "../core/errors.ts";
import { asRecord, asRecords, parseJson } from "../providers/json.ts";

/** What an answer with a status over 299 says, as far as it may be repeated: codes and names of fields, no words. */
export interface Refusal {
  readonly status: number;
  /** Discord's own code; undefined when the body has none. */
  readonly code: number | undefined;
  /** `embeds[0].description: BASE_TYPE_MAX_LENGTH` */
  readonly fields: readonly string[];
}

const MOST_FIELDS = 10;

/** Discord's codes that a webhook can meet. Source: Discord's API documentation, "JSON Error Codes". */
const MEANINGS: Readonly<Record<number, string>> = {
  10003: "there is no such channel or thread",
  10008: "this webhook has no message with that id",
  10015: "this webhook does not exist (any more)",
  30046: "a message so old cannot be edited as often as that",
  40005: "the request is too large",
  40067: "this forum wants a tag for every new thread",
  50006: "the message shows nothing",
  50013: "the webhook is not permitted to do that",
  50024: "this cannot be done in a channel of that kind",
  50027: "the token of this webhook is wrong",
  50035: "something in the message is malformed",
  50045: "a file is larger than this server allows",
  50083: "the thread is archived",
  160005: "the thread is locked",
  200000: "the rules of the server (AutoMod) block it",
  200001: "the rules of the server (AutoMod) block the thread's name",
  220001: "a forum needs --thread-name, which begins a thread, or --thread-id",
  220002: "--thread-name and --thread-id cannot be given together",
  220003: "only forums and media channels have threads that --thread-name begins",
  240000: "Discord blocks a link in it as harmful",
};
const COPY_WEBHOOK = "Copy its URL anew: channel settings, Integrations, Webhooks, Copy Webhook URL.";
const UNKNOWN_WEBHOOK = 10015;
const INVALID_WEBHOOK_TOKEN = 50027;
/** What a DELETE is answered when there is nothing to delete. */
export const UNKNOWN_MESSAGE = 10008;

/** Reads the body of an answer that refuses. Any body will do. */
export function readRefusal(status: number, body: string): Refusal {
  const { code, errors } = asRecord(parseJson(body)) ?? {}; // a proxy in between answers with a page
  return { status, code: typeof code === "number" ? code : undefined, fields: [...fieldsOf(errors, "")] };
}

/** The error of an answer after which nothing is tried again. */
export function refusalError({ status, code, fields }: Refusal, who: string, about: string): AgentError {
  const known = code === undefined ? undefined : MEANINGS[code];
  const details = [status, ...(code === undefined ? [] : [`code ${code}`])].join(", ");
  const lines = fields.map((field) => `\n  ${field}`).join("");
  const isWebhook = status === 401 || code === UNKNOWN_WEBHOOK || code === INVALID_WEBHOOK_TOKEN ||
    status === 404 && code === undefined;
  return new AgentError(`${who} refused ${about}: ${known ?? meaningOf(status)} (${details})${lines}`, {
    exitCode: isWebhook ? EXIT.permission : exitCodeOf(status),
    remedy: isWebhook ? COPY_WEBHOOK : fields.length > 0 ? "Correct the fields named above." : undefined,
  });
}

function exitCodeOf(status: number): ExitCode {
  if (status === 403) return EXIT.permission;
  return status >= 400 && status < 500 ? EXIT.data : EXIT.unavailable;
}

function meaningOf(status: number): string {
  switch (status) {
    case 401:
      return "the token of this webhook is wrong";
    case 403:
      return "it is not permitted";
    case 404:
      return "there is no such webhook";
    case 413:
      return "the request is too large";
    default:
      return status >= 300 && status < 400
        ? "it sends elsewhere, and redirects are not followed"
        : "no reason is given";
  }
}

/** `{embeds: {0: {title: {_errors: [{code}]}}}}` as paths with their codes, but for names that are not like a field's. */
function* fieldsOf(value: unknown, path: string, budget = { left: MOST_FIELDS }): Generator<string> {
  for (const [name, child] of Object.entries(asRecord(value) ?? {})) {
    if (budget.left <= 0) return;
    if (name === "_errors") {
      for (const { code } of asRecords(child)) {
        if (budget.left-- > 0) yield `${path || "message"}: ${codeOf(code)}`;
      }
    } else if (/^\d{1,3}$/.test(name)) yield* fieldsOf(child, `${path}[${name}]`, budget);
    else if (/^[a-z_]{1,24}$/.test(name)) yield* fieldsOf(child, path ? `${path}.${name}` : name, budget);
  }
}

function codeOf(code: unknown): string {
  return typeof code === "string" && /^[A-Z_]{1,64}$/.test(code) ? code : "refused";
}
