import { AgentError, EXIT } from "../core/errors.ts";

/** A command line that cannot be carried out. */
export function usageError(message: string, remedy = "Add --help for the options and an example."): AgentError {
  return new AgentError(message, { exitCode: EXIT.usage, remedy });
}

/** @throws AgentError (exit 64) when both options have a value */
export function refuseTogether(first: string, value: unknown, second: string, otherValue: unknown): void {
  if (value === undefined || otherValue === undefined) return;
  throw usageError(`option '${first}' cannot be used with option '${second}'`);
}
