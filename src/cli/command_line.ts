import { didYouMean } from "../config/words.ts";
import {
  type Command,
  COMMON,
  type Group,
  isGroup,
  type Option,
  type Options,
  type Target,
  type Values,
} from "./command.ts";
import { usageError } from "./usage_error.ts";

/** What is to be done, and by which of the commands. */
export interface CommandLine {
  /** The names that lead to the target: `["models", "test"]`. */
  readonly path: readonly string[];
  readonly target: Target;
  readonly wanted: "help" | "version" | "run";
  readonly values: Values;
  readonly args: readonly string[];
}

/**
 * The first word of a command line behind the options that only set something: the name of a command, a wish for help
 * or version, or whatever else stands in its place; undefined when nothing does. Needs no command to be loaded.
 */
export function firstWord(args: readonly string[]): string | undefined {
  const words = new Words(args);
  const { help: _1, version: _2, ...settings } = COMMON;
  words.takeOptions(settings);
  return words.next;
}

/**
 * Finds the command and reads its options. The common options may stand anywhere.
 * @throws AgentError (exit 64) for a command line that is wrong
 */
export function readCommandLine(args: readonly string[], root: Group): CommandLine {
  const words = new Words(args);
  const { path, target, asksForHelp } = findTarget(words, root);
  const options = isGroup(target) ? COMMON : { ...target.options, ...COMMON };
  const { texts, unknown } = words.takeAll(options);
  const values = words.values(options, asksForHelp);
  const wanted = values.has("help") || asksForHelp ? "help" : values.has("version") ? "version" : "run";
  if (wanted === "run") {
    if (unknown !== undefined) throw unknownOption(unknown, options);
    requireTarget(target, path, { texts, values });
  } else if (isGroup(target) && texts[0] !== undefined) throw unknownCommand(texts[0], target);
  return { path, target, wanted, values, args: texts };
}

interface Found {
  readonly path: readonly string[];
  readonly target: Target;
  /** True when the word `help` stood before a name. */
  readonly asksForHelp: boolean;
}

/** Goes from group to group as far as there are names. */
function findTarget(words: Words, root: Group): Found {
  const path: string[] = [];
  let target: Target = root;
  let asksForHelp = false;
  while (isGroup(target)) {
    words.takeOptions(COMMON);
    const { next } = words;
    const found: Target | undefined = next !== undefined && Object.hasOwn(target.commands, next)
      ? target.commands[next]
      : undefined;
    if (found && next !== undefined) path.push(next);
    if (next === "help") asksForHelp = true;
    else if (!found) {
      const standsAlone = !asksForHelp && !words.has("help") && (next === undefined || looksLikeOption(next));
      return { path, target: (standsAlone ? target.alone : undefined) ?? target, asksForHelp };
    }
    words.skip();
    target = found ?? target;
  }
  return { path, target, asksForHelp };
}

const SHORT: ReadonlyMap<string, string> = new Map([["-h", "--help"], ["-V", "--version"]]);

/** `-5` and `- list` are texts, `-` is standard input. */
function looksLikeOption(word: string): boolean {
  return /^-(-|\p{L})/u.test(word);
}

/** The command line, taken word by word. */
class Words {
  readonly #left: string[];
  /** What was written behind each option, by its name; undefined where nothing was. */
  readonly #written = new Map<string, (string | undefined)[]>();

  constructor(args: readonly string[]) {
    this.#left = [...args];
  }

  get next(): string | undefined {
    return this.#left[0];
  }

  has(name: string): boolean {
    return this.#written.has(name);
  }

  skip(): void {
    this.#left.shift();
  }

