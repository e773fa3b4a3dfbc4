import { AgentError } from "../core/errors.ts";

/**
 * Thrown by a command that has printed its whole result, failures included: what is left to say is the exit code.
 * With `--json` nothing more may follow on standard output.
 */
export class ResultError extends AgentError {
  override readonly name = "ResultError";
}
