import { z } from "zod";
import { formatPath } from "../../src/config/words.ts";

/** What does not exist in JSON, NaN, was written as null. */
const number = z.number().nullable().transform((value) => value ?? NaN);

/** It is shown on a terminal, in a table. */
const line = z.string().regex(/^\P{Cc}*$/u, "one line of text without control characters is wanted");

const reportSchema = z.object({
  machine: line,
  at: z.iso.datetime(),
  figures: z.array(z.object({
    part: line,
    what: line,
    value: number,
    unit: line,
    bound: z.object({ kind: z.enum(["at most", "at least"]), value: z.number() }),
    direct: number.optional(),
    spread: number.optional(),
  })),
});

/** One run of the benchmark, as it is kept and compared. */
export type Report = z.output<typeof reportSchema>;
export type ReportFigure = Report["figures"][number];

/**
 * Reads a report: the JSON alone, or all that a run has printed, whose last line it is.
 * @throws Error with what is wrong about it
 */
export function parseReport(text: string): Report {
  const { success, data, error } = reportSchema.safeParse(parseJson(text));
  if (success) return data;
  const [issue] = error.issues;
  const place = formatPath(issue?.path ?? []);
  throw new Error(`it is not a report of this benchmark (${place ? `${place}: ` : ""}${issue?.message})`);
}

function parseJson(text: string): unknown {
  for (const candidate of [text, text.trimEnd().split("\n").at(-1) ?? ""]) {
    try {
      return JSON.parse(candidate);
    } catch {
      // The next one, perhaps.
    }
  }
  throw new Error("it is not JSON, and neither is its last line");
}
