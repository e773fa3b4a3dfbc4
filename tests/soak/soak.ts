/**
 * `deno task soak`: very many messages and requests through the whole program, and whether it still holds what it held.
 * The report goes to standard output, progress to standard error. Exit code 0 when all is well, 1 when it is not.
 */
import { MEMORY_RISE_MB } from "../bench/bounds.ts";
import { usageError } from "../../src/cli/usage_error.ts";
import { AgentError, EXIT } from "../../src/core/errors.ts";
import { parseOptions, runTask, wholeNumber } from "../support/task.ts";
import { vitalsMissing } from "../support/vitals.ts";
import { BOUNDS, problemsOf, renderProgress, renderReport } from "./report.ts";
import { runSoak } from "./run.ts";

const MESSAGES = 1_000_000;
const REQUESTS = 200_000;
const MOST = 100_000_000;
const LEAST = 1000;
const HELP = `Usage: deno task soak [--messages N] [--requests N]

Sends ${MESSAGES.toLocaleString("en")} messages on a fake Discord and ${REQUESTS.toLocaleString("en")} requests to /v1
through the program, over fake models, and says whether it grows or loses anything.

  --messages N   ${LEAST} to ${MOST} messages, or 0
  --requests N   ${LEAST} to ${MOST} requests, or 0

Memory may grow by ${BOUNDS.growthMb} MB over the second half: what the benchmark grants the bot (${MEMORY_RISE_MB.bot}) and serve (${MEMORY_RISE_MB.serve}). A short run
ends while the heap is still filling, and is found to grow. The whole takes five to ten minutes on two cores.

Exit codes: 0 all is well, 1 it is not, 64 wrong usage, 69 not on Linux.`;

interface Amounts {
  readonly messages: number;
  readonly requests: number;
}

/** @throws AgentError (exit 64) with what is wrong */
function readArguments(args: readonly string[]): Amounts {
  const amount = (standard: number) => ({ type: "string", default: String(standard) }) as const;
  const given = parseOptions(args, { messages: amount(MESSAGES), requests: amount(REQUESTS) });
  const messages = wholeNumber("--messages", given.messages, MOST);
  const requests = wholeNumber("--requests", given.requests, MOST);
  if (messages + requests === 0) throw usageError("without messages and requests there is nothing to do");
  for (const [option, amount] of [["--messages", messages], ["--requests", requests]] as const) {
    if (amount > 0 && amount < LEAST) throw usageError(`${option} takes 0, or ${LEAST} at least: fewer tell nothing`);
  }
  return { messages, requests };
}

async function run(args: readonly string[], signal: AbortSignal): Promise<number> {
  const amounts = readArguments(args);
  if (vitalsMissing !== undefined) {
    throw new AgentError(`soak has to see what the program holds, which Linux alone tells: ${vitalsMissing}`, {
      exitCode: EXIT.unavailable,
      remedy: "Run it in a container.",
    });
  }
  const result = await runSoak({ ...amounts, signal, onSample: (sample) => console.error(renderProgress(sample)) });
  console.log(renderReport(result));
  return problemsOf(result).length === 0 ? EXIT.ok : EXIT.internal;
}

if (import.meta.main) Deno.exit(await runTask({ name: "soak", help: HELP, run }, Deno.args));
