import { join } from "node:path";
import { AgentError, ConfigError } from "../core/errors.ts";
import { type DiscordSettings, EMBEDDED_DISCORD_TEXT, parseDiscordSettings } from "./discord_settings.ts";
import { readSmallFile } from "./read_file.ts";
import { watchConfig, type WatchOptions } from "./watch.ts";

const FILE = "discord.json";

export interface DiscordFileOptions extends Pick<WatchOptions, "debounceMs" | "pollMs"> {
  /** The configuration's folder. */
  readonly dir: string;
  /** Told what is wrong with a file that was changed while the program runs. */
  readonly warn: (message: string, remedy: string) => void;
  /** Told which settings have changed, by their top-level names; never an empty list. */
  readonly onChange?: (changed: readonly string[]) => void;
}

/** The settings of the bot while it runs: `discord.json`, or the embedded defaults where there is no such file. */
export class DiscordFile {
  readonly #options: DiscordFileOptions;
  #text: string;
  #settings: DiscordSettings;

  private constructor(options: DiscordFileOptions, { text, settings }: Read) {
    this.#options = options;
    this.#text = text;
    this.#settings = settings;
  }

  /**
   * Reads the file for the first time.
   * @throws ConfigError with every problem found
   * @throws AgentError (exit 77) when the folder lies outside the sandbox
   */
  static async open(options: DiscordFileOptions): Promise<DiscordFile> {
    return new DiscordFile(options, await read(options.dir));
  }

  /** What counts now, deeply frozen: to be asked for with every message, and kept for as long as that one takes. */
  get current(): DiscordSettings {
    return this.#settings;
  }

  /**
   * Takes up every change of the file until the signal aborts. A file that cannot be used is told of, and the settings
   * before go on to count; so they do when the file is removed, until the next start.
   * @throws AgentError (exit 77) when the folder lies outside the sandbox
   */
  async watch(signal: AbortSignal): Promise<void> {
    const { dir, debounceMs, pollMs } = this.#options;
    await watchConfig({
      dir,
      file: FILE,
      text: this.#text,
      ...(debounceMs === undefined ? {} : { debounceMs }),
      ...(pollMs === undefined ? {} : { pollMs }),
      onChange: () => this.#reload(),
      signal,
    });
  }

  async #reload(): Promise<void> {
    const { dir, warn, onChange } = this.#options;
    const before = this.#settings;
    try {
      ({ text: this.#text, settings: this.#settings } = await read(dir));
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      const remedy = error instanceof ConfigError ? "Correct it" : error.remedy ?? "See that it can be read";
      return warn(error.message, `${remedy.replace(/\.$/, "")}; until then the settings before go on to count.`);
    }
    const changed = changesBetween(before, this.#settings);
    if (changed.length > 0) onChange?.(changed);
  }
}

interface Read {
  readonly text: string;
  readonly settings: DiscordSettings;
}

async function read(dir: string): Promise<Read> {
  const path = join(dir, FILE);
  const text = await readSmallFile(path, dir);
  return text === undefined
    ? { text: EMBEDDED_DISCORD_TEXT, settings: parseDiscordSettings(EMBEDDED_DISCORD_TEXT, "the embedded defaults") }
    : { text, settings: parseDiscordSettings(text, path) };
}

/** Both come from one schema, so that the same settings are the same text. */
function changesBetween(before: DiscordSettings, after: DiscordSettings): string[] {
  const old = new Map<string, unknown>(Object.entries(before));
  return Object.entries(after)
    .filter(([name, value]) => name !== "$schema" && JSON.stringify(old.get(name)) !== JSON.stringify(value))
    .map(([name]) => name);
}
