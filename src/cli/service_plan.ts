import { fileURLToPath } from "node:url";
import manifest from "../../deno.json" with { type: "json" };
import { AgentError, EXIT } from "../core/errors.ts";
import type { CommonOptions } from "./session.ts";

/** What shall run, for a system's own way of writing it down. */
export interface ServicePlan {
  /** The folder it runs in, as an absolute path. */
  readonly folder: string;
  /** The options of `serve`. */
  readonly options: readonly string[];
  readonly start: BinaryStart | SourceStart;
}

/** The program is its own executable. */
export interface BinaryStart {
  readonly kind: "binary";
  /** Its path. */
  readonly program: string;
}

/** Deno runs the program from its source. */
export interface SourceStart {
  readonly kind: "source";
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

/**
 * What starts this program as it runs now: neither npx nor a search path is needed for it.
 * @throws AgentError (exit 65) for a path or an option with a control character in it
 */
export function planService({ config, data, cloud, configNamed }: CommonOptions): ServicePlan {
  const folder = Deno.cwd();
  const program = Deno.execPath();
  const options = [
    ...(configNamed ? [`--config=${config}`] : []),
    ...(data === "./data" ? [] : [`--data=${data}`]),
    ...(cloud ? ["--cloud"] : []),
  ];
  const start = Deno.build.standalone
    ? { kind: "binary", program } as const
    : readStartTask(program, fileURLToPath(Deno.mainModule));
  const plan = { folder, options, start };
  const { args } = startCommandOf(plan);
  for (const text of [folder, program, ...args]) refuseUnspeakable(text);
  return plan;
}

/** The program by itself, without a shell and without `deno task`. */
export function startCommandOf({ start, options }: ServicePlan): StartCommand {
  const own = ["serve", ...options];
  if (start.kind === "binary") return { program: start.program, args: own, env: {} };
  return { program: start.deno, args: [...start.args, ...own], env: start.env };
}

/** What there is to say, line by line, about a service that starts the Deno at `path`; nothing as a rule. */
export function noteOnDeno(path: string): readonly string[] {
  if (!/[\\/]_npx[\\/]/.test(path)) return [];
  return [
    "note: this Deno lies in npx's cache, which npm may empty one day. For a service, install Deno for good, with",
    `      npm install -g deno@${Deno.version.deno}, and print this again with: deno task -q agent service`,
  ];
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
  return { kind: "source", deno, args: [...args, main], env: Object.fromEntries(env) };
}

/** Neither a line of a unit nor XML can hold them. */
function refuseUnspeakable(text: string): void {
  if (!/[\p{Cc}\uFFFE\uFFFF]/u.test(text)) return;
  throw new AgentError(`No service can be described for ${JSON.stringify(text)}: it holds a control character`, {
    exitCode: EXIT.data,
    remedy: "Give the folder or file another name.",
  });
}
