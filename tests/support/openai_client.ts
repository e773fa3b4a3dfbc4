/** The official client of OpenAI, and what tests of the OpenAI-compatible endpoint have in common. */
import assert from "node:assert/strict";
import OpenAI from "openai";
import { createOpenAi } from "../../src/http/openai.ts";
import type { Api } from "./api.ts";
import type { FakeProvider } from "./fake_provider.ts";
import type { Rig } from "./rig.ts";

export type ChatParams = OpenAI.Chat.Completions.ChatCompletionCreateParamsNonStreaming;
export type ChunkParams = OpenAI.Chat.Completions.ChatCompletionCreateParamsStreaming;
export type Chunk = OpenAI.Chat.Completions.ChatCompletionChunk;

/** What the tests ask when it does not matter what they ask. */
export const QUESTION: ChatParams["messages"] = [{ role: "user", content: "¿Quién eres?" }];
/** A body for `POST /v1/chat/completions`. */
export const PLAIN = { model: "auto", messages: QUESTION } as const;

export const WEATHER = {
  type: "function",
  function: {
    name: "weather",
    description: "The weather of a town",
    parameters: { type: "object", properties: { town: { type: "string" } }, required: ["town"] },
  },
} as const;

/** A client of the real server. It never tries again by itself, so that a test sees every answer. */
export function connectClient({ origin }: Pick<Api, "origin">): OpenAI {
  return new OpenAI({ baseURL: `${origin}/v1`, apiKey: "any", maxRetries: 0 });
}

/** A client of the endpoint over the router of a rig, without a socket between the two: for answers of the cloud. */
export function connectRig({ router }: Rig): OpenAI {
  const app = createOpenAi(router);
  const fetch = async (input: string | URL | Request, init?: RequestInit) => await app.fetch(new Request(input, init));
  return new OpenAI({ baseURL: "http://127.0.0.1/v1", apiKey: "any", maxRetries: 0, fetch });
}

/** An answer to `QUESTION`, or to what `change` says, with its headers. */
export function complete(client: OpenAI, change: Partial<ChatParams> = {}) {
  return client.chat.completions.create({ ...PLAIN, ...change }).withResponse();
}

/** The same, streamed. */
export function stream(client: OpenAI, change: Partial<ChunkParams> = {}) {
  return client.chat.completions.create({ ...PLAIN, ...change, stream: true }).withResponse();
}

/** Reads a stream to its end. */
export async function chunksOf(client: OpenAI, change: Partial<ChunkParams> = {}): Promise<Chunk[]> {
  const { data } = await stream(client, change);
  return await Array.fromAsync(data);
}

/** The words in chunks. */
export function textOf(chunks: readonly Chunk[]): string {
  return chunks.map(({ choices }) => choices[0]?.delta.content ?? "").join("");
}

/** The error the client throws for a call that has to fail. */
export async function refusalOf(call: Promise<unknown>): Promise<InstanceType<typeof OpenAI.APIError>> {
  const error = await call.then(() => assert.fail("the call succeeded"), (reason) => reason);
  assert.ok(error instanceof OpenAI.APIError, String(error));
  return error;
}

/** The body of the last chat that a fake was asked for. */
export function bodySeen({ chats }: Pick<FakeProvider, "chats">): Record<string, unknown> {
  return chats.at(-1)?.body ?? assert.fail("it has not been asked");
}

/** What an error answer says, for requests that the client would not send. */
export async function errorIn(response: Response): Promise<Record<string, unknown>> {
  const { error } = await response.json();
  assert.ok(typeof error === "object" && error !== null);
  return error;
}
