import type { z } from "zod";
import { ConfigError, type ConfigProblem } from "../core/errors.ts";
import { readJsonText } from "./json_text.ts";
import { describeIssues, mend, type Vocabulary } from "./shape.ts";

/** What one kind of settings file may say. */
export interface SettingsKind<T> {
  readonly schema: z.ZodType<T>;
  /** The JSON Schema of the same; built only when something is wrong. */
  readonly jsonSchema: () => Vocabulary["jsonSchema"];
  readonly habits?: Vocabulary["habits"];
  /** What concerns several places at once, or what no schema can say. Empty when the settings can be used. */
  readonly rules: (settings: T) => readonly ConfigProblem[];
}

/**
 * Reads and checks a text in JSON with comments. What comes back is deeply frozen: whoever works with it goes on with
 * the settings it began with.
 * @param source what to call it in messages
 * @throws ConfigError with every problem found
 */
export function parseSettings<T>(text: string, source: string, kind: SettingsKind<T>): T {
  const { value, problems } = readJsonText(text.replace(/^\uFEFF/, ""));
  if (value === undefined) throw new ConfigError(source, problems);
  const checked = check(value, kind);
  const all = [...problems, ...checked.problems];
  if (all.length > 0 || checked.settings === undefined) throw new ConfigError(source, all);
  return deepFreeze(checked.settings);
}

function check<T>(value: unknown, kind: SettingsKind<T>): { settings?: T; problems: readonly ConfigProblem[] } {
  const { schema, jsonSchema, habits = {}, rules } = kind;
  const shaped = schema.safeParse(value);
  if (shaped.success) return { settings: shaped.data, problems: rules(shaped.data) };
  const { issues } = shaped.error;
  const problems = describeIssues(issues, value, { jsonSchema: jsonSchema(), habits });
  const mended = mend(value, issues) ? schema.safeParse(value) : undefined;
  return { problems: mended?.success ? [...problems, ...rules(mended.data)] : problems };
}

function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    Object.values(value).forEach(deepFreeze);
  }
  return value;
}
