import { hostAndPort } from "../core/address.ts";
import { withRemedy } from "../core/errors.ts";
import { CLOUD_HOSTS, DISCORD_HOSTS, type HostGrant, LOOPBACK_HOSTS, queryHosts } from "../privacy/egress.ts";
import type { LedgerEntry } from "../privacy/ledger.ts";
import { findCloudModels } from "../router/chain.ts";
import { isRefusal, providerOf } from "../router/snapshot.ts";
import type { Program } from "./program.ts";

interface ProviderReport {
  readonly provider: string;
  readonly local: boolean;
  /** Where its requests go; null when it is not part of this run. */
  readonly origin: string | null;
  readonly may_be_asked: boolean;
  readonly why: string;
}

/** Where counts of tokens go; there is no content in them. */
interface UsageReport {
  readonly file: string;
  /** `postgres://host:port` of the table shared with other machines; null when there is none. */
  readonly shared: string | null;
  /** Why usage is not shared although DATABASE_URL is set. */
  readonly problem: string | null;
}

/** What may leave this machine, what did, and why. */
export interface PrivacyReport {
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

/** Asks the sandbox, the configuration and the ledger. */
export async function createPrivacyReport(program: Program): Promise<PrivacyReport> {
  const { router, ledger, seal, usage } = program;
  const { models, profile, providers } = router.snapshot;
  const origins = [...providers].flatMap(([id, slot]) =>
    ("provider" in slot ? slot.provider.origin : models.providers[id]?.base_url) ?? []
  );
  const { origin: shared, problem } = usage.sharing;
  if (shared !== null) origins.push(shared);
  const hosts = new Set([...LOOPBACK_HOSTS, ...origins.map(hostAndPort), ...CLOUD_HOSTS, ...DISCORD_HOSTS]);
  return {
    sealed: seal.sealed,
    sandboxed: seal.sandboxed,
    profile: profile.name,
    local_only: profile.localOnly,
    cloud_models: findCloudModels(models, profile),
    sandbox: await queryHosts([...hosts]),
    providers: Object.keys(models.providers).map((id) => describeProvider(program, id)),
    usage: { file: usage.path, shared, problem },
    egress: ledger.entries(),
  };
}

function describeProvider({ router }: Program, id: string): ProviderReport {
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
