/** A delivery to a fake Discord, over each way a request can go out. */
import assert from "node:assert/strict";
import { AgentError } from "../../src/core/errors.ts";
import { createDelivery, DeliveryError, type DeliveryOptions } from "../../src/discord/delivery.ts";
import { NO_MENTIONS, type Post } from "../../src/discord/message.ts";
import { deleteRequest, editRequest, postRequest } from "../../src/discord/webhook_request.ts";
import { parseWebhookUrl } from "../../src/discord/webhook_url.ts";
import { createFetchSender } from "../../src/providers/fetch_sender.ts";
import { createHttpSender } from "../../src/providers/http_sender.ts";
import type { Send } from "../../src/providers/sender.ts";
import {
  type Behaviour,
  type FakeDiscord,
  type FakeDiscordOptions,
  startFakeDiscord,
  WEBHOOK_TOKEN,
} from "../support/fake_discord.ts";

export const SECRET = "SECRET-CONTENT";
export const POST: Post = { message: { content: SECRET, allowed_mentions: NO_MENTIONS }, files: [] };

/** Adds up what goes out and comes back. */
export function countingLedger() {
  const counts = { requests: 0, sent: 0, received: 0 };
  return {
    counts,
    sent(_origin: string, bytes: number) {
      counts.requests++;
      counts.sent += bytes;
    },
    received: (_origin: string, bytes: number) => void (counts.received += bytes),
  };
}

export interface Scene {
  /** How requests go out. */
  readonly send: Send;
  readonly discord: FakeDiscord;
  readonly waits: string[];
  readonly ledger: ReturnType<typeof countingLedger>;
  post(post?: Post): Promise<unknown>;
  edit(id: string): Promise<unknown>;
  remove(id: string): Promise<unknown>;
}

type Changes = Partial<DeliveryOptions> & FakeDiscordOptions;
export const calm = new AbortController().signal;

export function sceneOf(discord: FakeDiscord, send: Send, changes: Changes): Scene {
  const waits: string[] = [];
  const ledger = countingLedger();
  const { origin } = discord;
  const onWait = (ms: number, reason: string) => void waits.push(`${Math.round(ms / 100) / 10} s: ${reason}`);
  const options = { origin, send, ledger, timeoutMs: 20_000, signal: calm, backOffMs: 20, onWait };
  const delivery = createDelivery({ ...options, ...changes });
  const address = parseWebhookUrl(discord.webhookUrl, { apiUrl: origin });
  assert.ok(!("problem" in address));
  const about = { address, userAgent: "DiscordBot (https://example.org, 1)" };
  return {
    send,
    discord,
    waits,
    ledger,
    post: async (post = POST) => await delivery.deliver(await postRequest(post, about)),
    edit: async (id) => await delivery.deliver(await editRequest(id, POST, about)),
    remove: async (id) => await delivery.deliver(await deleteRequest(id, about)),
  };
}

/** One test for every way a request can go out. */
export function each(name: string, body: (scene: Scene) => Promise<void>, changes: Changes = {}): void {
  for (const [kind, createSender] of Object.entries({ "node:http": createHttpSender, fetch: createFetchSender })) {
    Deno.test(`${name} (${kind})`, async () => {
      const discord = startFakeDiscord(changes);
      try {
        await body(sceneOf(discord, createSender(discord.origin), changes));
      } finally {
        await discord.stop();
      }
    });
  }
}

export async function failureOf(promise: Promise<unknown>): Promise<DeliveryError> {
  const error = await promise.then(() => assert.fail("it should fail"), (reason: unknown) => reason);
  assert.ok(error instanceof AgentError, Deno.inspect(error));
  for (const secret of [WEBHOOK_TOKEN, SECRET]) {
    assert.ok(!`${error.message} ${error.remedy}`.includes(secret), error.message);
  }
  return error as DeliveryError;
}

/** Fails after exactly one request. */
export async function finalFailure({ discord }: Scene, promise: Promise<unknown>): Promise<DeliveryError> {
  const error = await failureOf(promise);
  assert.equal(discord.requests.length, 1);
  return error;
}

export const status = (code: number, body?: string | object, headers = {}): Behaviour => ({
  kind: "status",
  status: code,
  ...(body !== undefined && { body }),
  headers,
});
