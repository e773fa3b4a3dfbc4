/** The ways in which the program can be asked for an answer. */
import { NoAnswerError } from "../../src/core/errors.ts";
import type { ErrorKind } from "../../src/core/types.ts";
import { API_WAYS, type ApiWay, type Outcome } from "../support/api_ways.ts";
import type { FaultWorld } from "./world.ts";

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

const ofRouter = (name: string, streamed: boolean, ask: Way["ask"]): Way => ({
  name,
  streamed,
  reasonFor: (kind) => kind,
  ask,
});

const ofApi = ({ name, streamed, ask }: ApiWay): Way => ({
  name,
  streamed,
  reasonFor: codeFor,
  ask: ({ origin }, prompt) => ask(origin, prompt),
});

export const WAYS: readonly Way[] = [
  ofRouter("generate", false, generate),
  ofRouter("stream", true, stream),
  ...API_WAYS.map(ofApi),
];
