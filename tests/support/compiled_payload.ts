import { Buffer } from "node:buffer";

/** What `deno compile` wrote into a binary about the sandbox it runs in, as far as tests look at it. */
export interface PayloadMetadata {
  /** By `allow_net`, `deny_net`, `ignore_env` and so on: null grants nothing, an empty list everything. */
  readonly permissions: Readonly<Record<string, readonly string[] | boolean | null>>;
  readonly argv: readonly string[];
  readonly v8_flags: readonly string[];
  readonly log_level: string | null;
  readonly unsafely_ignore_certificate_errors: readonly string[] | null;
  readonly env_vars_from_env_file: Readonly<Record<string, string>>;
  readonly entrypoint_key: string;
  readonly otel_config: {
    readonly tracing_enabled: boolean;
    readonly metrics_enabled: boolean;
    readonly console: string;
  };
}

export interface Payload {
  readonly metadata: PayloadMetadata;
  /** Names of the embedded files and folders at the top. */
  readonly entries: readonly string[];
  /** Where it begins in the binary: before that is Deno's base runtime. */
  readonly begin: number;
  /** The module that the program begins with. */
  readonly program: Uint8Array<ArrayBuffer>;
}

const MARK = "d3n0l4nd";

interface EmbeddedFile {
  readonly n: string;
  /** Where it begins among the contents, and its length in bytes. */
  readonly o: readonly [begin: number, length: number];
}

interface EmbeddedEntry {
  readonly File?: EmbeddedFile;
  readonly Dir?: { readonly n: string };
}

/**
 * Reads the payload of a compiled binary. Layout of Deno 2.9: the mark, the length of the metadata as a little-endian
 * 64-bit number, the metadata as JSON; some way on, with a length of its own, the tree of embedded files as JSON, and
 * behind another length their contents.
 */
export function readPayload(binary: Uint8Array<ArrayBuffer>): Payload {
  for (let at = indexOf(binary, MARK, 0); at >= 0; at = indexOf(binary, MARK, at + 1)) {
    const metadata = readJson<PayloadMetadata>(binary, at + MARK.length);
    if (metadata === null || !("entrypoint_key" in metadata.value)) continue;
    const tree = readJson<EmbeddedEntry[]>(binary, indexOf(binary, '[{"', metadata.end) - 8);
    if (tree === null) break;
    const entries = tree.value.map(({ File, Dir }) => File?.n ?? Dir?.n ?? "");
    const main = tree.value.find(({ File }) => File?.n === metadata.value.entrypoint_key)?.File;
    if (main === undefined) throw new Error(`Cannot find the program among ${entries.join(", ")}`);
    const begin = tree.end + 8 + main.o[0];
    return { metadata: metadata.value, entries, begin: at, program: binary.slice(begin, begin + main.o[1]) };
  }
  throw new Error("Cannot find a payload: this is not a binary built by deno compile");
}

/**
 * The flags of `deno run` that give a program what the binary has: its permissions and its settings of V8.
 * @throws Error for a permission that no flag would give like that
 */
export function runFlagsOf({ permissions, v8_flags }: PayloadMetadata): string[] {
  const granted = Object.entries(permissions).flatMap(([name, value]) => {
    if (value === null) return [];
    if (name === "prompt") return value === false ? ["--no-prompt"] : [];
    const flag = `--${name.replace("_", "-")}`;
    if (Array.isArray(value)) return [value.length === 0 ? flag : `${flag}=${value.join(",")}`];
    throw new Error(`Cannot run with ${name} = ${value}`);
  });
  return [...granted, `--v8-flags=${v8_flags.filter((flag) => flag.startsWith("--")).join(",")}`];
}

/** The JSON text behind a 64-bit length at `at`; null when there is none, as behind a mark that means something else. */
function readJson<T>(binary: Uint8Array, at: number): { value: T; end: number } | null {
  if (at + 8 > binary.length) return null;
  const length = Number(new DataView(binary.buffer, binary.byteOffset + at, 8).getBigUint64(0, true));
  if (length > binary.length - at - 8) return null;
  const end = at + 8 + length;
  try {
    return { value: JSON.parse(new TextDecoder().decode(binary.subarray(at + 8, end))), end };
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

/** Where the bytes of `wanted` stand in `bytes`; -1 when nowhere. */
export function indexOf(bytes: Uint8Array, wanted: string, from = 0): number {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).indexOf(wanted, from);
}
