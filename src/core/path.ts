/**
 * The two ends of a path. `node:path` has them too, but the first module of Node's that is loaded takes some 17 ms of a
 * start (Deno 2.9.6), which a short command notices.
 */
const SEPARATOR = Deno.build.os === "windows" ? /[\\/]/ : /\//;

/** The name of a file without the folders it is in. */
export function fileNameOf(path: string): string {
  return path.split(SEPARATOR).findLast((part) => part !== "") ?? "";
}

/** The folder a file is in, as far as the path names it; `.` when it does not. */
export function folderOf(path: string): string {
  const name = fileNameOf(path);
  const folder = path.slice(0, path.lastIndexOf(name)).slice(0, -1);
  return folder === "" ? (SEPARATOR.test(path.charAt(0)) ? path.charAt(0) : ".") : folder;
}
