import { join } from "node:path";
import { statfs } from "node:fs/promises";
import { couldBeKey, type Env, loadEnv, type Telemetry } from "../config/env.ts";
import { describeAccess } from "../config/read_file.ts";
import type { ModelsConfig } from "../config/schema.ts";
import { isLoopback } from "../core/address.ts";
import { AgentError, EXIT } from "../core/errors.ts";
import { formatBytes } from "../core/format.ts";
import { parseModelRef } from "../core/types.ts";
import type { HostGrant, Seal } from "../privacy/egress.ts";
import { findCloudModels, type Profile } from "../router/chain.ts";
import { fail, failWith, type Finding, ok, warn } from "./doctor_finding.ts";

/** What `doctor` finds on this machine without asking anybody: files, keys, the sandbox and what could get past it. */

/** Less free space than this is worth a word, in bytes. */
const LITTLE_SPACE = 1024 ** 3;
const GEMINI_TERMS = "on its free tier Google may use what is sent to improve its products";

/** Reads `.env`; with what is wrong with it, or with who else may read it. */
export async function checkEnvFile(path: string): Promise<{ readonly finding: Finding; readonly env?: Env }> {
  try {
    const env = await loadEnv({ path });
    const info = await Deno.stat(path).catch(() => undefined);
    if (!info) return { env, finding: ok(path, "there is none: only the environment counts") };
    return { env, finding: describeMode(path, info.mode) };
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    return { finding: failWith(path, error) };
  }
}

/** @param mode permission bits of the file; null where the system has none */
function describeMode(path: string, mode: number | null): Finding {
  if (mode === null) return ok(path, "can be read");
  if ((mode & 0o077) === 0) return ok(path, "can be read, and by you alone");
  const shown = (mode & 0o777).toString(8);
  return warn(
    path,
    `other users of this machine may use it (mode ${shown}), and it is for secrets`,
    `chmod 600 ${path}`,
  );
}

/** Whether each cloud provider has its key. Names variables, never values. */
export function checkKeys(models: ModelsConfig, profile: Profile, env: Env, cloud: boolean): Finding[] {
  const needed = new Set(findCloudModels(models, profile).map((ref) => parseModelRef(ref)?.provider));
  return Object.entries(models.providers).flatMap(([id, { type, api_key_env: variable }]) => {
    if (type === "ollama" || variable === undefined) return [];
    const name = `key of ${id}`;
    const key = env.get(variable);
    if (key !== undefined && !couldBeKey(key)) {
      return [warn(name, `${variable} holds characters that no key has`, "Copy the key again.")];
    }
    if (key !== undefined) {
      const terms = type === "gemini" ? `; ${GEMINI_TERMS}` : "";
      return [ok(name, `${variable} is set${cloud ? "" : ", and not used without --cloud"}${terms}`)];
    }
    if (cloud && needed.has(id)) {
      const detail = `${variable} is not set, and profile ${profile.name} asks ${id}`;
      return [fail(name, detail, `Put ${variable}=… into .env or into the environment.`, EXIT.permission)];
    }
    return [ok(name, `${variable} is not set, and not needed${cloud ? ` by profile ${profile.name}` : ""}`)];
  });
}

/** Whether the process has given up `grants`: every host outside the local network that the program knows. */
/** @param kept hosts that this run keeps on purpose: Discord's, when it has a bot */
export function checkSeal({ sealed, sandboxed }: Seal, grants: readonly HostGrant[], kept: readonly string[]): Finding {
  const hosts = (wanted: HostGrant["state"]) => grants.filter(({ state }) => state === wanted).map(({ host }) => host);
  if (!sandboxed) {
    return warn(
      "seal",
      "not sealed: the sandbox is off (--no-sandbox), so nothing is enforced",
      "Leave --no-sandbox away and start with `deno task agent`.",
    );
  }
  const allowed = hosts("allowed").join(", ") || "no host outside";
  if (!sealed) return ok("seal", `open to the cloud (--cloud): the sandbox allows ${allowed}`);
  if (hosts("allowed").every((host) => kept.includes(host))) {
    const bot = hosts("allowed").length === 0 ? "" : `; it allows ${allowed}, for the bot`;
    return ok("seal", `sealed: the sandbox denies ${hosts("denied").join(", ")}${bot}`);
  }
  return fail(
    "seal",
    `this run is sealed, and yet the sandbox allows ${allowed}`,
    "This is a fault of the program; please report it.",
    EXIT.permission,
  );
}

