import { AgentError } from "../core/errors.ts";
import { SharedUsageError } from "./postgres_errors.ts";
import type { SharedUsage } from "./shared_usage.ts";
import { StorageError } from "./sqlite.ts";
import type { StoredUsageRow } from "./usage.ts";
import type { Batch } from "./usage_table.ts";

/** Rows sent at once. */
const BATCH = 500;

/** How long the sender waits for what, in milliseconds. */
export interface SenderPauses {
  /** For more rows when one has come: those that come close together go together. */
  readonly gather: number;
  /** Before the outbox is looked into without being told: other processes write to it too. */
  readonly look: number;
  /** Before the server is tried again for the first time, and at most; jitter takes up to a half of it. */
  readonly retry: number;
  readonly longestRetry: number;
}

const PAUSES: SenderPauses = { gather: 100, look: 10_000, retry: 1000, longestRetry: 60_000 };

/** The local table as far as the sender needs it. */
export interface Outbox {
  nextBatch(storeId: string, limit: number): Batch | undefined;
  confirm(storeId: string, lastSeq: number): void;
  sampleConfirmed(storeId: string): readonly string[];
  forget(storeId: string): void;
  refuse(storeId: string, ids: readonly string[]): void;
  refusedRows(storeId: string, limit: number): readonly StoredUsageRow[];
  accept(storeId: string, ids: readonly string[]): void;
}

export interface SenderOptions {
  /** The outbox; undefined while it cannot be used. */
  readonly outbox: () => Outbox | undefined;
  /** Connects and looks after the schema. */
  readonly connect: (signal: AbortSignal) => Promise<SharedUsage>;
  /** Tells a person what they should act on, once for each kind of trouble. */
  readonly warn: (message: string, remedy: string) => void;
  /** Told what passes by itself. */
  readonly inform: (message: string) => void;
  /** Random number in [0, 1) for the jitter of the pauses. */
  readonly random?: () => number;
  readonly pauses?: SenderPauses;
}

export interface SenderStatus {
  /** `idle`: nothing has been sent yet. `away`: the server could not be used, and is tried again. */
  readonly state: "idle" | "connected" | "away";
  readonly problem: string | null;
}

/**
 * Sends what is in the outbox to the shared database, in the background and in order, and marks what was confirmed.
 * While the server is away it is tried again after pauses that double, with jitter; then everything is caught up on.
 */
export class Sender {
  readonly #options: SenderOptions;
  readonly #pauses: SenderPauses;
  readonly #ending = new AbortController();
  #running: Promise<void> | undefined;
  #stopping = false;
  readonly #stopped = Promise.withResolvers<void>();
  #news = Promise.withResolvers<void>();
  #shared: SharedUsage | undefined;
  #failures = 0;
  #problem: string | null = null;
  readonly #told = new Set<string>();

  constructor(options: SenderOptions) {
    this.#options = options;
    this.#pauses = options.pauses ?? PAUSES;
  }

