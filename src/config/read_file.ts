import { AgentError, ConfigError, EXIT } from "../core/errors.ts";

const MAX_BYTES = 1024 * 1024;

/**
 * The text of a small UTF-8 file, a byte order mark included; undefined when there is no such file or folder.
 * @param sandboxPath what to name when the sandbox refuses the access: the file itself or its folder
 * @throws ConfigError when it is a folder, unreadable, over 1 MiB, or not UTF-8.
 * @throws AgentError (exit 77) when the sandbox does not allow the access.
 */
export function readSmallFile(path: string, sandboxPath = path): Promise<string | undefined> {
  return new Promise((resolve) => resolve(readNow(path, sandboxPath)));
}

/** At once: the file is small, and the first asynchronous access takes 4 ms of a start. */
function readNow(path: string, sandboxPath: string): string | undefined {
  try {
    // Looked at before it is opened: a huge file must not get into memory, and a named pipe would block for ever.
    const info = Deno.statSync(path);
    if (info.isDirectory) throw unusable(path, "It is a folder", "Put a file in its place.");
    if (!info.isFile) throw unusable(path, "It is not a regular file", "Put a plain text file in its place.");
    if (info.size > MAX_BYTES) {
      const size = `${(info.size / MAX_BYTES).toFixed(1)} MiB`;
      throw unusable(
        path,
        `It has ${size}; 1 MiB is the most that is read`,
        "This is hardly the right file: shorten it.",
      );
    }
    return decode(path, Deno.readFileSync(path));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return absent(path);
    throw describeAccess(error, "read", path, sandboxPath);
  }
}

/**
 * Turns a failed access to a file into an error with its remedy.
 * @param sandboxPath what would have to be allowed when the sandbox refused: the file itself or its folder
 */
export function describeAccess(
  error: unknown,
  access: "read" | "write",
  path: string,
  sandboxPath = path,
): AgentError {
  if (error instanceof AgentError) return error;
  const name = error instanceof Error ? error.name : "an unknown reason";
  if (error instanceof Deno.errors.NotCapable) return outsideSandbox(access, path, sandboxPath, error);
  if (access === "write") return describeWrite(name, path, error);
  if (error instanceof Deno.errors.PermissionDenied) {
    return unusable(path, "Its permissions do not let you read it", `Try: chmod u+r "${path}"`, error);
  }
  if (error instanceof Deno.errors.NotADirectory) {
    return unusable(path, "A part of its path is a file and not a folder", "Give the path of a folder.", error);
  }
  return unusable(path, `It cannot be read (${name})`, "Check the file and the disk it lies on.", error);
}

function outsideSandbox(access: "read" | "write", path: string, sandboxPath: string, cause: Error): AgentError {
  const wanted = sandboxPath.replace(/^(\.[\\/])+/, "");
  const usual = access === "read" ? "./" : "./config,./data,./.env";
  return new AgentError(`Cannot ${access} ${path}: the sandbox of this program does not allow it`, {
    exitCode: EXIT.permission,
    remedy: `Add "${wanted}" to permissions.default.${access} in deno.json, or start with ` +
      `--allow-${access}="${usual},${wanted}" (a binary needs it when it is compiled).`,
    cause,
  });
}

function describeWrite(name: string, path: string, cause: unknown): AgentError {
  const { AlreadyExists, NotADirectory } = Deno.errors;
  if (cause instanceof AlreadyExists || cause instanceof NotADirectory || cause instanceof TypeError) {
    return new AgentError(`Cannot write ${path}: it, or a part of its path, is not what it should be`, {
      exitCode: EXIT.config,
      remedy: "Give a folder where a folder is wanted, and move away what stands in the place of the file.",
      cause,
    });
  }
  const readOnly = cause instanceof Deno.errors.PermissionDenied || /read-only|ReadOnly/i.test(`${name} ${cause}`);
  return new AgentError(`Cannot write ${path}: ${readOnly ? "it is read-only for you" : name}`, {
    exitCode: readOnly ? EXIT.permission : EXIT.unavailable,
    remedy: readOnly
      ? `Check who owns the file and its folder, and that the disk is not mounted read-only: ls -ld "${path}"`
      : "Check the free space and the state of the disk it lies on.",
    cause,
  });
}

function absent(path: string): undefined {
  try {
    Deno.lstatSync(path);
  } catch {
    return undefined;
  }
  throw unusable(path, "It is a link to a file that does not exist", "Restore that file, or remove the link.");
}

function decode(path: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw unusable(path, "It is not UTF-8 text", "Save it as UTF-8 in your editor.", cause);
  }
}

function unusable(path: string, message: string, remedy: string, cause?: unknown): ConfigError {
  const error = new ConfigError(path, [{ path: "", message, remedy }]);
  if (cause !== undefined) error.cause = cause;
  return error;
}
