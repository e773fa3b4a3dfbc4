import { printable } from "../core/format.ts";
import type { WebhookRequest } from "../discord/webhook_request.ts";
import { flagOf, isAddress, type PostOptions } from "./post_options.ts";
import { writeBytes, writeJson, writeOut } from "./output.ts";

/**
 * Writes requests as they would go over the wire, the token of the address hidden: method and address, headers, an
 * empty line, the body to its last byte, a line break. On a terminal the bytes of files are left out.
 */
export function printRequests(requests: readonly WebhookRequest[]): void {
  const isTerminal = Deno.stdout.isTerminal();
  for (const { method, shown, headers, body } of requests) {
    const head = Object.entries(headers).map(([name, value]) => `${name}: ${value}\n`).join("");
    writeOut(`${method} ${shown}\n${head}\n`);
    if (isTerminal) writeOut(readable(body));
    else writeBytes(body ?? new Uint8Array());
    writeOut("\n");
  }
}

/** The same as JSON; a body that is no text as base64. */
export function printRequestsAsJson(requests: readonly WebhookRequest[]): void {
  writeJson({
    outcome: "dry_run",
    requests: requests.map(({ method, shown, headers, body }) => {
      const text = asText(body);
      const encoded = text === undefined ? { body_base64: body?.toBase64() ?? "" } : { body: text };
      return { method, url: shown, headers, ...encoded };
    }),
  });
}

function readable(body: Uint8Array | null): string {
  const text = asText(body);
  if (text !== undefined) return printable(text);
  return `(${body?.length ?? 0} bytes with files; in a pipe they are written as they are)`;
}

function asText(body: Uint8Array | null): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body ?? new Uint8Array());
  } catch {
    return undefined;
  }
}

export interface Continuation {
  /** True when it needs the text on standard input, where it was or because it stood on the command line. */
  readonly readsStdin: boolean;
  readonly skip: number;
  readonly threadId: string | undefined;
  readonly dataDir: string;
}

/**
 * The command line that posts the rest: the same options, with `--skip-parts`. A text stands for itself no more, it is
 * to come on standard input; nor does an address behind --webhook, which holds a token.
 */
export function continueLine(options: PostOptions, { readsStdin, skip, threadId, dataDir }: Continuation): string {
  const { skipParts: _1, threadId: _2, threadName: _3, webhook, file, ...kept } = options;
  const words = Object.entries(kept).flatMap(([name, value]: [string, string | true | readonly string[]]) =>
    [value].flat().map((each) => each === true ? flagOf(name) : `${flagOf(name)}=${quote(each)}`)
  );
  return [
    "django-agent post",
    ...(readsStdin ? ["-"] : []),
    ...(!readsStdin && file !== undefined ? [`--file=${quote(file)}`] : []),
    ...words,
    ...(webhook !== undefined && !isAddress(webhook) ? [`--webhook=${webhook}`] : []),
    ...(threadId === undefined ? [] : [`--thread-id=${threadId}`]),
    ...(dataDir === "./data" ? [] : [`--data=${quote(dataDir)}`]),
    `--skip-parts ${skip}`,
  ].join(" ");
}

/** For a POSIX shell. */
function quote(text: string): string {
  return /^[\w./:@%+,=-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
