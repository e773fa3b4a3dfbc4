import { AgentError, EXIT } from "../core/errors.ts";

/**
 * Everything that comes on standard input, as UTF-8 text.
 * @param what what it is, for messages: "The prompt"
 * @throws AgentError (exit 65) when it is too large, not text, or cannot be read
 */
export async function readStdin(what: string, maxBytes: number): Promise<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let size = 0;
  let text = "";
  try {
    for await (const chunk of Deno.stdin.readable) {
      size += chunk.length;
      if (size > maxBytes) throw dataError(`${what} is larger than ${maxBytes} bytes`, "Shorten it.");
      text += decoder.decode(chunk, { stream: true });
    }
    return text + decoder.decode();
  } catch (error) {
    if (error instanceof AgentError) throw error;
    if (error instanceof TypeError) {
      throw dataError("Standard input is not UTF-8 text", "Convert it first, for example with iconv.");
    }
    throw dataError("Standard input cannot be read", `Give it a file or a pipe with what it shall hold.`);
  }
}

function dataError(message: string, remedy: string): AgentError {
  return new AgentError(message, { exitCode: EXIT.data, remedy });
}
