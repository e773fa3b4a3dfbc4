/** A fake provider: records what it is asked and answers chat requests the way the test tells it to. */
import { type Behaviour, type Chat, type Protocol, sendStatus } from "./fake_behaviour.ts";
import { play } from "./fake_player.ts";
import { type RecordedRequest, type Reply, startRawServer } from "./raw_server.ts";

export type { Behaviour } from "./fake_behaviour.ts";

/** A chat request as the provider saw it. */
export interface RecordedChat {
  readonly model: string;
  readonly body: Record<string, unknown>;
  readonly headers: Headers;
  /** Epoch milliseconds. */
  readonly atMs: number;
  /** Epoch milliseconds at which the client hung up before the reply had ended. */
  goneAtMs?: number;
}

/** What every fake provider offers a test. */
export interface FakeProvider extends AsyncDisposable {
  /** `http://127.0.0.1:port`. */
  readonly origin: string;
  readonly port: number;
  readonly protocol: Protocol["name"];
  /** Every request, in order. */
  readonly requests: RecordedRequest[];
  /** The chat requests among them, refused ones included. */
  readonly chats: RecordedChat[];
  /** Connections accepted so far. */
  readonly connections: number;
  /** Connections open right now. */
  readonly open: number;
  /** Queues behaviours; each is used up by one chat request. */
  next(...behaviours: Behaviour[]): void;
  /** How to answer when nothing is queued; `Hola, soy Django.` until it is set. */
  always(behaviour: Behaviour): void;
  /** How to answer requests other than chats on this path (without its query) from now on; nothing: as usual. */
  on(path: string, behaviour?: Behaviour): void;
  /** Cuts the open connections; new ones are refused from the moment the promise resolves. */
  down(): Promise<void>;
  /** Accepts connections again, on the same port. */
  up(): Promise<void>;
  /** Ends for good. Throws what went wrong inside the fake, if anything did. */
  stop(): Promise<void>;
}

/** Starts a server on a free port of 127.0.0.1 that speaks `protocol`. */
export function startFakeProvider(protocol: Protocol): FakeProvider {
  const requests: RecordedRequest[] = [];
  const chats: RecordedChat[] = [];
  const queue: Behaviour[] = [];
  const elsewhere = new Map<string, Behaviour>();
  let fallback: Behaviour = { kind: "answer" };

  async function answerChat(chat: Chat, reply: Reply): Promise<void> {
    const { model, body, request } = chat;
    const recorded: RecordedChat = { model, body: { ...body }, headers: request.headers, atMs: request.atMs };
    chats.push(recorded);
    const note = () => {
      if (reply.gone.reason === "client") recorded.goneAtMs = Date.now();
    };
    reply.gone.addEventListener("abort", note);
    const refusal = protocol.refuse(request, chat);
    if (refusal) await sendStatus(reply, refusal);
    else await play(queue.shift() ?? fallback, { chat, protocol, reply });
    reply.gone.removeEventListener("abort", note);
  }

  async function answerOther(request: RecordedRequest, reply: Reply): Promise<void> {
    const behaviour = elsewhere.get(request.path.split("?")[0] ?? "");
    if (behaviour) {
      const chat: Chat = { model: "", stream: false, body: {}, request };
      return await play(behaviour, { chat, protocol, reply });
    }
    const answer = protocol.refuse(request, undefined) ?? await protocol.other(request, reply);
    if (answer) await sendStatus(reply, answer);
  }

  const server = startRawServer(async (request, reply) => {
    requests.push(request);
    const chat = protocol.chatOf(request);
    await (chat ? answerChat(chat, reply) : answerOther(request, reply));
  });

  return {
    origin: server.origin,
    port: server.port,
    protocol: protocol.name,
    requests,
    chats,
    get connections() {
      return server.connections;
    },
    get open() {
      return server.open;
    },
    next: (...behaviours) => void queue.push(...behaviours),
    always: (behaviour) => void (fallback = behaviour),
    on: (path, behaviour) => void (behaviour ? elsewhere.set(path, behaviour) : elsewhere.delete(path)),
    down: () => server.down(),
    up: () => server.up(),
    stop: () => server.stop(),
    [Symbol.asyncDispose]: () => server.stop(),
  };
}

/** The JSON object in a request's body; an empty one when it is none. */
export function jsonBody({ body }: RecordedRequest): Record<string, unknown> {
  try {
    const parsed: unknown = JSON.parse(new TextDecoder().decode(body));
    return isObject(parsed) ? parsed : {};
  } catch {
    return {};
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
