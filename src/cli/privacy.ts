import type { Command } from "commander";
import { hostAndPort } from "../core/address.ts";
import { withRemedy } from "../core/errors.ts";
import { formatBytes } from "../core/format.ts";
import { CLOUD_HOSTS, DISCORD_HOSTS, type HostGrant, LOOPBACK_HOSTS, queryHosts } from "../privacy/egress.ts";
import type { LedgerEntry } from "../privacy/ledger.ts";
import { findCloudModels } from "../router/chain.ts";
import { isRefusal, providerOf } from "../router/snapshot.ts";
import type { Agent } from "./agent.ts";
import { paint, table, writeJson, writeOut } from "./output.ts";
import type { CurrentSession } from "./session.ts";

/** `privacy`: what may leave this machine, what did, and why. */
export function addPrivacy(program: Command, session: CurrentSession): void {
  program.command("privacy")
    .description("Show what may leave this machine, what did, and why")
    .option("--profile <name>", "look at this profile instead of the active one")
    .option("--json", "print the report as JSON and nothing else")
    .addHelpText("after", "\nExample:\n  django-agent privacy\n  django-agent privacy --cloud --profile balanced")
    .action(async ({ profile, json }: { profile?: string; json?: true }) => {
      await using agent = await session().open({ profile });
      const report = await createReport(agent);
      if (json) writeJson(report);
      else printReport(report);
    });
}

interface ProviderReport {
  readonly provider: string;
  readonly local: boolean;
  /** Where its requests go; null when it is not part of this run. */
  readonly origin: string | null;
  readonly may_be_asked: boolean;
  readonly why: string;
}

interface PrivacyReport {
  readonly sealed: boolean;
  readonly sandboxed: boolean;
  readonly profile: string;
  readonly local_only: boolean;
  /** Models of the profile that would run outside the local network. */
  readonly cloud_models: readonly string[];
  readonly sandbox: readonly HostGrant[];
  readonly providers: readonly ProviderReport[];
  readonly usage: UsageReport;
  readonly egress: readonly LedgerEntry[];
}

/** Where counts of tokens go; there is no content in them. */
interface UsageReport {
  readonly file: string;
  /** `postgres://host:port` of the table shared with other machines; null when there is none. */
  readonly shared: string | null;
  /** Why usage is not shared although DATABASE_URL is set. */
  readonly problem: string | null;
}

async function createReport(agent: Agent): Promise<PrivacyReport> {
  const { models, profile, providers } = agent.router.snapshot;
  const origins = [...providers].flatMap(([id, slot]) =>
    ("provider" in slot ? slot.provider.origin : models.providers[id]?.base_url) ?? []
  );
  const { origin: shared, problem } = agent.usage.sharing;
  if (shared !== null) origins.push(shared);
  const hosts = new Set([...LOOPBACK_HOSTS, ...origins.map(hostAndPort), ...CLOUD_HOSTS, ...DISCORD_HOSTS]);
  return {
    sealed: agent.seal.sealed,
    sandboxed: agent.seal.sandboxed,
    profile: profile.name,
    local_only: profile.localOnly,
    cloud_models: findCloudModels(models, profile),
    sandbox: await queryHosts([...hosts]),
    providers: Object.keys(models.providers).map((id) => describeProvider(agent, id)),
    usage: { file: agent.usage.path, shared, problem },
    egress: agent.ledger.entries(),
  };
}

function describeProvider({ router }: Agent, id: string): ProviderReport {
  const { snapshot } = router;
  const found = providerOf(snapshot, id);
  if (isRefusal(found)) {
    const why = withRemedy(found.reason, found.remedy);
    return { provider: id, local: false, origin: null, may_be_asked: false, why };
  }
  const { local, origin } = found;
  const why = local ? "It runs on this machine or its network" : "--cloud, a key and the profile all allow it";
  return { provider: id, local, origin, may_be_asked: true, why };
}

function printReport(report: PrivacyReport): void {
  writeOut(`${headline(report)}\n`);
  writeOut(`profile ${report.profile}: ${report.local_only ? "local only" : describeCloud(report.cloud_models)}\n`);
  writeOut("\nWhat the sandbox of this process allows:\n");
  writeOut(table([
    ["host", "sandbox"],
    ...report.sandbox.map(({ host, state }) => [host, state === "allowed" ? paint.yellow(state) : paint.green(state)]),
  ]));
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

function describeUsage({ file, shared, problem }: UsageReport): string {
  if (shared !== null) return `${file} and ${shared} (DATABASE_URL)`;
  return problem === null ? `${file} only` : `${file} only. ${problem}`;
}

function describeCloud(models: readonly string[]): string {
  return models.length === 0 ? "names local models only" : `names models outside this network: ${models.join(", ")}`;
}
