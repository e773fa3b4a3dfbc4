import { AgentError } from "../core/errors.ts";
import { bringIn, type PendingFile } from "./pending_file.ts";
import { StorageError, type StorageProblem } from "./sqlite.ts";
import type { UsageRow } from "./usage.ts";
import type { UsageTable } from "./usage_table.ts";

/** First and longest pause before the database is tried again, in milliseconds. */
const RETRY_MS = { first: 250, longest: 5000 };
/** How often a look is taken at what other processes have left in the pending file, in milliseconds. */
const LOOK_MS = 30_000;
/** Rows kept in memory when nothing can be written at all, about 10 MB of them. */
const MOST_IN_MEMORY = 20_000;

export interface RecorderOptions {
  /** Opens the table; `suspect` when it has shown damage. @throws StorageError */
  readonly open: (suspect: boolean) => UsageTable;
  readonly pending: PendingFile;
  /** Tells a person what they should act on, once for each kind of trouble. */
  readonly warn: (message: string, remedy: string) => void;
  /** Told whenever rows have come into the table. */
  readonly onStored?: () => void;
}

export interface RecorderStatus {
  /** `waiting`: rows wait outside the database until it can be used again. */
  readonly state: "ok" | "waiting";
  readonly problem: StorageProblem | null;
  /** Rows that are in memory only and would be lost with the process. */
  readonly in_memory: number;
}

/**
 * Keeps rows of the usage table. `record` never throws and never waits: a row goes into the database at once, or into
 * the pending file when the database cannot take it, or stays in memory when even that cannot be written. What waits is
 * brought in as soon as the database can be used again, by this process or the next one.
 */
export class Recorder implements Disposable {
  readonly #options: RecorderOptions;
  #table: UsageTable | undefined;
  #memory: UsageRow[] = [];
  #dropped = 0;
  #problem: StorageProblem | null = null;
  #suspect = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #timerAt = Infinity;
  #retryMs = RETRY_MS.first;
  readonly #told = new Set<string>();

  constructor(options: RecorderOptions) {
    this.#options = options;
  }

  record(row: UsageRow): void {
    if (this.#problem === null && this.#attempt((table) => table.insert(row))) this.#options.onStored?.();
    else this.#keep(row);
  }

  /** The table; undefined while it cannot be used. Opens it when nothing has been recorded yet. */
  get table(): UsageTable | undefined {
    if (this.#problem === null) this.#attempt(() => {});
    return this.#problem === null ? this.#table : undefined;
  }

  get status(): RecorderStatus {
    const state = this.#problem === null ? "ok" : "waiting";
    return { state, problem: this.#problem, in_memory: this.#memory.length };
  }

  /** Brings in what waits if it can, and lets go of the database. What cannot be kept is told. */
  [Symbol.dispose](): void {
    if (this.#memory.length > 0) {
      this.#catchUp();
      if (this.#memory.length > 0) this.#leavePending();
    }
    const lost = this.#memory.length + this.#dropped;
    if (lost > 0) {
      this.#options.warn(
        `The usage of ${lost} calls could not be written and is lost`,
        "Make room for the data folder.",
      );
    }
    clearTimeout(this.#timer); // last: catching up plans the next look
    this.#close();
  }

  #attempt(action: (table: UsageTable) => void): boolean {
    try {
      if (!this.#table) {
        this.#table = this.#options.open(this.#suspect);
        this.#suspect = false;
        this.#scheduleCatchUp(this.#options.pending.waiting ? 0 : LOOK_MS);
      }
      action(this.#table);
      return true;
    } catch (error) {
      this.#noteTrouble(error);
      return false;
    }
  }

  #noteTrouble(error: unknown): void {
    const problem = error instanceof StorageError ? error.problem : "unusable";
    this.#problem = problem;
    if (problem === "damaged") this.#suspect = true;
    if (problem !== "busy" && problem !== "full") this.#close(); // those two pass by themselves
    if (problem !== "busy") {
      const { message, remedy } = describe(error);
      this.#warnOnce(problem, `${message}; usage waits in ${this.#options.pending.path} meanwhile`, remedy);
    }
    this.#scheduleCatchUp(this.#retryMs);
  }

  #close(): void {
    try {
      this.#table?.[Symbol.dispose]();
    } catch {
      // It is given up anyway.
    }
    this.#table = undefined;
  }

  #keep(row: UsageRow): void {
    this.#writePending([row], () => {}, () => {
      if (this.#memory.length >= MOST_IN_MEMORY) {
        this.#memory.shift();
        this.#dropped++;
      }
      this.#memory.push(row);
    });
    this.#scheduleCatchUp(this.#retryMs);
  }

  #writePending(rows: readonly UsageRow[], onWritten: () => void, onFailed: () => void = () => {}): void {
    try {
      this.#options.pending.append(rows);
      onWritten();
    } catch (error) {
      onFailed();
      if (error instanceof StorageError && error.problem === "busy") return; // for a moment only
      this.#warnOnce(
        "memory",
        `Cannot write ${this.#options.pending.path} either: ${describe(error).message}`,
        "Usage is in memory only and lost if the program is killed: make room, or make the data folder writable.",
      );
    }
  }

  /** The last chance of what is in memory: when another process is at work on the pending file, a file beside it. */
  #leavePending(): void {
    const rows = this.#memory;
    this.#writePending(rows, () => this.#memory = []);
    if (this.#memory.length === 0) return;
    try {
      this.#options.pending.appendAside(rows);
      this.#memory = [];
    } catch {
      // It has been told that nothing can be written.
    }
  }

  #scheduleCatchUp(ms: number): void {
    const at = performance.now() + ms;
    if (this.#timerAt <= at) return;
    clearTimeout(this.#timer);
    this.#timerAt = at;
    this.#timer = setTimeout(() => {
      this.#timerAt = Infinity;
      this.#catchUp();
    }, ms);
    Deno.unrefTimer(this.#timer);
  }

  /** Brings in what waits outside the database. */
  #catchUp(): void {
    const { pending, onStored } = this.#options;
    let stored = this.#memory.length;
    const caughtUp = this.#attempt((table) => {
      stored += bringIn(pending, table, (message, remedy) => this.#warnOnce(message, message, remedy));
      if (this.#memory.length > 0) table.insertAll(this.#memory);
      this.#memory = [];
    });
    if (caughtUp) {
      this.#problem = null;
      this.#retryMs = RETRY_MS.first;
      this.#scheduleCatchUp(LOOK_MS);
      if (stored > 0) onStored?.();
    } else {
      this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MS.longest);
    }
  }

  #warnOnce(kind: string, message: string, remedy: string): void {
    if (this.#told.has(kind)) return;
    this.#told.add(kind);
    this.#options.warn(message, remedy);
  }
}

function describe(error: unknown): { readonly message: string; readonly remedy: string } {
  if (error instanceof AgentError) return { message: error.message, remedy: error.remedy ?? "" };
  return { message: error instanceof Error ? error.message : String(error), remedy: "" };
}
