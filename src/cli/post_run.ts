import { isLoopback, isLoopbackOrPrivate } from "../core/address.ts";
import { AgentError, EXIT } from "../core/errors.ts";
import { formatWait } from "../core/format.ts";
import { createLog } from "../core/log.ts";
import { createDelivery, type Delivered, type Delivery, DeliveryError } from "../discord/delivery.ts";
import type { Post } from "../discord/message.ts";
import { postAll } from "../discord/webhook.ts";
import { deleteRequest, editRequest, type WebhookRequest } from "../discord/webhook_request.ts";
import type { WebhookAddress } from "../discord/webhook_url.ts";
import { createLedger } from "../privacy/ledger.ts";
import { createFetchSender } from "../providers/fetch_sender.ts";
import type { Send } from "../providers/sender.ts";
import { tell, writeJson, writeOut } from "./output.ts";
import type { PostOptions } from "./post_options.ts";
import { continueLine, printRequests, printRequestsAsJson } from "./post_view.ts";
import { ResultError } from "./result_error.ts";
import { VERSION } from "./version.ts";

/** How long one message may take, and each further one: Discord takes 30 a minute and channel. In milliseconds. */
const TIMES = { first: 120_000, further: 3000 };
/**
 * Discord wants to know who asks, as an address and a version. This program has no page of its own; `.invalid`
 * (RFC 2606) is nobody's.
 */
const USER_AGENT = `DiscordBot (https://django-agent.invalid, ${VERSION})`;

export interface RunOptions {
  /** True when the text stands on the command line, or `-` for it. */
  readonly hasText: boolean;
  readonly options: PostOptions;
  readonly address: WebhookAddress;
  readonly threadId: string | undefined;
  /** How many of the posts are there already. */
  readonly skip: number;
  /** Undefined for a time that goes by the number of posts. */
  readonly timeoutMs: number | undefined;
  readonly dataDir: string;
  readonly signal: AbortSignal;
}

/**
 * Posts, edits or deletes, and tells what was done.
 * @throws ResultError when not everything was
 */
export async function carryOut(posts: readonly Post[], run: RunOptions): Promise<void> {
  if (run.options.dryRun) return await preview(posts, run);
  // Not `using`: it is closed before anything is reported.
  const ledger = createLedger({ path: `${run.dataDir}/egress.json`, log: createLog({ write: tell }) });
  const report = new Report(posts.length, run);
  try {
    const { origin } = run.address;
    const delivery = createDelivery({
      origin,
      send: await senderOf(origin),
      ledger,
      timeoutMs: run.timeoutMs ?? TIMES.first + TIMES.further * Math.max(0, posts.length - run.skip - 1),
      signal: run.signal,
      onWait: (ms, reason) => tell(`${reason}: waiting ${formatWait(ms)}`),
    });
    for await (const delivered of deliverAll(posts, delivery, run)) report.add(delivered);
  } catch (error) {
    report.fail(error);
  } finally {
    ledger[Symbol.dispose]();
  }
  report.conclude();
}

async function* deliverAll(posts: readonly Post[], delivery: Delivery, run: RunOptions): AsyncGenerator<Delivered> {
  const { options, address, threadId, skip } = run;
  const about = { address, threadId, userAgent: USER_AGENT };
  const [first] = posts;
  if (options.delete !== undefined) yield await delivery.deliver(await deleteRequest(options.delete, about));
  else if (options.edit === undefined) yield* postAll(posts, delivery, { ...about, skip });
  else if (first) yield await delivery.deliver(await editRequest(options.edit, first, about));
}

/** What is shown where the id of a thread will stand that is not there yet. */
const NEW_THREAD = "NEW_THREAD";

/** Goes the same way as `carryOut`, but for the sending. */
async function preview(posts: readonly Post[], run: RunOptions): Promise<void> {
  const requests: WebhookRequest[] = [];
  const deliver = (request: WebhookRequest) => {
    requests.push(request);
    return Promise.resolve({ id: undefined, channelId: NEW_THREAD });
  };
  for await (const _ of deliverAll(posts, { deliver }, run)) run.signal.throwIfAborted();
  if (run.options.jsonOutput) printRequestsAsJson(requests);
  else printRequests(requests);
}

/**
 * With `fetch`, but for a server on the local network, which no proxy of the environment is to come between.
 * `node:http` costs half of what this command takes to start, so it is loaded only then.
 */
async function senderOf(origin: string): Promise<Send> {
  const { hostname } = new URL(origin);
  if (isLoopback(hostname) || !isLoopbackOrPrivate(hostname)) return createFetchSender(origin);
  return (await import("../providers/http_sender.ts")).createHttpSender(origin);
}

/** Stands for the id of a thread that has begun, as far as is known, and that the server did not name. */
const UNKNOWN_THREAD = "THREAD_ID";

interface Message extends Delivered {
  readonly part: number;
}

