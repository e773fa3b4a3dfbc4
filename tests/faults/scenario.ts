/** What a scenario of the fault catalogue is made of. */
import type { ErrorKind } from "../../src/core/types.ts";
import type { FakeProvider } from "../support/fake_provider.ts";

export const PROTOCOLS = ["ollama", "groq", "gemini"] as const;
export type ProtocolName = typeof PROTOCOLS[number];

/** Seconds, as in models.json. */
export interface Limits {
  readonly load_seconds: number;
  readonly first_token_seconds: number;
  readonly idle_seconds: number;
}

/** How long things take. */
export interface Timings {
  readonly name: "fast" | "full";
  /** What models.json says for everybody. */
  readonly limits: Limits;
  /** For a whole call. */
  readonly totalSeconds: number;
  /** The same for a provider that is to say nothing for too long, before its first token or after it. */
  readonly silent: Limits;
  readonly idle: Limits;
  /** The same for one whose first token is to come too late, or would be without the limit for loading. */
  readonly short: Limits;
  /** When a late first token comes. */
  readonly lateMs: number;
  /** How long a model takes to load. */
  readonly loadMs: number;
}

const SHIPPED: Limits = { load_seconds: 300, first_token_seconds: 60, idle_seconds: 30 };
const AMPLE: Limits = { load_seconds: 60, first_token_seconds: 60, idle_seconds: 60 };

/** As at home: the limits that are shipped, a first token after 20 s, a load of 40 s. */
export const FULL: Timings = {
  name: "full",
  limits: SHIPPED,
  totalSeconds: 600,
  silent: SHIPPED,
  idle: SHIPPED,
  short: { ...SHIPPED, first_token_seconds: 10 },
  lateMs: 20_000,
  loadMs: 40_000,
};

/** The same in about a second; what is not to be reached stays far away. */
export const FAST: Timings = {
  name: "fast",
  limits: AMPLE,
  totalSeconds: 120,
  silent: { ...AMPLE, first_token_seconds: 0.5 },
  idle: { ...AMPLE, idle_seconds: 0.5 },
  short: { ...AMPLE, first_token_seconds: 0.4 },
  lateMs: 1200,
  loadMs: 1200,
};

/** The provider that breaks, and the one that takes over. */
export interface Fakes {
  readonly primary: FakeProvider;
  readonly fallback: FakeProvider;
}

/** What a caller has to get for each of its requests, and what the providers may see of all of them. */
export interface Expected {
  /**
   * `primary` and `fallback` say who gives the whole answer; `refused` is an error before anything is shown, `told` one
   * after a part of the answer has been shown.
   */
  readonly ending: "primary" | "fallback" | "refused" | "told";
  /** The kind of the error, for `refused` and `told`. */
  readonly kind?: ErrorKind;
  /** Chat requests that reach it, retries included. */
  readonly primary: number;
  readonly fallback: number;
}

export interface Scenario {
  readonly name: string;
  /** Default: all of them. */
  readonly protocols?: readonly ProtocolName[];
  /** Limits of the primary; default those of everybody. */
  readonly limits?: "silent" | "idle" | "short";
  /** How often it is asked, one request after the other; default 1. */
  readonly asks?: number;
  /** Default: a short question. */
  readonly prompt?: string;
  /** Model of the primary; default an ordinary one. */
  readonly model?: string;
  /** Runs without `--cloud`; the fallback is a second Ollama. */
  readonly sealed?: true;
  /** Whether the primary leaves its caller waiting: then the connection has to be closed from this side. */
  readonly hangs?: true;
  /** Breaks the primary. */
  arrange(fakes: Fakes, timings: Timings): void;
  /** What happens between two requests. */
  between?(fakes: Fakes): Promise<void>;
  /** For those who wait for the whole answer. */
  readonly whole: Expected;
  /** For those who see it as it comes. */
  readonly streamed: Expected;
}
