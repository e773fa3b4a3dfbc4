import { fileURLToPath } from "node:url";

const ROOT = new URL("../../", import.meta.url);

/** The folder of the project. */
export const ROOT_FOLDER = fileURLToPath(ROOT);

/** A file of the project as a path of this machine. */
export function projectPath(relative: string): string {
  return fileURLToPath(new URL(relative, ROOT));
}
