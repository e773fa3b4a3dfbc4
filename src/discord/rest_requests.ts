import { hostAndPort } from "../core/address.ts";
import { AgentError, EXIT } from "../core/errors.ts";
import { formatWait } from "../core/format.ts";
import { once } from "../core/once.ts";
import { pause } from "../core/pause.ts";
import { howToAllow } from "../core/sandbox.ts";
import { Turns } from "../core/turns.ts";
import type { EgressRecorder } from "../providers/exchange.ts";
import { parseJson } from "../providers/json.ts";
import { readNetworkError } from "../providers/network_error.ts";
import { pauseAfter, readLimited } from "./rate_limit.ts";
import { type BackOffOptions, createBackOff } from "./reconnect.ts";
import { RestError, restRefusal } from "./rest_error.ts";
import type { RestComposer, RestManagerOptions } from "./rest_manager.ts";

export interface RestRequestsOptions extends RestManagerOptions {
  /** Ends everything that is under way. */
  readonly signal: AbortSignal;
  /** How long one request may take until its answer is read, in milliseconds. Default 15,000. */
  readonly timeoutMs?: number;
  /** The longest wait for a rate limit, in milliseconds; a request that would wait longer fails. Default 60,000. */
  readonly mostWaitMs?: number;
  readonly backOff?: BackOffOptions;
  readonly ledger?: EgressRecorder | undefined;
}

export interface RestRequest {
  readonly method: "GET" | "POST" | "PATCH";
  readonly route: (routes: RestComposer["routes"]) => string;
  readonly body?: object;
  /** How often it is sent at most. Default 5. */
  readonly tries?: number;
  /** For messages: "the message". */
  readonly what: string;
}

const MOST_TRIES = 5;
const TIMEOUT_MS = 15_000;
const MOST_WAIT_MS = 60_000;
const SHORTEST_LIMIT_MS = 250;
const BACK_OFF: BackOffOptions = { firstMs: 500, mostMs: 8000 };

type Outcome =
  | { readonly kind: "answered"; readonly body: unknown }
  /** `isPaced`: there is a limit now that names when. */
  | { readonly kind: "again"; readonly isPaced: boolean; readonly error: RestError };

/**
 * Requests to Discord's REST API, each tried a few times and then given up. Discordeno's manager composes them; it does
 * not send them, since it waits for ever for an answer, tries for ever, overlooks `Retry-After`, makes one request a
 * second where no header names a limit, and leaves timers of a minute.
 *
 * What goes to one place goes one after the other, so that messages keep their order. Everything here may be sent twice:
 * messages carry a nonce by which Discord knows them again.
 */
export class RestRequests {
  readonly #options: RestRequestsOptions;
  readonly #composer: () => Promise<RestComposer>;
  readonly #turns = new Turns("Too much waits to be sent to one place on Discord");
  readonly #backOff: (failures: number) => number;
  /** By place, and `GLOBAL` for all: before this, on the clock of `performance.now()`, the next is not welcome. */
  readonly #notBeforeMs = new Map<string, number>();

  constructor(options: RestRequestsOptions) {
    this.#options = options;
    this.#composer = once(async () => (await import("./rest_manager.ts")).createRestComposer(options));
    this.#backOff = createBackOff({ ...BACK_OFF, ...options.backOff });
  }

