import { asRecord, parseJson } from "../providers/json.ts";

/** What an answer of 429 says. */
export interface Limited {
  /** How long to wait, in milliseconds; undefined when it does not say. */
  readonly waitMs: number | undefined;
  /** True when the limit holds for more than what was asked for. */
  readonly global: boolean;
}

/** What a 429 says: `retry_after` in its body, in seconds, or the headers `Retry-After` or `X-RateLimit-Reset-After`. */
export function readLimited(headers: Headers, body: string): Limited {
  const { retry_after: inBody, global } = asRecord(parseJson(body)) ?? {};
  const seconds = [inBody, headers.get("retry-after"), headers.get("x-ratelimit-reset-after")].map(readSeconds);
  return {
    waitMs: toMs(seconds.find((each) => each !== undefined)),
    global: global === true || headers.get("x-ratelimit-global") === "true",
  };
}

/**
 * How long the next request has to wait after an answer, in milliseconds: nothing, unless `X-RateLimit-Remaining` says
 * that this one was the last of its time.
 */
export function pauseAfter(headers: Headers): number {
  if (headers.get("x-ratelimit-remaining")?.trim() !== "0") return 0;
  return toMs(readSeconds(headers.get("x-ratelimit-reset-after"))) ?? 0;
}

function readSeconds(value: unknown): number | undefined {
  const text = typeof value === "number" ? String(value) : typeof value === "string" ? value.trim() : "";
  return /^\d+(\.\d+)?$/.test(text) ? Number(text) : undefined;
}

function toMs(seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : Math.ceil(seconds * 1000);
}
