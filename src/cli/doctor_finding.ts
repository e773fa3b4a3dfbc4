import { type AgentError, EXIT, type ExitCode } from "../core/errors.ts";
import type { ErrorKind } from "../core/types.ts";

/** What one check of `doctor` came to. */
export interface Finding {
  /** What was checked, in a few words. */
  readonly name: string;
  readonly status: "ok" | "warn" | "fail";
  /** What was found. */
  readonly detail: string;
  /** What to do about it; null when all is well. */
  readonly remedy: string | null;
  /** The exit code that fits; 0 unless it failed. */
  readonly exitCode: ExitCode;
}

/** All is well, or there is nothing to do about it. */
export function ok(name: string, detail: string): Finding {
  return { name, status: "ok", detail, remedy: null, exitCode: EXIT.ok };
}

/** It works, but not as well as it could. */
export function warn(name: string, detail: string, remedy: string): Finding {
  return { name, status: "warn", detail, remedy, exitCode: EXIT.ok };
}

/** It does not work. */
export function fail(name: string, detail: string, remedy: string, exitCode: ExitCode): Finding {
  return { name, status: "fail", detail, remedy, exitCode };
}

/** What an error says, as a failed check; a configuration's error lists its problems in the detail. */
export function failWith(name: string, { message, remedy, exitCode }: AgentError): Finding {
  return fail(name, message, remedy ?? "Correct every line of this list.", exitCode);
}

/** The exit code of a check that failed because a provider did: a right is missing, or there is nobody to answer. */
export function exitCodeFor(kind: ErrorKind): ExitCode {
  return kind === "egress_denied" || kind === "auth" ? EXIT.permission : EXIT.unavailable;
}
