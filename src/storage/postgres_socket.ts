import { once } from "node:events";
import net from "node:net";
import tls from "node:tls";
import type { DatabaseTarget } from "./database_url.ts";
import { AgentError, EXIT } from "../core/errors.ts";
import { howToAllow, isAllowed } from "../core/sandbox.ts";

/** Length 8 and the code for TLS (PostgreSQL manual, "Message Formats", SSLRequest). */
const SSL_REQUEST = Uint8Array.of(0, 0, 0, 8, 4, 210, 22, 47);
const WILLING = "S".charCodeAt(0);
/** What a server's first message can be: Authentication, ErrorResponse, NoticeResponse, NegotiateProtocolVersion. */
const FIRST_MESSAGES = new TextEncoder().encode("RENv");

export interface OpenSocketOptions {
  /** Ends the attempt. */
  readonly signal: AbortSignal;
  /** Called when the connection is about to be made: nothing of ours stands in its way. */
  readonly onConnect: () => void;
}

/**
 * Opens a connection to the server, encrypted as the target wants it. Done here and not by the driver, which would
 * neither count what goes over the wire nor tell a refusal of our own sandbox from one of the network.
 * @throws AgentError (exit 77) when the sandbox does not allow it, (exit 78) when a file of the target cannot be read;
 * whatever connecting throws
 */
export async function openSocket(
  target: DatabaseTarget,
  { signal, onConnect }: OpenSocketOptions,
): Promise<net.Socket> {
  const { host, port, tls: { mode } } = target;
  requireGrant(target);
  const options = tlsOptions(target);
  onConnect();
  const socket = net.connect({ host, port });
  const abandon = () => socket.destroy();
  signal.addEventListener("abort", abandon, { once: true });
  try {
    await once(socket, "connect", { signal });
    socket.setNoDelay(true); // or every batch waits 40 ms for the server's delayed acknowledgement
    if (mode === "disable") return requirePostgres(socket);
    if (await offersTls(socket, signal)) {
      const secured = tls.connect({ socket, ...options });
      await once(secured, "secureConnect", { signal });
      return secured;
    }
    if (mode === "prefer") return requirePostgres(socket);
    throw withCode("NO_TLS", "The server has no TLS");
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    signal.removeEventListener("abort", abandon);
  }
}

async function offersTls(socket: net.Socket, signal: AbortSignal): Promise<boolean> {
  const hungUp = new AbortController();
  const onClose = () => hungUp.abort(withCode("CONNECTION_CLOSED", "The server hung up"));
  socket.once("close", onClose);
  try {
    socket.write(SSL_REQUEST);
    const [answer] = await once(socket, "data", { signal: AbortSignal.any([signal, hungUp.signal]) });
    // More than the one byte would be somebody on the way who wants it taken for the server's word (CVE-2021-23222).
    if (!(answer instanceof Uint8Array) || answer.length !== 1) throw notPostgres();
    return answer[0] === WILLING;
  } catch (error) {
    throw hungUp.signal.aborted ? hungUp.signal.reason : error;
  } finally {
    socket.off("close", onClose);
  }
}

/** The driver would wait for the rest of a message when something else answers. */
function requirePostgres(socket: net.Socket): net.Socket {
  return socket.once("data", ([first = 0]: Uint8Array) => {
    if (!FIRST_MESSAGES.includes(first)) socket.destroy(notPostgres());
  });
}

function notPostgres(): Error {
  return withCode("NO_POSTGRES", "This is not how PostgreSQL answers");
}

function withCode(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}

function tlsOptions({ host, tls: { mode, rootCert, cert, key } }: DatabaseTarget): tls.ConnectionOptions {
  return {
    host,
    ...(net.isIP(host) === 0 && { servername: host }),
    ...(rootCert !== undefined && { ca: readPem("sslrootcert", rootCert) }),
    ...(cert !== undefined && { cert: readPem("sslcert", cert) }),
    ...(key !== undefined && { key: readPem("sslkey", key) }),
    rejectUnauthorized: mode === "verify-ca" || mode === "verify-full",
    ...(mode === "verify-ca" && { checkServerIdentity: () => undefined }),
  };
}

function readPem(option: string, path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    const denied = error instanceof Deno.errors.NotCapable;
    throw new AgentError(`Cannot read the file that ${option} in DATABASE_URL names`, {
      exitCode: denied ? EXIT.permission : EXIT.config,
      remedy: denied ? "Put it below the folder the program runs in." : "Correct its path.",
      cause: error,
    });
  }
}

function requireGrant({ address, origin }: DatabaseTarget): void {
  if (isAllowed(address)) return;
  throw new AgentError(`The sandbox of this program does not allow connections to ${origin}`, {
    exitCode: EXIT.permission,
    remedy: howToAllow(address, "postgres"),
  });
}
