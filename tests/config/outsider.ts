/** Calls a function of the configuration room in a process that file permissions hold for, root or not. */
import { loadConfig } from "../../src/config/load.ts";
import { setProfile } from "../../src/config/edit.ts";
import { AgentError, ConfigError, type ConfigProblem } from "../../src/core/errors.ts";

/** What the call threw, as far as a test wants to know; null when it threw nothing. */
export interface Outcome {
  readonly exitCode: number;
  readonly remedy: string | null;
  readonly problems: readonly ConfigProblem[];
}

const ROOT_ONLY_RIGHTS = "-dac_override,-dac_read_search";

/** `loadConfig` or `setProfile` of the folder `dir`, run where permission bits count. */
export async function callAsOutsider(what: "load" | "edit", dir: string): Promise<Outcome | null> {
  const deno = [Deno.execPath(), "run", "-q", "-A", "--cached-only", import.meta.url, what, dir];
  // Root may read and write everything, unless it gives up exactly that.
  const drop = ["setpriv", `--bounding-set=${ROOT_ONLY_RIGHTS}`, `--inh-caps=${ROOT_ONLY_RIGHTS}`];
  const [command = "", ...args] = Deno.uid() === 0 ? [...drop, ...deno] : deno;
  const { stdout, stderr } = await new Deno.Command(command, { args, env: { DENO_NO_UPDATE_CHECK: "1" } }).output();
  if (stdout.length === 0) throw new Error(new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}

async function report(what: string | undefined, dir = ""): Promise<Outcome | null> {
  try {
    await (what === "load" ? loadConfig({ dir }) : setProfile(dir, "mixed"));
    return null;
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    const problems = error instanceof ConfigError ? error.problems : [];
    return { exitCode: error.exitCode, remedy: error.remedy ?? null, problems };
  }
}

if (import.meta.main) console.log(JSON.stringify(await report(...(Deno.args as [string, string]))));
