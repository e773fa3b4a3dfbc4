/** Reading JSON that somebody else wrote, without trusting its shape. */

/** A JSON object, or `undefined` for anything else. */
export function asRecord(value: unknown): Readonly<Record<string, unknown>> | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  return value as Readonly<Record<string, unknown>>;
}

/** The objects of a JSON array; an empty list for anything else. */
export function asRecords(value: unknown): Readonly<Record<string, unknown>>[] {
  if (!Array.isArray(value)) return [];
  return value.map(asRecord).filter((item) => item !== undefined);
}

/** A string with at least one character, or `undefined`. */
export function asText(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** True for what may stand where text is expected: text, or nothing at all. */
export function isTextOrNothing(value: unknown): value is string | null | undefined {
  return typeof value === "string" || value === undefined || value === null;
}

/** No count is larger, and a few of them added up are still whole numbers to JavaScript. */
const LARGEST_COUNT = 2 ** 50;

/** A number from 0 on, rounded to a whole one, or `undefined` for anything else and for what cannot be a count. */
export function asCount(value: unknown): number | undefined {
  return typeof value === "number" && value >= 0 && value <= LARGEST_COUNT ? Math.round(value) : undefined;
}

/** Exactly `count` lists of numbers, none of them empty, or `undefined`. */
export function asVectors(value: unknown, count: number): number[][] | undefined {
  if (!Array.isArray(value) || value.length !== count) return undefined;
  const isVector = (item: unknown) => Array.isArray(item) && item.length > 0 && item.every(Number.isFinite);
  return value.every(isVector) ? value : undefined;
}

/** The parsed text, or `undefined` when it is not JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
