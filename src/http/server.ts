import { AgentError, EXIT } from "../core/errors.ts";
import { inTime } from "../core/in_time.ts";
import { howToAllow, isAllowed } from "../core/sandbox.ts";
import { createApp } from "./app.ts";
import { describeError, HttpError } from "./errors.ts";
import { EventLog } from "./event_log.ts";
import { EventStreams } from "./event_stream.ts";
import { tellFault } from "./fault_teller.ts";
import type { GuardOptions } from "./guard.ts";
import { type Handler, listen, type Listener, type ListenOptions } from "./listener.ts";
import { createMetrics } from "./metrics.ts";
import type { Program } from "./program.ts";
import type { BotState } from "./schemas.ts";
import { EVENTS_PATH } from "./status.ts";

/** How long the last bytes of what has ended may take to go out, in milliseconds. */
const FLUSH_MS = 1000;
const STOPPING = new HttpError(503, "The server is stopping", { code: "unavailable" });

/** What is served, where, and to whom. */
export interface ServerOptions extends GuardOptions {
  readonly program: Program;
  readonly version: string;
  /** 0 lets the system choose one. */
  readonly port: number;
  /** How the Discord bot is; off by default. */
  readonly botState?: () => BotState;
}

/** A server that listens. */
export interface RunningServer {
  /** `http://127.0.0.1:8000` */
  readonly origin: string;
  /** Takes no further request, waits for running answers up to `graceMs`, then cuts what is left. */
  stop(graceMs: number): Promise<void>;
}

/**
 * Puts the API together and starts listening.
 * @throws AgentError when the address cannot be listened on
 */
export async function startServer(
  { program, version, port, botState, ...guard }: ServerOptions,
): Promise<RunningServer> {
  using unless = new DisposableStack(); // unless it listens in the end
  const log = unless.use(new EventLog(program.events));
  const streams = unless.use(new EventStreams(log));
  const metrics = unless.use(createMetrics(program, streams));
  const app = createApp({ program, version, log, streams, metrics, botState }, guard);
  const running = new Running();
  const handler: Handler = (request, delivered) => {
    if (running.refusing) return refuse();
    const answer = running.orRefusal(app.fetch(request));
    // The stream of events has no end to wait for.
    if (new URL(request.url).pathname !== EVENTS_PATH) running.add(answer, delivered);
    return answer;
  };
  const onFault = (error: unknown) => tellFault(program.events, error);
  const listener = await listenOn({ hostname: guard.hostname, port, handler, onFault });
  const parts = unless.move();
  return {
    origin: `http://${placeOf({ hostname: guard.hostname, port: listener.port })}`,
    async stop(graceMs) {
      running.refusing = true;
      streams[Symbol.dispose](); // they would never end by themselves
      if (await inTime(graceMs, running.ended())) {
        await inTime(FLUSH_MS, listener.close());
      } else {
        running.interrupted = true;
        listener.interrupt();
        await inTime(FLUSH_MS, running.ended()); // what they write down, and their last words
        const closed = listener.close();
        listener.cut();
        await closed;
      }
      listener.cut();
      parts.dispose();
    },
  };
}

/** The requests under way, from their first line to the last byte of the answer. */
class Running {
  /** True once no further request is taken. */
  refusing = false;
  /** True once those under way have been told to end. */
  interrupted = false;
  readonly #requests = new Set<Promise<unknown>>();

  add(answer: Response | Promise<Response>, delivered: Promise<void>): void {
    // A handler that is cut may go on for a moment after its client has gone.
    const request: Promise<unknown> = Promise.allSettled([answer, delivered])
      .then(() => this.#requests.delete(request));
    this.#requests.add(request);
  }

  /** The answer, unless it only says that it was interrupted by us. */
  async orRefusal(answer: Response | Promise<Response>): Promise<Response> {
    const response = await answer;
    return this.interrupted && response.status >= 400 ? refuse() : response;
  }

  /** Resolves once there is none. */
  async ended(): Promise<void> {
    while (this.#requests.size > 0) await Promise.all(this.#requests);
  }
}

function refuse(): Response {
  const { status, body } = describeError(STOPPING, { openai: false });
  return Response.json(body, { status, headers: { connection: "close" } });
}

async function listenOn(options: ListenOptions): Promise<Listener> {
  // node:http would throw where nobody can catch it.
  const where = placeOf(options);
  if (!isAllowed(where)) throw sandboxRefuses(where);
  try {
    return await listen(options);
  } catch (error) {
    throw describeListenError(error, where);
  }
}

/** `host:port`, as the sandbox names it too. */
function placeOf({ hostname, port }: Pick<ListenOptions, "hostname" | "port">): string {
  return `${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
}

function sandboxRefuses(where: string): AgentError {
  return new AgentError(`Cannot listen on ${where}: the sandbox of this program does not allow it`, {
    exitCode: EXIT.permission,
    remedy: howToAllow(where, "listen"),
  });
}

function describeListenError(error: unknown, where: string): AgentError {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "EADDRINUSE") {
    return new AgentError(`Cannot listen on ${where}: another program does already`, {
      exitCode: EXIT.unavailable,
      remedy: "Stop that program, or choose another port with --port.",
      cause: error,
    });
  }
  return new AgentError(`Cannot listen on ${where}: ${error instanceof Error ? error.name : typeof error}`, {
    exitCode: EXIT.config,
    remedy: "Use an address of this machine and a port above 1023.",
    cause: error,
  });
}
