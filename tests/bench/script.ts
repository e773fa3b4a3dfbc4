/** A small server of the benchmark in a process of its own. */
export interface ScriptServer extends AsyncDisposable {
  /** `http://127.0.0.1:port` */
  readonly origin: string;
}

/** Starts a script of this folder, which prints its port first. */
export async function startScript(name: string, ...args: readonly string[]): Promise<ScriptServer> {
  const script = new URL(name, import.meta.url).pathname;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-q", "-A", "--cached-only", script, ...args],
    stdout: "piped",
  }).spawn();
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const { value: port } = await lines.read();
  return {
    origin: `http://127.0.0.1:${port?.trim()}`,
    async [Symbol.asyncDispose]() {
      child.kill();
      await child.status;
      await lines.cancel();
    },
  };
}
