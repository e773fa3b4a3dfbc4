import type { Env } from "../config/env.ts";
import type { Program } from "../http/program.ts";
import type { Seal } from "../privacy/egress.ts";
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

/** Where usage is kept, without the rest of the program. */
export interface UsageAccess extends AsyncDisposable {
  readonly book: UsageBook;
}

/** What the command line needs from the composition root. */
export interface Composition {
  openAgent(options: AgentOptions): Promise<Agent>;
  /** Only where usage is kept: needs no models.json. */
  openUsage(options: AgentOptions): Promise<UsageAccess>;
}
