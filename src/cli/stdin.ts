import { AgentError, EXIT } from "../core/errors.ts";

/**
 * Everything that comes on standard input, as UTF-8 text.
 * @param what what it is, for messages: "The prompt"
 * @throws AgentError (exit 65) when it is too large, not text, or cannot be read; the reason of the signal
 */
export async function readStdin(what: string, maxBytes: number, signal?: AbortSignal): Promise<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const reader = Deno.stdin.readable.getReader();
  const stopped = whenAborted(signal);
  let size = 0;
  let text = "";
  try {
    for (;;) {
      const { done, value } = await Promise.race([reader.read(), stopped.promise]);
      if (done) return text + decoder.decode();
      size += value.length;
      if (size > maxBytes) throw dataError(`${what} is larger than ${maxBytes} bytes`, "Shorten it.");
      text += decoder.decode(value, { stream: true });
    }
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof AgentError) throw error;
    if (error instanceof TypeError) {
      throw dataError("Standard input is not UTF-8 text", "Convert it first, for example with iconv.");
    }
    throw dataError("Standard input cannot be read", "Give it a file or a pipe with what it shall hold.");
  } finally {
    stopped[Symbol.dispose]();
  }
}

/** Rejects when the signal aborts. */
function whenAborted(signal: AbortSignal | undefined): { readonly promise: Promise<never> } & Disposable {
  const { promise, reject } = Promise.withResolvers<never>();
  const stop = () => reject(signal?.reason);
  promise.catch(() => {}); // nobody may be waiting for it any more
  signal?.addEventListener("abort", stop, { once: true });
  if (signal?.aborted) stop();
  return { promise, [Symbol.dispose]: () => signal?.removeEventListener("abort", stop) };
}

function dataError(message: string, remedy: string): AgentError {
  return new AgentError(message, { exitCode: EXIT.data, remedy });
}
