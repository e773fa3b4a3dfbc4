import type { DiscordCommand } from "../config/discord_settings.ts";
import { plain } from "../core/language.ts";

/** A command as somebody typed it. */
export interface TypedCommand {
  readonly name: DiscordCommand;
  /** What follows the word; for `forget` nothing. */
  readonly rest: string;
}

/** What people type behind the `!`, in lower case and without accents. */
const WORDS: Readonly<Record<string, DiscordCommand>> = {
  full: "full",
  memory: "memory",
  memoria: "memory",
  reset: "reset",
  nueva: "reset",
  new: "reset",
  who: "who",
  quien: "who",
  help: "help",
  ayuda: "help",
  status: "status",
  estado: "status",
  forget: "forget",
  olvidame: "forget",
  mute: "mute",
  silencio: "mute",
};
/** Longer words are no command, and need not be looked at. */
const LONGEST_WORD = 12;

/**
 * Reads a message that begins with `!` and one of the words, in any case and with or without accents. `!forget` must be
 * followed by `me`: nothing is forgotten by accident. Undefined for everything else: other bots have commands, too.
 */
export function readCommand(content: string): TypedCommand | undefined {
  const [, word = "", rest = ""] = /^\s{0,8}!([\p{L}\p{M}]{1,24})(?:\s+([^]*))?$/u.exec(content) ?? [];
  const known = plain(word);
  const name = known.length <= LONGEST_WORD && Object.hasOwn(WORDS, known) ? WORDS[known] : undefined;
  if (name === undefined) return undefined;
  const text = rest.trim();
  if (name !== "forget") return { name, rest: text };
  return known === "olvidame" && text === "" || /^(me|mi)$/i.test(text) ? { name, rest: "" } : undefined;
}

/** What a message says to the agent: of `!full` and `!memory` only what stands behind the word. */
export function readQuestion(content: string): string {
  const command = readCommand(content);
  return command?.name === "full" || command?.name === "memory" ? command.rest : content;
}

/** Minutes of `!mute`: 30 unless said otherwise, a day at most; undefined for what is no number of minutes. */
export function readMinutes(rest: string): number | undefined {
  if (rest === "") return 30;
  const [, digits] = /^(\d{1,5})(?:\s{0,4}m(?:in\w{0,8})?)?$/i.exec(rest) ?? [];
  const minutes = Number(digits);
  return minutes >= 1 ? Math.min(minutes, 1440) : undefined;
}
