import { dirname } from "node:path";
import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import { AgentError, EXIT, type ExitCode } from "../core/errors.ts";
import { tryFileLock } from "../core/file_lock.ts";
import { type Migration, MIGRATIONS } from "./migrations.ts";

/**
 * Why the database cannot be used: another program holds it (`busy`), its content is broken (`damaged`), there is no
 * room (`full`), nothing may be written (`read_only`), a newer program made it (`newer`), it is somebody else's
 * (`foreign`), another program changed what was being worked on (`changed`), or anything else (`unusable`).
 */
export type StorageProblem = "busy" | "damaged" | "full" | "read_only" | "newer" | "foreign" | "changed" | "unusable";

/** A database that cannot be used; `problem` says why, the message says it to people. */
export class StorageError extends AgentError {
  override readonly name = "StorageError";

  constructor(readonly problem: StorageProblem, path: string, detail?: string, cause?: unknown) {
    const { message, remedy, exitCode } = EXPLANATIONS[problem];
    super(`Cannot use the database ${path}: ${detail ?? message}`, { exitCode, remedy, cause });
  }
}

interface Explanation {
  readonly message: string;
  readonly remedy: string;
  readonly exitCode: ExitCode;
}

const EXPLANATIONS: Readonly<Record<StorageProblem, Explanation>> = {
  busy: {
    message: "another program holds it",
    remedy: "Try again in a moment, or close that program.",
    exitCode: EXIT.tempfail,
  },
  damaged: {
    message: "it is damaged",
    remedy: "Move it away, or put a copy of it in its place; without one a new one is begun.",
    exitCode: EXIT.data,
  },
  full: { message: "the disk is full", remedy: "Make room on the disk it lies on.", exitCode: EXIT.unavailable },
  read_only: {
    message: "it cannot be written",
    remedy: "Check who owns it and its folder, and that the disk is not mounted read-only.",
    exitCode: EXIT.permission,
  },
  newer: {
    message: "a newer version of this program wrote it",
    remedy: "Update the program, or name another folder with --data.",
    exitCode: EXIT.config,
  },
  foreign: {
    message: "it belongs to another program",
    remedy: "Move that file away, or name another folder with --data.",
    exitCode: EXIT.config,
  },
  changed: {
    message: "another program has changed what was being worked on",
    remedy: "Run the same again.",
    exitCode: EXIT.tempfail,
  },
  unusable: {
    message: "it cannot be opened",
    remedy: "Check the file, its folder and the disk they lie on.",
    exitCode: EXIT.unavailable,
  },
};

export interface OpenDatabaseOptions {
  readonly path: string;
  /** How long a statement waits for another program, in milliseconds; it blocks everything meanwhile. */
  readonly busyTimeoutMs: number;
  /** Told the new name of a damaged file that was set aside. */
  readonly onSetAside: (aside: string) => void;
  /** Looks through the whole file whatever its size: it has shown damage before. */
  readonly suspect?: boolean;
  /** Default: the schema of the usage. */
  readonly migrations?: readonly Migration[];
  /** Says in the head of the file whose it is; default: the usage of this program, "djgo". */
  readonly applicationId?: number;
}

const USAGE_ID = 0x646a676f;
/** Files up to this size are looked through whenever they are opened, which takes about 1 ms a MiB. */
const CHECKED_BYTES = 16 * 1024 * 1024;

/**
 * Opens the database, creates it, or brings it to the schema of this program; before the first step of an upgrade a
 * copy is left beside it. A damaged file is set aside under a dated name and a new one begun. Never waits for another
 * process that is opening it.
 * @throws StorageError
 */
export function openDatabase(options: OpenDatabaseOptions): DatabaseSync {
  const { path, onSetAside } = options;
  return explaining(path, () => {
    Deno.mkdirSync(dirname(path), { recursive: true });
    const open = () => {
      try {
        return openLocked(options);
      } catch (error) {
        if (problemOf(error) !== "damaged") throw error;
        onSetAside(setAside(path));
        return openLocked(options);
      }
    };
    return tryFileLock(`${path}.lock`, open, () => {
      throw new StorageError("busy", path);
    });
  });
}

