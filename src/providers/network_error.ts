import { hostAndPort } from "../core/address.ts";
import { ProviderError } from "../core/errors.ts";
import { howToAllow } from "../core/sandbox.ts";
import type { Subject } from "./classify.ts";

/** What is known of a request that was never answered. */
export interface NetworkFailure {
  /** True when our own sandbox refused the connection. */
  readonly denied: boolean;
  /** False when there never was a connection, so that nothing can have been sent. */
  readonly connected: boolean;
  /** For people, without any address; undefined when nothing is known. */
  readonly reason: string | undefined;
}

/** Reads what a sender throws before any answer. */
export function readNetworkError(error: unknown): NetworkFailure {
  const causes = chain(error);
  const reason = causes.map(reasonOf).find((each) => each !== undefined);
  return { denied: causes.some(isDenied), connected: reason?.connected ?? true, reason: reason?.text };
}

/** Turns what a sender throws before any answer into a `ProviderError`: refused by our own sandbox, or unreachable. */
export function classifyNetworkError(error: unknown, subject: Subject, origin: string): ProviderError {
  const { provider, model } = subject;
  const about = { provider, model, cause: error };
  const { denied, connected, reason } = readNetworkError(error);
  if (denied) return sandboxRefusal(subject, origin, error);
  const detail = reason === undefined ? "" : `: ${reason}`;
  const what = reason !== undefined && connected ? "gave no HTTP answer" : "cannot be reached";
  return new ProviderError("unavailable", `Provider ${provider} ${what} at ${origin}${detail}.`, {
    ...about,
    remedy: subject.type === "ollama"
      ? `Start Ollama (ollama serve), or correct the base_url of provider ${provider}.`
      : "Check the network connection.",
  });
}

/** The error of a request that our own sandbox does not allow, with what would allow it. */
export function sandboxRefusal({ provider, model, type }: Subject, origin: string, cause?: unknown): ProviderError {
  const host = hostAndPort(origin);
  return new ProviderError("egress_denied", `The sandbox of this program does not allow connections to ${host}.`, {
    provider,
    model,
    cause,
    remedy: howToAllow(host, type === "ollama" ? "ollama" : undefined),
  });
}

function chain(error: unknown): Error[] {
  const errors: Error[] = [];
  for (let next = error; next instanceof Error && errors.length < 8; next = next.cause) errors.push(next);
  return errors;
}

function isDenied(error: Error): boolean {
  return error instanceof Deno.errors.NotCapable || error.name === "NotCapable" ||
    error.message.startsWith("Requires net access");
}

interface Reason {
  /** True when there was a connection, and what came over it was no answer. */
  readonly connected: boolean;
  readonly text: string;
}

function reasonOf(error: Error & { readonly syscall?: unknown }): Reason | undefined {
  if (!("code" in error) || typeof error.code !== "string") return reasonOfFetch(error.message);
  return reasonOfCode(error.code, error.syscall === "connect" || error.syscall === "getaddrinfo");
}

const CODES: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ENOTFOUND: "there is no such name",
  EAI_AGAIN: "the name could not be looked up",
  EHOSTUNREACH: "there is no way to it",
  ENETUNREACH: "there is no way to it",
  ETIMEDOUT: "no connection within the time the system gives it",
};

/** What `node:http` calls it. */
function reasonOfCode(code: string, isConnecting: boolean): Reason {
  if (code === "ECONNRESET") return { connected: true, text: "connection closed" };
  if (code.startsWith("HPE_")) return { connected: true, text: "what came is not HTTP" };
  return { connected: !isConnecting, text: (Object.hasOwn(CODES, code) ? CODES[code] : undefined) ?? code };
}

/** `fetch` gives the reason as text only: `… client error (Connect): tcp connect error: Connection refused (os error 111)`. */
function reasonOfFetch(message: string): Reason | undefined {
  const [, step, text] = /client error \((\w+)\): ([^\n]{1,200})/.exec(message) ?? [];
  return step === undefined || text === undefined ? undefined : { connected: step === "SendRequest", text };
}
