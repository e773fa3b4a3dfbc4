import { printable } from "../core/format.ts";
import { createCommand, flag, option } from "./command.ts";
import { readBotToken } from "./discord_token.ts";
import type { Finding } from "./doctor_finding.ts";
import { paint, tell, writeJson, writeOut } from "./output.ts";
import { ResultError } from "./result_error.ts";
import type { Session } from "./session.ts";

interface DoctorOptions {
  readonly deep?: true;
  readonly profile?: string;
  readonly json?: true;
}

/** `doctor`: everything that commonly goes wrong, each with its remedy. */
export const doctor = createCommand<DoctorOptions>({
  brief: "Check Ollama, models, keys, sandbox and folders; every line that is not ok says what to do",
  options: {
    deep: flag("also let a model of this machine answer, stop, refuse and remember; takes a minute or more"),
    profile: option("<name>", "look at this profile instead of the active one"),
    json: flag("print the findings as JSON and nothing else"),
  },
  examples: ["django-agent doctor", "django-agent doctor --deep --json"],
  run: runDoctor,
});

/** @throws ResultError when a check failed */
export async function runDoctor(session: Session, { deep, profile, json }: DoctorOptions): Promise<void> {
  await readBotToken(session.seal);
  const { examine } = await import("./doctor_examine.ts");
  const findings: Finding[] = [];
  for await (const finding of examine(session, { deep: deep === true, profile, progress: tell })) {
    findings.push(finding);
    if (!json) writeOut(formatFinding(finding));
  }
  if (json) writeJson({ checks: findings.map(asDocument) });
  throwFirstFailure(findings);
}

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
