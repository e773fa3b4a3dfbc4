/**
 * `deno task soak`: very many messages and requests through the whole program, and whether it still holds what it held.
 * The report goes to standard output, progress to standard error. Exit code 0 when all is well, 1 when it is not.
 */
import { MEMORY_RISE_MB } from "../bench/bounds.ts";
import { vitalsMissing } from "../support/vitals.ts";
import { BOUNDS, problemsOf, renderProgress, renderReport } from "./report.ts";
import { runSoak } from "./run.ts";

const MESSAGES = 1_000_000;
const REQUESTS = 200_000;
const MOST = 100_000_000;
const HELP = `Usage: deno task soak [--messages N] [--requests N]

Sends ${MESSAGES.toLocaleString("en")} messages on a fake Discord and ${REQUESTS.toLocaleString("en")} requests to /v1
through the program, over fake models, and says whether it grows or loses anything.

  --messages N   0 to ${MOST} messages
  --requests N   0 to ${MOST} requests

Memory may grow by ${BOUNDS.growthMb} MB over the second half: what the benchmark grants the bot (${MEMORY_RISE_MB.bot}) and serve (${MEMORY_RISE_MB.serve}). A short run
ends while the heap is still filling, and is found to grow. The whole takes about ten minutes on two cores.
`;
const EXIT = { ok: 0, bad: 1, usage: 64, unavailable: 69, interrupted: 130 } as const;

interface Amounts {
  readonly messages: number;
  readonly requests: number;
}

/** What is asked for; what is wrong with it, as a text. */
function readArguments(args: readonly string[]): Amounts | "help" | string {
  const amounts = { messages: MESSAGES, requests: REQUESTS };
  for (let index = 0; index < args.length; index++) {
    const [option = "", inline] = args[index]?.split("=", 2) ?? [];
    if (option === "--help" || option === "-h") return "help";
    if (option !== "--messages" && option !== "--requests") return `There is no option ${args[index]}.`;
    const value = inline ?? args[++index] ?? "";
    if (!/^\d{1,9}$/.test(value) || Number(value) > MOST) {
      return `${option} takes a whole number from 0 to ${MOST}${value === "" ? "." : `, not ${value}.`}`;
    }
    amounts[option === "--messages" ? "messages" : "requests"] = Number(value);
  }
  return amounts.messages + amounts.requests > 0 ? amounts : "Without messages and requests there is nothing to do.";
}

async function main(args: readonly string[], signal: AbortSignal): Promise<number> {
  const amounts = readArguments(args);
  if (amounts === "help") {
    console.log(HELP);
    return EXIT.ok;
  }
  if (typeof amounts === "string") {
    console.error(`${amounts} See deno task soak --help.`);
    return EXIT.usage;
  }
  if (vitalsMissing) {
    console.error(
      `soak has to see what the program holds, which Linux alone tells: ${vitalsMissing}. Run it in a container.`,
    );
    return EXIT.unavailable;
  }
  const result = await runSoak({ ...amounts, signal, onSample: (sample) => console.error(renderProgress(sample)) });
  console.log(renderReport(result));
  return problemsOf(result).length === 0 ? EXIT.ok : EXIT.bad;
}

/** Has Ctrl-C end everything that was started before it ends this process. */
async function runStoppable(args: readonly string[]): Promise<number> {
  const stopping = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(signal, () => stopping.abort());
  try {
    return await main(args, stopping.signal);
  } catch (error) {
    if (stopping.signal.aborted) return EXIT.interrupted;
    console.error(error instanceof Error ? error.message : error);
    return EXIT.bad;
  }
}

if (import.meta.main) Deno.exit(await runStoppable(Deno.args));
