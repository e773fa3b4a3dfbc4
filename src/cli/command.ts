import type { CommonOptions, Session } from "./session.ts";

/** An option with a value of type `T`. */
export interface Option<T = unknown> {
  readonly brief: string;
  /** What stands for the value in the help: `<role>`, or `[when]` where it may be left out; empty for a switch. */
  readonly label: string;
  readonly repeats?: true;
  /** @throws Error whose message says in a sentence what the value must be */
  readonly parse: (text: string) => T;
  readonly choices?: readonly string[];
  /** The value of an option that is not given. */
  readonly fallback?: T;
  readonly required?: true;
}

/** An option that can be given more than once; elsewhere the last one counts. */
export interface ListOption<T = unknown> extends Option<T> {
  readonly repeats: true;
}

/** By their names on the command line. */
export type Options = Readonly<Record<string, Option>>;

/** A name as it is written on the command line: `max-tokens` for `maxTokens`. */
type Kebab<Name extends string> = Name extends `${infer First}${infer Rest}`
  ? `${Lowercase<First>}${Rest extends Uncapitalize<Rest> ? "" : "-"}${Kebab<Rest>}`
  : Name;

/** The options that give an object of type `O`: `no-stream` gives `stream`, which is true without it. */
type OptionsFor<O> = {
  readonly [Name in keyof O & string as boolean extends O[Name] ? `no-${Kebab<Name>}` : Kebab<Name>]-?: boolean extends
    O[Name] ? Option<true>
    : NonNullable<O[Name]> extends readonly (infer Each)[] ? ListOption<Each>
    : Option<NonNullable<O[Name]>>;
};

export interface Argument {
  /** `<query>`, `[prompt]` where it may be left out, `<path...>` for one or more. */
  readonly label: string;
  readonly brief: string;
}

/** What the help says of a command or a group of them. */
export interface Described {
  readonly brief: string;
  /** Stands below the options. */
  readonly notes?: string;
  /** Command lines to copy. */
  readonly examples: readonly string[];
}

/** What is declared of a command: the command line is read and the help written by it. */
export interface Command extends Described {
  readonly options: Options;
  /** Headings in the help, each by the option that it stands above. */
  readonly headings: Readonly<Record<string, string>>;
  readonly takes: readonly Argument[];
  /** @param values what was given of the options, by their names on the command line */
  readonly run: (session: Session, values: Values, args: readonly string[]) => Promise<void>;
}

/** Several commands under one name. */
export interface Group extends Described {
  /** In the order of the help. */
  readonly commands: Readonly<Record<string, Target>>;
  /** The one of them that the group stands for alone. */
  readonly alone?: Command;
}

export type Target = Command | Group;

/** Values by the names of their options on the command line; of one that repeats all of them. */
export type Values = ReadonlyMap<string, unknown>;

interface Declaration<O> extends Described {
  readonly options: OptionsFor<O>;
  readonly headings?: Readonly<Record<string, string>>;
  readonly takes?: readonly Argument[];
  readonly run: (session: Session, options: O, args: readonly string[]) => Promise<void>;
}

/** Options that stand before or after any command; the first two are answered without one. */
export const COMMON = {
  help: flag("show this help, or that of a command"),
  version: flag("print the version"),
  config: option("<dir>", "folder of models.json", { parse: parseFolder, fallback: "./config" }),
  data: option("<dir>", "folder for what the program writes", { parse: parseFolder, fallback: "./data" }),
  cloud: flag("let this run reach the cloud providers of its profile"),
  "no-sandbox": flag("go on although Deno's sandbox is off; nothing is sealed then"),
};

/** A command; `O` says what its options come to. */
export function createCommand<O extends object>({ takes = [], headings = {}, run, ...rest }: Declaration<O>): Command {
  const { options } = rest;
  return { ...rest, takes, headings, run: (session, values, args) => run(session, valuesOf<O>(options, values), args) };
}

/** True for what has commands below it. */
export function isGroup(target: Target): target is Group {
  return "commands" in target;
}

/** What the common options come to. */
export function commonOptionsOf(values: Values): CommonOptions {
  const { config, data, cloud = false, sandbox } = valuesOf<Omit<CommonOptions, "configNamed">>(COMMON, values);
  return { config, data, cloud, sandbox, configNamed: values.has("config") };
}

/** An option without a value. */
export function flag(brief: string): Option<true> {
  return { brief, label: "", parse: () => true };
}

/** An option with a value: text, or what `parse` makes of it. */
export function option(label: string, brief: string): Option<string>;
export function option<T>(
  label: string,
  brief: string,
  more: Pick<Option<T>, "parse" | "fallback" | "required">,
): Option<T>;
export function option(label: string, brief: string, more: Partial<Option> = {}): Option {
  return { brief, label, parse: (text) => text, ...more };
}

/** An option whose value is one of a few. */
export function choice<T extends string>(
  label: string,
  brief: string,
  choices: readonly T[],
  more: Pick<Option<T>, "fallback"> = {},
): Option<T> {
  const parse = (text: string) => {
    const found = choices.find((each) => each === text);
    if (found === undefined) throw new RangeError(`Allowed choices are ${choices.join(", ")}.`);
    return found;
  };
  return { brief, label, choices, parse, ...more };
}

/** An option that can be repeated. */
export function list(label: string, brief: string): ListOption<string> {
  return { brief, label, repeats: true, parse: (text) => text };
}

/** An option whose value may be left out: true then. */
export function openOption(label: string, brief: string): Option<string | true> {
  return { brief, label, parse: (text) => text === "" ? true : text };
}

function parseFolder(text: string): string {
  if (text.trim() === "") throw new RangeError("It must name a folder.");
  return text;
}

/** Every option by the name it has in code, with its value; one that is not given and has none is left out. */
function valuesOf<O>(options: Options, given: Values): O {
  const values = Object.entries(options).flatMap(([name, { fallback }]) => {
    if (name.startsWith("no-")) return [[nameInCode(name.slice(3)), !given.has(name)]];
    const value = given.get(name) ?? fallback;
    return value === undefined ? [] : [[nameInCode(name), value]];
  });
  return Object.fromEntries(values);
}

function nameInCode(name: string): string {
  return name.replace(/-./g, ([, letter = ""]) => letter.toUpperCase());
}
