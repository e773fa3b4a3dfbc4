import { AgentError, EXIT } from "../core/errors.ts";
import type { Delivered, Delivery } from "./delivery.ts";
import type { Post } from "./message.ts";
import { postRequest, type RequestOptions } from "./webhook_request.ts";

export interface PostAllOptions extends RequestOptions {
  /** How many of the posts are there already. */
  readonly skip: number;
}

/**
 * Posts one message after the other, each confirmed before the next. Those behind one that begins a thread go into it.
 * @throws DeliveryError and AgentError of the first that is not confirmed; what was yielded before is there
 */
export async function* postAll(
  posts: readonly Post[],
  delivery: Delivery,
  options: PostAllOptions,
): AsyncGenerator<Delivered, void, void> {
  let { threadId } = options;
  for (const [index, post] of posts.slice(options.skip).entries()) {
    const delivered = await delivery.deliver(await postRequest(post, { ...options, threadId }));
    yield delivered;
    const isLast = options.skip + index === posts.length - 1;
    if (typeof post.message.thread_name !== "string" || isLast) continue;
    threadId = delivered.channelId;
    if (threadId === undefined) throw unnamedThread();
  }
}

function unnamedThread(): AgentError {
  return new AgentError("The server did not say which thread it began, so the rest cannot follow into it", {
    exitCode: EXIT.unavailable,
    remedy: "Look up the thread's id, and post the rest with --thread-id.",
  });
}
