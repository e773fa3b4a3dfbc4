import type { z } from "@hono/zod-openapi";
import { hostAndPort } from "../core/address.ts";
import { withRemedy } from "../core/errors.ts";
import { CLOUD_HOSTS, DISCORD_HOSTS, LOOPBACK_HOSTS, queryHosts } from "../privacy/egress.ts";
import { findCloudModels } from "../router/chain.ts";
import { isRefusal, providerOf } from "../router/snapshot.ts";
import type { Program } from "./program.ts";
import type { privacySchema } from "./schemas.ts";

/** What may leave this machine, what did, and why. */
export type PrivacyReport = z.output<typeof privacySchema>;

/** Deno answers for a host that it is asked about, and has no list of those it was told to allow. */
const NOTE =
  "Hosts that you added yourself (in deno.json, or when building the binary) are allowed too. They are not " +
  "listed here, because Deno does not tell a program what it was granted.";

/** Asks the sandbox, the configuration and the ledger. */
export async function createPrivacyReport(program: Program): Promise<PrivacyReport> {
  const { router, ledger, seal, usage, memory, config } = program;
  const { models, profile, providers } = router.snapshot;
  const origins = [...providers].flatMap(([id, slot]) =>
    ("provider" in slot ? slot.provider.origin : models.providers[id]?.base_url) ?? []
  );
  const { origin: shared, problem } = usage.sharing;
  if (shared !== null) origins.push(shared);
  if (config.models.chat.searxng_url !== undefined) origins.push(config.models.chat.searxng_url);
  const hosts = new Set([...LOOPBACK_HOSTS, ...origins.map(hostAndPort), ...CLOUD_HOSTS, ...DISCORD_HOSTS]);
  return {
    sealed: seal.sealed,
    sandboxed: seal.sandboxed,
    profile: profile.name,
    local_only: profile.localOnly,
    cloud_models: findCloudModels(models, profile),
    sandbox: [...await queryHosts([...hosts])],
    note: NOTE,
    providers: Object.keys(models.providers).map((id) => describeProvider(program, id)),
    usage: { file: usage.path, shared, problem },
    memory: { file: memory.path, exchanges_kept: config.models.chat.remember_exchanges },
    web_search: config.models.chat.searxng_url ?? null,
    egress: ledger.entries(),
  };
}

function describeProvider({ router }: Program, id: string): PrivacyReport["providers"][number] {
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
