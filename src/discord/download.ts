import type { EgressRecorder } from "../providers/exchange.ts";
import type { SenderOf } from "../providers/senders.ts";
import type { AttachmentOptions } from "./attachments.ts";

/** Where files that people attach are. */
const FILES_ORIGIN = "https://cdn.discordapp.com";
const LONGEST_MS = 15_000;

export interface DownloadOptions {
  readonly senderOf: SenderOf;
  readonly ledger: EgressRecorder;
  /** Address of another server that speaks Discord's API: its files are at the same origin. */
  readonly apiUrl?: string | undefined;
}

/**
 * Fetches attached files, from where Discord keeps them and from nowhere else: the address comes with a message, and
 * whoever wrote that may have chosen it. Follows no redirect, and gives up after 15 s.
 */
export function createDownload({ senderOf, ledger, apiUrl }: DownloadOptions): AttachmentOptions["download"] {
  const origins = [FILES_ORIGIN, ...(apiUrl === undefined ? [] : [URL.parse(apiUrl)?.origin])];
  return async (url, maxBytes, signal) => {
    const parsed = URL.parse(url);
    if (!parsed || !origins.includes(parsed.origin)) throw new Error("A file is not where Discord keeps them");
    const { origin, pathname, search } = parsed;
    const either = AbortSignal.any([signal, AbortSignal.timeout(LONGEST_MS)]);
    either.throwIfAborted();
    ledger.sent(origin, 0);
    const sending = senderOf(origin)({ path: pathname + search, method: "GET", headers: {}, body: null });
    const leave = () => void sending.cancel();
    either.addEventListener("abort", leave);
    try {
      const { status } = await sending.head;
      if (status !== 200) throw new Error(`A file is answered with ${status}`);
      return await readUpTo(maxBytes, async () => {
        const piece = await sending.read();
        if (piece) ledger.received(origin, piece.length);
        return piece;
      });
    } finally {
      either.removeEventListener("abort", leave);
      await sending.cancel();
    }
  };
}

async function readUpTo(maxBytes: number, read: () => Promise<Uint8Array | undefined>): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for (let piece = await read(); piece; piece = await read()) {
    size += piece.length;
    if (size > maxBytes) throw new Error(`A file has more than ${maxBytes} bytes`);
    pieces.push(piece);
  }
  const whole = new Uint8Array(size);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
