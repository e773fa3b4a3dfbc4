import { isLoopbackOrPrivate } from "../core/address.ts";
import { createFetchSender } from "./fetch_sender.ts";
import { createHttpSender } from "./http_sender.ts";
import type { Send } from "./sender.ts";

/** The sender of an origin, the same one every time: its connections outlive a reload of the configuration. */
export type SenderOf = (origin: string) => Send;

/** Origins on this machine and its network are asked over `node:http`, others with `fetch`. */
export function createSenders(): SenderOf {
  const senders = new Map<string, Send>();
  return (origin) => {
    const known = senders.get(origin);
    if (known) return known;
    const local = isLoopbackOrPrivate(new URL(origin).hostname);
    const sender = local ? createHttpSender(origin) : createFetchSender(origin);
    senders.set(origin, sender);
    return sender;
  };
}
