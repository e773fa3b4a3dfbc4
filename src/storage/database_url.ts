import { isLoopbackOrPrivate } from "../core/address.ts";
import { AgentError, EXIT } from "../core/errors.ts";

const TLS_MODES = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] as const;
/** As libpq names them (PostgreSQL manual, "SSL Support"); `allow` is taken for `prefer`. */
type TlsMode = Exclude<typeof TLS_MODES[number], "allow">;

/** A PostgreSQL server and how to reach it. The password is in here: never print it as a whole. */
export interface DatabaseTarget {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  readonly tls: {
    readonly mode: TlsMode;
    /** Paths of PEM files. */
    readonly rootCert: string | undefined;
    readonly cert: string | undefined;
    readonly key: string | undefined;
  };
  /** `host:port` as a grant of the sandbox names it. */
  readonly address: string;
  /** `postgres://host:port`: all of it that may be shown, besides user and database. */
  readonly origin: string;
  /** True when it is on this machine or its network. */
  readonly local: boolean;
}

const PARAMETERS = ["sslmode", "sslrootcert", "sslcert", "sslkey"] as const;
const ENCODE = "Write signs in a password as codes: @ as %40, / as %2F, ? as %3F, # as %23.";
const EXAMPLE = "postgres://user:password@127.0.0.1:5432/name";

/**
 * Reads `DATABASE_URL`.
 * @throws AgentError (exit 78) saying what is wrong with it, never repeating it
 */
export function parseDatabaseUrl(text: string): DatabaseTarget {
  const url = URL.parse(text);
  if (!url) throw refuse("it is not an address", `Write it like ${EXAMPLE}. ${ENCODE}`);
  if (url.protocol !== "postgres:" && url.protocol !== "postgresql:") {
    // Of `user:password@host` the scheme would be the user.
    if (!url.href.startsWith(`${url.protocol}//`)) throw refuse("it has no scheme", `Write it like ${EXAMPLE}.`);
    throw refuse(`the scheme ${url.protocol}// is not PostgreSQL's`, `Write it like ${EXAMPLE}.`);
  }
  // The rest of a password that was not encoded: nothing of it may be taken for a name, and shown.
  if (/@/.test(url.pathname + url.search)) throw refuse("it holds an @ behind the host", ENCODE);
  if (url.hash !== "") throw refuse("it holds a #", ENCODE);
  const host = readHost(url.hostname);
  if (host === undefined) {
    throw refuse(
      "it does not name one host",
      "Name the host or its address; sockets and lists of hosts are not supported.",
    );
  }
  if (url.port === "0") throw refuse("nothing can listen on port 0", `Write it like ${EXAMPLE}.`);
  const user = decode(url.username);
  if (user === "") throw refuse("it names no user", `Write it like ${EXAMPLE}.`);
  const port = url.port === "" ? 5432 : Number(url.port);
  return {
    host: host.replace(/^\[|\]$/g, ""),
    port,
    user,
    password: decode(url.password),
    database: decode(url.pathname.slice(1)) || user,
    tls: readTls(url.searchParams),
    address: `${host}:${port}`,
    origin: `postgres://${host}:${port}`,
    local: isLoopbackOrPrivate(host),
  };
}

/**
 * The host as a web address would name it, because it is looked up like one: `0x08080808` is no machine of this network
 * but 8.8.8.8. Undefined when it is none.
 */
function readHost(hostname: string): string | undefined {
  return hostname === "" || hostname.includes(",") ? undefined : URL.parse(`http://${hostname}/`)?.hostname;
}

function readTls(parameters: URLSearchParams): DatabaseTarget["tls"] {
  const known: readonly string[] = PARAMETERS;
  for (const name of parameters.keys()) {
    if (!known.includes(name)) {
      throw refuse(`the option ${name} is not supported`, `Leave it away; supported are ${PARAMETERS.join(", ")}.`);
    }
  }
  const wanted = parameters.get("sslmode") ?? "prefer";
  const mode = TLS_MODES.find((name) => name === wanted);
  if (!mode) throw refuse("sslmode has a value that does not exist", `Use one of: ${TLS_MODES.join(", ")}.`);
  const rootCert = parameters.get("sslrootcert") ?? undefined;
  const cert = parameters.get("sslcert") ?? undefined;
  const key = parameters.get("sslkey") ?? undefined;
  if ((cert === undefined) !== (key === undefined)) {
    throw refuse("sslcert and sslkey belong together", "Give both or neither.");
  }
  if (mode === "allow") return { mode: "prefer", rootCert, cert, key };
  // As libpq does: whoever names a root certificate wants it to count.
  return { mode: mode === "require" && rootCert !== undefined ? "verify-ca" : mode, rootCert, cert, key };
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw refuse("a % in it does not begin a code", "Write % in a password as %25.");
  }
}

function refuse(problem: string, remedy: string): AgentError {
  return new AgentError(`Cannot use DATABASE_URL: ${problem}`, { exitCode: EXIT.config, remedy });
}
