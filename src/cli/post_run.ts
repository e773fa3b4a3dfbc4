import { isLoopback, isLoopbackOrPrivate } from "../core/address.ts";
import { AgentError, EXIT } from "../core/errors.ts";
import { formatWait } from "../core/format.ts";
import { createLog } from "../core/log.ts";
import { createDelivery, type Delivered, type Delivery } from "../discord/delivery.ts";
import type { Post } from "../discord/message.ts";
import { postAll } from "../discord/webhook.ts";
import { deleteRequest, editRequest, type WebhookRequest } from "../discord/webhook_request.ts";
import type { WebhookAddress } from "../discord/webhook_url.ts";
import { createLedger } from "../privacy/ledger.ts";
import { createFetchSender } from "../providers/fetch_sender.ts";
import type { Send } from "../providers/sender.ts";
import { tell } from "./output.ts";
import type { TextSource } from "./post_input.ts";
import type { PostOptions } from "./post_options.ts";
import { PostReport } from "./post_report.ts";
import { printRequests, printRequestsAsJson } from "./post_view.ts";
import { DISCORD_USER_AGENT } from "./version.ts";

/** How long one message may take, and each further one: Discord takes 30 a minute and channel. In milliseconds. */
const TIMES = { first: 120_000, further: 3000 };

export interface PostRun {
  readonly textSource: TextSource;
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
export async function carryOut(posts: readonly Post[], run: PostRun): Promise<void> {
  if (run.options.dryRun) return await preview(posts, run);
  // Not `using`: it is closed before anything is reported.
  const ledger = createLedger({ path: `${run.dataDir}/egress.json`, log: createLog({ write: tell }) });
  const report = new PostReport(posts, run);
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
    if (!(error instanceof AgentError)) throw error;
    report.fail(error);
  } finally {
    ledger[Symbol.dispose]();
  }
  report.conclude();
}

async function* deliverAll(posts: readonly Post[], delivery: Delivery, run: PostRun): AsyncGenerator<Delivered> {
  const { options, address, threadId, skip } = run;
  const about = { address, threadId, userAgent: DISCORD_USER_AGENT };
  const [first] = posts;
  if (options.delete !== undefined) yield await delivery.deliver(await deleteRequest(options.delete, about));
  else if (options.edit === undefined) yield* postAll(posts, delivery, { ...about, skip });
  else if (first) yield await delivery.deliver(await editRequest(options.edit, first, about));
}

/** What is shown where the id of a thread will stand that is not there yet. */
const NEW_THREAD = "NEW_THREAD";

/** Goes the same way as `carryOut`, but for the sending. */
async function preview(posts: readonly Post[], run: PostRun): Promise<void> {
  const requests: WebhookRequest[] = [];
  const deliver = (request: WebhookRequest) => {
    requests.push(request);
    return Promise.resolve({ id: undefined, channelId: NEW_THREAD });
  };
  for await (const _ of deliverAll(posts, { deliver }, run)) {
    if (run.signal.aborted) throw new AgentError("Stopped", { exitCode: EXIT.interrupted });
  }
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
