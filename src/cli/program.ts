import { exemptFromProxies, readTelemetry } from "../config/env.ts";
import { AgentError, describeFault, EXIT, type ExitCode, NoAnswerError } from "../core/errors.ts";
import { howToRebuild } from "../core/sandbox.ts";
import { sealProcess } from "../privacy/egress.ts";
import { printable } from "../core/format.ts";
import type { Composition } from "./agent.ts";
import { commonOptionsOf, type Group, isGroup, type Target } from "./command.ts";
import { type CommandLine, firstWord, readCommandLine } from "./command_line.ts";
import { ReaderGoneError, tell, writeJson, writeOut } from "./output.ts";
import { VERSION } from "./version.ts";
import { ResultError } from "./result_error.ts";
import { type CommonOptions, Session } from "./session.ts";

/** Every command, in the order of `--help`. Only the one that is run is loaded: a short command starts fast. */
const COMMANDS: Readonly<Record<string, () => Promise<Target>>> = {
  serve: async () => (await import("./serve.ts")).serve,
  ask: async () => (await import("./ask.ts")).ask,
  chat: async () => (await import("./chat.ts")).chat,
  bot: async () => (await import("./bot.ts")).bot,
  post: async () => (await import("./post.ts")).post,
  learn: async () => (await import("./learn.ts")).learn,
  memory: async () => (await import("./memory.ts")).memory,
  models: async () => (await import("./models.ts")).models,
  usage: async () => (await import("./usage.ts")).usage,
  doctor: async () => (await import("./doctor.ts")).doctor,
  privacy: async () => (await import("./privacy.ts")).privacy,
  service: async () => (await import("./service.ts")).service,
  init: async () => (await import("./init.ts")).init,
};
/** Commands that may talk to Discord. `serve` and `doctor` give that up, too, when there is no bot. */
const ON_DISCORD: ReadonlySet<string> = new Set(["post", "bot", "serve", "doctor"]);
/** What the program does without a command. */
const DEFAULT_COMMAND = "serve";

/**
 * Runs the program once.
 * @returns the exit code; every error has been told by then.
 */
export async function runProgram(args: readonly string[], composition: Composition): Promise<ExitCode> {
  const word = firstWord(args);
  // Known before the command line is understood. A payload is what `post` calls --json.
  const json = args.includes(word === "post" ? "--json-output" : "--json");
  try {
    await carryOut(readCommandLine(args, await loadCommands(word)), composition);
    return EXIT.ok;
  } catch (error) {
    return report(error, json);
  }
}

async function carryOut({ target, path, wanted, values, args }: CommandLine, composition: Composition): Promise<void> {
  if (wanted === "version") return writeOut(`${VERSION}\n`);
  if (wanted === "help" || isGroup(target)) return writeOut((await import("./help.ts")).formatHelp(path, target));
  await target.run(await beginSession(path[0], composition, commonOptionsOf(values)), values, args);
}

/** The command of this name; all of them when there is none, for the help and for what was meant. */
async function loadCommands(word: string | undefined): Promise<Group> {
  const name = word ?? DEFAULT_COMMAND;
  const isVersion = name === "--version" || name === "-V";
  const loaded = Object.entries(COMMANDS).filter(([each]) =>
    Object.hasOwn(COMMANDS, name) ? each === name : !isVersion
  );
  const commands = Object.fromEntries(
    await Promise.all(loaded.map(async ([each, load]): Promise<[string, Target]> => [each, await load()])),
  );
  const alone = word === undefined ? commands[DEFAULT_COMMAND] : undefined;
  return {
    brief: "A private agent on your own machine: one router in front of Ollama, with Groq and Gemini opt-in.",
    commands,
    ...(alone && !isGroup(alone) && { alone }),
    examples: ['django-agent ask "Hola, ¿quién eres?"'],
  };
}

async function beginSession(
  command: string | undefined,
  composition: Composition,
  options: CommonOptions,
): Promise<Session> {
  const seal = await sealProcess({
    cloud: options.cloud,
    discord: ON_DISCORD.has(command ?? DEFAULT_COMMAND),
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
      remedy: "Add what is named to permissions.default in deno.json, " +
        (Deno.build.standalone ? `and ${howToRebuild()}.` : "or start with the flag it names."),
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
