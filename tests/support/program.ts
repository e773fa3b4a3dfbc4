/** Runs the program as a person does: as a process, in a folder of its own, under the sandbox of deno.json. */
import { projectPath, ROOT_FOLDER } from "./paths.ts";

export interface RunOptions {
  /** The folder to run in: its config/, data/ and .env count. */
  readonly folder: string;
  readonly env?: Readonly<Record<string, string>>;
  /** What the program reads from standard input; nothing by default. */
  readonly stdin?: string | Uint8Array;
  /** Leaves standard input open after that: `type` goes on with it. */
  readonly stdinStaysOpen?: true;
  /** Runs it on a terminal of its own, whose keyboard standard input is and whose screen standard output is. */
  readonly terminal?: true;
  /** Text for a shell on that terminal, after the command: `2>file`. */
  readonly redirect?: string;
  /** Stops reading standard output once it contains this text, as `head` does. */
  readonly closeStdoutAfter?: string;
  /** A file of this machine that takes standard output instead. */
  readonly stdoutFile?: string;
  /** Flags of `deno run` to use instead of the sandbox of deno.json. */
  readonly flags?: readonly string[];
  /** What to start instead of the program from source, the arguments behind it: traced, or built another way. */
  readonly command?: readonly string[];
}

export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly pid: number;
  /** What has been printed to standard output so far. */
  readonly printed: string;
  /** Resolves once standard output contains `text`. */
  waitFor(text: string): Promise<void>;
  /** What has been told on standard error so far. */
  readonly told: string;
  /** Resolves once standard error contains `text`. */
  waitUntilTold(text: string): Promise<void>;
  kill(signal: Deno.Signal): void;
  /** Writes to a standard input that was left open. */
  type(text: string): Promise<void>;
  /** Says that nothing more comes on it. */
  endInput(): Promise<void>;
  readonly finished: Promise<Finished>;
}

/** A folder with this models.json, removed again at the end of the test. */
export async function createFolder(models?: unknown): Promise<{ path: string } & AsyncDisposable> {
  const path = await Deno.makeTempDir({ prefix: "django-agent-" });
  if (models !== undefined) await writeModels(path, models);
  return { path, [Symbol.asyncDispose]: () => removeFolder(path) };
}

