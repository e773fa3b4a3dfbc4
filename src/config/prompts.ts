import { join } from "node:path";
import { z } from "zod";
import personaEn from "./prompts/persona.en.md" with { type: "text" };
import personaEs from "./prompts/persona.es.md" with { type: "text" };
import rulesEn from "./prompts/rules.en.md" with { type: "text" };
import rulesEs from "./prompts/rules.es.md" with { type: "text" };
import textsEn from "./prompts/texts.en.json" with { type: "text" };
import textsEs from "./prompts/texts.es.json" with { type: "text" };
import { AgentError, ConfigError } from "../core/errors.ts";
import type { Language } from "../core/language.ts";
import { readJsonText } from "./json_text.ts";
import { readSmallFile } from "./read_file.ts";
import { formatPath } from "./words.ts";

const line = z.string().min(1).max(500).regex(/^[^\r\n]*$/, "It must be one line");

const textsSchema = z.strictObject({
  notes_begin: line,
  notes_end: line,
  now: line,
  speaker: line,
  knowledge_sufficient: line,
  knowledge_partial: line,
  knowledge_none: line,
  memory_only: line,
  open: line,
  context: line,
  may_keep_silent: line,
  learned: line,
  episode: line,
  web: line,
  web_failed: line,
  unseen: line,
  remembered: line,
  perhaps_remembered: line,
  nothing_remembered: line,
  from_conversation: line,
  from_episode: line,
});

/** What the program says by itself, in one language. */
export type Texts = z.output<typeof textsSchema>;

/** How the agent is and what it keeps to, in one language. */
export interface Prompts {
  readonly persona: string;
  readonly rules: string;
  readonly texts: Texts;
}

type AllPrompts = Readonly<Record<Language, Prompts>>;

/** The prompt files every copy of the program carries, by name; also what `init` writes. */
export const EMBEDDED_PROMPTS: Readonly<Record<string, string>> = {
  "persona.es.md": personaEs,
  "persona.en.md": personaEn,
  "rules.es.md": rulesEs,
  "rules.en.md": rulesEn,
  "texts.es.json": textsEs,
  "texts.en.json": textsEn,
};

/** Letters of a file: persona and rules go with every message, and small models have room for 20,000 or so. */
const MOST_LETTERS = 12_000;
/** How often the files are looked at, in milliseconds. */
const LOOK_MS = 1000;

export interface PromptFilesOptions {
  /** The configuration's folder; the files lie in `prompts` within it. */
  readonly dir: string;
  /** Told what is wrong with a file that was changed while the program runs. */
  readonly warn: (message: string, remedy: string) => void;
}

/** Persona, rules and texts; a changed file counts from the next message on, and one that is missing is embedded. */
export class PromptFiles {
  readonly #dir: string;
  readonly #warn: PromptFilesOptions["warn"];
  #current: AllPrompts | undefined;
  #state = "";
  #lookedAt = -Infinity;

  constructor({ dir, warn }: PromptFilesOptions) {
    this.#dir = join(dir, "prompts");
    this.#warn = warn;
  }

  /**
   * What counts now. A file that was broken while the program runs is told of, and the one before goes on to count.
   * @throws ConfigError, AgentError when there is none before
   */
  async current(): Promise<AllPrompts> {
    const known = this.#current;
    if (known && performance.now() - this.#lookedAt < LOOK_MS) return known;
    this.#lookedAt = performance.now();
    const state = await this.#look();
    if (known && state === this.#state) return known;
    this.#state = state;
    try {
      return this.#current = await this.#read();
    } catch (error) {
      if (!known || !(error instanceof AgentError)) throw error;
      this.#warn(error.message, "Correct it; until then the prompts before go on to count.");
      return known;
    }
  }

  /** Differs whenever a file has changed. */
  async #look(): Promise<string> {
    const states = await Promise.all(
      Object.keys(EMBEDDED_PROMPTS).map(async (name) => {
        const info = await Deno.stat(join(this.#dir, name)).catch(() => undefined);
        return info && `${info.mtime?.getTime()} ${info.size} ${info.ino}`;
      }),
    );
    return states.join(";");
  }

  async #read(): Promise<AllPrompts> {
    return { es: await this.#readLanguage("es"), en: await this.#readLanguage("en") };
  }

  async #readLanguage(language: Language): Promise<Prompts> {
    return {
      persona: await this.#textOf(`persona.${language}.md`),
      rules: await this.#textOf(`rules.${language}.md`),
      texts: await this.#textsOf(language),
    };
  }

  async #textsOf(language: Language): Promise<Texts> {
    const name = `texts.${language}.json`;
    return parseTexts(await this.#textOf(name), EMBEDDED_PROMPTS[name] ?? "", join(this.#dir, name));
  }

  async #textOf(name: string): Promise<string> {
    const text = await readSmallFile(join(this.#dir, name), this.#dir) ?? EMBEDDED_PROMPTS[name] ?? "";
    if (text.length <= MOST_LETTERS) return text.replace(/^\uFEFF/, "").trim();
    const message = `It has ${text.length} letters; ${MOST_LETTERS} are the most that fit into a prompt`;
    throw new ConfigError(join(this.#dir, name), [{ path: "", message, remedy: "Shorten it." }]);
  }
}

/** Lines that are missing are those of the embedded file: a new version may know more of them. */
function parseTexts(text: string, embeddedText: string, file: string): Texts {
  const { value, problems } = readJsonText(text);
  if (problems.length > 0) throw new ConfigError(file, problems);
  const own = typeof value === "object" && value !== null && !Array.isArray(value) ? value : undefined;
  const embedded = readJsonText(embeddedText).value as object;
  const { success, data, error } = textsSchema.safeParse(own && { ...embedded, ...own });
  if (success) return data;
  throw new ConfigError(
    file,
    error.issues.map(({ code, path, message, ...issue }) => ({
      path: formatPath(path),
      message: code === "unrecognized_keys" ? `Unknown here: ${"keys" in issue ? issue.keys.join(", ") : ""}` : message,
      remedy: `Use the names of the embedded file (\`init\` writes it), each with a text in double quotes.`,
    })),
  );
}
