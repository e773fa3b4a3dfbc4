import type { DatabaseTarget } from "./database_url.ts";
import { AgentError, EXIT } from "../core/errors.ts";
import { bringIn, PendingFile } from "./pending_file.ts";
import type { Traffic } from "./postgres.ts";
import { Recorder } from "./recorder.ts";
import { Sender } from "./sender.ts";
import type { SharedUsage } from "./shared_usage.ts";
import { StorageError } from "./sqlite.ts";
import type { LocalUsage, SharingStatus, UsageBook } from "./usage.ts";
import { UsageTable } from "./usage_table.ts";

/** How long a command that only reads waits for another program to let go of the database, in milliseconds. */
const PATIENCE_MS = 5000;
/** The most a recorded row may hold up everything else when another program is writing, in milliseconds. */
const RECORD_WAIT_MS = 10;
/** How long the end of the program may take to send what is left, in milliseconds. */
const GRACE_MS = 1000;

export interface UsageBookOptions {
  readonly dataDir: string;
  /** The shared database, why it cannot be used, or undefined when there is none. */
  readonly shared: DatabaseTarget | AgentError | undefined;
  readonly traffic: Traffic;
  /** Tells a person what they should act on. */
  readonly warn: (message: string, remedy: string) => void;
  /** Told what passes by itself. */
  readonly inform: (message: string) => void;
}

/** Opens nothing yet: the local table is opened when the first row comes, the shared one when there is one to send. */
export function createUsageBook(options: UsageBookOptions): UsageBook {
  const { dataDir, shared, warn } = options;
  const path = `${dataDir}/django.db`;
  const pending = new PendingFile(`${dataDir}/usage-pending.jsonl`);
  const openTable = (busyTimeoutMs: number, suspect: boolean) =>
    new UsageTable({ path, busyTimeoutMs, suspect, onSetAside: (aside) => warn(...describeSetAside(path, aside)) });
  const sender = shared === undefined || shared instanceof AgentError
    ? undefined
    : createSender(shared, options, () => recorder.table);
  const recorder: Recorder = new Recorder({
    open: (suspect) => openTable(RECORD_WAIT_MS, suspect),
    pending,
    warn,
    ...(sender && { onStored: () => sender.notify() }),
  });
  let told = false; // why DATABASE_URL does not count
  let local: UsageTable | undefined;
  const connections: SharedUsage[] = [];
  return {
    path,
    get sharing(): SharingStatus {
      if (shared instanceof AgentError) return { state: "off", origin: null, problem: shared.message };
      return shared && sender
        ? { ...sender.status, origin: shared.origin }
        : { state: "off", origin: null, problem: null };
    },
    get local() {
      return recorder.table;
    },
    record(row) {
      recorder.record(row);
      if (!(shared instanceof AgentError) || told) return;
      told = true;
      warn(`${shared.message}; usage is kept on this machine only`, shared.remedy ?? "");
    },
    async openLocal(): Promise<LocalUsage> {
      local ??= await patiently(() => openTable(PATIENCE_MS, false));
      const table = local;
      await patiently(() => bringIn(pending, table, warn));
      return table;
    },
    async openShared(): Promise<SharedUsage> {
      const target = requireShared(shared);
      const connection = await connect(target, options, { migrate: false, signal: new AbortController().signal });
      connections.push(connection);
      return connection;
    },
    async [Symbol.asyncDispose]() {
      await sender?.stop(GRACE_MS);
      recorder[Symbol.dispose]();
      local?.[Symbol.dispose]();
      for (const connection of connections) await connection.close();
    },
  };
}

function createSender(
  target: DatabaseTarget,
  options: UsageBookOptions,
  outbox: () => UsageTable | undefined,
): Sender {
  const { warn, inform } = options;
  return new Sender({
    outbox,
    connect: (signal) => connect(target, options, { migrate: true, signal }),
    warn,
    inform,
  });
}

/** The driver is loaded only by whoever has a database. */
async function connect(
  target: DatabaseTarget,
  { traffic }: UsageBookOptions,
  how: { readonly migrate: boolean; readonly signal: AbortSignal },
): Promise<SharedUsage> {
  const { connectPostgres } = await import("./postgres.ts");
  return await connectPostgres({ target, traffic, ...how });
}

function requireShared(shared: UsageBookOptions["shared"]): DatabaseTarget {
  if (shared instanceof AgentError) throw shared;
  if (shared) return shared;
  throw new AgentError("There is no shared database", {
    exitCode: EXIT.config,
    remedy: "Set DATABASE_URL=postgres://user:password@host:5432/name in .env or in the environment.",
  });
}

/** Tries again while another program holds the database. */
async function patiently<T>(action: () => T): Promise<T> {
  const giveUpAt = performance.now() + PATIENCE_MS;
  for (;;) {
    try {
      return action();
    } catch (error) {
      const busy = error instanceof StorageError && error.problem === "busy";
      if (!busy || performance.now() > giveUpAt) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

function describeSetAside(path: string, aside: string): [message: string, remedy: string] {
  return [
    `The database ${path} was damaged: it is now ${aside}, and a new one was begun`,
    `What it held is still in there; sqlite3 "${aside}" .recover can often read it.`,
  ];
}
