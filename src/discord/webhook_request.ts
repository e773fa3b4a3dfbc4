import type { Post } from "./message.ts";
import { type EncodedBody, encodeMultipart } from "./multipart.ts";
import type { WebhookAddress } from "./webhook_url.ts";

/** One request to a webhook, complete to the last byte. */
export interface WebhookRequest {
  readonly method: "POST" | "PATCH" | "DELETE";
  /** Path and query, the token included: never for a message or a log. */
  readonly path: string;
  /** The whole address with `***` in place of the token. */
  readonly shown: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array<ArrayBuffer> | null;
  /** True when carrying it out twice comes to the same as once. Of a message or a file there would be two. */
  readonly isRepeatable: boolean;
}

export interface RequestOptions {
  readonly address: WebhookAddress;
  /** The thread that the message is in or goes to. */
  readonly threadId?: string | undefined;
  readonly userAgent: string;
}

/** Posts a message; answered with the message once it is saved. */
export async function postRequest(post: Post, options: RequestOptions): Promise<WebhookRequest> {
  // Without `wait` the answer comes before the message is saved, and says nothing when it is not.
  return await requestOf("POST", "", { ...options, query: { wait: "true" }, post });
}

/** Changes a message of the webhook. */
export async function editRequest(messageId: string, post: Post, options: RequestOptions): Promise<WebhookRequest> {
  return await requestOf("PATCH", `/messages/${messageId}`, { ...options, query: {}, post });
}

/** Deletes a message of the webhook. */
export async function deleteRequest(messageId: string, options: RequestOptions): Promise<WebhookRequest> {
  return await requestOf("DELETE", `/messages/${messageId}`, { ...options, query: {} });
}

interface Parts extends RequestOptions {
  readonly query: Readonly<Record<string, string>>;
  readonly post?: Post;
}

async function requestOf(method: WebhookRequest["method"], below: string, parts: Parts): Promise<WebhookRequest> {
  const { address, threadId, userAgent, post } = parts;
  const query = new URLSearchParams({ ...parts.query, ...(threadId !== undefined && { thread_id: threadId }) });
  const end = below + (query.size > 0 ? `?${query}` : "");
  const body = post && await encode(post);
  return {
    method,
    path: address.path + end,
    shown: address.shown + end,
    headers: { ...(body && { "content-type": body.contentType }), "user-agent": userAgent },
    body: body?.bytes ?? null,
    isRepeatable: method !== "POST" && (post?.files ?? []).length === 0,
  };
}

async function encode({ message, files }: Post): Promise<EncodedBody> {
  const json = JSON.stringify(message);
  if (files.length > 0) return await encodeMultipart(json, files);
  return { contentType: "application/json", bytes: new TextEncoder().encode(json) };
}