  /** Takes options as long as they come. */
  takeOptions(options: Options): void {
    while (this.#takeOption(options));
  }

  /** Takes everything; gives the texts, and the first word that looks like an option and is none. */
  takeAll(options: Options): { texts: string[]; unknown: string | undefined } {
    const texts: string[] = [];
    let unknown: string | undefined;
    while (this.next !== undefined) {
      if (this.#takeOption(options)) continue;
      const word = this.#left.shift() ?? "";
      if (word === "--") texts.push(...this.#left.splice(0));
      else if (looksLikeOption(word)) unknown ??= word;
      else texts.push(word);
    }
    return { texts, unknown };
  }

  /** @throws AgentError (exit 64) for a value that is missing or cannot be read, unless it is the help that is wanted */
  values(options: Options, asksForHelp: boolean): Values {
    if (asksForHelp || this.has("help")) return new Map([["help", true]]);
    const values = [...this.#written].flatMap(([name, written]) => {
      const option = options[name];
      const read = option ? written.map((value) => readValue(name, option, value)) : [];
      return [[name, option?.repeats ? read : read.at(-1)] as const];
    });
    return new Map(values);
  }

  #takeOption(options: Options): boolean {
    const word = this.next ?? "";
    const [, name = "", inline] = /^--([^=]+)(?:=(.*))?$/s.exec(SHORT.get(word) ?? word) ?? [];
    const option = Object.hasOwn(options, name) ? options[name] : undefined;
    if (!option) return false;
    this.#left.shift();
    const value = inline ?? (takesNext(option, this.next) ? this.#left.shift() : undefined);
    this.#written.set(name, [...this.#written.get(name) ?? [], value]);
    return true;
  }
}

/** Whether the next word is the value of an option: of one that may have none, only what does not look like another. */
function takesNext({ label }: Option, next: string | undefined): boolean {
  if (next === undefined || label === "") return false;
  return label.startsWith("<") || !looksLikeOption(next);
}

function readValue(name: string, { label, parse }: Option, value: string | undefined): unknown {
  const isSwitch = label === "";
  if (isSwitch && value !== undefined) throw usageError(`option '--${name}' takes no value`);
  const isMissing = label.startsWith("<") ? value === undefined : value === "";
  if (!isSwitch && isMissing) throw usageError(`option '--${name} ${label}' argument missing`);
  try {
    return parse(value ?? "");
  } catch (error) {
    const why = error instanceof Error ? error.message : "";
    throw usageError(`option '--${name} ${label}' argument '${value}' is invalid. ${why}`);
  }
}

/** @throws AgentError (exit 64) when something is missing that the target needs, or there is too much of it */
function requireTarget(
  target: Target,
  path: readonly string[],
  { texts, values }: { readonly texts: readonly string[]; readonly values: Values },
): void {
  if (isGroup(target)) throw texts[0] === undefined ? missingCommand(path, target) : unknownCommand(texts[0], target);
  const unset = Object.entries(target.options).find(([name, { required }]) => required && !values.has(name));
  if (unset) throw usageError(`required option '--${unset[0]} ${unset[1].label}' not specified`);
  requireTexts(target, path, texts);
}

function requireTexts({ takes }: Command, path: readonly string[], texts: readonly string[]): void {
  const missing = takes.filter(({ label }) => label.startsWith("<"))[texts.length];
  if (missing) throw usageError(`missing required argument '${missing.label.replace(/[^\w-]/g, "")}'`);
  if (texts.length <= takes.length || takes.some(({ label }) => label.endsWith("...>"))) return;
  const expected = `${takes.length} argument${takes.length === 1 ? "" : "s"}`;
  throw usageError(`too many arguments for '${path.join(" ")}'. Expected ${expected} but got ${texts.length}.`);
}

function unknownOption(word: string, options: Options): Error {
  const name = word.replace(/=.*/s, "");
  return usageError(`unknown option '${name}'.${didYouMean(name, Object.keys(options).map((each) => `--${each}`))}`);
}

function unknownCommand(word: string, { commands }: Group): Error {
  return usageError(`unknown command '${word}'.${didYouMean(word, Object.keys(commands))}`);
}

function missingCommand(path: readonly string[], { commands }: Group): Error {
  return usageError(`a command is missing after '${path.join(" ")}'. There are ${Object.keys(commands).join(", ")}.`);
}
