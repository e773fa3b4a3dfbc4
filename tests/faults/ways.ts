/** The ways in which the program can be asked for an answer. */
import { NoAnswerError } from "../../src/core/errors.ts";
import type { ErrorKind } from "../../src/core/types.ts";
import { readEvents } from "../support/event_reader.ts";
import type { FaultWorld } from "./world.ts";

/** What a caller got. */
export interface Outcome {
  /** Who gave the whole answer: the provider's name in models.json; unset when none did. */
  readonly by?: string;
  /** What was shown of an answer, whole or not. */
  readonly text: string;
  /** Why there is no whole answer: the router's kind of error, or the code of the API. */
  readonly reason?: string;
  /** Of the API, before any event. */
  readonly status?: number;
  /** Everything that was said, for a search for what must not be. */
  readonly words: string;
}

export interface Way {
  readonly name: string;
  /** Whether the answer is shown as it comes. */
  readonly streamed: boolean;
  /** How this way calls a kind of error. */
  reasonFor(kind: ErrorKind): string;
  ask(world: FaultWorld, prompt: string): Promise<Outcome>;
}

/** The API's codes for those kinds that the catalogue ends in. */
function codeFor(kind: ErrorKind): string {
  switch (kind) {
    case "context_length":
      return "context_length_exceeded";
    case "rate_limit":
      return "rate_limit_exceeded";
    case "unavailable":
    case "auth":
    case "model_not_found":
    case "protocol":
      return "no_answer";
    default:
      return kind;
  }
}

function failed(error: unknown, text: string): Outcome {
  if (!(error instanceof NoAnswerError)) throw error;
  const { message, remedy, kind, attempts } = error;
  return { text, reason: kind, words: `${text} ${message} ${remedy} ${JSON.stringify(attempts)}` };
}

const generate: Way["ask"] = async ({ agent }, prompt) => {
  try {
    const { provider, content, attempts } = await agent.router.generate({ prompt });
    return { by: provider, text: content, words: content + JSON.stringify(attempts) };
  } catch (error) {
    return failed(error, "");
  }
};

const stream: Way["ask"] = async ({ agent }, prompt) => {
  let text = "";
  try {
    for await (const item of agent.router.stream({ prompt })) {
      if (item.type === "text") text += item.text;
      if (item.type === "done") return { by: item.response.provider, text, words: text };
    }
    return { text, words: text };
  } catch (error) {
    return failed(error, text);
  }
};

function send({ origin }: FaultWorld, path: string, body: object): Promise<Response> {
  const headers = { "content-type": "application/json" };
  return fetch(origin + path, { method: "POST", headers, body: JSON.stringify(body) });
}

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

const openai: Way["ask"] = async (world, prompt) => {
  const body = { model: "auto", messages: [{ role: "user", content: prompt }] };
  return await readWhole(await send(world, "/v1/chat/completions", body), ({ model, choices }) => {
    const text = choices[0]?.message.content ?? "";
    return { by: providerIn(model), text, words: text };
  });
};

const openaiStream: Way["ask"] = async (world, prompt) => {
  const body = { model: "auto", messages: [{ role: "user", content: prompt }], stream: true };
  const response = await send(world, "/v1/chat/completions", body);
  if (response.status !== 200) return await readWhole(response, assertUnreached);
  const words = await response.text();
  const events = words.split("\n\n").filter((event) => event !== "").map((event) => event.slice("data: ".length));
  const complete = events.at(-1) === "[DONE]";
  const chunks = events.filter((event) => event !== "[DONE]").map((event) => JSON.parse(event));
  const text = chunks.map(({ choices }) => choices?.[0]?.delta?.content ?? "").join("");
  const { error } = chunks.at(-1);
  const { status } = response;
  // An error and then [DONE] would tell a client that all is well.
  if (error) return { text, reason: complete ? `${error.code}, then [DONE]` : error.code, status, words };
  return { ...(complete && { by: providerIn(chunks[0].model) }), text, status, words };
};

const chat: Way["ask"] = async (world, prompt) =>
  await readWhole(
    await send(world, "/api/chat", { message: prompt }),
    ({ content, provider }) => ({ by: provider, text: content, words: content }),
  );

const chatStream: Way["ask"] = async (world, prompt) => {
  const response = await send(world, "/api/chat", { message: prompt, stream: true });
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

const ofRouter = (kind: ErrorKind) => kind;

export const WAYS: readonly Way[] = [
  { name: "generate", streamed: false, reasonFor: ofRouter, ask: generate },
  { name: "/v1", streamed: false, reasonFor: codeFor, ask: openai },
  { name: "/api/chat", streamed: false, reasonFor: codeFor, ask: chat },
  { name: "stream", streamed: true, reasonFor: ofRouter, ask: stream },
  { name: "/v1 streamed", streamed: true, reasonFor: codeFor, ask: openaiStream },
  { name: "/api/chat streamed", streamed: true, reasonFor: codeFor, ask: chatStream },
];
