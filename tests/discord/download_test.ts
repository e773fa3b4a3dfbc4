import assert from "node:assert/strict";
import { createDownload } from "../../src/discord/download.ts";
import { createSenders } from "../../src/providers/senders.ts";
import { type Handler, startRawServer } from "../support/raw_server.ts";

const calm = new AbortController().signal;

/** Downloads from a server that answers like this. */
async function withServer(handler: Handler, body: (origin: string, download: Download) => Promise<void>) {
  const server = startRawServer(handler);
  try {
    const counts = { requests: 0, received: 0 };
    const ledger = {
      sent: () => void counts.requests++,
      received: (_: string, bytes: number) => void (counts.received += bytes),
    };
    const download = createDownload({ senderOf: createSenders(), ledger, apiUrl: `${server.origin}/api/v10` });
    await body(server.origin, download);
  } finally {
    await server.stop();
  }
}
type Download = ReturnType<typeof createDownload>;

const answering = (bytes: number): Handler => async (_request, reply) => {
  await reply.head(200);
  for (let left = bytes; left > 0; left -= 1000) await reply.write("x".repeat(Math.min(left, 1000)));
  await reply.end();
};

Deno.test("createDownload() fetches a file, every byte of it and no byte too many", () =>
  withServer(answering(5000), async (origin, download) => {
    assert.equal((await download(`${origin}/attachments/a.txt?ex=1`, 5000, calm)).length, 5000);
    await assert.rejects(download(`${origin}/a.txt`, 4999, calm), /more than 4999 bytes/);
  }));

Deno.test("createDownload() goes nowhere but where the files are, whatever a message says", () =>
  withServer(answering(1), async (origin, download) => {
    const elsewhere = [
      "http://127.0.0.1:1/a",
      "https://cdn.discordapp.com.evil.example/a",
      "http://cdn.discordapp.com/a",
    ];
    for (const url of [...elsewhere, "file:///etc/passwd", "nonsense", origin.replace("127.0.0.1", "localhost")]) {
      await assert.rejects(download(url, 10, calm), /not where Discord keeps them/, url);
    }
  }));

Deno.test("createDownload() takes nothing but a 200, and follows no redirect", () =>
  withServer(async (request, reply) => {
    await reply.head(request.path === "/gone" ? 404 : 307, { location: "/elsewhere" });
    await reply.end();
  }, async (origin, download) => {
    await assert.rejects(download(`${origin}/gone`, 10, calm), /answered with 404/);
    await assert.rejects(download(`${origin}/moved`, 10, calm), /answered with 307/);
  }));

Deno.test("createDownload() ends with its signal", () =>
  withServer((_request, reply) => reply.hang(), async (origin, download) => {
    const stop = new AbortController();
    const downloading = download(`${origin}/a`, 10, stop.signal);
    setTimeout(() => stop.abort(), 20);
    await assert.rejects(downloading);
  }));

Deno.test("createDownload() asks nobody when its signal has aborted before", () =>
  withServer(answering(1), async (origin, download) => {
    await assert.rejects(download(`${origin}/a.txt`, 10, AbortSignal.abort(new Error("left"))), /left/);
    await new Promise((resolve) => setTimeout(resolve, 0)); // a rejection that nobody handles would show here
  }));