/** @param names variables that are set; their values may hold passwords */
export function checkProxies(names: readonly string[], loopbackIsDirect: boolean): Finding {
  if (names.length === 0) return ok("proxies", "none is set");
  const shown = names.join(", ");
  if (loopbackIsDirect) return ok("proxies", `${shown} set; requests to this machine and its Ollama go past them`);
  return fail(
    "proxies",
    `${shown} would carry requests meant for this machine`,
    `Unset ${shown}, or allow the program to set NO_PROXY.`,
    EXIT.permission,
  );
}

/** Whether Deno itself tells somebody what this process does, which no sandbox prevents. */
export function checkTelemetry({ enabled, endpoint }: Telemetry): Finding {
  if (!enabled) return ok("telemetry", "Deno's own telemetry is off");
  const where = endpoint ?? "this machine";
  const remedy = "Unset OTEL_DENO and the other variables that begin with OTEL_DENO.";
  const hostname = endpoint !== null && URL.canParse(endpoint) ? new URL(endpoint).hostname : endpoint;
  if (hostname === null || isLoopback(hostname)) {
    return warn("telemetry", `Deno reports what this process does to ${where}`, remedy);
  }
  return fail(
    "telemetry",
    `Deno reports what this process does to ${where}, past the sandbox`,
    remedy,
    EXIT.permission,
  );
}

/** Whether `models` commands can change the configuration. Without the folder the embedded defaults serve. */
export async function checkConfigFolder(path: string): Promise<Finding> {
  const name = "configuration folder";
  try {
    await Deno.stat(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return ok(name, `${path} does not exist: the embedded defaults serve`);
  }
  const problem = await tryWriting(path);
  if (!problem) return ok(name, `${path} can be read and written`);
  const { message, remedy } = problem;
  return warn(
    name,
    `${message}, so \`models profile\` and \`models assign\` cannot change it`,
    remedy ?? "Check who owns it.",
  );
}

/** Whether the data folder takes a file; creates the folder when there is none. */
export async function checkDataFolder(path: string): Promise<Finding> {
  const problem = await tryWriting(path, { create: true });
  return problem ? failWith("data folder", problem) : ok("data folder", `${path} can be written`);
}

/** Creates and removes a file, which says more than any permission bit. */
async function tryWriting(path: string, { create = false } = {}): Promise<AgentError | undefined> {
  const probe = join(path, `.doctor-${crypto.randomUUID()}`);
  try {
    if (create) await Deno.mkdir(path, { recursive: true });
    await Deno.writeTextFile(probe, "ok\n", { createNew: true });
    await Deno.remove(probe);
    return undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotADirectory || error instanceof Deno.errors.AlreadyExists) {
      return new AgentError(`Cannot write into ${path}: it, or a part of its path, is a file and not a folder`, {
        exitCode: EXIT.permission,
        remedy: "Move that file away, or name another folder.",
        cause: error,
      });
    }
    return describeAccess(error, "write", path);
  }
}

/** Free space where the data lies. */
export async function checkDisk(path: string): Promise<Finding> {
  try {
    const { bavail, bsize } = await statfs(path);
    return describeSpace(path, bavail * bsize);
  } catch (error) {
    const denied = error instanceof Deno.errors.NotCapable;
    return warn(
      "free disk",
      `the free space at ${path} is unknown${denied ? ": the sandbox does not let it be asked for" : ""}`,
      denied ? 'Add "statfs" to permissions.default.sys in deno.json.' : "Make the data folder usable first.",
    );
  }
}

/** @param freeBytes what this user may still write at `path` */
export function describeSpace(path: string, freeBytes: number): Finding {
  const shown = `${formatBytes(freeBytes)} free at ${path}`;
  if (freeBytes >= LITTLE_SPACE) return ok("free disk", shown);
  return warn("free disk", shown, "Make room: conversations and usage are stored there, and models need gigabytes.");
}
