import { hostAndPort } from "../core/address.ts";
import { ProviderError } from "../core/errors.ts";
import { howToAllow } from "../core/sandbox.ts";
import type { Subject } from "./classify.ts";

/** Turns what `fetch` throws before any answer into a `ProviderError`: refused by our own sandbox, or unreachable. */
export function classifyNetworkError(error: unknown, subject: Subject, origin: string): ProviderError {
  const { provider, model } = subject;
  const about = { provider, model, cause: error };
  const causes = chain(error);
  if (causes.some(isDenied)) return sandboxRefusal(subject, origin, error);
  const reason = causes.map(reasonOf).find((text) => text !== undefined);
  const detail = reason === undefined ? "" : `: ${reason.text}`;
  const what = reason?.step === "SendRequest" ? "gave no HTTP answer" : "cannot be reached";
  return new ProviderError("unavailable", `Provider ${provider} ${what} at ${origin}${detail}.`, {
    ...about,
    remedy: subject.type === "ollama"
      ? `Start Ollama (ollama serve), or correct the base_url of provider ${provider}.`
      : "Check the network connection.",
  });
}

/** The error of a request that our own sandbox does not allow, with what would allow it. */
export function sandboxRefusal({ provider, model }: Subject, origin: string, cause?: unknown): ProviderError {
  const host = hostAndPort(origin);
  return new ProviderError("egress_denied", `The sandbox of this program does not allow connections to ${host}.`, {
    provider,
    model,
    cause,
    remedy: howToAllow(host),
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

/** Deno gives the reason as text only: `… client error (Connect): tcp connect error: Connection refused (os error 111)`. */
function reasonOf(error: Error): { step: string; text: string } | undefined {
  const [, step, text] = /client error \((\w+)\): ([^\n]{1,200})/.exec(error.message) ?? [];
  return step === undefined || text === undefined ? undefined : { step, text };
}
