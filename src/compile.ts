/**
 * `deno task compile`: the program as one executable file.
 *
 * The sandbox of the source (`permissions.default` in deno.json) is written into the binary, so that it holds without
 * any flag. The hosts of the cloud providers are part of it only with `--cloud`; the binary finds out which kind it is
 * by asking for its own permissions when it runs. A host of the local network is added by the option for what is there.
 */

import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import project from "../deno.json" with { type: "json" };
import { usageError } from "./cli/usage_error.ts";
import { isUnspecified } from "./core/address.ts";
import { AgentError, withRemedy } from "./core/errors.ts";
import { createLog } from "./core/log.ts";
import { HOST_OPTIONS, type HostOption, isGrantedBy } from "./core/sandbox.ts";
import { CLOUD_HOSTS } from "./privacy/egress.ts";

const ROOT = new URL("../", import.meta.url);

/** What Deno compiles for. */
export const TARGETS: readonly string[] = [
  "x86_64-unknown-linux-gnu",
  "aarch64-unknown-linux-gnu",
  "x86_64-apple-darwin",
  "aarch64-apple-darwin",
  "x86_64-pc-windows-msvc",
];

const USAGE = "Usage: deno task compile [--cloud] [--ollama HOST:PORT] [--listen HOST:PORT] [--postgres HOST:PORT] " +
  "[--target TRIPLE] [-o FILE] [--help]";
/** An address that is right, for each option. */
const EXAMPLES: Readonly<Record<HostOption, string>> = {
  ollama: "192.168.1.20:11434",
  listen: "0.0.0.0:8000",
  postgres: "192.168.1.20:5432",
};

/**
 * Flags that keep the program small beside the model: half the memory under load, for answers a little later while the
 * program warms up. The tasks of deno.json have them too; measured with `deno task bench`.
 */
export const V8_FLAGS = "--max-semi-space-size=4,--heap-growing-percent=30,--no-concurrent-recompilation";

/** The part of a permission set that the binary takes over. Paths stay relative to the folder it is started in. */
export interface Sandbox {
  readonly read: readonly string[];
  readonly write: readonly string[];
  readonly net: readonly string[];
  readonly env: { readonly allow: readonly string[] };
  readonly sys: readonly string[];
}

export interface CompileOptions {
  /** Whether the binary may reach the cloud providers; default false. */
  readonly cloud?: boolean;
  /** The file to write; default `dist/django-agent`. */
  readonly output?: string;
  /** One of `TARGETS`; default this machine's. */
  readonly target?: string;
  /** What it may reach or listen on besides, as `host:port`. */
  readonly hosts?: readonly string[];
}

/**
 * The arguments of `deno` that build the binary.
 *
 * Every permission is spelled out instead of named with `-P`: paths from a named set would become absolute paths of
 * the machine that builds. `--no-prompt` keeps the binary from asking for what it lacks. No `--quiet`: it would
 * silence the binary's own errors too. No `--cached-only`: the bundler is a package that Deno fetches when it first
 * bundles, as it fetches its base runtime. Types are left to `deno task check`; they would take longer than all the rest.
 */
export function deriveCompileFlags(
  sandbox: Sandbox,
  { cloud = false, output = "dist/django-agent", target, hosts = [] }: CompileOptions = {},
): string[] {
  const cloudHosts: readonly string[] = CLOUD_HOSTS;
  const usual = sandbox.net.filter((host) => cloud || !cloudHosts.includes(host));
  return [
    "compile",
    "--no-check",
    "--no-prompt",
    "--deny-import",
    "--ignore-env",
    `--allow-env=${sandbox.env.allow.join(",")}`,
    `--allow-net=${[...usual, ...findMissing(hosts, usual)].join(",")}`,
    `--allow-read=${sandbox.read.join(",")}`,
    `--allow-write=${sandbox.write.join(",")}`,
    `--allow-sys=${sandbox.sys.join(",")}`,
    `--v8-flags=${V8_FLAGS}`,
    "--bundle",
    "--minify",
    ...(target === undefined ? [] : ["--target", target]),
    "-o",
    output,
    "main.ts",
  ];
}

/** Those of `hosts` that `granted` does not cover: this machine's names are granted with every port. */
function findMissing(hosts: readonly string[], granted: readonly string[]): string[] {
  return [...new Set(hosts)].filter((host) => !granted.includes(host) && !granted.includes(host.replace(/:\d+$/, "")));
}

