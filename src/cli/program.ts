import { Command, CommanderError, InvalidArgumentError } from "commander";
import { exemptFromProxies, readTelemetry } from "../config/env.ts";
import { AgentError, describeFault, EXIT, type ExitCode, NoAnswerError } from "../core/errors.ts";
import { sealProcess } from "../privacy/egress.ts";
import { printable } from "../core/format.ts";
import type { Composition } from "./agent.ts";
import { ReaderGoneError, tell, writeJson, writeOut } from "./output.ts";
import { VERSION } from "./version.ts";
import { ResultError } from "./result_error.ts";
import { type AddCommand, type CommonOptions, Session } from "./session.ts";

/** Every command, in the order of `--help`. Only the one that is run is loaded: a short command starts fast. */
const COMMANDS: Readonly<Record<string, () => Promise<AddCommand>>> = {
  serve: async () => (await import("./serve.ts")).addServe,
  ask: async () => (await import("./ask.ts")).addAsk,
  chat: async () => (await import("./chat.ts")).addChat,
  post: async () => (await import("./post.ts")).addPost,
  learn: async () => (await import("./learn.ts")).addLearn,
  memory: async () => (await import("./memory.ts")).addMemory,
  models: async () => (await import("./models.ts")).addModels,
  usage: async () => (await import("./usage.ts")).addUsage,
  doctor: async () => (await import("./doctor.ts")).addDoctor,
  privacy: async () => (await import("./privacy.ts")).addPrivacy,
  init: async () => (await import("./init.ts")).addInit,
};

/**
 * Runs the program once.
 * @returns the exit code; every error has been told by then.
 */
export async function runProgram(args: readonly string[], composition: Composition): Promise<ExitCode> {
  let session: Session | undefined;
  const name = firstArgument(args) ?? "serve";
  // Also when the arguments cannot be understood. A payload is what `post` calls --json.
  let json = args.includes(name === "post" ? "--json-output" : "--json");
  const program = createProgram();
  const current = () => {
    if (!session) throw new Error("A command began before its session");
    return session;
  };
  for (const add of await loadCommands(name)) add(program, current);
  program.hook("preAction", async (_, command) => {
    json = command.opts().json === true || command.opts().jsonOutput === true;
    const configNamed = program.getOptionValueSource("config") === "cli";
    session = await beginSession(command.name(), composition, {
      ...command.optsWithGlobals<CommonOptions>(),
      configNamed,
    });
  });
  try {
    await program.parseAsync(firstArgument(args) === undefined ? [...args, name] : [...args], { from: "user" });
    return EXIT.ok;
  } catch (error) {
    return report(error, json);
  }
}

/** Options of the program that stand alone or with a value; with nothing but these it serves. */
const ALONE = new Set(["--cloud", "--no-sandbox"]);
const WITH_VALUE = new Set(["--config", "--data"]);

/** The name of a command, or whatever else stands in its place; undefined when nothing does. */
function firstArgument(args: readonly string[]): string | undefined {
  for (let index = 0; index < args.length; index++) {
    const arg = args[index] ?? "";
    if (WITH_VALUE.has(arg)) index++;
    else if (!ALONE.has(arg) && !/^--(config|data)=/.test(arg)) return arg;
  }
  return undefined;
}

/** The command of this name; all of them when there is none, for the help and for what was meant. */
async function loadCommands(name: string): Promise<AddCommand[]> {
  const load = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (load) return [await load()];
  return name === "--version" || name === "-V" ? [] : await Promise.all(Object.values(COMMANDS).map((each) => each()));
}

function createProgram(): Command {
  return new Command("django-agent")
    .description("A private agent on your own machine: one router in front of Ollama, with Groq and Gemini opt-in.")
    .version(VERSION)
    .option("--config <dir>", "folder of models.json", parseFolder, "./config")
    .option("--data <dir>", "folder for what the program writes", parseFolder, "./data")
    .option("--cloud", "let this run reach the cloud providers of its profile", false)
    .option("--no-sandbox", "go on although Deno's sandbox is off; nothing is sealed then")
    .configureHelp({ showGlobalOptions: true, helpWidth: 100 })
    .showHelpAfterError("(add --help for the options and an example)")
    .exitOverride()
    .configureOutput({ writeOut, writeErr: (text) => tell(printable(text.trimEnd())) })
    .addHelpText("after", HELP_END);
}

const HELP_END = `
Example:
  django-agent ask "Hola, ¿quién eres?"

Exit codes: 0 done · 1 internal error · 64 wrong usage · 65 refused as bad data · 69 nothing could answer ·
73 partly sent · 75 try later · 77 a permission or credential is missing · 78 configuration is wrong · 130 stopped (Ctrl-C)`;

function parseFolder(text: string): string {
  if (text.trim() === "") throw new InvalidArgumentError("It must name a folder.");
  return text;
}

async function beginSession(command: string, composition: Composition, options: CommonOptions): Promise<Session> {
  const seal = await sealProcess({
    cloud: options.cloud,
    discord: command === "post",
    noSandbox: !options.sandbox,
    telemetry: readTelemetry(),
    loopbackIsDirect: exemptFromProxies(),
  });
  if (!seal.sandboxed) tell("warning: not sealed: the sandbox is off (--no-sandbox), nothing is enforced");
  return new Session(composition, seal, options);
}

/** The one place that turns errors into words and an exit code. */
function report(error: unknown, json: boolean): ExitCode {
  if (error instanceof ReaderGoneError) return EXIT.ok;
  if (error instanceof CommanderError) {
    if (json && error.exitCode !== 0) {
      writeErrorDocument({ message: error.message.replace(/^error: /, ""), exit_code: EXIT.usage });
    }
    return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  }
  const known = error instanceof AgentError ? error : describeUnexpected(error);
  tell(printable(`error: ${known.message}`));
  if (known.remedy) tell(printable(`→ ${known.remedy}`));
  if (json && !(error instanceof ResultError)) writeErrorDocument(errorDocument(known));
  return known.exitCode;
}

function writeErrorDocument(error: Record<string, unknown>): void {
  try {
    writeJson({ error });
  } catch {
    // It has been told on standard error; standard output may be what failed.
  }
}

function describeUnexpected(error: unknown): AgentError {
  if (error instanceof Deno.errors.NotCapable) {
    return new AgentError(`The sandbox does not allow this: ${error.message}`, {
      exitCode: EXIT.permission,
      remedy: 'Add what is named to "permissions" in deno.json, or start with the flag it names.',
    });
  }
  return new AgentError(`Internal error: ${describeFault(error)}`, {
    exitCode: EXIT.internal,
    remedy: "This is a fault of the program; please report it with the command you ran.",
  });
}

function errorDocument(error: AgentError): Record<string, unknown> {
  return {
    message: error.message,
    exit_code: error.exitCode,
    remedy: error.remedy ?? null,
    ...(error instanceof NoAnswerError && { kind: error.kind, attempts: error.attempts }),
  };
}
