import { taskFlags } from "../support/task_flags.ts";

const FOLDER = new URL("../..", import.meta.url).pathname;
const PROGRAM = `${FOLDER}main.ts`;

export interface CommandOptions {
  /** A folder it may use besides its own. */
  readonly folder?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs the whole program as the tasks of deno.json do. */
export function programCommand(args: readonly string[], { folder, env = {} }: CommandOptions = {}): Deno.Command {
  const extra = folder === undefined ? [] : [`--allow-read=${FOLDER},${folder}`, `--allow-write=${folder}`];
  return new Deno.Command(Deno.execPath(), {
    args: [...taskFlags(), ...extra, PROGRAM, ...args],
    cwd: FOLDER,
    env: { DENO_NO_UPDATE_CHECK: "1", ...env },
    stdout: "null",
    stderr: "piped",
  });
}

/** Runs a script of this folder with the flags of the tasks, so that it differs from the program by its code alone. */
export function scriptCommand(name: string, args: readonly string[] = []): Deno.Command {
  return new Deno.Command(Deno.execPath(), {
    args: [...taskFlags(), new URL(name, import.meta.url).pathname, ...args],
    cwd: FOLDER,
    env: { DENO_NO_UPDATE_CHECK: "1" },
    stdout: "null",
    stderr: "piped",
  });
}
