import type { Context, MiddlewareHandler } from "hono";
import { asRecord } from "../providers/json.ts";
import { HttpError } from "./errors.ts";

/** What a body may take. */
export interface BodyLimits {
  /** Largest body in bytes. */
  readonly maxBytes: number;
  /** Longest time a body may take to arrive, in milliseconds. */
  readonly maxMs: number;
}

/** Objects and lists within each other; real requests have a dozen. */
const MOST_NESTED = 64;
/** With or without parameters, in the form that the library behind the routes knows too. */
const JSON_TYPE = /^application\/json(;\s*[a-z0-9-]+=[^;]+)*$/i;

/**
 * Reads the JSON body of a request within its limits and keeps it for the handler. A body that is not JSON, too large,
 * too slow or too deep is refused before anything looks into it.
 */
export function jsonBody(limits: BodyLimits): MiddlewareHandler {
  return async (c, next) => {
    requireJson(c);
    const text = await readText(c, limits);
    requireShallow(text);
    c.req.bodyCache.json = Promise.resolve(parse(text));
    await next();
  };
}

function requireJson(c: Context): void {
  const encoding = c.req.header("content-encoding") ?? "identity";
  if (encoding.toLowerCase() !== "identity") {
    throw new HttpError(415, "The body has to come as it is, without a content-encoding", {
      code: "unsupported_media_type",
    });
  }
  if (JSON_TYPE.test(c.req.header("content-type") ?? "")) return;
  throw new HttpError(415, "The body has to be JSON: content-type: application/json", {
    code: "unsupported_media_type",
  });
}

async function readText({ req }: Context, { maxBytes, maxMs }: BodyLimits): Promise<string> {
  if (Number(req.header("content-length") ?? 0) > maxBytes) throw tooLarge(maxBytes);
  const { body } = req.raw;
  if (!body) throw new HttpError(400, "The body is missing", { code: "body_missing" });
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<"late">((resolve) => timer = setTimeout(() => resolve("late"), maxMs));
  try {
    const reading = readPieces(body, maxBytes);
    reading.catch(() => {}); // when it is late nobody waits for it any more
    const bytes = await Promise.race([reading, late]);
    if (bytes === "late") throw new HttpError(408, "The body took too long to arrive", { code: "body_timeout" });
    return decode(bytes);
  } catch (error) {
    throw error instanceof HttpError ? error : new HttpError(400, "The body broke off", { code: "body_incomplete" });
  } finally {
    clearTimeout(timer);
  }
}

async function readPieces(body: ReadableStream<Uint8Array<ArrayBuffer>>, maxBytes: number): Promise<Uint8Array> {
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  const reader = body.getReader();
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    const piece = next.value;
    size += piece.length;
    if (size > maxBytes) {
      await reader.cancel();
      throw tooLarge(maxBytes);
    }
    pieces.push(piece);
  }
  const [first] = pieces;
  return first && pieces.length === 1 ? first : await new Blob(pieces).bytes();
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new HttpError(400, "The body is not UTF-8", { code: "malformed_body" });
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new HttpError(400, text.trim() === "" ? "The body is empty" : "The body is not JSON", {
      code: "malformed_body",
    });
  }
}

/** Whatever walks through a value later on must not run out of stack. */
function requireShallow(text: string): void {
  let depth = 0;
  let inText = false;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code === 0x22) inText = !inText; // "
    else if (inText) {
      if (code === 0x5c) index++; // backslash
    } else if (code === 0x7b || code === 0x5b) { // { [
      if (++depth > MOST_NESTED) {
        throw new HttpError(400, `The body is nested more than ${MOST_NESTED} deep`, { code: "malformed_body" });
      }
    } else if (code === 0x7d || code === 0x5d) depth--; // } ]
  }
}

/**
 * Refuses a body, read already, that is larger than `maxBytes` without its `images`: they alone are a reason for a larger
 * one. Goes behind `jsonBody`.
 */
export function smallWithoutImages(maxBytes: number): MiddlewareHandler {
  return async ({ req }, next) => {
    if (Number(req.header("content-length") ?? Infinity) > maxBytes) {
      const rest = JSON.stringify({ ...asRecord(await req.json()), images: undefined });
      if (new TextEncoder().encode(rest).length > maxBytes) throw tooLarge(maxBytes);
    }
    await next();
  };
}

function tooLarge(maxBytes: number): HttpError {
  return new HttpError(413, `The body is larger than ${maxBytes / 1024 / 1024} MiB`, { code: "body_too_large" });
}