/** A program that has just been killed on a terminal may still be writing its last words. */
async function removeFolder(path: string): Promise<void> {
  for (let tries = 1;; tries++) {
    try {
      return await Deno.remove(path, { recursive: true });
    } catch (error) {
      if (tries === 20) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

/** Writes the models.json of a folder: text as it is, anything else as JSON. */
export async function writeModels(folder: string, models: unknown): Promise<void> {
  await Deno.mkdir(`${folder}/config`, { recursive: true });
  const text = typeof models === "string" ? models : JSON.stringify(models, null, 2);
  await Deno.writeTextFile(`${folder}/config/models.json`, text);
}

/** Runs the program to its end. */
export async function runProgram(args: readonly string[], options: RunOptions): Promise<Finished> {
  return await startProgram(args, options).finished;
}

export function startProgram(args: readonly string[], options: RunOptions): Running {
  const { folder, env = {}, stdin, closeStdoutAfter, stdinStaysOpen } = options;
  const [command = "", ...rest] = commandOf(args, options);
  const child = new Deno.Command(command, {
    args: rest,
    cwd: folder,
    clearEnv: true,
    env: { ...inherited(), DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1", ...env },
    stdin: stdin === undefined && !stdinStaysOpen ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const out = collect(child.stdout, closeStdoutAfter);
  const err = collect(child.stderr);
  const input = stdinStaysOpen ? child.stdin.getWriter() : undefined;
  const endInput = async () => await input?.close().catch(() => {}); // the program may have ended before
  const type = async (text: string) => await input?.write(new TextEncoder().encode(text));
  const finished = (async () => {
    if (stdin !== undefined) await (input ? type(String(stdin)) : feed(child.stdin, stdin));
    const [{ code }, stdout, stderr] = await Promise.all([child.status, out.whole, err.whole]);
    await endInput();
    return { code, stdout, stderr };
  })();
  return {
    pid: child.pid,
    get printed() {
      return out.text;
    },
    get told() {
      return err.text;
    },
    waitFor: (text) => out.waitFor(text, finished),
    waitUntilTold: (text) => err.waitFor(text, finished),
    kill: (signal) => child.kill(signal),
    type,
    endInput,
    finished,
  };
}

function commandOf(args: readonly string[], options: RunOptions): string[] {
  const { folder, flags, stdoutFile, terminal, redirect = "" } = options;
  const command = [...options.command ?? sourceCommand(folder, flags), ...args];
  if (stdoutFile !== undefined) return ["sh", "-c", `exec "$@" >'${stdoutFile}'`, "sh", ...command];
  if (!terminal) return command;
  const quoted = command.map((each) => `'${each.replaceAll("'", "'\\''")}'`).join(" ");
  return [
    "script",
    "-qec",
    `stty rows 24 cols 200; ${redirect.startsWith(";") ? "" : "exec "}${quoted} ${redirect}`,
    "/dev/null",
  ];
}

/** The words that start the program from source in `folder`, before its arguments. */
export function sourceCommand(folder: string, flags: readonly string[] = sandboxOf(folder)): string[] {
  return [Deno.execPath(), "run", "-q", "--cached-only", ...flags, projectPath("main.ts")];
}

interface Collected {
  readonly text: string;
  readonly whole: Promise<string>;
  /** Resolves once `text` has come, rejects when the program ends without it. */
  waitFor(text: string, finished: Promise<Finished>): Promise<void>;
}

/** Reads what a program writes, as it writes it; stops reading once it contains `last`. */
function collect(stream: ReadableStream<Uint8Array<ArrayBuffer>>, last?: string): Collected {
  let text = "";
  const waiting = new Set<() => void>();
  const whole = (async () => {
    for await (const piece of stream.pipeThrough(new TextDecoderStream())) {
      text += piece;
      for (const look of waiting) look();
      if (last !== undefined && text.includes(last)) break;
    }
    return text;
  })();
  return {
    get text() {
      return text;
    },
    whole,
    waitFor: (wanted, finished) =>
      new Promise((resolve, reject) => {
        const look = () => {
          if (!text.includes(wanted)) return;
          waiting.delete(look);
          resolve();
        };
        waiting.add(look);
        look();
        finished.then(({ stderr }) => reject(new Error(`It ended without writing "${wanted}": ${stderr}`)));
      }),
  };
}

/** The switches of the tasks in deno.json; the folder stands for the one the tasks run in. */
function sandboxOf(folder: string): string[] {
  return [
    "-P",
    "--no-prompt",
    "--deny-import",
    `--allow-read=${folder},${ROOT_FOLDER}`,
    `--allow-write=${folder}/config,${folder}/data,${folder}/.env`,
  ];
}

/** What Deno itself needs to find its cache; nothing else of this machine's environment reaches the program. */
function inherited(): Record<string, string> {
  const names = ["HOME", "DENO_DIR", "XDG_CACHE_HOME", "LOCALAPPDATA", "USERPROFILE", "PATH", "SystemRoot", "TMPDIR"];
  return Object.fromEntries(names.flatMap((name) => {
    const value = Deno.env.get(name);
    return value === undefined ? [] : [[name, value]];
  }));
}

async function feed(stream: WritableStream<Uint8Array>, input: string | Uint8Array): Promise<void> {
  const writer = stream.getWriter();
  try {
    await writer.write(typeof input === "string" ? new TextEncoder().encode(input) : input);
    await writer.close();
  } catch {
    await writer.abort().catch(() => {}); // the program ended without reading all of it
  }
}
