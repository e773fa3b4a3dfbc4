import { join } from "node:path";
import embeddedText from "./default_models.json" with { type: "text" };
import { ConfigError, type ConfigProblem } from "../core/errors.ts";
import { readJsonText } from "./json_text.ts";
import { readSmallFile } from "./read_file.ts";
import { checkRules } from "./rules.ts";
import { type ModelsConfig, modelsSchema } from "./schema.ts";
import { describeIssues, mend } from "./shape.ts";

/** One valid configuration, deeply frozen: a call in flight goes on with the one it began with. */
export interface ConfigSnapshot {
  /** Shown to people: `config/models.json`, or `the embedded defaults`. */
  readonly source: string;
  /** The file it was read from; null for the embedded defaults. */
  readonly path: string | null;
  /** The text as a person wrote it, comments and a byte order mark included. */
  readonly text: string;
  readonly models: ModelsConfig;
}

export interface ConfigFolder {
  /** The folder that holds `models.json`. */
  readonly dir: string;
}

/** The `models.json` every copy of the program carries, whatever stands in `config/`; also what `init` writes. */
export const EMBEDDED_TEXT: string = embeddedText;

/** The file the settings are read from, whether it exists or not. */
export function modelsPath({ dir }: ConfigFolder): string {
  return join(dir, "models.json");
}

/**
 * Reads `models.json` of the folder, or the embedded defaults when there is no such file.
 * @throws ConfigError with every problem found
 * @throws AgentError (exit 77) when the folder lies outside the sandbox
 */
export async function loadConfig(folder: ConfigFolder): Promise<ConfigSnapshot> {
  const path = modelsPath(folder);
  const text = await readSmallFile(path, folder.dir);
  return text === undefined ? parseConfig(EMBEDDED_TEXT, "the embedded defaults") : parseConfig(text, path, path);
}

/**
 * Reads and checks the text of a `models.json`.
 * @param source what to call it in messages
 * @throws ConfigError with every problem found
 */
export function parseConfig(text: string, source: string, path: string | null = null): ConfigSnapshot {
  const { value, problems } = readJsonText(text.replace(/^\uFEFF/, ""));
  if (value === undefined) throw new ConfigError(source, problems);
  const checked = check(value);
  const all = [...problems, ...checked.problems];
  if (all.length > 0 || !checked.models) throw new ConfigError(source, all);
  return deepFreeze({ source, path, text, models: checked.models });
}

function check(value: unknown): { models?: ModelsConfig; problems: ConfigProblem[] } {
  const shaped = modelsSchema.safeParse(value);
  if (shaped.success) return { models: shaped.data, problems: checkRules(shaped.data) };
  const { issues } = shaped.error;
  const problems = describeIssues(issues, value);
  const mended = mend(value, issues) ? modelsSchema.safeParse(value) : undefined;
  return { problems: mended?.success ? [...problems, ...checkRules(mended.data)] : problems };
}

function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    Object.values(value).forEach(deepFreeze);
  }
  return value;
}
