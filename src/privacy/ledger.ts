import { isLoopbackOrPrivate } from "../core/address.ts";
import { requirePlainFile, withFileLock } from "../core/file_lock.ts";
import type { Log } from "../core/log.ts";
import { folderOf } from "../core/path.ts";

/** What went to one origin. */
export interface LedgerEntry {
  /** `https://host[:port]`, `wss://host[:port]`, or `postgres://host:port`. */
  readonly origin: string;
  /** True when the origin is this machine or its local network. */
  readonly local: boolean;
  readonly requests: number;
  readonly sent_bytes: number;
  readonly received_bytes: number;
  /** ISO 8601 */
  readonly last_at: string;
}

/** The egress ledger: every origin this program has talked to, over all its runs on one data folder. */
export interface Ledger extends Disposable {
  /** Counts one request that is about to go out. The first one to an origin is in the file before it leaves. */
  sent(origin: string, bytes: number): void;
  /** Counts more of what went out on a connection that has been counted as a request. */
  sentMore(origin: string, bytes: number): void;
  /** Counts what came back. */
  received(origin: string, bytes: number): void;
  /** Everything recorded, this run's latest included; the most recent origin first. */
  entries(): LedgerEntry[];
}

export interface LedgerOptions {
  /** The file the counts are kept in. */
  readonly path: string;
  readonly log: Log;
  /** How often at most the file is written; default 1000. The first request to an origin is written at once. */
  readonly writeEveryMs?: number;
}

type Counts = Map<string, LedgerEntry>;

/** What has been counted and not written yet. */
interface Sums {
  requests: number;
  sent_bytes: number;
  received_bytes: number;
  /** Epoch milliseconds. */
  lastMs: number;
}

/**
 * A ledger kept in a small JSON file. Runs side by side add to the same file under a lock of the operating system; it
 * is replaced as a whole, so that no crash and no full disk leaves half of it. A damaged file is set aside, never
 * overwritten. What cannot be read or written is told the log; the counts of this run are still shown.
 */
export function createLedger({ path, log, writeEveryMs = 1000 }: LedgerOptions): Ledger {
  let unwritten = new Map<string, Sums>();
  /** Origins that are in the file, and whether they are on this network. */
  const known = new Map<string, boolean>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let complained = false;

  const complain = (what: string, error: unknown) => {
    if (!complained) log.warn(`Cannot ${what} the egress ledger ${path}: ${reasonOf(error)}`);
    complained = true;
  };

  const write = () => {
    if (timer !== undefined) clearTimeout(timer); // Deno loads its timers when one is first touched: 8 ms of a start
    timer = undefined;
    if (unwritten.size === 0) return;
    try {
      const aside = addToFile(path, entriesOf(unwritten, known));
      unwritten = new Map();
      if (aside !== undefined) log.warn(`The egress ledger was damaged: it is now ${aside}, and counting starts again`);
    } catch (error) {
      complain("write", error);
    }
  };

  const count = (origin: string, requests: number, sent: number, received: number) => {
    addUp(unwritten, origin, requests, sent, received);
    if (!known.has(origin)) {
      known.set(origin, isLoopbackOrPrivate(new URL(origin).hostname));
      write();
    } else if (timer === undefined) {
      timer = setTimeout(write, writeEveryMs);
      Deno.unrefTimer(timer);
    }
  };

  const readAll = (): Counts => {
    try {
      return readCounts(path);
    } catch (error) {
      complain("read", error);
      return new Map();
    }
  };

  return {
    sent: (origin, bytes) => count(origin, 1, bytes, 0),
    sentMore: (origin, bytes) => count(origin, 0, bytes, 0),
    received: (origin, bytes) => count(origin, 0, 0, bytes),
    entries() {
      const all = readAll();
      for (const entry of entriesOf(unwritten, known)) all.set(entry.origin, add(all.get(entry.origin), entry));
      return [...all.values()].sort((a, b) => b.last_at.localeCompare(a.last_at));
    },
    [Symbol.dispose]: write,
  };
}

/** In place: this runs several times a call. */
function addUp(all: Map<string, Sums>, origin: string, requests: number, sent: number, received: number): void {
  const sums = all.get(origin) ?? { requests: 0, sent_bytes: 0, received_bytes: 0, lastMs: 0 };
  sums.requests += requests;
  sums.sent_bytes += sent;
  sums.received_bytes += received;
  sums.lastMs = Date.now();
  all.set(origin, sums);
}

function entriesOf(counted: ReadonlyMap<string, Sums>, known: ReadonlyMap<string, boolean>): LedgerEntry[] {
  return [...counted].map(([origin, { lastMs, ...sums }]) => ({
    origin,
    local: known.get(origin) ?? false,
    ...sums,
    last_at: new Date(lastMs).toISOString(),
  }));
}

function add(before: LedgerEntry | undefined, entry: LedgerEntry): LedgerEntry {
  if (!before) return entry;
  return {
    ...entry,
    requests: before.requests + entry.requests,
    sent_bytes: before.sent_bytes + entry.sent_bytes,
    received_bytes: before.received_bytes + entry.received_bytes,
    last_at: before.last_at > entry.last_at ? before.last_at : entry.last_at,
  };
}

/** Adds to the file under its lock. The new name of the old file when that was damaged. */
function addToFile(path: string, counts: readonly LedgerEntry[]): string | undefined {
  Deno.mkdirSync(folderOf(path), { recursive: true });
  return withFileLock(`${path}.lock`, () => addToLockedFile(path, counts));
}

function addToLockedFile(path: string, counts: readonly LedgerEntry[]): string | undefined {
  let aside: string | undefined;
  let all: Counts;
  try {
    all = readCounts(path);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    aside = `${path}.damaged-${new Date().toISOString().replaceAll(":", "-")}`;
    Deno.renameSync(path, aside);
    all = new Map();
  }
  for (const entry of counts) all.set(entry.origin, add(all.get(entry.origin), entry));
  const fresh = `${path}.new`;
  Deno.writeTextFileSync(fresh, JSON.stringify([...all.values()], null, 1) + "\n", { mode: 0o600 });
  Deno.renameSync(fresh, path);
  return aside;
}

/** @throws SyntaxError when the file is no ledger; whatever reading throws, but for a missing file. */
function readCounts(path: string): Counts {
  let text: string;
  try {
    requirePlainFile(path);
    text = Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return new Map(); // nothing has been recorded yet
    throw error;
  }
  const entries: unknown = parseJson(text);
  if (!Array.isArray(entries) || !entries.every(isEntry)) throw new SyntaxError("it is damaged");
  return new Map(entries.map((entry) => [entry.origin, entry]));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isEntry(value: unknown): value is LedgerEntry {
  if (typeof value !== "object" || value === null) return false;
  const { origin, local, requests, sent_bytes, received_bytes, last_at } = value as Partial<LedgerEntry>;
  return typeof origin === "string" && isOrigin(origin) && typeof local === "boolean" &&
    typeof last_at === "string" &&
    [requests, sent_bytes, received_bytes].every((count) => Number.isSafeInteger(count));
}

/** Scheme and host only. What URL calls the origin it knows for the schemes of the web alone. */
function isOrigin(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && url.host !== "" && `${url.protocol}//${url.host}` === text;
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