function openLocked(options: OpenDatabaseOptions): DatabaseSync {
  const { path, busyTimeoutMs: timeout } = options;
  const unfolded = sizeOf(`${path}-wal`) > 0;
  if (unfolded && sizeOf(path) === 0) throw new StorageError("damaged", path); // SQLite would delete the -wal
  // Closing a connection that may write folds the -wal in: nothing for a file that is damaged or somebody else's.
  const looked = unfolded && lookBeforeOpening(options);
  createPrivate(path);
  const db = new DatabaseSync(path, { timeout, enableForeignKeyConstraints: true });
  if (!looked) examine(db, options);
  try {
    migrate(db, options);
    queryValue(db, "PRAGMA journal_mode = WAL");
    queryValue(db, "PRAGMA synchronous = NORMAL");
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** False when the -wal has gone meanwhile: the last of those who had it open has closed it. */
function lookBeforeOpening(options: OpenDatabaseOptions): boolean {
  const { path, busyTimeoutMs: timeout } = options;
  try {
    examine(new DatabaseSync(path, { timeout, readOnly: true }), options).close();
    return true;
  } catch (error) {
    if (sizeOf(`${path}-wal`) > 0) throw error;
    return false;
  }
}

/** SQLite would let every user of the machine read it. Never opens a file that is there: closing it drops its locks. */
function createPrivate(path: string): void {
  try {
    Deno.openSync(path, { createNew: true, write: true, mode: 0o600 }).close();
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
  }
}

/** Gives `db` back when it is this program's, of a version it knows, and whole; closes it otherwise. Writes nothing. */
function examine(db: DatabaseSync, options: OpenDatabaseOptions): DatabaseSync {
  const { path, suspect, migrations = MIGRATIONS, applicationId = USAGE_ID } = options;
  try {
    const owner = queryValue(db, "PRAGMA application_id");
    const fresh = owner === 0 && queryValue(db, "SELECT count(*) FROM sqlite_schema") === 0;
    if (!fresh && owner !== applicationId) throw new StorageError("foreign", path);
    const version = Number(queryValue(db, "PRAGMA user_version"));
    if (version > migrations.length) {
      const known = `schema ${version}, this one knows ${migrations.length}`;
      throw new StorageError("newer", path, `a newer version of this program wrote it (${known})`);
    }
    const whole = suspect || version < migrations.length || sizeOf(path) <= CHECKED_BYTES;
    if (whole && queryValue(db, `PRAGMA ${suspect ? "integrity_check" : "quick_check"}(1)`) !== "ok") {
      throw new StorageError("damaged", path);
    }
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** Brings the file to the newest version. Nobody else can open it meanwhile, but may have it open already. */
function migrate(db: DatabaseSync, options: OpenDatabaseOptions): void {
  const { path, migrations = MIGRATIONS, applicationId = USAGE_ID } = options;
  const versionOf = () => Number(queryValue(db, "PRAGMA user_version"));
  const version = versionOf();
  if (version === migrations.length) return;
  let copy: string | undefined;
  if (version === 0) {
    queryValue(db, "PRAGMA auto_vacuum = INCREMENTAL"); // for ever: only an empty file can be told
    queryValue(db, `PRAGMA application_id = ${applicationId}`);
  } else {
    queryValue(db, "PRAGMA journal_mode = DELETE"); // refused while anybody else has it open; leaves everything in one file
    copy = copyBeside(path, `${path}.before-v${migrations.length}`);
  }
  try {
    for (const [index, step] of migrations.entries()) {
      if (index < version) continue;
      inTransaction(db, () => {
        step(db);
        queryValue(db, `PRAGMA user_version = ${index + 1}`);
      });
    }
  } catch (error) {
    if (copy !== undefined && versionOf() === version) Deno.removeSync(copy); // the file is still the same
    throw error;
  }
}

/** Copies the file under a name that is free; leaves no half of it. */
function copyBeside(path: string, name: string): string {
  const copy = freeName(name);
  try {
    Deno.copyFileSync(path, copy);
  } catch (error) {
    unlessMissing(() => Deno.removeSync(copy));
    throw error;
  }
  return copy;
}

/** Runs `action` in one transaction that takes effect as a whole or not at all. */
export function inTransaction<T>(db: DatabaseSync, action: () => T): T {
  queryValue(db, "BEGIN IMMEDIATE");
  try {
    const result = action();
    queryValue(db, "COMMIT");
    return result;
  } catch (error) {
    if (db.isTransaction) queryValue(db, "ROLLBACK"); // SQLite has done it by itself when the disk was full
    throw error;
  }
}

/**
 * The first value of the first row. Statements are prepared rather than executed as text, because only then do SQLite's
 * errors carry their code.
 */
export function queryValue(db: DatabaseSync, sql: string, ...values: SQLInputValue[]): unknown {
  const row = db.prepare(sql).get(...values);
  return row && Object.values(row)[0];
}

/** Runs `action` and turns whatever SQLite or the file system throws into a `StorageError`. */
export function explaining<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (error instanceof AgentError) throw error;
    if (error instanceof Deno.errors.NotCapable) throw outsideSandbox(path, error);
    throw new StorageError(problemOf(error), path, undefined, error);
  }
}

function problemOf(error: unknown): StorageProblem {
  if (error instanceof StorageError) return error.problem;
  switch (codeOf(error)) {
    case "EROFS":
    case "EACCES":
    case "EPERM":
      return "read_only";
    case "ENOSPC":
    case "EDQUOT":
      return "full";
  }
  // The one error of a migration that has to be told apart comes from `exec`, which gives no code.
  if (error instanceof Error && error.message === "database or disk is full") return "full";
  const code = resultCode(error);
  if (code === SHARED_MEMORY_TOO_SMALL) return "full";
  if (code === FOREIGN_KEY || code === UNIQUE) return "changed";
  switch (code & 0xff) { // without what extends it
    case 5: // SQLITE_BUSY
    case 6: // SQLITE_LOCKED
      return "busy";
    case 8: // SQLITE_READONLY
      return "read_only";
    case 11: // SQLITE_CORRUPT
    case 26: // SQLITE_NOTADB
      return "damaged";
    case 13: // SQLITE_FULL
      return "full";
    default:
      return "unusable";
  }
}

/** The operating system's code of a failed access to a file. */
function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}

/** SQLITE_IOERR_SHMSIZE: no room for the -shm beside the file. */
const SHARED_MEMORY_TOO_SMALL = 4874;

/** SQLITE_CONSTRAINT_FOREIGNKEY and _UNIQUE: a row that has just been looked at is gone, or is there. */
const FOREIGN_KEY = 787;
const UNIQUE = 2067;

/** SQLite's extended result code (sqlite.org/rescode.html); 0 when it is not SQLite's error. */
function resultCode(error: unknown): number {
  const code = error instanceof Error && "errcode" in error ? error.errcode : undefined;
  return typeof code === "number" ? code : 0;
}

function outsideSandbox(path: string, cause: Error): AgentError {
  return new AgentError(`Cannot use the database ${path}: the sandbox of this program does not allow it`, {
    exitCode: EXIT.permission,
    remedy: `Add "${dirname(path)}" to permissions.default.read and .write in deno.json, or use ./data.`,
    cause,
  });
}

/** Moves a database away with what belongs to it. */
function setAside(path: string): string {
  const aside = freeName(`${path}.damaged-${new Date().toISOString().replaceAll(":", "-")}`);
  for (const suffix of ["", "-wal", "-shm"]) {
    unlessMissing(() => Deno.renameSync(path + suffix, aside + suffix));
  }
  return aside;
}

/** `name`, or `name-2` and so on when that is taken. */
function freeName(name: string): string {
  for (let count = 1;; count++) {
    const candidate = count === 1 ? name : `${name}-${count}`;
    if (unlessMissing(() => Deno.lstatSync(candidate)) === undefined) return candidate;
  }
}

/** In bytes; 0 when there is no such file. */
function sizeOf(path: string): number {
  return unlessMissing(() => Deno.statSync(path).size) ?? 0;
}

/** What `action` gives; undefined when the file it is about is not there. */
function unlessMissing<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
