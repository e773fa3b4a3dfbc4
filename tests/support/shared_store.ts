/** A connection to the shared table as tests open it, and what their assertions about it need. */
import assert from "node:assert/strict";
import { AgentError } from "../../src/core/errors.ts";
import { parseDatabaseUrl } from "../../src/storage/database_url.ts";
import { type ConnectOptions, connectPostgres } from "../../src/storage/postgres.ts";
import type { SharedUsage } from "../../src/storage/shared_usage.ts";
import type { StoredUsageRow, UsageReader, UsageRow } from "../../src/storage/usage.ts";
import { PASSWORD } from "./postgres.ts";

const NO_TRAFFIC = { sent: () => {}, sentMore: () => {}, received: () => {} };

/** Connects to a database by its URL; creates the schema unless told otherwise. */
export async function connect(url: string, options: Partial<ConnectOptions> = {}): Promise<SharedUsage> {
  return await connectPostgres({
    target: parseDatabaseUrl(url),
    traffic: NO_TRAFFIC,
    signal: new AbortController().signal,
    migrate: true,
    ...options,
  });
}

/** The error of a connection that has to fail. It must not show the password wherever a log could look. */
export async function connectError(url: string, options: Partial<ConnectOptions> = {}): Promise<AgentError> {
  const error = await connect(url, options).then(async (usage) => {
    await usage.close();
    assert.fail("it connected");
  }, (reason) => reason);
  assert.ok(error instanceof AgentError, String(error));
  const { password } = new URL(url);
  assertSecret(error, [password, decodeURIComponent(password)]);
  return error;
}

/** The same URL with other parts. */
export function changed(
  url: string,
  parts: Partial<Pick<URL, "host" | "username" | "password" | "pathname" | "search">>,
): string {
  return Object.assign(new URL(url), parts).href;
}

/** Everything a log could show of an error: its text, its fields, its stack, and the same of its causes. */
export function shownOf(error: unknown): string {
  const parts = [JSON.stringify(error)];
  for (let at = error, depth = 0; at !== undefined && depth < 10; depth++) {
    parts.push(String(at), Deno.inspect(at, { depth: 10 }));
    if (!(at instanceof Error)) break;
    const hidden = Object.getOwnPropertyNames(at).filter((name) => !FOR_DEBUGGING.includes(name));
    parts.push(...hidden.map((name) => Deno.inspect(Reflect.get(at as Error, name), { depth: 4 })));
    at = at.cause;
  }
  return parts.join("\n");
}

/** What the driver attaches to its errors where neither a log nor JSON looks; there is no password in a query. */
const FOR_DEBUGGING = ["query", "parameters", "args", "types"];

/** The passwords as they are, and as they stand in a URL. */
export function assertSecret(error: unknown, more: readonly string[] = []): void {
  const shown = shownOf(error);
  for (const secret of [PASSWORD, encodeURIComponent(PASSWORD), ...more.filter((text) => text !== "")]) {
    assert.ok(!shown.includes(secret), `the password is shown: ${shown}`);
  }
}

/** Rows as an installation sends them. */
export function stored(rows: readonly UsageRow[], instance_id: string): StoredUsageRow[] {
  return rows.map((row) => ({ ...row, instance_id }));
}

/** Every row of a reader, in the order it gives them. */
export async function allRows(reader: UsageReader, sinceMs = 0): Promise<StoredUsageRow[]> {
  const rows: StoredUsageRow[] = [];
  for await (const page of reader.rows(sinceMs)) rows.push(...page);
  return rows;
}

/** Waits for something that is about to happen. */
export async function until(happened: () => boolean | Promise<boolean>): Promise<void> {
  while (!await happened()) await new Promise((resolve) => setTimeout(resolve, 2));
}
