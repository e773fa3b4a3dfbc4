/**
 * `deno task compile [--cloud] [-o FILE] [--target TRIPLE]`: the program as one executable file.
 *
 * The sandbox of the source (`permissions.default` in deno.json) is written into the binary, so that it holds without
 * any flag. The hosts of the cloud providers are part of it only with `--cloud`; the binary finds out which kind it is
 * by asking for its own permissions when it runs.
 */

import { parseArgs } from "node:util";
import project from "../deno.json" with { type: "json" };
import { createLog } from "./core/log.ts";
import { CLOUD_HOSTS } from "./privacy/egress.ts";

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
  /** One of Deno's target triples; default this machine's. */
  readonly target?: string;
}

/**
 * The arguments of `deno` that build the binary.
 *
 * Every permission is spelled out instead of named with `-P`: paths from a named set would become absolute paths of
 * the machine that builds. `--no-prompt` keeps the binary from asking for what it lacks. No `--quiet`: it would
 * silence the binary's own errors too. No `--cached-only`: the bundler is a package that Deno fetches when it first
 * bundles, as it fetches its base runtime.
 */
export function deriveCompileFlags(
  sandbox: Sandbox,
  { cloud = false, output = "dist/django-agent", target }: CompileOptions = {},
): string[] {
  const cloudHosts: readonly string[] = CLOUD_HOSTS;
  const hosts = sandbox.net.filter((host) => cloud || !cloudHosts.includes(host));
  return [
    "compile",
    "--no-prompt",
    "--deny-import",
    "--ignore-env",
    `--allow-env=${sandbox.env.allow.join(",")}`,
    `--allow-net=${hosts.join(",")}`,
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

/** Options from the command line. @throws {TypeError} for an option that does not exist or lacks its value. */
export function parseCompileArguments(args: readonly string[]): CompileOptions {
  const { values } = parseArgs({
    args: [...args],
    options: { cloud: { type: "boolean" }, output: { type: "string", short: "o" }, target: { type: "string" } },
  });
  return values;
}

/** Builds the binary and returns the exit code. */
async function compile(args: readonly string[]): Promise<number> {
  const log = createLog({ level: "info" });
  let options: CompileOptions;
  try {
    options = parseCompileArguments(args);
  } catch (error) {
    log.error(`Cannot compile: ${error instanceof Error ? error.message : error}`);
    log.error("Usage: deno task compile [--cloud] [-o FILE] [--target TRIPLE]");
    return 64;
  }
  const { code } = await new Deno.Command(Deno.execPath(), {
    args: deriveCompileFlags(project.permissions.default, options),
    cwd: new URL("..", import.meta.url),
    // Telemetry that is switched on while building would be switched on in the binary for good.
    env: { OTEL_DENO: "false", OTEL_DENO_TRACING: "false", OTEL_DENO_METRICS: "false", OTEL_DENO_CONSOLE: "ignore" },
  }).spawn().status;
  if (code === 0) log.info(`The cloud providers are ${options.cloud ? "within" : "out of"} this binary's reach.`);
  return code;
}

if (import.meta.main) Deno.exit(await compile(Deno.args));