/** Options from the command line. @throws AgentError (exit 64) for what is wrong, with what would be right */
export function parseCompileArguments(args: readonly string[]): CompileOptions {
  const { ollama = [], listen = [], postgres = [], target, help: _, ...rest } = readOptions(args);
  if (rest.output?.trim() === "") throw usageError("-o names no file", "Write it like -o dist/django-agent.");
  if (target !== undefined && !TARGETS.includes(target)) {
    throw usageError(`Nothing can be built for "${target}"`, `Deno builds for ${TARGETS.join(", ")}.`);
  }
  const given: Readonly<Record<HostOption, readonly string[]>> = { ollama, listen, postgres };
  const hosts = HOST_OPTIONS.flatMap((option) => given[option].map((value) => parseHost(option, value)));
  return { ...rest, hosts: [...new Set(hosts)], ...(target !== undefined && { target }) };
}

function readOptions(args: readonly string[]) {
  const host = { type: "string", multiple: true } as const;
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        help: { type: "boolean" },
        cloud: { type: "boolean" },
        output: { type: "string", short: "o" },
        target: { type: "string" },
        ollama: host,
        listen: host,
        postgres: host,
      },
    });
    return values;
  } catch (error) {
    throw usageError(error instanceof Error ? error.message : String(error), USAGE);
  }
}

/** The address as a grant of the sandbox and as the program asks for it. */
function parseHost(option: HostOption, value: string): string {
  const refuse = (why: string, what = `Write it like --${option} ${EXAMPLES[option]}.`) =>
    usageError(`--${option} "${value}" ${why}`, what);
  if (value.includes("://")) throw refuse("begins with a scheme, and wanted are only host and port");
  if (value.includes("*")) throw refuse("is a wildcard, and every host has to be named");
  const [, name = "", port] = /^(\[[\da-f:.]+\]|[\p{L}\p{N}._-]+)(?::(\d*))?$/iu.exec(value) ?? [];
  if (name === "" && /^[\da-f:.]*:[\da-f:.]*:/i.test(value)) {
    throw refuse("is an IPv6 address without brackets", `Write it like --${option} [fd00::20]:11434.`);
  }
  if (name === "") throw refuse("is not a host and a port");
  if (port === undefined || port === "") throw refuse("lacks its port");
  if (Number(port) < 1 || Number(port) > 65_535) throw refuse("has a port that is none: ports go from 1 to 65535");
  const host = URL.parse(`http://${name}`)?.hostname; // as it is asked for: small letters, addresses in their usual form
  if (host === undefined) throw refuse("is not a host that there can be");
  if (isGrantedBy(option, host)) return `${host}:${Number(port)}`;
  if (isUnspecified(host)) throw refuse("is where a server listens, and nothing that can be reached");
  throw refuse("is neither this machine nor on the local network", describeOutside(host));
}

function describeOutside(host: string): string {
  if (CLOUD_HOSTS.some((each) => each.startsWith(`${host}:`))) return "For the cloud providers there is --cloud.";
  return "What lies outside has to stand in permissions.default.net of deno.json, which the binary takes over.";
}

/**
 * Deno writes over what it finds, and panics or reads without end where that is no file.
 * @throws AgentError (exit 64)
 */
function requireFile(output: string | undefined): void {
  if (output === undefined) return;
  const path = resolve(fileURLToPath(ROOT), output); // a path may hold what means something else in a URL
  try {
    if (Deno.statSync(path).isFile) return;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return; // Deno makes it
  }
  throw usageError(`-o ${output} is no file that can be written`, "Name another one.");
}

/** Builds the binary and returns the exit code. */
async function compile(args: readonly string[]): Promise<number> {
  const log = createLog({ level: "info" });
  if (args.includes("--help")) {
    log.info(USAGE);
    return 0;
  }
  let options: CompileOptions;
  try {
    options = parseCompileArguments(args);
    requireFile(options.output);
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    log.error(withRemedy(`Cannot compile: ${error.message}`, error.remedy));
    return error.exitCode;
  }
  const { code } = await new Deno.Command(Deno.execPath(), {
    args: deriveCompileFlags(project.permissions.default, options),
    cwd: ROOT,
    // Telemetry that is switched on while building would be switched on in the binary for good.
    env: { OTEL_DENO: "false", OTEL_DENO_TRACING: "false", OTEL_DENO_METRICS: "false", OTEL_DENO_CONSOLE: "ignore" },
  }).spawn().status;
  if (code !== 0) return code;
  log.info(`The cloud providers are ${options.cloud ? "within" : "out of"} this binary's reach.`);
  const { hosts = [] } = options;
  if (hosts.length > 0) log.info(`It may also use ${hosts.join(", ")}, once it is configured or told to.`);
  return code;
}

if (import.meta.main) Deno.exit(await compile(Deno.args));
