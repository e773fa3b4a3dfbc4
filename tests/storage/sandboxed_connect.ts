/** A run of its own, for a sandbox of its own: `sandboxed_connect.ts URL` connects and prints what came of it. */
import { AgentError } from "../../src/core/errors.ts";
import { parseDatabaseUrl } from "../../src/storage/database_url.ts";
import { connectPostgres } from "../../src/storage/postgres.ts";

let requests = 0;
try {
  const usage = await connectPostgres({
    target: parseDatabaseUrl(Deno.args[0] ?? ""),
    traffic: { sent: () => void requests++, sentMore: () => {}, received: () => {} },
    signal: new AbortController().signal,
    migrate: true,
  });
  await usage.close();
  console.log(JSON.stringify({ requests }));
} catch (error) {
  if (!(error instanceof AgentError)) throw error;
  const { message, remedy, exitCode } = error;
  console.log(JSON.stringify({ requests, message, remedy, exitCode }));
}
