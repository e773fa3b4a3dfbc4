import { AgentError, EXIT } from "../core/errors.ts";
import { isLoopback } from "../core/address.ts";

/** Hosts that only `--cloud` may reach. */
export const CLOUD_HOSTS = ["api.groq.com:443", "generativelanguage.googleapis.com:443"] as const;
/**
 * Hosts of Discord: REST, gateway, attachments. The grant is for `*.discord.gg:443`, which Deno can neither query nor
 * revoke by that name; asked for one of its hosts it answers for, and gives up, the whole of it.
 */
export const DISCORD_HOSTS = ["discord.com:443", "gateway.discord.gg:443", "cdn.discordapp.com:443"] as const;
/** Names of this machine; Deno tells them apart, so each needs its own grant. */
export const LOOPBACK_HOSTS = ["localhost", "127.0.0.1", "[::1]"] as const;

export interface SealOptions {
  /** True when the person asked for the cloud with `--cloud`. */
  readonly cloud: boolean;
  /** True when this run talks to Discord. */
  readonly discord: boolean;
  /** True when the person accepts that nothing is enforced (`--no-sandbox`). */
  readonly noSandbox: boolean;
  /** Deno's built-in telemetry: where it would send to; null endpoint is Deno's default on this machine. */
  readonly telemetry: { readonly enabled: boolean; readonly endpoint: string | null };
  /** True when no proxy of the environment carries traffic to this machine. */
  readonly loopbackIsDirect: boolean;
}

export interface Seal {
  /** True when no cloud can be reached from this process any more, whatever its code does. */
  readonly sealed: boolean;
  /** False under `--no-sandbox`: Deno enforces nothing. */
  readonly sandboxed: boolean;
}

export interface HostGrant {
  readonly host: string;
  readonly state: "allowed" | "denied";
}

/**
 * Gives up what this run does not use, before anything else happens. What is revoked here stays revoked for the rest
 * of the process: Deno keeps no way back.
 * @throws AgentError (exit 77) when no seal can hold, or when the cloud is asked for and this program has no right to it.
 */
export async function sealProcess(options: SealOptions): Promise<Seal> {
  const { cloud, discord, noSandbox } = options;
  const wide = await widePermissions();
  if (wide.length > 0) {
    if (!noSandbox) throw unsealable(wide);
    return { sealed: false, sandboxed: false };
  }
  await Deno.permissions.revoke({ name: "import" }); // Deno fetches code from a few hosts unless told not to
  if (!discord) await revokeHosts(DISCORD_HOSTS);
  if (cloud) {
    await requireCloud();
    return { sealed: false, sandboxed: true };
  }
  await revokeHosts(CLOUD_HOSTS);
  refuseLeaks(options);
  return { sealed: true, sandboxed: true };
}

/**
 * Gives up every host this program is granted by itself but one, `name:port`; without one, all of them. What a person
 * granted beside them cannot be found out, and stays.
 * @throws AgentError (exit 77) when one of them could still be reached.
 */
export async function keepOnlyHost(kept: string | undefined): Promise<void> {
  const covers = (host: string) => host === kept || host === kept?.replace(/:\d+$/, "");
  await revokeHosts([...CLOUD_HOSTS, ...DISCORD_HOSTS, ...LOOPBACK_HOSTS].filter((host) => !covers(host)));
}

/** What the sandbox says about each host right now. */
export async function queryHosts(hosts: readonly string[]): Promise<HostGrant[]> {
  return await Promise.all(hosts.map(async (host) => ({ host, state: await isGranted(host) ? "allowed" : "denied" })));
}

/** Permissions that make every list of hosts meaningless: any host, or any program or library that could reach one. */
async function widePermissions(): Promise<string[]> {
  const states = await Promise.all(
    (["net", "run", "ffi"] as const).map(async (name) => ({ name, status: await Deno.permissions.query({ name }) })),
  );
  return states.filter(({ status }) => status.state === "granted").map(({ name }) => `--allow-${name}`);
}

function unsealable(wide: readonly string[]): AgentError {
  return new AgentError(`This process runs with ${wide.join(", ")} for everything, so no seal can hold`, {
    exitCode: EXIT.permission,
    remedy:
      "Start it with `deno task agent`, which grants exactly what is needed; or pass --no-sandbox to go on unsealed.",
  });
}

async function requireCloud(): Promise<void> {
  const grants = await queryHosts(CLOUD_HOSTS);
  if (grants.some(({ state }) => state === "allowed")) return;
  throw new AgentError("This program was built without the right to reach any cloud, so --cloud cannot work", {
    exitCode: EXIT.permission,
    remedy:
      "Build it with `deno task compile --cloud` and every option it was built with, or run it from source with " +
      "`deno task agent`.",
  });
}

function refuseLeaks({ telemetry, loopbackIsDirect }: SealOptions): void {
  if (!loopbackIsDirect) {
    throw new AgentError("Cannot make sure that no proxy of the environment carries traffic meant for this machine", {
      exitCode: EXIT.permission,
      remedy:
        "Start it with `deno task agent`, or unset HTTP_PROXY, HTTPS_PROXY and ALL_PROXY and let it set NO_PROXY.",
    });
  }
  const { enabled, endpoint } = telemetry;
  if (enabled && endpoint !== null && !isLoopback(hostnameOf(endpoint))) {
    throw new AgentError("Deno's telemetry would send what this process does to another machine, past the sandbox", {
      exitCode: EXIT.permission,
      remedy: "Unset the variables that begin with OTEL_, or let their endpoints be on this machine.",
    });
  }
}

/**
 * Gives up the right to reach `hosts` for the rest of the process.
 * @throws AgentError (exit 77) when one of them could still be reached.
 */
export async function revokeHosts(hosts: readonly string[]): Promise<void> {
  for (const host of hosts) {
    await Deno.permissions.revoke({ name: "net", host });
    if (await isGranted(host)) {
      throw new AgentError(`The right to reach ${host} could not be given up`, {
        exitCode: EXIT.permission,
        remedy: "Start the program with `deno task agent`; this is a fault if it already was.",
      });
    }
  }
}

async function isGranted(host: string): Promise<boolean> {
  return (await Deno.permissions.query({ name: "net", host })).state === "granted";
}

function hostnameOf(url: string): string {
  return URL.canParse(url) ? new URL(url).hostname : url;
}
