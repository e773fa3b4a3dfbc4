import { printable } from "../core/format.ts";
import type { Finding } from "./doctor_finding.ts";
import { paint, tell, writeJson, writeOut } from "./output.ts";
import { ResultError } from "./result_error.ts";
import type { AddCommand } from "./session.ts";

/** `doctor`: everything that commonly goes wrong, each with its remedy. */
export const addDoctor: AddCommand = (program, session) => {
  program.command("doctor")
    .description("Check Ollama, models, keys, sandbox and folders; every line that is not ok says what to do")
    .option("--deep", "also let a model of this machine answer, stop, refuse and remember; takes a minute or more")
    .option("--profile <name>", "look at this profile instead of the active one")
    .option("--json", "print the findings as JSON and nothing else")
    .addHelpText("after", "\nExample:\n  django-agent doctor\n  django-agent doctor --deep --json")
    .action(async ({ deep = false, profile, json }: { deep?: boolean; profile?: string; json?: true }) => {
      const { examine } = await import("./doctor_examine.ts");
      const findings: Finding[] = [];
      for await (const finding of examine(session(), { deep, profile, progress: tell })) {
        findings.push(finding);
        if (!json) writeOut(formatFinding(finding));
      }
      if (json) writeJson({ checks: findings.map(asDocument) });
      throwFirstFailure(findings);
    });
};

/** `✗ fail  model ollama/llama3.2: has not been pulled`, and the remedy on the next line. */
export function formatFinding({ name, status, detail, remedy }: Finding): string {
  const text = printable(`${name}: ${detail}${remedy === null ? "" : `\n→ ${remedy}`}`);
  return `${mark(status)}  ${text.replaceAll("\n", "\n        ")}\n`;
}

function mark(status: Finding["status"]): string {
  switch (status) {
    case "ok":
      return paint.green("✓ ok  ");
    case "warn":
      return paint.yellow("! warn");
    case "fail":
      return paint.red("✗ fail");
  }
}

function asDocument({ name, status, detail, remedy }: Finding) {
  return { name, status, detail, remedy };
}

function throwFirstFailure(findings: readonly Finding[]): void {
  const failed = findings.filter(({ status }) => status === "fail");
  const [first] = failed;
  if (first) {
    throw new ResultError(`${failed.length} of ${findings.length} checks failed`, { exitCode: first.exitCode });
  }
}
