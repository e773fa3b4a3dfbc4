/** How long a turn is waited for at most, and how long between two looks, in milliseconds. */
const LONGEST_WAIT_MS = 1000;
const LOOK_MS = 5;

/**
 * Runs `action` while no other process does so under the same lock file; waits for its turn, a second at most: a
 * process that has been stopped while it had the lock must not stop this one.
 * @throws Error when the turn does not come
 */
export function withFileLock<T>(path: string, action: () => T): T {
  return runLocked(path, (file) => {
    const endMs = performance.now() + LONGEST_WAIT_MS;
    const nothing = new Int32Array(new SharedArrayBuffer(4));
    while (!file.tryLockSync(true)) {
      if (performance.now() >= endMs) throw new Error("another program does not let go of its lock");
      Atomics.wait(nothing, 0, 0, LOOK_MS); // sleeps
    }
    return action();
  });
}

/** Runs `action` under the lock file, or gives `busy()` when another process holds it: waits for nobody. */
export function tryFileLock<T>(path: string, action: () => T, busy: () => T): T {
  return runLocked(path, (file) => file.tryLockSync(true) ? action() : busy());
}

/** The operating system lets go of the lock when the file is closed, a crash included. */
function runLocked<T>(path: string, action: (file: Deno.FsFile) => T): T {
  requirePlainFile(path);
  // Not `using`: see src/README.md, decisions. The lock would stay for good.
  const file = Deno.openSync(path, { write: true, create: true, mode: 0o600 });
  try {
    return action(file);
  } finally {
    file.close();
  }
}

/**
 * Opening a pipe would wait for ever for its other end.
 * @throws TypeError when `path` is there and is not a plain file
 */
export function requirePlainFile(path: string): void {
  try {
    if (!Deno.statSync(path).isFile) throw new TypeError(`${path} is not a plain file`);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