  get status(): SenderStatus {
    const state = this.#problem !== null ? "away" : this.#shared ? "connected" : "idle";
    return { state, problem: this.#problem };
  }

  /** There is something new in the outbox. Starts the sender; it lives until it is stopped. */
  notify(): void {
    if (this.#stopping) return;
    this.#news.resolve();
    this.#running ??= this.#run();
  }

  /** Sends what it can within `graceMs`, unless the server is known to be away, and lets go of the connection. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping = true;
    this.#stopped.resolve();
    const timer = setTimeout(() => this.#ending.abort(), graceMs);
    await this.#running;
    clearTimeout(timer);
  }

  async #run(): Promise<void> {
    do {
      try {
        this.#shared ??= await this.#connect();
        await this.#sendAll(this.#shared);
        this.#noteHealth();
        await this.#awaitNews();
      } catch (error) {
        await this.#letGo();
        if (this.#ending.signal.aborted) break;
        this.#noteFailure(error);
        if (!this.#stopping) await this.#backOff();
      }
    } while (!this.#stopping);
    // What came in while it slept; a server that is away is not waited for.
    if (this.#shared) await this.#sendAll(this.#shared).catch(() => {});
    await this.#letGo();
  }

  /** Connects, and makes sure that what the server once confirmed is still there. */
  async #connect(): Promise<SharedUsage> {
    const shared = await this.#options.connect(this.#ending.signal);
    try {
      await this.#reconcile(shared);
      return shared;
    } catch (error) {
      await shared.close();
      throw error;
    }
  }

  /** A backup put back, or a table emptied by hand, still bears the name that the confirmations were given under. */
  async #reconcile(shared: SharedUsage): Promise<void> {
    const { storeId } = shared;
    const sample = this.#look((outbox) => outbox.sampleConfirmed(storeId)) ?? [];
    if (sample.length > 0 && await shared.countKnown(sample) < sample.length) {
      this.#options.inform("The shared database lacks rows it had confirmed; everything is sent to it again");
      this.#look((outbox) => outbox.forget(storeId));
    }
    const rows = this.#look((outbox) => outbox.refusedRows(storeId, BATCH)) ?? [];
    if (rows.length === 0) return;
    const refused = new Set(await this.#insert(shared, rows));
    const accepted = rows.map(({ id }) => id).filter((id) => !refused.has(id));
    this.#look((outbox) => outbox.accept(storeId, accepted));
  }

  async #sendAll(shared: SharedUsage): Promise<void> {
    for (let more = true; more;) {
      const batch = this.#look((outbox) => outbox.nextBatch(shared.storeId, BATCH));
      if (!batch) return;
      const refused = await this.#insert(shared, batch.rows);
      // When this fails the rows are sent once more, and the server knows them already.
      more = this.#look((outbox) => {
        outbox.refuse(shared.storeId, refused);
        outbox.confirm(shared.storeId, batch.lastSeq);
        return true;
      }) ?? false;
    }
  }

  /** What the outbox says; undefined while it cannot be used: then it is looked into again later. */
  #look<T>(action: (outbox: Outbox) => T): T | undefined {
    const outbox = this.#options.outbox();
    try {
      return outbox && action(outbox);
    } catch (error) {
      if (error instanceof StorageError) return undefined;
      throw error;
    }
  }

  /**
   * A row the server refuses must not hold up the others: halves are tried until it is found, and it is left out.
   * @returns the ids of such rows
   */
  async #insert(shared: SharedUsage, rows: readonly StoredUsageRow[]): Promise<string[]> {
    try {
      await shared.insert(rows);
      return [];
    } catch (error) {
      if (!(error instanceof SharedUsageError) || error.problem !== "data") throw error;
      if (rows.length === 1) {
        this.#warnOnce(`${error.message}; it stays on this machine and is tried again later`, error.remedy);
        return rows.map(({ id }) => id);
      }
      const middle = rows.length >> 1;
      const first = await this.#insert(shared, rows.slice(0, middle));
      return [...first, ...await this.#insert(shared, rows.slice(middle))];
    }
  }

  #noteHealth(): void {
    if (this.#problem !== null) this.#options.inform("Usage is shared again");
    this.#failures = 0;
    this.#problem = null;
  }

  #noteFailure(error: unknown): void {
    this.#failures++;
    const { message, remedy } = describe(error);
    if (this.#problem !== message) this.#options.inform(`${message}; usage is kept and sent later`);
    this.#problem = message;
    const passes = error instanceof SharedUsageError && error.problem === "away";
    if (!passes) this.#warnOnce(`${message}; usage is kept here meanwhile`, remedy);
  }

  #warnOnce(message: string, remedy = ""): void {
    if (this.#told.has(message)) return;
    this.#told.add(message);
    this.#options.warn(message, remedy);
  }

  async #backOff(): Promise<void> {
    const { random = Math.random } = this.#options;
    const { retry, longestRetry } = this.#pauses;
    const ms = Math.min(longestRetry, retry * 2 ** (this.#failures - 1));
    await this.#sleep(ms * (0.5 + random() / 2));
  }

  async #awaitNews(): Promise<void> {
    await this.#sleep(this.#pauses.look, this.#news.promise);
    await this.#sleep(this.#pauses.gather);
    this.#news = Promise.withResolvers();
  }

  /** Sleeps for `ms`, until `sooner`, or until it is stopped. */
  async #sleep(ms: number, sooner?: Promise<void>): Promise<void> {
    const over = Promise.withResolvers<void>();
    const timer = setTimeout(over.resolve, ms);
    await Promise.race([over.promise, this.#stopped.promise, ...sooner ? [sooner] : []]);
    clearTimeout(timer);
  }

  async #letGo(): Promise<void> {
    const shared = this.#shared;
    this.#shared = undefined;
    await shared?.close();
  }
}

function describe(error: unknown): { readonly message: string; readonly remedy?: string | undefined } {
  if (error instanceof AgentError) return error;
  return { message: `Sharing usage failed with an unexpected ${error instanceof Error ? error.name : typeof error}` };
}
