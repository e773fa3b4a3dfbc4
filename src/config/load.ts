import { join } from "node:path";
import embeddedText from "./default_models.json" with { type: "text" };
import { readSmallFile } from "./read_file.ts";
import { checkRules } from "./rules.ts";
import { type ModelsConfig, modelsJsonSchema, modelsSchema } from "./schema.ts";
import { parseSettings, type SettingsKind } from "./settings_text.ts";

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

const KEY_IN_FILE = "Put the key into .env and its variable's name into api_key_env; a key has no place in this file.";

const MODELS: SettingsKind<ModelsConfig> = {
  schema: modelsSchema,
  jsonSchema: modelsJsonSchema,
  habits: {
    api_key: KEY_IN_FILE,
    apiKey: KEY_IN_FILE,
    total_seconds: "Set total_seconds in the general deadlines: it limits a whole call, over all providers.",
  },
  rules: checkRules,
};

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
  return Object.freeze({ source, path, text, models: parseSettings(text, source, MODELS) });
}
