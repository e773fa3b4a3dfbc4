import { dirname } from "node:path";
import { isLoopbackOrPrivate } from "../core/address.ts";
import type { Log } from "../core/log.ts";

/** What went to one origin. */
export interface LedgerEntry {
  /** `https://host[:port]` */
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
  /** Counts one request and its bytes. Never throws and never waits. */
  record(origin: string, bytes: { readonly sent: number; readonly received: number }): void;
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

/**
 * A ledger kept in a small JSON file. Runs side by side add to the same file under a lock of the operating system.
 * When the file cannot be written the counts of this run are still shown, and the log says why.
 */
export function createLedger({ path, log, writeEveryMs = 1000 }: LedgerOptions): Ledger {
  let unwritten: Counts = new Map();
  const known = new Set<string>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let complained = false;

  const write = () => {
    clearTimeout(timer);
    timer = undefined;
    if (unwritten.size === 0) return;
    try {
      addToFile(path, unwritten);
      unwritten = new Map();
    } catch (error) {
      if (!complained) log.warn(`Cannot write the egress ledger ${path}: ${reasonOf(error)}`);
      complained = true;
    }
  };

  return {
    record(origin, { sent, received }) {
      const entry = {
        origin,
        local: isLoopbackOrPrivate(new URL(origin).hostname),
        requests: 1,
        sent_bytes: sent,
        received_bytes: received,
        last_at: new Date().toISOString(),
      };
      unwritten.set(origin, add(unwritten.get(origin), entry));
      if (!known.has(origin)) {
        known.add(origin);
        write();
      } else if (timer === undefined) {
        timer = setTimeout(write, writeEveryMs);
        Deno.unrefTimer(timer);
      }
    },
    entries() {
      const all = readFile(path);
      for (const entry of unwritten.values()) all.set(entry.origin, add(all.get(entry.origin), entry));
      return [...all.values()].sort((a, b) => b.last_at.localeCompare(a.last_at));
    },
    [Symbol.dispose]: write,
  };
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

function addToFile(path: string, counts: Counts): void {
  Deno.mkdirSync(dirname(path), { recursive: true });
  using file = Deno.openSync(path, { read: true, write: true, create: true, mode: 0o600 });
  file.lockSync(true);
  const all = parse(readText(file));
  for (const entry of counts.values()) all.set(entry.origin, add(all.get(entry.origin), entry));
  const text = new TextEncoder().encode(JSON.stringify([...all.values()], null, 1) + "\n");
  file.truncateSync();
  file.seekSync(0, Deno.SeekMode.Start);
  for (let written = 0; written < text.length;) written += file.writeSync(text.subarray(written));
}

function readFile(path: string): Counts {
  try {
    using file = Deno.openSync(path);
    file.lockSync(false); // or a write under way would look like an empty file
    return parse(readText(file));
  } catch {
    return new Map(); // nothing has been recorded yet
  }
}

/** Reads through the handle that holds the lock: not every system lets another one in. */
function readText(file: Deno.FsFile): string {
  const bytes = new Uint8Array(file.statSync().size);
  let length = 0;
  while (length < bytes.length) {
    const count = file.readSync(bytes.subarray(length));
    if (count === null) break;
    length += count;
  }
  return new TextDecoder().decode(bytes.subarray(0, length));
}

function parse(text: string): Counts {
  try {
    const entries: unknown = JSON.parse(text);
    return new Map(Array.isArray(entries) ? entries.filter(isEntry).map((entry) => [entry.origin, entry]) : []);
  } catch {
    return new Map(); // an interrupted write: counting starts again
  }
}

function isEntry(value: unknown): value is LedgerEntry {
  if (typeof value !== "object" || value === null) return false;
  const { origin, local, requests, sent_bytes, received_bytes, last_at } = value as Partial<LedgerEntry>;
  return typeof origin === "string" && typeof local === "boolean" && typeof last_at === "string" &&
    [requests, sent_bytes, received_bytes].every((count) => Number.isSafeInteger(count));
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
