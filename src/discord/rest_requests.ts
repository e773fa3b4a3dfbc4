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
  /** How often it is sent at most, not counting what a rate limit kept away. Default 5. */
  readonly tries?: number;
  /** For how long it goes on all the same, in milliseconds. Default 0. */
  readonly patienceMs?: number;
  /** When it is not worth anything any more. */
  readonly signal?: AbortSignal;
  /** For messages: "the message". */
  readonly what: string;
}

const MOST_TRIES = 5;
/** How often one request meets a rate limit before it is given up. */
const MOST_LIMITED = 5;
/** More requests than ever wait for one place: who answers and who asks for commands is limited before. */
const MOST_WAITING = 1000;
/** Limits that are remembered before those that are over are looked for. */
const MOST_LIMITS = 256;
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
 * What goes to one place goes one after the other, so that messages keep their order. What may be sent once only names
 * its number of tries; messages carry a nonce by which Discord knows them again.
 */
export class RestRequests {
  readonly #options: RestRequestsOptions;
  readonly #composer: () => Promise<RestComposer>;
  readonly #turns = new Turns("Too much waits to be sent to one place on Discord", MOST_WAITING);
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
    const signal = this.#signalOf(request);
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
    const { tries = MOST_TRIES, patienceMs = 0 } = request;
    const untilMs = performance.now() + patienceMs;
    const signal = this.#signalOf(request);
    for (let [tried, limited] = [0, 0];;) {
      await this.#waitForLimits(place, signal);
      const outcome = await this.#attempt(request, place, composer);
      if (outcome.kind === "answered") return outcome.body;
      // What a limit keeps away was not carried out, so it may be sent again.
      const isOver = outcome.isPaced ? ++limited >= MOST_LIMITED : ++tried >= tries;
      if (isOver && performance.now() >= untilMs) throw outcome.error;
      if (!outcome.isPaced && !await pause(this.#backOff(tried - 1), signal)) throw stopped();
    }
  }

  #signalOf({ signal }: RestRequest): AbortSignal {
    return signal ? AbortSignal.any([this.#options.signal, signal]) : this.#options.signal;
  }

  async #waitForLimits(place: string, signal: AbortSignal): Promise<void> {
    const { mostWaitMs = MOST_WAIT_MS } = this.#options;
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

  #hold(place: string, waitMs: number): void {
    this.#notBeforeMs.set(place, performance.now() + waitMs);
    if (this.#notBeforeMs.size <= MOST_LIMITS) return;
    for (const each of this.#notBeforeMs.keys()) this.#left(each); // many places are asked for once and never again
  }

  async #attempt(request: RestRequest, place: string, composer: RestComposer): Promise<Outcome> {
    const { baseUrl, version, routes, invalidBucket } = composer;
    // Ten thousand refusals in ten minutes have Discord ban the address of this machine.
    if (!invalidBucket.isRequestAllowed()) throw limited(undefined);
    await invalidBucket.waitUntilRequestAvailable();
    const { headers, body } = composer.createRequestBody(request.method, request.body && { body: request.body });
    const text = typeof body === "string" ? body : null;
    const { timeoutMs = TIMEOUT_MS, ledger } = this.#options;
    const signal = this.#signalOf(request);
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
      ledger?.received(origin, new TextEncoder().encode(said).length);
      return this.#outcomeOf(answer, said, place, request.what);
    } catch (cause) {
      if (cause instanceof AgentError) throw cause;
      if (signal.aborted) throw stopped();
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
      if (waitMs !== undefined) this.#hold(global ? GLOBAL : place, waitMs);
      return { kind: "again", isPaced: waitMs !== undefined, error: limited(waitMs) };
    }
    const pauseMs = pauseAfter(headers);
    if (pauseMs > 0) this.#hold(place, pauseMs);
    if (status >= 200 && status < 300) return { kind: "answered", body: parseJson(body) };
    if (status < 500) throw restRefusal(status, body, what);
    const error = new RestError(`Discord answers ${status}`, { exitCode: EXIT.unavailable, status });
    return { kind: "again", isPaced: false, error };
  }

  #failedBy(cause: unknown, isLate: boolean, origin: string): Outcome {
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