  /**
   * Sends a request until it is answered or there is no hope.
   * @returns the JSON of the answer; undefined when there is none
   * @throws RestError; BusyError when too many wait for the same place
   */
  async send(request: RestRequest): Promise<unknown> {
    const composer = await this.#composer();
    const { signal } = this.#options;
    const place = `${request.method} ${request.route(composer.routes)}`;
    if (signal.aborted) throw stopped();
    const turn = await this.#turns.take(place, signal).catch((error) => {
      throw signal.aborted ? stopped() : error;
    });
    try {
      return await this.#sendInTurn(request, place, composer);
    } finally {
      turn[Symbol.dispose]();
    }
  }

  async #sendInTurn(request: RestRequest, place: string, composer: RestComposer): Promise<unknown> {
    for (let tried = 1;; tried++) {
      await this.#waitForLimits(place);
      const outcome = await this.#attempt(request, place, composer);
      if (outcome.kind === "answered") return outcome.body;
      if (tried >= (request.tries ?? MOST_TRIES)) throw outcome.error;
      if (!outcome.isPaced && !await pause(this.#backOff(tried - 1), this.#options.signal)) throw stopped();
    }
  }

  async #waitForLimits(place: string): Promise<void> {
    const { signal, mostWaitMs = MOST_WAIT_MS } = this.#options;
    const waitMs = Math.max(this.#left(place), this.#left(GLOBAL));
    if (waitMs > mostWaitMs) throw limited(waitMs);
    if (waitMs > 0 && !await pause(waitMs, signal)) throw stopped();
  }

  /** How long a limit still lasts; one that is over is forgotten. */
  #left(place: string): number {
    const leftMs = (this.#notBeforeMs.get(place) ?? 0) - performance.now();
    if (leftMs <= 0) this.#notBeforeMs.delete(place);
    return leftMs;
  }

  async #attempt(request: RestRequest, place: string, composer: RestComposer): Promise<Outcome> {
    const { baseUrl, version, routes, invalidBucket } = composer;
    // Ten thousand refusals in ten minutes have Discord ban the address of this machine.
    if (!invalidBucket.isRequestAllowed()) throw limited(undefined);
    await invalidBucket.waitUntilRequestAvailable();
    const { headers, body } = composer.createRequestBody(request.method, request.body && { body: request.body });
    const text = typeof body === "string" ? body : null;
    const { signal, timeoutMs = TIMEOUT_MS, ledger } = this.#options;
    const { origin } = new URL(baseUrl);
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), timeoutMs);
    let status = 0;
    let isShared = false;
    try {
      ledger?.sent(origin, text === null ? 0 : new TextEncoder().encode(text).length);
      const answer = await fetch(`${baseUrl}/v${version}${request.route(routes)}`, {
        method: request.method,
        headers,
        body: text,
        redirect: "manual", // the token goes to no other host
        signal: AbortSignal.any([signal, late.signal]),
      });
      status = answer.status;
      isShared = answer.headers.get("x-ratelimit-scope") === "shared";
      const said = await answer.text();
      ledger?.received(origin, said.length);
      return this.#outcomeOf(answer, said, place, request.what);
    } catch (cause) {
      if (cause instanceof AgentError) throw cause;
      return this.#failedBy(cause, late.signal.aborted, origin);
    } finally {
      clearTimeout(timer);
      invalidBucket.handleCompletedRequest(status, isShared);
    }
  }

  #outcomeOf({ status, headers }: Response, body: string, place: string, what: string): Outcome {
    if (status === 429) {
      const { waitMs: said, global } = readLimited(headers, body);
      const waitMs = said === undefined ? undefined : Math.max(said, SHORTEST_LIMIT_MS);
      if (waitMs !== undefined) this.#notBeforeMs.set(global ? GLOBAL : place, performance.now() + waitMs);
      return { kind: "again", isPaced: waitMs !== undefined, error: limited(waitMs) };
    }
    const pauseMs = pauseAfter(headers);
    if (pauseMs > 0) this.#notBeforeMs.set(place, performance.now() + pauseMs);
    if (status >= 200 && status < 300) return { kind: "answered", body: parseJson(body) };
    if (status < 500) throw restRefusal(status, body, what);
    const error = new RestError(`Discord answers ${status}`, { exitCode: EXIT.unavailable, status });
    return { kind: "again", isPaced: false, error };
  }

  #failedBy(cause: unknown, isLate: boolean, origin: string): Outcome {
    if (this.#options.signal.aborted) throw stopped();
    const { denied, reason } = readNetworkError(cause);
    const host = hostAndPort(origin);
    if (denied) {
      throw new RestError(`Cannot talk to ${host}: the sandbox of this program does not allow it`, {
        exitCode: EXIT.permission,
        remedy: howToAllow(host),
        isFinal: true,
      });
    }
    const why = isLate ? "it does not answer in time" : reason ?? "the connection broke";
    // What fetch throws may quote the address and the headers, so it is no cause of this error.
    const error = new RestError(`Cannot reach ${host}: ${why}`, { exitCode: EXIT.unavailable });
    return { kind: "again", isPaced: false, error };
  }
}

/** No place is called like that. */
const GLOBAL = "";

function limited(waitMs: number | undefined): RestError {
  const lasts = waitMs === undefined ? "" : ` for another ${formatWait(waitMs)}`;
  return new RestError(`Discord takes nothing more here${lasts}: its rate limit is used up`, {
    exitCode: EXIT.tempfail,
    status: 429,
  });
}

function stopped(): RestError {
  return new RestError("Stopped", { exitCode: EXIT.interrupted });
}
