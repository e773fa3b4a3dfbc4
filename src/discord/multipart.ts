import type { Attachment } from "./message.ts";

/** The body of a request and the header that says how it is to be read. */
export interface EncodedBody {
  readonly contentType: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

const encoder = new TextEncoder();

/**
 * A message with its files as `multipart/form-data` (RFC 7578, names as the HTML standard escapes them). The same
 * message gives the same bytes: its boundary is a hash of all it holds, which no part of it can contain.
 */
export async function encodeMultipart(json: string, files: readonly Attachment[]): Promise<EncodedBody> {
  const parts = [
    head('name="payload_json"', "application/json"),
    encoder.encode(json),
    ...files.flatMap(({ name, bytes }, index) => [
      head(`name="files[${index}]"; filename="${escapeName(name)}"`, "application/octet-stream"),
      bytes,
    ]),
  ];
  const boundary = `django-agent-${await hashOf(parts)}`;
  const pieces: Uint8Array[] = [];
  for (let index = 0; index < parts.length; index += 2) {
    pieces.push(encoder.encode(`${index === 0 ? "" : "\r\n"}--${boundary}\r\n`), ...parts.slice(index, index + 2));
  }
  pieces.push(encoder.encode(`\r\n--${boundary}--\r\n`));
  return { contentType: `multipart/form-data; boundary=${boundary}`, bytes: concat(pieces) };
}

function head(disposition: string, type: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(`Content-Disposition: form-data; ${disposition}\r\nContent-Type: ${type}\r\n\r\n`);
}

function escapeName(name: string): string {
  return name.replaceAll("\n", "%0A").replaceAll("\r", "%0D").replaceAll('"', "%22");
}

async function hashOf(parts: readonly Uint8Array<ArrayBuffer>[]): Promise<string> {
  const digest = async (bytes: Uint8Array<ArrayBuffer>) => new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  const digests = await Promise.all(parts.map(digest)); // one each: the files are not copied for it
  return (await digest(concat(digests))).toHex().slice(0, 32);
}

function concat(pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    joined.set(piece, at);
    at += piece.length;
  }
  return joined;
}
