import { hostAndPort, isLoopbackOrPrivate } from "../core/address.ts";
import { Exchange, type ExchangeOptions, type ExchangePlace } from "./exchange.ts";

/** The transport of one provider. */
export interface Wire {
  /** Prepares exactly one request. The caller must `close()` it on every path. */
  open(options: ExchangeOptions, signal: AbortSignal): Exchange;
  /**
   * Work over one exchange that is closed afterwards, however it ends.
   *
   * @throws {ProviderError}
   */
  run<T>(options: ExchangeOptions, signal: AbortSignal, work: (exchange: Exchange) => Promise<T>): Promise<T>;
  /** Like `run`, for work that hands something out on the way. */
  stream<T>(
    options: ExchangeOptions,
    signal: AbortSignal,
    work: (exchange: Exchange) => AsyncGenerator<T, void, void>,
  ): AsyncGenerator<T, void, void>;
  /**
   * One request for one JSON document.
   *
   * @throws {ProviderError}
   */
  json(url: string, init: RequestInit, options: Omit<ExchangeOptions, "format">, signal: AbortSignal): Promise<unknown>;
}

/**
 * Creates the guarded transport of one provider: requests go to its own origin or nowhere, follow no redirect, obey
 * the deadlines and the caller's signal, and leave neither a connection nor a timer behind. An answer over 299, an
 * error inside a stream, and a frame that is not a JSON object never reach a client library: the wire throws first.
 */
export function createWire(options: Omit<ExchangePlace, "host">): Wire {
  const { origin } = options;
  const local = options.local && isLoopbackOrPrivate(new URL(origin).hostname);
  const place = { ...options, local, host: hostAndPort(origin) };
  const open = (exchange: ExchangeOptions, signal: AbortSignal) => new Exchange(place, exchange, signal);
  const run: Wire["run"] = async (exchangeOptions, signal, work) => {
    const exchange = open(exchangeOptions, signal);
    try {
      return await work(exchange);
    } catch (error) {
      throw exchange.explain(error);
    } finally {
      await exchange.close();
    }
  };
  return {
    open,
    run,
    async *stream(exchangeOptions, signal, work) {
      const exchange = open(exchangeOptions, signal);
      try {
        yield* work(exchange);
      } catch (error) {
        throw exchange.explain(error);
      } finally {
        await exchange.close();
      }
    },
    json: (url, init, exchangeOptions, signal) =>
      run({ ...exchangeOptions, format: "json" }, signal, async ({ fetch }) => await (await fetch(url, init)).json()),
  };
}
