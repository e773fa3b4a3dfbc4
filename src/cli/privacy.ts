import { formatBytes } from "../core/format.ts";
import { createPrivacyReport, type PrivacyReport } from "../http/privacy_report.ts";
import { createCommand, flag, option } from "./command.ts";
import { paint, table, writeJson, writeOut } from "./output.ts";

interface PrivacyOptions {
  readonly profile?: string;
  readonly json?: true;
}

/** `privacy`: what may leave this machine, what did, and why. */
export const privacy = createCommand<PrivacyOptions>({
  brief: "Show what may leave this machine, what did, and why",
  options: {
    profile: option("<name>", "look at this profile instead of the active one"),
    json: flag("print the report as JSON and nothing else"),
  },
  examples: ["django-agent privacy", "django-agent privacy --cloud --profile balanced"],
  async run(session, { profile, json }) {
    await using agent = await session.open({ profile });
    const report = await createPrivacyReport(agent);
    if (json) writeJson(report);
    else printReport(report);
  },
});

function printReport(report: PrivacyReport): void {
  writeOut(`${headline(report)}\n`);
  writeOut(`profile ${report.profile}: ${report.local_only ? "local only" : describeCloud(report.cloud_models)}\n`);
  writeOut("\nWhat the sandbox of this process allows:\n");
  writeOut(table([
    ["host", "sandbox"],
    ...report.sandbox.map(({ host, state }) => [host, state === "allowed" ? paint.yellow(state) : paint.green(state)]),
  ]));
  writeOut(`${report.note}\n`);
  writeOut("\nWho may be asked:\n");
  writeOut(table([
    ["provider", "origin", "asked", "why"],
    ...report.providers.map(({ provider, origin, may_be_asked, why }) => [
      provider,
      origin ?? "–",
      may_be_asked ? "yes" : "no",
      why,
    ]),
  ]));
  writeOut(`\nCounts of tokens, and nothing of what was said, go to: ${describeUsage(report.usage)}\n`);
  const { memory: { file, exchanges_kept }, web_search } = report;
  writeOut(`What was learned${exchanges_kept ? " and talked about" : ""} is kept in: ${file} only\n`);
  writeOut(`Mode 1 searches the web through: ${web_search ?? "nobody"}\n`);
  writeOut("\nWho has been asked so far, by every run on this data folder:\n");
  writeOut(table([
    ["origin", "where", "requests", "sent", "received", "last"],
    ...report.egress.map((entry) => [
      entry.origin,
      entry.local ? "this network" : paint.yellow("outside"),
      String(entry.requests),
      formatBytes(entry.sent_bytes),
      formatBytes(entry.received_bytes),
      entry.last_at,
    ]),
  ]));
}

function headline({ sealed, sandboxed }: PrivacyReport): string {
  if (!sandboxed) return "not sealed: the sandbox is off (--no-sandbox); nothing below is enforced";
  return sealed
    ? "sealed: this process has given up every right to reach a cloud"
    : "open to the cloud: this run was started with --cloud";
}

function describeUsage({ file, shared, problem }: PrivacyReport["usage"]): string {
  if (shared !== null) return `${file} and ${shared} (DATABASE_URL)`;
  return problem === null ? `${file} only` : `${file} only. ${problem}`;
}

function describeCloud(models: readonly string[]): string {
  return models.length === 0 ? "names local models only" : `names models outside this network: ${models.join(", ")}`;
}
