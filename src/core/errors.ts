import type { Attempt, ErrorKind } from "./types.ts";

/** Exit codes of the program, after sysexits.h where it has one; `interrupted` as a shell expects it of Ctrl-C. */
export const EXIT = {
  ok: 0,
  internal: 1,
  usage: 64,
  data: 65,
  unavailable: 69,
  partial: 73,
  tempfail: 75,
  permission: 77,
  config: 78,
  interrupted: 130,
} as const;
export type ExitCode = typeof EXIT[keyof typeof EXIT];

export interface AgentErrorOptions {
  readonly exitCode: ExitCode;
  /** What the reader can do about it, in one sentence. */
  readonly remedy?: string | undefined;
  readonly cause?: unknown;
}

/** An error whose message is meant for the person at the keyboard: what happened, where, and what to do. */
export class AgentError extends Error {
  override readonly name: string = "AgentError";
  readonly exitCode: ExitCode;
  readonly remedy: string | undefined;

  constructor(message: string, { exitCode, remedy, cause }: AgentErrorOptions) {
    super(message, cause === undefined ? undefined : { cause });
    this.exitCode = exitCode;
    this.remedy = remedy;
  }
}

/** Something would need the cloud, and this process has given up the right to reach it. */
export class SealedError extends AgentError {
  override readonly name = "SealedError";

  constructor(message: string) {
    const remedy = "Nothing can open it again: restart it with --cloud.";
    super(`${message}, and this process has given up the right to reach a cloud`, {
      exitCode: EXIT.permission,
      remedy,
    });
  }
}

/** More is asked at once than can be taken; nothing is wrong with it. */
export class BusyError extends AgentError {
  override readonly name = "BusyError";

  constructor(message: string) {
    super(message, { exitCode: EXIT.tempfail, remedy: "Try again in a moment." });
  }
}

/** One thing wrong with a configuration file. */
export interface ConfigProblem {
  /** Where in the file: `profiles.privacy_mode.fallback_chain[0]`, or empty for the file as a whole. */
  readonly path: string;
  readonly message: string;
  readonly remedy: string;
}

/** A message of more lines than this helps nobody. */
const MOST_PROBLEMS_SHOWN = 20;

/** A configuration that cannot be used. Lists every problem found, not only the first. */
export class ConfigError extends AgentError {
  override readonly name = "ConfigError";
  readonly file: string;
  readonly problems: readonly ConfigProblem[];

  constructor(file: string, problems: readonly ConfigProblem[]) {
    const lines = problems.slice(0, MOST_PROBLEMS_SHOWN).map((problem) => `  ${describeProblem(problem)}`);
    if (problems.length > MOST_PROBLEMS_SHOWN) lines.push(`  … and ${problems.length - MOST_PROBLEMS_SHOWN} more`);
    super([`Cannot use ${file}:`, ...lines].join("\n"), { exitCode: EXIT.config });
    this.file = file;
    this.problems = problems;
  }
}

export interface ProviderErrorOptions {
  readonly provider: string;
  readonly model?: string | undefined;
  /** HTTP status, when the provider answered with one. */
  readonly status?: number | undefined;
  /** Epoch milliseconds before which the provider does not want to be asked again. */
  readonly retryAtMs?: number | undefined;
  readonly remedy?: string | undefined;
  /** True when the model was still being loaded: slow, but not a fault of the provider. */
  readonly whileLoading?: boolean;
  readonly cause?: unknown;
}

/** The one error a provider throws. `kind` alone decides what the router does; nothing reads the message. */
export class ProviderError extends Error {
  override readonly name = "ProviderError";
  readonly kind: ErrorKind;
  readonly provider: string;
  readonly model: string | undefined;
  readonly status: number | undefined;
  readonly retryAtMs: number | undefined;
  readonly remedy: string | undefined;
  readonly whileLoading: boolean;

  constructor(kind: ErrorKind, message: string, options: ProviderErrorOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.kind = kind;
    this.provider = options.provider;
    this.model = options.model;
    this.status = options.status;
    this.retryAtMs = options.retryAtMs;
    this.remedy = options.remedy;
    this.whileLoading = options.whileLoading ?? false;
  }
}

export interface NoAnswerOptions {
  readonly kind: ErrorKind;
  readonly attempts: readonly Attempt[];
  readonly remedy?: string | undefined;
  /** Epoch milliseconds at which trying again may work. */
  readonly retryAtMs?: number | undefined;
  readonly cause?: unknown;
}

/** The router could not give an answer. Lists every attempt with its kind. */
export class NoAnswerError extends AgentError {
  override readonly name = "NoAnswerError";
  readonly kind: ErrorKind;
  readonly attempts: readonly Attempt[];
  readonly retryAtMs: number | undefined;

  constructor(message: string, { kind, attempts, remedy, retryAtMs, cause }: NoAnswerOptions) {
    super(message, { exitCode: exitCodeOf(kind), remedy, cause });
    this.kind = kind;
    this.attempts = attempts;
    this.retryAtMs = retryAtMs;
  }
}

/** `message → remedy`, as people read it. */
export function withRemedy(message: string, remedy: string | undefined): string {
  return remedy ? `${message} → ${remedy}` : message;
}

/** `path: message → remedy`. */
export function describeProblem({ path, message, remedy }: ConfigProblem): string {
  return withRemedy(path ? `${path}: ${message}` : message, remedy);
}

/** The exit code that tells a script what kind of failure it was. */
export function exitCodeOf(kind: ErrorKind): ExitCode {
  switch (kind) {
    case "rate_limit":
    case "timeout":
      return EXIT.tempfail;
    case "auth":
    case "egress_denied":
      return EXIT.permission;
    case "context_length":
    case "bad_request":
    case "content_filter":
      return EXIT.data;
    case "aborted":
      return EXIT.interrupted;
    case "unavailable":
    case "model_not_found":
    case "protocol":
      return EXIT.unavailable;
  }
}

/** Name and place of a fault. Its message stays out: it may quote what was being read. */
export function describeFault(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  const { message, stack = "" } = error;
  const frames = stack.slice(stack.indexOf(message) + message.length); // a message may look like frames, too
  const place = /\n\s+at (.*)/.exec(frames)?.[1];
  return place === undefined ? error.name : `${error.name} at ${place}`;
}

/** An error as the log may show it: what an `AgentError` says is meant to be read, of any other only its place is. */
export function describeReason(error: unknown): string {
  return error instanceof AgentError ? error.message : describeFault(error);
}
