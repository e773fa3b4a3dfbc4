/** The program serving, as a process. */
import type { Running, RunOptions } from "../support/program.ts";
import type { World } from "./setup.ts";

export const SERVE = ["serve", "--port", "0"];

export interface Served extends AsyncDisposable {
  readonly program: Running;
  /** Where it listens. */
  readonly origin: string;
  get(path: string, headers?: Record<string, string>): Promise<Response>;
  /** Sends JSON and reads it. */
  post(path: string, body: object): Promise<Record<string, unknown>>;
  chat(): Promise<Response>;
}

/** Starts the program and waits until it serves; it is ended for good with the test. */
export async function serve(
  world: Pick<World, "start">,
  args: readonly string[] = SERVE,
  options: Partial<RunOptions> = {},
): Promise<Served> {
  const program = world.start(args, options);
  await program.waitUntilTold("bot ");
  const [, origin = ""] = / at (http:\/\/\S+?)(,|\n)/.exec(program.told) ?? [];
  return {
    program,
    origin,
    get: (path, headers = {}) => fetch(origin + path, { headers }),
    post: async (path, body) => {
      const headers = { "content-type": "application/json" };
      const response = await fetch(origin + path, { method: "POST", headers, body: JSON.stringify(body) });
      return await response.json();
    },
    chat: () =>
      fetch(`${origin}/v1/chat/completions`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ model: "auto", messages: [{ role: "user", content: "Hola" }] }),
      }),
    async [Symbol.asyncDispose]() {
      try {
        program.kill("SIGKILL");
      } catch {
        // It has ended by itself.
      }
      await program.finished;
    },
  };
}
