import { join } from "node:path";
import { describeAccess } from "../config/read_file.ts";
import { AgentError, EXIT } from "../core/errors.ts";
import { requirePlainFile } from "../core/file_lock.ts";

/**
 * Claims a data folder for this process: writes its number into `django-agent.pid` and holds the operating system's
 * lock on that file until it is disposed of, which removes it. A crash leaves the file but never the lock.
 * @throws AgentError (exit 69) naming the process that has the folder; AgentError when the file cannot be written
 */
export function claimDataFolder(dataDir: string): Disposable {
  const path = join(dataDir, "django-agent.pid");
  const file = openLocked(path, dataDir);
  file.truncateSync(0);
  file.writeSync(new TextEncoder().encode(`${Deno.pid}\n`));
  return {
    [Symbol.dispose]() {
      try {
        if (isStillThere(file, path)) Deno.removeSync(path); // or it would be another process's
      } catch {
        // Somebody has removed it already.
      }
      file.close();
    },
  };
}

function openLocked(path: string, dataDir: string): Deno.FsFile {
  for (;;) {
    const file = open(path, dataDir);
    try {
      if (!file.tryLockSync(true)) throw alreadyRunning(path, dataDir);
      if (isStillThere(file, path)) return file;
    } catch (error) {
      file.close();
      throw error;
    }
    file.close(); // its owner has just ended and removed it: the next one is a new file
  }
}

function open(path: string, dataDir: string): Deno.FsFile {
  try {
    Deno.mkdirSync(dataDir, { recursive: true });
    requirePlainFile(path);
    return Deno.openSync(path, { read: true, write: true, create: true, mode: 0o600 });
  } catch (error) {
    throw describeAccess(error, "write", path, dataDir);
  }
}

/** Where files have no inode numbers, the path alone tells. */
function isStillThere(file: Deno.FsFile, path: string): boolean {
  try {
    return file.statSync().ino === Deno.statSync(path).ino;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

function alreadyRunning(path: string, dataDir: string): AgentError {
  const [, pid] = /^(\d{1,10})\s*$/.exec(readIfPossible(path)) ?? [];
  return new AgentError(`${pid === undefined ? "Another process" : `Process ${pid}`} already serves from ${dataDir}`, {
    exitCode: EXIT.unavailable,
    remedy: "Stop it first, or give this one a folder of its own with --data.",
  });
}

/** Its owner may just be removing it, and some systems let nobody read a locked file. */
function readIfPossible(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}
