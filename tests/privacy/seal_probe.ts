/**
 * Seals its own process as the JSON on its command line says, gives up all hosts but the one that follows (all for an
 * empty one), and prints what came of it.
 */
import { AgentError } from "../../src/core/errors.ts";
import {
  CLOUD_HOSTS,
  DISCORD_HOSTS,
  keepOnlyHost,
  queryHosts,
  type SealOptions,
  sealProcess,
} from "../../src/privacy/egress.ts";

/** Hosts outside the three lists that a test may have granted. */
export const OTHER_HOSTS = ["127.0.0.1:11434", "status.groq.com:443", "example.com:443"];

/** What the probe prints: the seal, or the error, and the hosts it may reach afterwards. */
export interface Outcome {
  readonly seal?: { readonly sealed: boolean; readonly sandboxed: boolean };
  readonly error?: { readonly message: string; readonly remedy: string; readonly exitCode: number };
  readonly reachable: readonly string[];
  /** True when code can still be fetched from a host that Deno allows by itself. */
  readonly imports: boolean;
}

async function attempt(options: SealOptions): Promise<Pick<Outcome, "seal" | "error">> {
  try {
    return { seal: await sealProcess(options) };
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    const { message, remedy = "", exitCode } = error;
    return { error: { message, remedy, exitCode } };
  }
}

if (import.meta.main) {
  const [options = "", kept] = Deno.args;
  const result = await attempt(JSON.parse(options));
  if (kept !== undefined) await keepOnlyHost(kept || undefined);
  const hosts = await queryHosts([...CLOUD_HOSTS, ...DISCORD_HOSTS, ...OTHER_HOSTS]);
  const reachable = hosts.filter(({ state }) => state === "allowed").map(({ host }) => host);
  const { state } = await Deno.permissions.query({ name: "import", host: "raw.githubusercontent.com:443" });
  console.log(JSON.stringify({ ...result, reachable, imports: state === "granted" }));
}
