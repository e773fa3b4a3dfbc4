import { AgentError, EXIT, NoAnswerError } from "../core/errors.ts";
import { formatDuration } from "../core/format.ts";
import type { EventBus } from "../core/events.ts";
import type { Attempt, GenerateRequest, Message, ModelRef, ModelResponse } from "../core/types.ts";
import { asCount, asRecord } from "../providers/json.ts";
import type { Router } from "../router/router.ts";
import { exitCodeFor, fail, type Finding, ok, warn } from "./doctor_finding.ts";

/** The checks of `doctor --deep`: one local model is made to answer, to stop, to refuse and to remember. */

/** How soon an answer has to end after it was stopped, in milliseconds. */
const STOP_MS = 3000;
/** Words of the text that two turns of a conversation begin with. */
const PREFIX_WORDS = 600;
/**
 * Words of the oversized prompt for each token of the context. No model takes two words of the list for one token; and
 * at four characters each the prompt stays under what the router refuses by itself, for this is about Ollama.
 */
const OVERSIZE = 1.5;
const SHORT: GenerateRequest = { prompt: "Say hello in one short sentence.", temperature: 0, max_tokens: 64 };
const LONG: GenerateRequest = {
  prompt: "Count from 1 to 300 in words, one number to a line, and leave none out.",
  temperature: 0,
  max_tokens: 1500,
};
const UPDATE = "Update Ollama to 0.12.4 or later: https://ollama.com/download";

export interface DeepSubject {
  readonly router: Pick<Router, "stream">;
  readonly events: Pick<EventBus, "subscribe">;
  /** The model that has to answer. */
  readonly ref: ModelRef;
  readonly contextTokens: number;
  /** Ends everything: Ctrl-C. */
  readonly signal: AbortSignal;
  /** Told what is being done, a line each: a home machine may need a while. */
  readonly progress: (line: string) => void;
  /** Default 3000. */
  readonly stopMs?: number;
}

/**
 * Lets the model work. When it does not answer, or does not stop, the rest is left out.
 * @throws AgentError (exit 130) when the subject's signal ends it
 */
export async function* checkDeep(subject: DeepSubject): AsyncGenerator<Finding> {
  const { ref, progress } = subject;
  progress(`${ref}: a short answer; the model may have to be loaded first, which can take minutes`);
  const { deltas, response, failed } = await ask(subject, SHORT);
  if (!response) {
    yield failure("answer", failed, "The other deep checks were left out.");
    return;
  }
  yield describeAnswer(response, deltas);
  yield describeCounts(response);
  progress(`${ref}: a long answer, stopped at its first word`);
  const stopped = await checkStop(subject);
  yield stopped;
  if (stopped.status === "fail") return; // the model may still be busy, and every further call would wait for it
  progress(`${ref}: a prompt that is larger than its context of ${subject.contextTokens} tokens`);
  yield await checkOversize(subject);
  progress(`${ref}: two turns of one conversation`);
  yield* checkTurns(subject);
}

/** What one request to the one model came to. */
interface Outcome {
  /** Pieces of the answer that were seen. */
  readonly deltas: number;
  readonly response?: ModelResponse;
  /** How the model failed: its own attempt, whatever became of the call after it. */
  readonly failed?: Attempt;
}

/** Asks this model and no other: as soon as the router moves on the call is stopped, before the next one is asked. */
async function ask(
  { router, events, ref, signal }: DeepSubject,
  request: GenerateRequest,
  onDelta?: (call: AbortController) => void,
): Promise<Outcome> {
  const call = new AbortController();
  const unsubscribe = events.subscribe(({ name, data }) => {
    if (name === "router.fallback" && data.from === ref) call.abort();
  });
  let deltas = 0;
  try {
    for await (
      const item of router.stream({ ...request, model: ref, signal: AbortSignal.any([signal, call.signal]) })
    ) {
      if (item.type === "done") return { deltas, response: item.response };
      if (item.type === "start") continue;
      deltas++;
      onDelta?.(call);
    }
    return { deltas };
  } catch (error) {
    if (!(error instanceof NoAnswerError)) throw error;
    if (signal.aborted) throw new AgentError("The checks were stopped", { exitCode: EXIT.interrupted, cause: error });
    const failed = error.attempts.findLast(({ provider, model }) => `${provider}/${model}` === ref);
    return { deltas, ...(failed && { failed }) };
  } finally {
    unsubscribe();
  }
}

const LOOK_INTO_THE_LOG = "See what Ollama's own log says, and try again.";

function failure(name: string, failed: Attempt | undefined, more = ""): Finding {
  const { error_kind = "protocol", reason = "The call ended without an answer.", remedy = LOOK_INTO_THE_LOG } =
    failed ??
      {};
  return fail(name, reason, `${remedy} ${more}`.trim(), exitCodeFor(error_kind));
}

function describeAnswer({ first_token_ms, latency_ms }: ModelResponse, deltas: number): Finding {
  if (deltas === 0) return warn("answer", "it ended without a word", "Try another model.");
  const pieces = deltas === 1 ? "1 piece" : `${deltas} pieces`;
  return ok(
    "answer",
    `streamed in ${pieces}, the first after ${formatDuration(first_token_ms)} of ${formatDuration(latency_ms)}`,
  );
}

