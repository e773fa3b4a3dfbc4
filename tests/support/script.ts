/** Runs a script of the tests as a process of its own, on a file system of its own if need be. */
import assert from "node:assert/strict";
import { projectPath } from "./paths.ts";

export interface Script extends AsyncDisposable {
  /** The next line it prints. */
  line(): Promise<string>;
  /** Gives it a line on its standard input. */
  tell(text: string): Promise<void>;
  kill(signal: Deno.Signal): void;
  /** Waits for its end; the test fails when it failed. What it printed and nobody read yet. */
  end(): Promise<string>;
}

export interface ScriptOptions {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Flags of `deno run`; everything is allowed unless told otherwise. */
  readonly flags?: readonly string[];
  /** Words before the command, such as those that give it a network of its own. */
  readonly before?: readonly string[];
  /** Mounts a file system in memory on this folder, for this process alone; `mount` options such as `size=64k`. */
  readonly tmpfs?: { readonly folder: string; readonly options: string };
}

/** Starts `tests/<path>`. */
export function startScript(
  path: string,
  { args = [], env = {}, flags = ["-A"], before = [], tmpfs }: ScriptOptions = {},
): Script {
  const deno = [Deno.execPath(), "run", "-q", "--no-check", "--cached-only", "--no-prompt", ...flags];
  const [command = "", ...rest] = [
    ...before,
    ...(tmpfs ? inNamespace(tmpfs.folder, tmpfs.options) : []),
    ...[...deno, projectPath(`tests/${path}`), ...args],
  ];
  const child = new Deno.Command(command, {
    args: rest,
    env: { DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1", ...env },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const stdin = child.stdin.getWriter();
  const stderr = new Response(child.stderr).text();
  const output = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let unread = "";
  const end = async () => {
    await stdin.close().catch(() => {}); // it may have ended already
    for (let part = await output.read(); !part.done; part = await output.read()) unread += part.value;
    const { code, signal } = await child.status;
    return { code, signal, printed: unread, complaints: await stderr };
  };
  let ended: ReturnType<typeof end> | undefined;
  return {
    async line() {
      while (!unread.includes("\n")) {
        const { done, value } = await output.read();
        if (done) assert.fail(`${path} ended without another line: ${await stderr}`);
        unread += value;
      }
      const at = unread.indexOf("\n");
      const line = unread.slice(0, at);
      unread = unread.slice(at + 1);
      return line;
    },
    tell: (text) => stdin.write(new TextEncoder().encode(`${text}\n`)),
    kill: (signal) => child.kill(signal),
    async end() {
      const { code, signal, printed, complaints } = await (ended ??= end());
      assert.ok(code === 0 || signal !== null, `${path} failed with ${code}: ${complaints}`);
      return printed;
    },
    async [Symbol.asyncDispose]() {
      if (ended) return void await ended;
      try {
        child.kill("SIGKILL");
      } catch {
        // It has ended by itself.
      }
      await (ended = end());
    },
  };
}

/** A script that is a small server. */
export interface ScriptServer extends AsyncDisposable {
  /** `http://127.0.0.1:port` */
  readonly origin: string;
}

/** Starts `tests/<path>`, which prints its port first. */
export async function startScriptServer(path: string, ...args: readonly string[]): Promise<ScriptServer> {
  const script = startScript(path, { args });
  return {
    origin: `http://127.0.0.1:${await script.line()}`,
    [Symbol.asyncDispose]: () => script[Symbol.asyncDispose](),
  };
}

/** Words before a command: it becomes root of a namespace of its own, where mounting needs nobody's leave. */
export function inNamespace(folder: string, options: string): string[] {
  return ["unshare", "-rm", "sh", "-c", `mount -t tmpfs -o ${options} tmpfs "$0" && exec "$@"`, folder];
}
