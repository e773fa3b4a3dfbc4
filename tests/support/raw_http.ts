/** HTTP written by hand onto a socket: what no well-behaved client sends. */

export interface RawAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

/** Sends these bytes and reads until the server hangs up, so they should ask for that with `connection: close`. */
export async function sendRaw(origin: string, request: string | Uint8Array): Promise<RawAnswer> {
  using connection = await connectTo(origin);
  await writeAll(connection, request);
  return await readAnswer(connection);
}

/** A request with these lines as its headers and nothing added; `lines[0]` is the request line. */
export function rawRequest(lines: readonly string[], body = ""): string {
  return `${lines.join("\r\n")}\r\n\r\n${body}`;
}

export async function connectTo(origin: string): Promise<Deno.TcpConn> {
  const { hostname, port } = new URL(origin);
  return await Deno.connect({ hostname, port: Number(port) });
}

/** Writes everything; a server that has hung up has answered already, which is what the caller wants to read. */
export async function writeAll(connection: Deno.TcpConn, data: string | Uint8Array): Promise<void> {
  const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
  try {
    for (let sent = 0; sent < bytes.length;) sent += await connection.write(bytes.subarray(sent));
  } catch (error) {
    if (!(error instanceof Deno.errors.BrokenPipe || error instanceof Deno.errors.ConnectionReset)) throw error;
  }
}

/** Reads one answer: as many bytes as it names, or until the server hangs up. */
export async function readAnswer(connection: Deno.TcpConn): Promise<RawAnswer> {
  const pieces: Uint8Array[] = [];
  const buffer = new Uint8Array(65_536);
  for (;;) {
    const count = await connection.read(buffer).catch((error) => {
      if (error instanceof Deno.errors.ConnectionReset) return null;
      throw error;
    });
    if (count !== null) pieces.push(buffer.slice(0, count));
    const text = new TextDecoder().decode(new Uint8Array(await new Blob(pieces as BlobPart[]).arrayBuffer()));
    if (count === null || isComplete(text)) return parseAnswer(text);
  }
}

function isComplete(text: string): boolean {
  const end = text.indexOf("\r\n\r\n");
  const [, length] = /^content-length: (\d+)\r$/im.exec(text.slice(0, end + 2)) ?? [];
  return end >= 0 && length !== undefined && new TextEncoder().encode(text.slice(end + 4)).length >= Number(length);
}

function parseAnswer(text: string): RawAnswer {
  const end = text.indexOf("\r\n\r\n");
  const [statusLine = "", ...lines] = text.slice(0, end < 0 ? text.length : end).split("\r\n");
  const headers = new Headers();
  for (const line of lines) {
    const colon = line.indexOf(":");
    if (colon > 0) headers.append(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  const body = end < 0 ? "" : text.slice(end + 4);
  const chunked = headers.get("transfer-encoding") === "chunked";
  return { status: Number(statusLine.split(" ")[1] ?? 0), headers, body: chunked ? joinChunks(body) : body };
}

/** Only for bodies of plain letters: lengths are counted in bytes. */
function joinChunks(text: string): string {
  let joined = "";
  for (let rest = text;;) {
    const size = parseInt(rest, 16);
    if (!(size > 0)) return joined;
    const start = rest.indexOf("\r\n") + 2;
    joined += rest.slice(start, start + size);
    rest = rest.slice(start + size + 2);
  }
}
