/** The ways in which a program can ask the API for an answer. */
import { readEvents } from "./event_reader.ts";

/** What a caller got. */
export interface Outcome {
  /** Who gave the whole answer: the provider's name in models.json; unset when none did. */
  readonly by?: string;
  /** What was shown of an answer, whole or not. */
  readonly text: string;
  /** Why there is no whole answer: the code of the API, or the router's kind of error. */
  readonly reason?: string;
  /** Of the API, before any event. */
  readonly status?: number;
  /** Everything that was said, for a search for what must not be. */
  readonly words: string;
}

export interface ApiWay {
  readonly name: string;
  /** Whether the answer is shown as it comes. */
  readonly streamed: boolean;
  /** @throws what `fetch` throws when the connection breaks off, or `signal` says so */
  ask(origin: string, prompt: string, signal?: AbortSignal): Promise<Outcome>;
}

type Ask = (send: Send, prompt: string) => Promise<Outcome>;

/** Sends JSON. */
type Send = (path: string, body: object) => Promise<Response>;

/** `provider` of `provider/model`, as OpenAI's answers name who gave them. */
const providerIn = (model: string) => model.slice(0, model.indexOf("/"));

/** A whole answer of the API, or its error. */
async function readWhole(response: Response, read: (body: ApiAnswer) => Outcome): Promise<Outcome> {
  const words = await response.text();
  const { status } = response;
  if (status === 200) return { ...read(JSON.parse(words)), status, words };
  return { text: "", reason: JSON.parse(words).error.code, status, words };
}

/** The parts of the API's answers that count here. */
interface ApiAnswer {
  readonly content: string;
  readonly provider: string;
  readonly model: string;
  readonly choices: readonly { readonly message: { readonly content: string } }[];
}

const openai: Ask = async (send, prompt) => {
  const body = { model: "auto", messages: [{ role: "user", content: prompt }] };
  return await readWhole(await send("/v1/chat/completions", body), ({ model, choices }) => {
    const text = choices[0]?.message.content ?? "";
    return { by: providerIn(model), text, words: text };
  });
};

const openaiStream: Ask = async (send, prompt) => {
  const body = { model: "auto", messages: [{ role: "user", content: prompt }], stream: true };
  const response = await send("/v1/chat/completions", body);
  if (response.status !== 200) return await readWhole(response, assertUnreached);
  const words = await response.text();
  const { text, model, isComplete, error } = readOpenAiStream(words);
  const { status } = response;
  // An error and then [DONE] would tell a client that all is well.
  if (error) return { text, reason: isComplete ? `${error}, then [DONE]` : error, status, words };
  return { ...(isComplete && model !== undefined && { by: providerIn(model) }), text, status, words };
};

/** What an OpenAI-compatible stream says, as far as it goes. */
export interface OpenAiStream {
  readonly text: string;
  /** Who answers; unset when nothing came. */
  readonly model?: string;
  /** Whether it ended in `[DONE]`. */
  readonly isComplete: boolean;
  /** The code of the error in it. */
  readonly error?: string;
}

export function readOpenAiStream(body: string): OpenAiStream {
  const events = body.split("\n\n").filter((event) => event.startsWith("data: ")).map((event) => event.slice(6));
  const isComplete = events.at(-1) === "[DONE]";
  const chunks = events.filter((event) => event !== "[DONE]").map((event) => JSON.parse(event));
  const text = chunks.map(({ choices }) => choices?.[0]?.delta?.content ?? "").join("");
  const [model, error] = [chunks[0]?.model, chunks.at(-1)?.error?.code];
  return { text, isComplete, ...(model !== undefined && { model }), ...(error !== undefined && { error }) };
}

const chat: Ask = async (send, prompt) =>
  await readWhole(
    await send("/api/chat", { message: prompt }),
    ({ content, provider }) => ({ by: provider, text: content, words: content }),
  );

const chatStream: Ask = async (send, prompt) => {
  const response = await send("/api/chat", { message: prompt, stream: true });
  if (response.status !== 200) return await readWhole(response, assertUnreached);
  const events = await readEvents(response.body).rest();
  const text = events.map(({ event, data }) => event === "delta" ? String(data["text"]) : "").join("");
  const last = events.at(-1);
  const words = JSON.stringify(events);
  const { status } = response;
  if (last?.event === "done") return { by: String(last.data["provider"]), text, status, words };
  const { code } = (last?.data["error"] ?? {}) as { code?: string };
  return { text, status, words, ...(code !== undefined && { reason: code }) };
};

function assertUnreached(): never {
  throw new Error("An error answer was read as an answer");
}

function wayOf(name: string, streamed: boolean, ask: Ask): ApiWay {
  const headers = { "content-type": "application/json" };
  return {
    name,
    streamed,
    ask: (origin, prompt, signal) =>
      ask(
        (path, body) =>
          fetch(origin + path, { method: "POST", headers, body: JSON.stringify(body), signal: signal ?? null }),
        prompt,
      ),
  };
}

export const API_WAYS: readonly ApiWay[] = [
  wayOf("/v1", false, openai),
  wayOf("/api/chat", false, chat),
  wayOf("/v1 streamed", true, openaiStream),
  wayOf("/api/chat streamed", true, chatStream),
];
