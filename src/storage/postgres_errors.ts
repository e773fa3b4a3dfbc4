import type { DatabaseTarget } from "./database_url.ts";
import { AgentError, EXIT, type ExitCode } from "../core/errors.ts";

/**
 * What a failure means for whoever sends: `away` passes by itself (stopped, restarting, read-only, full), `setup` needs
 * somebody to do something, `data` is about the rows that were sent.
 */
export type SharedProblem = "away" | "setup" | "data";

/** The shared database could not do what it was asked. Says nothing of any row and never the password. */
export class SharedUsageError extends AgentError {
  override readonly name = "SharedUsageError";

  constructor(readonly problem: SharedProblem, message: string, options: { remedy: string; cause?: unknown }) {
    super(message, { exitCode: EXIT_CODES[problem], ...options });
  }
}

const EXIT_CODES: Readonly<Record<SharedProblem, ExitCode>> = {
  away: EXIT.unavailable,
  setup: EXIT.config,
  data: EXIT.data,
};

/** Turns what the driver, the socket or the server throws into a `SharedUsageError`. */
export function describePostgresError(error: unknown, target: DatabaseTarget): SharedUsageError {
  if (error instanceof SharedUsageError) return error;
  const { problem, what, remedy } = explain(codeOf(error), error, target);
  return new SharedUsageError(problem, `Cannot use the shared database ${target.origin}: ${what}`, {
    remedy,
    cause: error,
  });
}

interface Explanation {
  readonly problem: SharedProblem;
  readonly what: string;
  readonly remedy: string;
}

const AGAIN = "It is tried again; check that the server runs and can be reached.";

function explain(code: string, error: unknown, target: DatabaseTarget): Explanation {
  const { user, database } = target;
  if (isTlsError(code)) return explainTls(code, target);
  switch (code) {
    case "28000":
      return setup(
        `it does not let user "${user}" in from here like this`,
        "Let it do so: add a line to pg_hba.conf of the server, or correct user or sslmode in DATABASE_URL.",
      );
    case "28P01":
      return setup(`it does not accept user "${user}" with that password`, "Correct user or password in DATABASE_URL.");
    case "3D000":
      return setup(`it has no database "${database}"`, `Create it: createdb -O ${user} ${database}`);
    case "42501":
      return setup(
        `user "${user}" may not do that there`,
        `Let it: GRANT CREATE, USAGE ON SCHEMA public TO ${user}; and give it the table token_usage if that exists.`,
      );
    case "25006":
      return away("it is read-only for the moment", "It is tried again; make it writable.");
    case "53100":
      return away("its disk is full", "It is tried again; make room on the server.");
    case "42P01":
      return away("the table token_usage has gone", "It is created anew at the next try.");
    case "NO_TLS":
      return setup(
        "it has no TLS, and DATABASE_URL asks for it",
        "Switch TLS on at the server, or set sslmode=prefer.",
      );
    case "NO_POSTGRES":
      return setup("what answers there is no PostgreSQL", "Correct host and port in DATABASE_URL.");
    case "ECONNREFUSED":
      return away("the connection was refused", AGAIN);
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return away("its name leads nowhere", "Check the host in DATABASE_URL and the network.");
    case "CONNECT_TIMEOUT":
    case "ETIMEDOUT":
      return away("it did not answer in time", AGAIN);
  }
  // What is wrong with a value, breaks a rule, or is refused by a trigger.
  if (/^(2[23]...|P0001)$/.test(code)) {
    return { problem: "data", what: `it refuses a row (${code})`, remedy: "Check its constraints and triggers." };
  }
  if (/^42...$/.test(code)) {
    return setup(
      `the table token_usage is not as this program created it (${code})`,
      "Rename or drop it: it is created anew, and every installation sends its rows again.",
    );
  }
  return away(describeUnknown(code, error), AGAIN);
}

function explainTls(code: string, { tls: { rootCert } }: DatabaseTarget): Explanation {
  if (code.startsWith("ERR_SSL_")) {
    return setup(
      `encrypting the connection failed (${code})`,
      "Check its TLS, and sslcert and sslkey in DATABASE_URL.",
    );
  }
  return setup(
    `its certificate is not accepted (${code})`,
    rootCert === undefined
      ? "Name the certificate of its authority with sslrootcert in DATABASE_URL."
      : "Check sslrootcert, and that DATABASE_URL names the host as the certificate does.",
  );
}

function describeUnknown(code: string, error: unknown): string {
  if (/^(57P|08|CONNECTION_|ECONNRESET$|EPIPE$)/.test(code)) return `the connection ended (${code})`;
  if (code !== "") return `it failed with ${code}`;
  return `it failed with an unexpected ${error instanceof Error ? error.name : typeof error}`;
}

function away(what: string, remedy: string): Explanation {
  return { problem: "away", what, remedy };
}

function setup(what: string, remedy: string): Explanation {
  return { problem: "setup", what, remedy };
}

/** SQLSTATE of the server, or the code of the socket or driver; empty when there is none. */
function codeOf(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : "";
}

/** Codes of Node's TLS (nodejs.org/api/tls.html, "X509 certificate error codes"). */
function isTlsError(code: string): boolean {
  return /^(ERR_TLS_|ERR_SSL_|CERT_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|HOSTNAME_MISMATCH|INVALID_CA)/.test(code);
}
