import project from "../../deno.json" with { type: "json" };

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

/** What stands between `deno` and `main.ts` in the task. */
export function taskFlags(): string[] {
  const words = project.tasks.agent.command.split(" ");
  return words.slice(words.indexOf("deno") + 1, words.indexOf("main.ts"));
}

/** A configuration for the fast fake, with as many models as are wanted, that many calls may ask at once. */
export function configFor(origin: string, models = 1): object {
  const others = Array.from({ length: models - 1 }, (_, at) => [`model-${at}`, { context: 8192, vision: at % 2 > 0 }]);
  return {
    profile: "local",
    providers: {
      ollama: {
        type: "ollama",
        base_url: origin,
        max_concurrent: 256,
        models: { bench: { context: 131_072 }, ...Object.fromEntries(others) },
      },
    },
    fallback_chain: ["ollama/bench"],
    profiles: { local: { local_only: true } },
  };
}