/** What has been done so far, told as it is done. */
class Report {
  readonly #run: RunOptions;
  readonly #total: number;
  readonly #messages: Message[] = [];
  #isPrinting: boolean;
  #error: AgentError | undefined;

  constructor(total: number, run: RunOptions) {
    this.#run = run;
    this.#total = total;
    this.#isPrinting = !run.options.jsonOutput;
  }

  add(delivered: Delivered): void {
    this.#messages.push({ part: this.#run.skip + this.#messages.length + 1, ...delivered });
    if (!this.#isPrinting || delivered.id === undefined || this.#verb !== "sent") return;
    try {
      writeOut(`${delivered.id}\n`);
    } catch {
      this.#isPrinting = false; // nobody reads on: no reason to stop in the middle
    }
  }

  /** @throws what is no error for a person */
  fail(error: unknown): void {
    if (!(error instanceof AgentError)) throw error;
    this.#error = error;
  }

  conclude(): void {
    if (this.#error) throw this.#failure(this.#error);
    const [thread] = this.#run.options.threadName === undefined ? [] : this.#messages;
    if (this.#run.options.jsonOutput) {
      this.#print({ outcome: this.#verb, ...this.#document });
    } else {
      const many = this.#messages.length > 1 ? ` ${this.#messages.length} messages` : "";
      const where = thread?.channelId === undefined ? "" : `, thread ${thread.channelId}`;
      const unnamed = this.#verb === "sent" && this.#messages.some(({ id }) => id === undefined);
      tell(`${this.#verb}${many}${where}${unnamed ? "; the server did not say the id of every message" : ""}`);
    }
  }

  /** That nobody takes the document changes nothing about what has been done, nor about the exit code of that. */
  #print(document: Readonly<Record<string, unknown>>): void {
    try {
      writeJson(document);
    } catch (error) {
      if (error instanceof AgentError) tell(`${error.message}. What has been done: ${this.#verb}${this.#ids}`);
    }
  }

  get #verb(): "sent" | "edited" | "deleted" {
    const { options } = this.#run;
    return options.delete !== undefined ? "deleted" : options.edit !== undefined ? "edited" : "sent";
  }

  get #document() {
    return {
      parts: Math.max(1, this.#total),
      skipped: this.#run.skip,
      messages: this.#messages.map(({ part, id, channelId }) => ({
        part,
        id: id ?? null,
        channel_id: channelId ?? null,
      })),
    };
  }

  #failure(error: AgentError): AgentError {
    const there = this.#run.skip + this.#messages.length;
    const mayHaveArrived = error instanceof DeliveryError && error.mayHaveArrived;
    const isPartial = there > 0;
    const rest = this.#total > 1 && (isPartial || mayHaveArrived) ? this.#continuation(there) : undefined;
    const message = isPartial
      ? `Sent ${there} of ${this.#total} messages${this.#ids}. The next: ${error.message}`
      : error.message;
    const exitCode = isPartial ? EXIT.partial : error.exitCode;
    const advice = rest === undefined ? [] : [this.#advice(rest, mayHaveArrived)];
    const remedy = [error.remedy ?? [], advice].flat().join("\n→ ");
    if (!this.#run.options.jsonOutput) return new AgentError(message, { exitCode, remedy, cause: error });
    this.#print({
      outcome: isPartial ? "partly_sent" : mayHaveArrived ? "unknown" : "failed",
      ...this.#document,
      continue: rest ?? null,
      error: { message, exit_code: exitCode, remedy: error.remedy ?? null, may_have_arrived: mayHaveArrived },
    });
    return new ResultError(message, { exitCode, remedy });
  }

  get #ids(): string {
    const ids = this.#messages.flatMap(({ id }) => id ?? []);
    return ids.length === 0 ? "" : ` (${ids.join(", ")})`;
  }

  #continuation(there: number): string {
    const { threadId, options, command } = this.#run;
    if (options.threadName === undefined) return continueLine(command, { skip: there, threadId });
    // The first message begins the thread, so whatever follows needs to know it.
    return continueLine(command, {
      skip: Math.max(1, there),
      threadId: this.#messages[0]?.channelId ?? UNKNOWN_THREAD,
    });
  }

  #advice(line: string, mayHaveArrived: boolean): string {
    const { options, command } = this.#run;
    const isFirst = options.threadName !== undefined && this.#messages.length === 0;
    const readsFile = options.file !== undefined && options.file !== "-";
    const needs = [
      ...(readsFile && command.args.length === 0 ? [] : [", with the same text on standard input"]),
      ...(options.webhook !== undefined && !/^\w+$/.test(options.webhook)
        ? [", with the webhook in DISCORD_WEBHOOK_URL"]
        : []),
      ...(line.includes(UNKNOWN_THREAD) ? [`, with the id of its thread for ${UNKNOWN_THREAD}`] : []),
      ...(mayHaveArrived && !isFirst ? [", and skip one more if that message is there"] : []),
    ];
    return `${isFirst ? "If it is there, go" : "Go"} on like this${needs.join("")}:\n  ${line}`;
  }
}
