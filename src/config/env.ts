import { isLoopback } from "../core/address.ts";
import { AgentError, ConfigError, EXIT } from "../core/errors.ts";
import { checkBaseUrl } from "./base_url.ts";
import { parseDotEnv } from "./dotenv.ts";
import { readSmallFile } from "./read_file.ts";

const PROXIES = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] as const;
const NO_PROXIES = ["NO_PROXY", "no_proxy"] as const;
/** Each of them alone starts Deno's own telemetry, OTEL_DENO or not. */
const TELEMETRY_SWITCHES = ["OTEL_DENO", "OTEL_DENO_TRACING", "OTEL_DENO_METRICS", "OTEL_DENO_CONSOLE"] as const;
const TELEMETRY_ENDPOINTS = [
  "OTEL_EXPORTER_OTLP_ENDPOINT",
  "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
  "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
  "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT",
  "OTEL_DENO_VSOCK",
] as const;

/** The only variables this program reads from its environment: what the sandbox has to allow. */
export const ENVIRONMENT = [
  "OLLAMA_HOST",
  "GEMINI_API_KEY",
  "GROQ_API_KEY",
  "DISCORD_BOT_TOKEN",
  "DISCORD_WEBHOOK_URL",
  "DISCORD_API_URL",
  "DATABASE_URL",
  "DJANGO_API_TOKEN",
  "DJANGO_LOG_LEVEL",
  "NO_COLOR",
  ...PROXIES,
  ...NO_PROXIES,
  ...TELEMETRY_SWITCHES,
  ...TELEMETRY_ENDPOINTS,
] as const;

/** Settings and secrets by name. */
export interface Env {
  /** The value from the environment (names of `ENVIRONMENT` only), else from `.env`; an empty value counts as none. */
  get(name: string): string | undefined;
}

export interface LoadEnvOptions {
  /** Default `.env` in the current folder. */
  readonly path?: string;
}

/**
 * Reads `.env`, which fills what the environment does not set. A missing file is fine.
 * @throws ConfigError naming the lines that cannot be read, never what they say
 * @throws AgentError (exit 77) when the file lies outside the sandbox
 */
export async function loadEnv({ path = ".env" }: LoadEnvOptions = {}): Promise<Env> {
  const { values, problems } = parseDotEnv(await readSmallFile(path) ?? "");
  if (problems.length > 0) throw new ConfigError(path, problems);
  const inEnvironment: ReadonlySet<string> = new Set(ENVIRONMENT);
  return { get: (name) => (inEnvironment.has(name) && readVariable(name)) || values.get(name) || undefined };
}

/** Whether a value can be an API key at all: printable ASCII without blanks, as a header needs it. */
export function couldBeKey(value: string): boolean {
  return /^[\x21-\x7e]+$/.test(value);
}

/** Names of the variables that would send requests through a proxy. Their values may hold passwords: not given. */
export function proxyVariables(): string[] {
  return PROXIES.filter((name) => readVariable(name) !== undefined);
}

/**
 * Keeps requests of `fetch` to this machine away from any proxy, for this process only; exceptions that are set already
 * stay. Must run before the first request: Deno reads them once.
 * @returns whether it holds; false when the sandbox does not let this process set the variables
 */
export function exemptFromProxies(): boolean {
  const before = NO_PROXIES.flatMap((name) => readVariable(name)?.split(",") ?? []);
  const wanted = ["localhost", "127.0.0.1", "127.0.0.0/8", "::1"];
  const exceptions = [...new Set([...before, ...wanted].map((entry) => entry.trim()).filter((entry) => entry !== ""))];
  const value = exceptions.join(",");
  return NO_PROXIES.map((name) => setVariable(name, value)).every((held) => held);
}

export interface Telemetry {
  /** Whether the runtime exports traces, metrics or console text, whatever the sandbox says. */
  readonly enabled: boolean;
  /**
   * Where to, as an origin: one off this machine when any is, and a note when it is no address. Null when nothing is
   * set: Deno's default, which is on this machine.
   */
  readonly endpoint: string | null;
}

/** What Deno's built-in telemetry is set to. */
export function readTelemetry(): Telemetry {
  const enabled = TELEMETRY_SWITCHES.some((name) => {
    const value = readVariable(name)?.toLowerCase();
    return name === "OTEL_DENO_CONSOLE" ? value === "capture" || value === "replace" : value === "true";
  });
  const endpoints = TELEMETRY_ENDPOINTS.flatMap((name) => {
    const value = readVariable(name);
    return value === undefined ? [] : [describeEndpoint(value)];
  });
  const shown = endpoints.find(({ local }) => !local) ?? endpoints[0];
  return { enabled, endpoint: shown?.origin ?? null };
}

function describeEndpoint(value: string): { origin: string; local: boolean } {
  const url = URL.parse(value);
  if (!url || url.hostname === "") return { origin: "(an address that cannot be read)", local: false };
  return { origin: url.origin, local: isLoopback(url.hostname) };
}

/**
 * The base URL that `OLLAMA_HOST` means, read as Ollama reads it: without a scheme it is http on port 11434, and the
 * addresses a server listens on everywhere (`0.0.0.0`, `[::]`) stand for this machine.
 * @throws AgentError (exit 78) when it is no address, or not one of this machine or network
 */
export function ollamaBaseUrl(value: string): string {
  const text = value.trim().replace(/^(["'])(.*)\1$/, "$2").trim();
  const url = text.includes("://") ? URL.parse(text) : withDefaults(text);
  if (url?.hostname === "0.0.0.0") url.hostname = "127.0.0.1";
  if (url?.hostname === "[::]") url.hostname = "[::1]";
  const problem = checkBaseUrl(url?.href ?? "", { local: true });
  if (url && !problem) return url.origin;
  throw new AgentError(`Cannot use OLLAMA_HOST: ${problem?.message ?? "it is not an address"}`, {
    exitCode: EXIT.config,
    remedy: problem?.remedy ?? "Write it like 127.0.0.1:11434.",
  });
}

function withDefaults(text: string): URL | null {
  const isBareIpv6 = /^[^\[]*:[^\]]*:/.test(text);
  const address = text === "" || text.startsWith(":") && !isBareIpv6 ? `127.0.0.1${text}` : text;
  const url = URL.parse(`http://${isBareIpv6 ? `[${text}]` : address}`);
  const hasPort = !isBareIpv6 && /:\d+\/?$/.test(address);
  if (url && !hasPort) url.port = "11434";
  return url;
}

function readVariable(name: string): string | undefined {
  try {
    return Deno.env.get(name) || undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) return undefined; // what the sandbox hides counts as not set
    throw error;
  }
}

function setVariable(name: string, value: string): boolean {
  try {
    Deno.env.set(name, value);
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) return false;
    throw error;
  }
  return readVariable(name) === value; // under --ignore-env setting an unlisted name silently does nothing
}
