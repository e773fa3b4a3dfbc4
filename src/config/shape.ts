import type { z } from "zod";
import type { ConfigProblem } from "../core/errors.ts";
import { didYouMean, formatPath, quote } from "./words.ts";

type Issue = z.core.$ZodIssue;
type Path = readonly PropertyKey[];

/** The part of a JSON Schema that says what belongs at a place. */
interface SchemaNode {
  readonly type?: string;
  readonly description?: string;
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly additionalProperties?: SchemaNode | false;
  readonly propertyNames?: SchemaNode;
  readonly items?: SchemaNode;
}

/** What is known of a file beyond what zod tells of it. */
export interface Vocabulary {
  /** The JSON Schema of the file as a person may write it: its descriptions become remedies. */
  readonly jsonSchema: Readonly<Record<string, unknown>>;
  /** Keys people write by habit, and what to write here instead. */
  readonly habits: Readonly<Record<string, string>>;
}

/** What zod found, each with its path and what to write instead. The offending value itself is `value`. */
export function describeIssues(
  issues: readonly Issue[],
  value: unknown,
  { jsonSchema, habits }: Vocabulary,
): ConfigProblem[] {
  const problems = issues.flatMap((issue) => describeIssue(issue, { schema: jsonSchema, habits, value }));
  // A number far out of range is reported twice: once for its own limit, once for the largest safe integer.
  return problems.filter(({ path, message }, index) =>
    problems.findIndex((other) => other.path === path && other.message === message) === index
  );
}

/**
 * Repairs in place what can be repaired without guessing (unknown keys go, numbers move to their nearest limit), so
 * that the rules can look at the rest and all problems are reported at once. False when something else is wrong.
 */
export function mend(value: unknown, issues: readonly Issue[]): boolean {
  return issues.every((issue) => {
    const target = valueAt(value, issue.code === "unrecognized_keys" ? issue.path : issue.path.slice(0, -1));
    if (typeof target !== "object" || target === null) return false;
    if (issue.code === "unrecognized_keys") return issue.keys.every((key) => Reflect.deleteProperty(target, key));
    const limit = issue.code === "too_small" ? issue.minimum : issue.code === "too_big" ? issue.maximum : undefined;
    const key = issue.path.at(-1);
    return limit !== undefined && key !== undefined && Reflect.set(target, key, Number(limit));
  });
}

interface Context {
  readonly schema: SchemaNode;
  readonly habits: Vocabulary["habits"];
  readonly value: unknown;
}

function describeIssue(issue: Issue, { schema, habits, value }: Context): ConfigProblem[] {
  const found = valueAt(value, issue.path);
  const node = nodeAt(schema, issue.path);
  const path = formatPath(issue.path);
  switch (issue.code) {
    case "unrecognized_keys":
      return issue.keys.map((key) => ({
        path: formatPath([...issue.path, key]),
        message: "There is no such setting",
        remedy: remedyForKey(key, node, habits),
      }));
    case "invalid_key":
      return [{
        path,
        message: "This cannot be a name",
        remedy: `Write ${nodeAt(schema, issue.path.slice(0, -1))?.propertyNames?.description ?? "a plain name"}.`,
      }];
    case "too_small":
    case "too_big": {
      const negativePrice = issue.path.includes("usd_per_million") && issue.code === "too_small";
      if (negativePrice) return [{ path, message: `A price cannot be negative: ${found}`, remedy: write(node) }];
      const subject = Array.isArray(found) ? `A list of ${found.length} entries` : String(found);
      return [{ path, message: `${subject} is out of range`, remedy: write(node) }];
    }
    default:
      return [{ path, message: describeFound(found), remedy: write(node, found) }];
  }
}

function remedyForKey(key: string, node: SchemaNode | undefined, habits: Vocabulary["habits"]): string {
  const habit = Object.hasOwn(habits, key) ? habits[key] : undefined;
  if (habit !== undefined) return habit;
  const known = node?.propertyNames?.enum ?? Object.keys(node?.properties ?? {});
  return `Remove it, or use one of: ${known.join(", ")}.${didYouMean(key, known)}`;
}

function describeFound(found: unknown): string {
  if (found === undefined) return "This is missing";
  if (found === null) return "This is null";
  if (Array.isArray(found)) return "This is a list";
  switch (typeof found) {
    case "string":
      return `This is the text ${quote(found)}`;
    case "number":
      return `This is the number ${found}`;
    case "boolean":
      return `This is ${found}`;
    default:
      return "This is an object";
  }
}

function write(node: SchemaNode | undefined, found?: unknown): string {
  const description = node?.description ? `: ${node.description}` : "";
  const hint = typeof found === "string" && node?.enum ? didYouMean(found, node.enum) : "";
  return `Write ${expected(node)}${description}.${hint}`;
}

function expected(node: SchemaNode | undefined): string {
  if (node?.enum) return `one of ${node.enum.map((word) => `"${word}"`).join(", ")}`;
  switch (node?.type) {
    case "integer":
      return `a whole number from ${node.minimum} to ${node.maximum}`;
    case "number":
      return `a number from ${node.minimum} to ${node.maximum}`;
    case "boolean":
      return "true or false";
    case "array":
      return "a list [ … ]";
    case "object":
      return "an object { … }";
    default:
      return "a text in double quotes";
  }
}

function nodeAt(schema: SchemaNode, path: Path): SchemaNode | undefined {
  return path.reduce<SchemaNode | undefined>((node, part) => {
    if (typeof part === "number") return node?.items;
    return node?.properties?.[String(part)] ?? (node?.additionalProperties || undefined);
  }, schema);
}

function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (inner, part) => typeof inner === "object" && inner !== null ? Reflect.get(inner, part) : undefined,
    value,
  );
}
