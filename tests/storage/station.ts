/** A data folder with its table, and a sender that shares it with a server. */
import assert from "node:assert/strict";
import { Sender } from "../../src/storage/sender.ts";
import type { SharedUsage } from "../../src/storage/shared_usage.ts";
import type { UsageRow } from "../../src/storage/usage.ts";
import { UsageTable } from "../../src/storage/usage_table.ts";
import type { Cluster } from "../support/postgres.ts";
import { createFolder } from "../support/program.ts";
import { assertSecret, connect, until } from "../support/shared_store.ts";

/** Short, so that a test need not wait; the waits themselves are tested with fake time. */
const PAUSES = { gather: 1, look: 20, retry: 4, longestRetry: 30 };

export interface Station extends AsyncDisposable {
  readonly folder: string;
  readonly table: UsageTable;
  readonly sender: Sender;
  /** The sizes of the batches as they were sent, refused ones included. */
  readonly sizes: readonly number[];
  /** How often it has tried to connect. */
  readonly tries: number;
  /** What a person was told to act on, and what passes by itself. */
  readonly warnings: readonly string[];
  readonly notes: readonly string[];
  /** Writes rows and tells the sender, as the recorder does. */
  add(rows: readonly UsageRow[]): void;
}

export interface StationOptions {
  readonly url: string;
  /** The data folder of another station; its own by default. */
  readonly folder?: string;
  /** Done before every try to connect. */
  readonly beforeTry?: () => Promise<void>;
  /** How long the server may take to answer, in milliseconds. */
  readonly timeoutMs?: number;
}

export async function createStation(options: StationOptions): Promise<Station> {
  const { url, beforeTry, timeoutMs = 30_000 } = options;
  const own = options.folder === undefined ? await createFolder() : undefined;
  const folder = options.folder ?? own?.path ?? assert.fail();
  const table = new UsageTable({ path: `${folder}/django.db`, busyTimeoutMs: 5000, onSetAside: assert.fail });
  const [sizes, warnings, notes]: [number[], string[], string[]] = [[], [], []];
  let tries = 0;
  const sender = new Sender({
    outbox: () => table,
    connect: async (signal) => {
      tries++;
      await beforeTry?.();
      return watched(await connect(url, { signal, timeoutMs }), sizes);
    },
    warn: (message, remedy) => {
      assertSecret(`${message} ${remedy}`);
      warnings.push(message);
    },
    inform: (message) => {
      assertSecret(message);
      notes.push(message);
    },
    pauses: PAUSES,
  });
  return {
    folder,
    table,
    sender,
    sizes,
    warnings,
    notes,
    get tries() {
      return tries;
    },
    add(rows) {
      table.insertAll(rows);
      sender.notify();
    },
    async [Symbol.asyncDispose]() {
      await sender.stop(1000);
      table[Symbol.dispose]();
      await own?.[Symbol.asyncDispose]();
    },
  };
}

function watched(shared: SharedUsage, sizes: number[]): SharedUsage {
  return {
    storeId: shared.storeId,
    async insert(rows) {
      sizes.push(rows.length);
      await shared.insert(rows);
    },
    countKnown: (ids) => shared.countKnown(ids),
    summarize: (query) => shared.summarize(query),
    rows: (sinceMs) => shared.rows(sinceMs),
    close: () => shared.close(),
  };
}

/** The ids in the shared table, as long as one session writes in the order they came; none when there is no table. */
export async function sharedIds(cluster: Cluster, url: string): Promise<string[]> {
  const [found] = await cluster.query(url, "SELECT to_regclass('token_usage') AS found");
  if (!found?.found) return [];
  return (await cluster.query<{ id: string }>(url, "SELECT id FROM token_usage ORDER BY ctid")).map(({ id }) => id);
}

/** Waits until exactly these rows are in the shared table, and the outbox knows it. */
export async function settled(cluster: Cluster, url: string, { table }: Station, rows: readonly UsageRow[]) {
  await until(async () => (await sharedIds(cluster, url)).length >= rows.length);
  assert.deepEqual((await sharedIds(cluster, url)).sort(), idsOf(rows).sort());
  const storeId = await storeIdOf(cluster, url);
  await until(() => table.nextBatch(storeId, 1) === undefined);
}

export async function storeIdOf(cluster: Cluster, url: string): Promise<string> {
  const [row] = await cluster.query(url, "SELECT obj_description('token_usage'::regclass, 'pg_class') AS comment");
  return String(row?.comment).slice(-36);
}

export function idsOf(rows: readonly UsageRow[]): string[] {
  return rows.map(({ id }) => id);
}