function describeCounts({ usage }: ModelResponse): Finding {
  if (usage.source === "provider") return ok("token counts", `${usage.input} + ${usage.output}, as Ollama counts`);
  return warn("token counts", "Ollama sends none, so usage can only be estimated", UPDATE);
}

/** Whether a stopped answer ends soon and leaves the model free for the next one. */
async function checkStop(subject: DeepSubject): Promise<Finding> {
  const { stopMs = STOP_MS } = subject;
  const name = "stop";
  const late = Promise.withResolvers<"late">();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let stoppedAt = 0;
  const stop = (call: AbortController) => {
    if (timer !== undefined) return;
    stoppedAt = performance.now();
    timer = setTimeout(() => late.resolve("late"), stopMs);
    call.abort();
  };
  const outcome = await Promise.race([ask(subject, LONG, stop), late.promise]);
  clearTimeout(timer);
  if (outcome === "late") {
    return fail(
      name,
      `an answer still went on ${formatDuration(stopMs)} after it was stopped`,
      UPDATE,
      EXIT.unavailable,
    );
  }
  const endedMs = performance.now() - stoppedAt;
  if (outcome.response) {
    return fail(name, "an answer that was stopped went on to its end", UPDATE, EXIT.unavailable);
  }
  if (outcome.deltas === 0 || outcome.failed?.error_kind !== "aborted") return failure(name, outcome.failed);
  const next = await ask(subject, SHORT);
  if (!next.response) return failure(name, next.failed, "It happened after an answer had been stopped.");
  return ok(name, `a stopped answer ended within ${formatDuration(endedMs)}, and the next one came`);
}

/** Whether a prompt over the context is refused, as it must be, or cut, which makes a model forget in silence. */
async function checkOversize(subject: DeepSubject): Promise<Finding> {
  const { contextTokens } = subject;
  const name = "oversized prompt";
  const prompt = words(Math.ceil(contextTokens * OVERSIZE));
  // A few tokens rather than one, lest the only one be empty: any word of an answer shows that nothing was refused.
  const { deltas, response, failed } = await ask(subject, { prompt, max_tokens: 8 });
  if (response && response.usage.source === "provider" && response.usage.input > contextTokens) {
    return ok(name, `taken as a whole: ${response.usage.input} tokens in a context of ${contextTokens}`);
  }
  if (response || (deltas > 0 && failed?.error_kind === "context_length")) {
    const detail = `Ollama cut the prompt in silence to fit ${contextTokens} tokens, and answered what was left`;
    return fail(name, detail, UPDATE, EXIT.unavailable);
  }
  if (failed?.error_kind === "context_length") return ok(name, `refused, as it has to be over ${contextTokens} tokens`);
  return failure(name, failed);
}

/** How fast the model writes, and how much sooner it answers when it knows the beginning already. */
async function* checkTurns(subject: DeepSubject): AsyncGenerator<Finding> {
  const length = Math.min(PREFIX_WORDS, Math.floor(subject.contextTokens / 4));
  // Begins with something no earlier run can have left in the cache.
  const text = `${crypto.randomUUID()} ${words(length)}`;
  const beginning: Message[] = [
    { role: "system", content: `You have a list of words:\n${text}` },
    { role: "user", content: "Write two sentences about the sea." },
  ];
  const first = await ask(subject, { messages: beginning, temperature: 0, max_tokens: 48 });
  if (!first.response) {
    yield failure("speed", first.failed);
    return;
  }
  yield ok("speed", describeSpeed(first.response));
  const second = await ask(subject, {
    messages: [
      ...beginning,
      { role: "assistant", content: first.response.content },
      { role: "user", content: "And one about the mountains." },
    ],
    temperature: 0,
    max_tokens: 16,
  });
  if (!second.response) {
    yield failure("second turn", second.failed);
    return;
  }
  const [before, after] = [first.response.first_token_ms, second.response.first_token_ms];
  const factor = (before / Math.max(after, 1)).toFixed(1);
  yield ok(
    "second turn",
    `began after ${formatDuration(after)} instead of ${formatDuration(before)}: ${factor} times as fast`,
  );
}

/** Ollama's own count over its own time, else ours. */
function describeSpeed({ usage, latency_ms, first_token_ms }: ModelResponse): string {
  const raw = asRecord(usage.raw) ?? {};
  const [count, ns] = [asCount(raw["eval_count"]), asCount(raw["eval_duration"])];
  if (count && ns) return `${(count / (ns / 1e9)).toFixed(1)} tokens/s, as Ollama measures`;
  const ms = Math.max(latency_ms - first_token_ms, 1);
  return `about ${(usage.output / (ms / 1000)).toFixed(1)} tokens/s, measured from outside`;
}

const VOCABULARY =
  "oak elm ash fir yew fig pea nut rye oat hop ivy cat dog fox owl bee ant hen cow pig eel cod ram sun sky sea ice fog dew mud bay hut inn pub car bus van jet map pen ink cup pot jar lid box bag hat cap tie red tan old new big few"
    .split(
      " ",
    );

/** Short words in an order that does not soon repeat. */
function words(count: number): string {
  const size = VOCABULARY.length;
  return Array.from({ length: count }, (_, index) => VOCABULARY[(index * 7 + Math.floor(index / size) * 11) % size])
    .join(" ");
}
