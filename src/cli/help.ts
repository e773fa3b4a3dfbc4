import { type Command, COMMON, isGroup, type Option, type Target } from "./command.ts";

/** Columns that a line of the help takes at most. */
const WIDTH = 100;
const SHORT: Readonly<Record<string, string>> = { help: "-h, ", version: "-V, " };
const EXIT_CODES =
  `Exit codes: 0 done · 1 internal error · 64 wrong usage · 65 refused as bad data · 69 nothing could answer ·
73 partly sent · 75 try later · 77 a permission or credential is missing · 78 configuration is wrong · 130 stopped (Ctrl-C)`;

/** A term and what it means. */
type Row = readonly [term: string, meaning: string];
type Section = readonly [title: string, rows: readonly Row[]];

/** The help of a command or a group, or of the whole program when no name leads there. */
export function formatHelp(path: readonly string[], target: Target): string {
  const { brief, notes, examples } = target;
  const sections = [...(isGroup(target) ? [] : sectionsOf(target)), commonSection(path), ...commandsOf(target)]
    .filter(([, rows]) => rows.length > 0);
  const column = Math.max(...sections.flatMap(([, rows]) => rows.map(([term]) => term.length)));
  const parts = [
    `Usage: ${["django-agent", ...path].join(" ")} ${usageOf(target)}`,
    brief,
    ...sections.map(([title, rows]) => `${title}:\n${rows.map((row) => formatRow(row, column)).join("\n")}`),
    ...(notes === undefined ? [] : [notes]),
    `Example:\n${examples.map((line) => `  ${line}`).join("\n")}`,
    ...(path.length === 0 ? [EXIT_CODES] : []),
  ];
  return `${parts.join("\n\n")}\n`;
}

function usageOf(target: Target): string {
  if (isGroup(target)) return "[options] [command]";
  return ["[options]", ...target.takes.map(({ label }) => label)].join(" ");
}

function sectionsOf({ options, headings, takes }: Command): Section[] {
  const sections: [string, Row[]][] = [["Arguments", takes.map(({ label, brief }) => [bare(label), brief])]];
  let rows: Row[] = [];
  for (const [name, option] of Object.entries(options)) {
    const heading = headings[name] ?? (sections.length === 1 ? "Options" : undefined);
    if (heading !== undefined) sections.push([heading, rows = []]);
    rows.push(rowOf(name, option));
  }
  return sections;
}

function commonSection(path: readonly string[]): Section {
  return [
    path.length === 0 ? "Options" : "Global Options",
    Object.entries(COMMON).map(([name, option]) => rowOf(name, option)),
  ];
}

function commandsOf(target: Target): Section[] {
  if (!isGroup(target)) return [];
  const rows = Object.entries(target.commands).map(([name, command]): Row => {
    const takes = isGroup(command) ? ["[command]"] : command.takes.map(({ label }) => label);
    return [[name, ...takes].join(" "), command.brief];
  });
  return [["Commands", [...rows, ["help [command]", "show the help of a command"]]]];
}

function rowOf(name: string, { label, brief, choices, fallback }: Option): Row {
  const remarks = [
    ...(choices ? [`choices: ${choices.map((each) => JSON.stringify(each)).join(", ")}`] : []),
    ...(fallback === undefined ? [] : [`default: ${JSON.stringify(fallback)}`]),
  ];
  const remark = remarks.length === 0 ? "" : ` (${remarks.join(", ")})`;
  return [`${SHORT[name] ?? ""}--${name} ${label}`.trimEnd(), brief + remark];
}

/** `path` for `<path...>`. */
function bare(label: string): string {
  return label.replace(/[^\w-]/g, "");
}

function formatRow([term, meaning]: Row, column: number): string {
  const lines = [""];
  for (const word of meaning.split(" ")) {
    const line = lines.at(-1) ?? "";
    if (line === "") lines[lines.length - 1] = word;
    else if (line.length + 1 + word.length <= WIDTH - column - 4) lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(word);
  }
  return lines.map((line, index) => `  ${(index === 0 ? term : "").padEnd(column)}  ${line}`).join("\n");
}
