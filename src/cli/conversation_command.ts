import { printable } from "../core/format.ts";
import { COGNITIVE_MODES, type CognitiveMode } from "../core/types.ts";

/** What a line at the terminal asks for. */
export type LineCommand =
  | { readonly type: "say"; readonly message: string }
  | { readonly type: "mode"; readonly mode: CognitiveMode }
  | { readonly type: "reset" | "sources" | "quit" | "help" | "nothing" }
  | { readonly type: "unknown"; readonly problem: string };

/** What /help says. */
export const COMMAND_HELP =
  `/mode 1|2|3   1 everything, earlier talks and the web too; 2 what was taught, and the model; 3 memory alone
/sources      where the last answer comes from
/reset        begin the conversation anew
/quit         leave (so does Ctrl-D); Ctrl-C stops an answer
//…           say something that begins with a slash`;

const COMMANDS = { "/reset": "reset", "/sources": "sources", "/quit": "quit", "/help": "help" } as const;

/** Reads a line. Only a slash at its very beginning makes a command. */
export function parseLine(line: string): LineCommand {
  if (printable(line).trim() === "") return { type: "nothing" };
  if (line.startsWith("//")) return { type: "say", message: line.slice(1) };
  if (!line.startsWith("/")) return { type: "say", message: line };
  const [name = "", argument, ...more] = line.trim().toLowerCase().split(/\s+/);
  switch (name) {
    case "/mode": {
      const mode = more.length > 0 ? undefined : parseMode(argument ?? "");
      return mode === undefined
        ? { type: "unknown", problem: "Write /mode 1, /mode 2 or /mode 3." }
        : { type: "mode", mode };
    }
    case "/reset":
    case "/sources":
    case "/quit":
    case "/help":
      if (argument !== undefined) return { type: "unknown", problem: `${name} stands alone; // says it to the agent.` };
      return { type: COMMANDS[name] };
    default:
      return { type: "unknown", problem: `There is no ${name}; /help lists what there is.` };
  }
}

/** Undefined when there is no such mode. */
export function parseMode(text: string): CognitiveMode | undefined {
  return COGNITIVE_MODES.find((mode) => String(mode) === text);
}
