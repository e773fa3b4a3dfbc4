import type { Env } from "../config/env.ts";
import type { AgentError } from "../core/errors.ts";
import type { AgentApi } from "../discord/agent_api.ts";
import type { GatewayState } from "../discord/gateway.ts";
import type { Program } from "../http/program.ts";
import type { Seal } from "../privacy/egress.ts";
import type { Ledger } from "../privacy/ledger.ts";
import type { UsageBook } from "../storage/usage.ts";

/** Where a run finds its things and what it may do; the options every command shares. */
export interface AgentOptions {
  readonly configDir: string;
  /** True when the person named the folder: then it has to hold a models.json, the embedded defaults will not do. */
  readonly configNamed: boolean;
  readonly dataDir: string;
  /** True with `--cloud`: the person allows the cloud for this run. */
  readonly cloud: boolean;
  readonly seal: Seal;
  /** Serves this profile instead of the one models.json names. */
  readonly profile?: string;
  /** Waits for other programs that write to the memory rather than go on without: nobody waits for this one. */
  readonly patient?: boolean;
  /** Reloads models.json when it changes, until the agent is disposed of. */
  readonly watch?: boolean;
}

/** The running program, wired together by the composition root. Disposing of it writes down what is left to write. */
export interface Agent extends Program, AsyncDisposable {
  readonly env: Env;
}

export interface BotStart {
  readonly token: string;
  readonly env: Env;
  readonly ledger: Ledger;
  readonly api: AgentApi;
  /** Folder of discord.json. */
  readonly configDir: string;
  /** How the agent is, in one line, for whoever asks on Discord. */
  readonly status: () => string;
}

/** A bot that is being kept connected. Disposing of it ends its conversations and its connection at once. */
export interface RunningBot extends AsyncDisposable {
  /** Ends it once the answers under way are there, in so many milliseconds at most. */
  stop(graceMs: number): Promise<void>;
  readonly state: GatewayState;
  /** Resolves, with the reason, when it cannot go on. */
  readonly failed: Promise<AgentError>;
}

/** Where usage is kept, without the rest of the program. */
export interface UsageAccess extends AsyncDisposable {
  readonly book: UsageBook;
}

/** What the command line needs from the composition root. */
export interface Composition {
  openAgent(options: AgentOptions): Promise<Agent>;
  /** Only where usage is kept: needs no models.json. */
  openUsage(options: AgentOptions): Promise<UsageAccess>;
  /** @throws ConfigError when discord.json cannot be used */
  startBot(options: BotStart): Promise<RunningBot>;
}
