import { AgentError, EXIT } from "../core/errors.ts";
import type { UsageBook } from "../storage/usage.ts";
import { failWith, type Finding, ok, warn } from "./doctor_finding.ts";
import type { Session } from "./session.ts";

/** What `doctor` finds where usage is kept: this installation's own table, and the one it shares. */
export async function* checkUsage(session: Session): AsyncGenerator<Finding> {
  await using opened = await session.openUsage();
  const { book } = opened;
  yield await exists(book.path)
    ? await checkLocal(book)
    : ok("usage database", `${book.path} comes with the first call`);
  const { origin, problem } = book.sharing;
  if (origin !== null || problem !== null) yield await checkShared(book);
}

/** Only what is there is looked at: a check leaves nothing behind. */
async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

async function checkLocal(book: UsageBook): Promise<Finding> {
  const name = "usage database";
  try {
    const table = await book.openLocal();
    table.check();
    return ok(name, `${book.path} is sound and holds ${table.count.toLocaleString("en")} rows`);
  } catch (error) {
    if (error instanceof AgentError) return failWith(name, error);
    throw error;
  }
}

async function checkShared(book: UsageBook): Promise<Finding> {
  const name = "shared usage";
  try {
    const { storeId } = await book.openShared();
    const unshared = await exists(book.path) ? (await book.openLocal()).countUnshared(storeId) : 0;
    const waiting = unshared === 0
      ? "everything has been sent"
      : `${unshared.toLocaleString("en")} rows wait to be sent`;
    return ok(name, `${book.sharing.origin} can be used; ${waiting}`);
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    // A server that is away costs nothing: rows wait for it.
    if (error.exitCode !== EXIT.unavailable) return failWith(name, error);
    return warn(name, error.message, error.remedy ?? "Check that it runs.");
  }
}
