import { fileURLToPath } from "node:url";
import manifest from "../../deno.json" with { type: "json" };
import { AgentError, EXIT } from "../core/errors.ts";
import type { CommonOptions } from "./session.ts";

/** What shall run, for a system's own way of writing it down. */
export interface ServicePlan {
  /** The folder it runs in, as an absolute path. */
  readonly folder: string;
  /** The program's own options and command. */
  readonly args: readonly string[];
  /** The binary; undefined when the program runs from source. */
  readonly binary: string | undefined;
  /** How the source is run; used when there is no binary. */
  readonly source: SourceStart;
}

export interface SourceStart {
  /** The path of Deno. */
  readonly deno: string;
  /** Deno's arguments up to the program's own: those of `deno task start`. */
  readonly args: readonly string[];
  /** What that task sets in the environment. */
  readonly env: Readonly<Record<string, string>>;
}

/** What is to be put into the unit of a system, and what a person does with it. */
export interface ServiceUnit {
  /** Where the unit belongs, for people. */
  readonly file: string;
  readonly unit: string;
  /** Command lines that install it, in order. */
  readonly commands: readonly string[];
}

/** A command line as a program and its arguments. */
export interface StartCommand {
  readonly program: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** What starts this program as it runs now: neither npx nor a search path is needed for it. */
export function planService({ config, data, cloud, configNamed }: CommonOptions): ServicePlan {
  const folder = Deno.cwd();
  const executable = Deno.execPath();
  const args = [
    "serve",
    ...(configNamed ? [`--config=${config}`] : []),
    ...(data === "./data" ? [] : [`--data=${data}`]),
    ...(cloud ? ["--cloud"] : []),
  ];
  const source = readStartTask(executable, fileURLToPath(Deno.mainModule));
  for (const text of [folder, executable, ...args, ...source.args]) refuseUnspeakable(text);
  return { folder, args, source, binary: Deno.build.standalone ? executable : undefined };
}

/** The program by itself, without a shell and without `deno task`. */
export function startCommandOf({ binary, source, args }: ServicePlan): StartCommand {
  if (binary !== undefined) return { program: binary, args, env: {} };
  return { program: source.deno, args: [...source.args, ...args], env: source.env };
}

/** `NAME=value … deno run … main.ts serve`, without the last word. */
function readStartTask(deno: string, main: string): SourceStart {
  const words = manifest.tasks.start.command.split(" ");
  const start = words.indexOf("deno");
  const env = words.slice(0, start).map((word): [string, string] => {
    const at = word.indexOf("=");
    return [word.slice(0, at), word.slice(at + 1)];
  });
  const args = words.slice(start + 1, words.indexOf("main.ts"));
  return { deno, args: [...args, main], env: Object.fromEntries(env) };
}

/** Neither a line of a unit nor XML can hold them. */
function refuseUnspeakable(text: string): void {
  if (!/[\p{Cc}\uFFFE\uFFFF]/u.test(text)) return;
  throw new AgentError(`No service can be described for ${JSON.stringify(text)}: it holds a control character`, {
    exitCode: EXIT.data,
    remedy: "Give the folder or file another name.",
  });
}
