/** What `deno compile` wrote into a binary about the sandbox it runs in, as far as tests look at it. */
export interface PayloadMetadata {
  /** By `allow_net`, `deny_net`, `ignore_env` and so on: null grants nothing, an empty list everything. */
  readonly permissions: Readonly<Record<string, readonly string[] | boolean | null>>;
  readonly argv: readonly string[];
  readonly v8_flags: readonly string[];
  readonly log_level: string | null;
  readonly unsafely_ignore_certificate_errors: readonly string[] | null;
  readonly env_vars_from_env_file: Readonly<Record<string, string>>;
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
}

const MARK = new TextEncoder().encode("d3n0l4nd");

interface EmbeddedEntry {
  readonly File?: { readonly n: string };
  readonly Dir?: { readonly n: string };
}

/**
 * Reads the payload of a compiled binary. Layout of Deno 2.9: the mark, the length of the metadata as a little-endian
 * 64-bit number, the metadata as JSON; some way on, with a length of its own, the tree of embedded files as JSON.
 */
export function readPayload(binary: Uint8Array): Payload {
  for (let at = indexOf(binary, MARK, 0); at >= 0; at = indexOf(binary, MARK, at + 1)) {
    const metadata = readJson(binary, at + MARK.length);
    if (metadata === null) continue;
    const tree = indexOf(binary, new TextEncoder().encode('[{"'), metadata.end);
    const entries = readJson(binary, tree - 8)?.value as EmbeddedEntry[];
    return {
      metadata: metadata.value as PayloadMetadata,
      entries: entries.map(({ File, Dir }) => File?.n ?? Dir?.n ?? ""),
    };
  }
  throw new Error("Cannot find a payload: this is not a binary built by deno compile");
}

/** The JSON text behind a 64-bit length at `at`; null when there is none, as behind a mark that means something else. */
function readJson(binary: Uint8Array, at: number): { value: unknown; end: number } | null {
  const length = Number(new DataView(binary.buffer, binary.byteOffset + at, 8).getBigUint64(0, true));
  if (length > binary.length - at - 8) return null;
  const end = at + 8 + length;
  return { value: JSON.parse(new TextDecoder().decode(binary.subarray(at + 8, end))), end };
}

function indexOf(bytes: Uint8Array, wanted: Uint8Array, from: number): number {
  for (let at = from; at <= bytes.length - wanted.length; at++) {
    if (wanted.every((byte, index) => bytes[at + index] === byte)) return at;
  }
  return -1;
}
