import type { Chat } from "../chat/chat.ts";
import type { ConfigSnapshot } from "../config/load.ts";
import type { EventBus, ReloadResult } from "../core/events.ts";
import type { ModelRef, Role } from "../core/types.ts";
import type { Memory } from "../memory/memory.ts";
import type { Seal } from "../privacy/egress.ts";
import type { Ledger } from "../privacy/ledger.ts";
import type { CallEnd } from "../router/call.ts";
import type { Router } from "../router/router.ts";
import type { UsageBook, UsageRow } from "../storage/usage.ts";

/** Who is told what the router does. Must not throw. */
export interface ActivityWatcher {
  readonly onAttempt: (row: UsageRow) => void;
  readonly onCall: (end: CallEnd) => void;
}

/** The running program as the API sees it. */
export interface Program {
  readonly router: Router;
  readonly events: EventBus;
  readonly ledger: Ledger;
  readonly usage: UsageBook;
  readonly memory: Memory;
  readonly chat: Chat;
  readonly seal: Seal;
  /** True when this run may ask the cloud. */
  readonly cloud: boolean;
  /** The configuration that serves now. */
  readonly config: ConfigSnapshot;
  /** Tells `watcher` of every attempt and every call that ends, until the returned function is called. */
  watchActivity(watcher: ActivityWatcher): () => void;
  /** Reads models.json again; a file that cannot be used changes nothing. */
  reload(): Promise<ReloadResult>;
  /**
   * Makes a profile the active one, in the file and in the running program.
   * @throws ConfigError, AgentError; the running program goes on as before
   */
  setProfile(name: string): Promise<ReloadResult>;
  /**
   * Gives a role a model, in the file and in the running program.
   * @throws ConfigError, AgentError; the running program goes on as before
   */
  setAssignment(role: Role, model: ModelRef): Promise<ReloadResult>;
}
