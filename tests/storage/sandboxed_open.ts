/** Opens the database its command line names under the rights it was started with, and prints what came of it. */
import { AgentError } from "../../src/core/errors.ts";
import { openTable } from "../support/local_store.ts";

try {
  openTable(Deno.args[0] ?? "")[Symbol.dispose]();
  console.log("{}");
} catch (error) {
  if (!(error instanceof AgentError)) throw error;
  const { message, remedy, exitCode } = error;
  console.log(JSON.stringify({ message, remedy, exitCode }));
}
