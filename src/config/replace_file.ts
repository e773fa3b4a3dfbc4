import { dirname, join } from "node:path";
import { describeAccess } from "./read_file.ts";

export interface ReplaceOptions {
  /** Asked at the last moment, when all is written: false gives up and leaves the file alone. */
  readonly isCurrent: () => Promise<boolean>;
  /** What to name when the sandbox refuses the access. */
  readonly sandboxPath: string;
}

/**
 * Replaces a file as a whole, so that a reader or a power cut finds either the old text or the new one: a temporary
 * file beside it is written, synced and renamed over it. Mode and owner of an existing file are kept. On any failure
 * the old file is untouched and no temporary file is left.
 * @param path the real file, not a link to it
 * @returns false when it was given up because `isCurrent` said no
 * @throws AgentError when it cannot be written
 */
export async function replaceFile(path: string, text: string, options: ReplaceOptions): Promise<boolean> {
  const folder = dirname(path);
  const temporary = join(folder, `.models.json.${crypto.randomUUID()}.tmp`);
  try {
    const old = await Deno.stat(path).catch(() => undefined);
    await writeSynced(temporary, text, old);
    if (!await options.isCurrent()) {
      await Deno.remove(temporary);
      return false;
    }
    await Deno.rename(temporary, path);
  } catch (error) {
    await Deno.remove(temporary).catch(() => {});
    throw describeAccess(error, "write", path, options.sandboxPath);
  }
  await syncFolder(folder);
  return true;
}

async function writeSynced(path: string, text: string, like: Deno.FileInfo | undefined): Promise<void> {
  using file = await Deno.open(path, { write: true, createNew: true });
  // The mode a file is opened with passes through the process's mask, so it is set afterwards. Windows has neither.
  if (typeof like?.mode === "number") await Deno.chmod(path, like.mode & 0o7777);
  // Only root can own a file it did not create; the original owner keeps it then.
  if (like && like.uid !== (await file.stat()).uid) await giveTo(path, like);
  const bytes = new TextEncoder().encode(text);
  for (let written = 0; written < bytes.length;) written += await file.write(bytes.subarray(written));
  await file.sync();
}

async function giveTo(path: string, { uid, gid }: Deno.FileInfo): Promise<void> {
  await Deno.chown(path, uid, gid).catch(() => {});
}

/** Makes the rename itself survive a power cut. Best effort: some systems cannot open a folder. */
async function syncFolder(folder: string): Promise<void> {
  try {
    const handle = await Deno.open(folder); // not `using`: see src/README.md, decisions
    await handle.sync().finally(() => handle.close());
  } catch {
    // The new text is in place either way.
  }
}
