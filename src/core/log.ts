import { printable } from "./format.ts";

export const LOG_LEVELS = ["error", "warn", "info", "debug"] as const;
export type LogLevel = typeof LOG_LEVELS[number];

/** Log lines say what happened and where; they never carry message content or a secret. */
export interface Log {
  error(message: string): void;
  warn(message: string): void;
  info(message: string): void;
  debug(message: string): void;
}

export interface LogOptions {
  /** Least important level that is written; default `warn`. */
  readonly level?: LogLevel;
  /** Where a line goes; default standard error. */
  readonly write?: (line: string) => void;
}

/** A log on standard error, one line an entry: `warn  message`. */
export function createLog({ level = "warn", write = console.error }: LogOptions = {}): Log {
  const threshold = LOG_LEVELS.indexOf(level);
  const at = (name: LogLevel) => (message: string) => {
    if (LOG_LEVELS.indexOf(name) <= threshold) {
      write(`${name.padEnd(5)} ${printable(message).replaceAll("\n", "\n      ")}`);
    }
  };
  return { error: at("error"), warn: at("warn"), info: at("info"), debug: at("debug") };
}
