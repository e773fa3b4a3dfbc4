import { isLoopbackOrPrivate } from "../core/address.ts";
import { EXIT } from "../core/errors.ts";
import { asCount, asRecord } from "../providers/json.ts";
import type { SessionLimit } from "./identify_gate.ts";
import { RestError } from "./rest_error.ts";
import type { RestRequests } from "./rest_requests.ts";

/** What `GET /gateway/bot` says. */
export interface GatewayInfo {
  readonly url: string;
  /** How many connections Discord recommends. */
  readonly shards: number;
  readonly limit: SessionLimit;
}

/** More shards than any bot has; a number beyond is a mistake. */
const MOST_SHARDS = 1024;
/** What Discord gives a bot, where another server does not say. */
const USUAL = { remaining: 1000, total: 1000, resetAfterMs: 86_400_000, maxConcurrency: 1 };

/**
 * Asks once where the gateway is and how it wants to be used.
 * @throws RestError
 */
export async function readGatewayInfo(requests: RestRequests): Promise<GatewayInfo> {
  const answer = await requests.send({
    method: "GET",
    route: (routes) => routes.gatewayBot(),
    what: "to say where its gateway is",
    tries: 1,
  });
  const { url, shards, session_start_limit: limit } = asRecord(answer) ?? {};
  const { remaining, total, reset_after: resetAfterMs, max_concurrency: concurrency } = asRecord(limit) ?? {};
  const usable = usableGatewayUrl(url);
  if (usable === undefined) {
    throw new RestError("Discord does not say where its gateway is", { exitCode: EXIT.unavailable });
  }
  return {
    url: usable,
    shards: Math.min(Math.max(asCount(shards) ?? 1, 1), MOST_SHARDS),
    limit: {
      remaining: asCount(remaining) ?? USUAL.remaining,
      total: asCount(total) ?? USUAL.total,
      resetAfterMs: asCount(resetAfterMs) ?? USUAL.resetAfterMs,
      maxConcurrency: Math.max(asCount(concurrency) ?? USUAL.maxConcurrency, 1),
    },
  };
}

/** The address of a gateway, when the token may be sent there: encrypted, or on this machine or network. */
export function usableGatewayUrl(value: unknown): string | undefined {
  const url = typeof value === "string" ? URL.parse(value) : null;
  if (!url) return undefined;
  const isSafe = url.protocol === "wss:" || url.protocol === "ws:" && isLoopbackOrPrivate(url.hostname);
  return isSafe ? url.href : undefined;
}
