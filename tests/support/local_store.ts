/** The local usage store as tests use it: a folder of its own, the table in it, and a recorder that is watched. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { PendingFile } from "../../src/storage/pending_file.ts";
import { Recorder } from "../../src/storage/recorder.ts";
import type { OpenDatabaseOptions } from "../../src/storage/sqlite.ts";
import type { StoredUsageRow, UsageRow } from "../../src/storage/usage.ts";
import { UsageTable } from "../../src/storage/usage_table.ts";
import { createFolder } from "./program.ts";

export interface StoreFolder extends AsyncDisposable {
  readonly path: string;
  readonly database: string;
  readonly pending: PendingFile;
  /** Names of the files in it, sorted; the lock file is left out. */
  files(): string[];
  /** Every file in it but the lock file, by name: a fingerprint of its bytes. Not while this process has one open. */
  contents(): Record<string, string>;
}

/** A data folder, removed again at the end of the test. */
export async function createStore(): Promise<StoreFolder> {
  const folder = await createFolder();
  return { ...storeIn(folder.path), [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() };
}

/** The data folder at `path`; nothing is created. */
export function storeIn(path: string): Omit<StoreFolder, typeof Symbol.asyncDispose> {
  const files = () =>
    [...Deno.readDirSync(path)].map(({ name }) => name).filter((name) => !name.endsWith(".lock")).sort();
  return {
    path,
    database: `${path}/django.db`,
    pending: new PendingFile(`${path}/usage-pending.jsonl`),
    files,
    contents: () => Object.fromEntries(files().map((name) => [name, fingerprint(`${path}/${name}`)])),
  };
}

export function fingerprint(path: string): string {
  const bytes = Deno.readFileSync(path);
  return `${bytes.length} bytes, ${createHash("sha256").update(bytes).digest("hex")}`;
}

/** The table; the test fails when the file turns out damaged, unless it wants to be told. */
export function openTable(path: string, options: Partial<OpenDatabaseOptions> = {}): UsageTable {
  return new UsageTable({
    path,
    busyTimeoutMs: 0,
    onSetAside: (aside) => assert.fail(`it was set aside as ${aside}`),
    ...options,
  });
}

/** Every row of a table, in the order they came. */
export async function allRows(table: UsageTable, sinceMs = 0): Promise<StoredUsageRow[]> {
  const rows: StoredUsageRow[] = [];
  for await (const page of table.rows(sinceMs)) rows.push(...page);
  return rows;
}

/** Asserts that the table holds these rows in this order, every one exactly once, and nothing else. */
export async function assertHolds(table: UsageTable, rows: readonly UsageRow[]): Promise<void> {
  const found = await allRows(table);
  assert.deepEqual(found.map(({ id }) => id), rows.map(({ id }) => id));
  assert.deepEqual(found, rows.map((row) => ({ ...row, instance_id: table.instanceId })));
}

export interface WatchedRecorder extends Disposable {
  readonly recorder: Recorder;
  /** What people were told, as `message → remedy`. */
  readonly warnings: readonly string[];
  readonly asides: readonly string[];
  /** How often rows came into the table. */
  readonly stored: number;
  /** What `open` was asked: whether the file is suspect. */
  readonly opened: readonly boolean[];
}

export function watchRecorder(
  { database, pending }: Pick<StoreFolder, "database" | "pending">,
  options: Partial<OpenDatabaseOptions> = {},
): WatchedRecorder {
  const warnings: string[] = [];
  const asides: string[] = [];
  const opened: boolean[] = [];
  let stored = 0;
  const recorder = new Recorder({
    open(suspect) {
      opened.push(suspect);
      return openTable(database, { suspect, onSetAside: (aside) => asides.push(aside), ...options });
    },
    pending,
    warn: (message, remedy) => warnings.push(`${message} → ${remedy}`),
    onStored: () => stored++,
  });
  return {
    recorder,
    warnings,
    asides,
    opened,
    get stored() {
      return stored;
    },
    [Symbol.dispose]: () => recorder[Symbol.dispose](),
  };
}

/** Waits for something that is about to happen. */
export async function until(happened: () => boolean): Promise<void> {
  while (!happened()) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** The rows in the pending file, by id, in the order they came. */
export function pendingIds({ path }: PendingFile): string[] {
  return Deno.readTextFileSync(path).split("\n").filter((line) => line !== "").map((line) => JSON.parse(line).id);
}
