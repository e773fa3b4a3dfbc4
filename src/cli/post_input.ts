import { describeAccess } from "../config/read_file.ts";
import { AgentError, EXIT } from "../core/errors.ts";
import { fileNameOf } from "../core/path.ts";
import { LIMITS } from "../discord/limits.ts";
import type { Attachment, WebhookMessage } from "../discord/message.ts";
import { hasContent, type PostOptions } from "./post_options.ts";
import { usageError } from "./usage_error.ts";
import { readStdin } from "./stdin.ts";

/** Largest text that is posted, in bytes: some 8,000 messages. */
const MAX_TEXT_BYTES = 16 * 1024 * 1024;

/** Where the text to post comes from; `options` when they make the message without one. */
export type TextSource = "argument" | "stdin" | "file" | "options";

/** Standard input is read for `-`, and when nothing else says what to post. */
export function sourceOfText(argument: string | undefined, options: PostOptions): TextSource {
  if (argument === "-" || options.file === "-") return "stdin";
  if (argument !== undefined) return "argument";
  if (options.file !== undefined) return "file";
  return hasContent(options) ? "options" : "stdin";
}

/**
 * The text to post; undefined when options make the message.
 * @throws AgentError (exit 64, 65 or 77) with what is wrong; exit 130 when it is stopped meanwhile
 */
export async function readText(
  argument: string | undefined,
  options: PostOptions,
  signal: AbortSignal,
): Promise<string | undefined> {
  const source = sourceOfText(argument, options);
  if (source === "options") return undefined;
  if (source === "argument") return argument;
  if (source === "file") {
    const path = options.file ?? "";
    return decode(await readInput(path, MAX_TEXT_BYTES, "Or let the shell read it: django-agent post - < FILE"), path);
  }
  if (argument === undefined && options.file === undefined && Deno.stdin.isTerminal()) {
    throw usageError(
      "There is nothing to post",
      'Give a text: django-agent post "Hola"; or - to read it from standard input.',
    );
  }
  return await readUntilStopped("The text", signal);
}

/** @throws AgentError (exit 65 or 77) naming the file that cannot be attached */
export async function readAttachments(paths: readonly string[]): Promise<Attachment[]> {
  const files: Attachment[] = [];
  for (const path of paths) {
    files.push({
      name: fileNameOf(path),
      bytes: await readInput(path, LIMITS.fileBytes, "Or copy it into this folder."),
    });
  }
  return files;
}

/**
 * A whole payload from a file, or from standard input for `-`. It pings nobody unless it says so itself.
 * @throws AgentError (exit 65 or 77) with everything wrong about its shape, by field
 */
export async function readPayload(path: string, signal: AbortSignal): Promise<WebhookMessage> {
  const text = path === "-" ? await readUntilStopped("The payload", signal) : decode(
    await readInput(path, MAX_TEXT_BYTES, "Or let the shell read it: django-agent post --json - < FILE"),
    path,
  );
  const { parsePayload } = await import("../discord/payload.ts"); // only here is the schema library needed
  return parsePayload(text);
}

async function readUntilStopped(what: string, signal: AbortSignal): Promise<string> {
  try {
    return await readStdin(what, MAX_TEXT_BYTES, signal);
  } catch (error) {
    if (error instanceof AgentError || !signal.aborted) throw error;
    throw new AgentError("Stopped before anything was sent", { exitCode: EXIT.interrupted });
  }
}

async function readInput(path: string, maxBytes: number, orElse: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    const { isFile, size } = await Deno.stat(path); // first: a pipe would be waited for, without end
    if (!isFile) throw unusable(`${path} is no file`, "Give the path of a file.");
    if (size > maxBytes) throw unusable(`${path} has ${size} bytes, ${maxBytes} is the most`, "Shorten it.");
    return await Deno.readFile(path);
  } catch (error) {
    if (error instanceof AgentError) throw error;
    if (error instanceof Deno.errors.NotFound) throw unusable(`There is no file ${path}`, "Check the path.");
    const { message, exitCode, remedy } = describeAccess(error, "read", path);
    const isOutside = exitCode === EXIT.permission;
    throw new AgentError(message, {
      exitCode: isOutside ? EXIT.permission : EXIT.data,
      remedy: isOutside ? `${remedy} ${orElse}` : remedy,
    });
  }
}

function decode(bytes: Uint8Array, path: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw unusable(`${path} is not UTF-8 text`, "Save it as UTF-8, or attach it with --attach.");
  }
}

function unusable(message: string, remedy: string): AgentError {
  return new AgentError(message, { exitCode: EXIT.data, remedy });
}
