import { hostAndPort } from "../core/address.ts";
import { AgentError, describeFault, EXIT } from "../core/errors.ts";
import { formatDuration } from "../core/format.ts";
import type { Log } from "../core/log.ts";
import { pause } from "../core/pause.ts";
import { howToAllow } from "../core/sandbox.ts";
import { readNetworkError } from "../providers/network_error.ts";
import { usableGatewayUrl } from "./gateway_info.ts";
import type { IdentifyGate } from "./identify_gate.ts";
import {
  type BackOffOptions,
  createBackOff,
  describeDown,
  type Down,
  fatalError,
  fateOf,
  type Session,
} from "./reconnect.ts";
import type { ShardSocket } from "./shard_socket.ts";

export interface KeepConnectedOptions {
  readonly shardId: number;
  /** Address of the gateway. */
  readonly url: string;
  /** Makes a connection that takes up this session, or begins a new one. */
  readonly createSocket: (session: Session | undefined, onUp: () => void) => ShardSocket;
  readonly gate: IdentifyGate;
  readonly backOff: BackOffOptions;
  /** A connection that held so long, in milliseconds, makes up for all failures before. */
  readonly stableMs: number;
  readonly log: Log;
  readonly onUp: (socket: ShardSocket) => void;
  readonly onDown: () => void;
}

/**
 * Keeps one shard connected until the signal aborts: one connection after the other, the session of the last taken up
 * where that is possible.
 * @returns the error after which there must be no other try; undefined when the signal has aborted
 */
export async function keepConnected(
  options: KeepConnectedOptions,
  signal: AbortSignal,
): Promise<AgentError | undefined> {
  const { shardId, gate, log, backOff: { firstMs = 1000, random = Math.random } } = options;
  const backOff = createBackOff(options.backOff);
  let session: Session | undefined;
  let strikes = 0;
  for (let failures = 0;;) {
    if (!session && !await gate.pass(shardId, signal)) return undefined;
    const resuming = session !== undefined;
    const { down, socket, upMs } = await serveOne(options, session, signal);
    if (signal.aborted) return undefined;
    if (!resuming && !socket?.opened) gate.giveBack(); // or a long outage would use up the day
    const fatal = fatalError(down) ?? (session?.url === undefined ? sandboxError(down, options.url) : undefined);
    if (fatal) return fatal;
    const wasUp = upMs !== undefined;
    const fate = fateOf(down, { resuming, wasUp, opened: socket?.opened ?? false, strikes });
    session = nextSession(socket?.session ?? session, fate);
    strikes = resuming && !wasUp && socket?.opened ? strikes + 1 : 0;
    failures = wasUp && performance.now() - upMs >= options.stableMs ? 0 : failures + 1;
    // After an invalid session Discord wants a pause of one to five seconds.
    const leastMs = down.kind === "invalid" ? firstMs * (1 + 4 * random()) : 0;
    const pauseMs = Math.max(backOff(Math.max(failures - 1, 0)), leastMs);
    const line = `Discord, connection ${shardId}: ${describeDown(down)}; the next try is in ${formatDuration(pauseMs)}`;
    if (down.kind === "asked") log.info(line); // as it does every few hours
    else log.warn(line);
    if (!await pause(pauseMs, signal)) return undefined;
  }
}

interface Served {
  readonly down: Down;
  readonly socket: ShardSocket | undefined;
  /** When it was up, on the clock of `performance.now()`. */
  readonly upMs: number | undefined;
}

async function serveOne(
  { shardId, createSocket, log, onUp, onDown }: KeepConnectedOptions,
  session: Session | undefined,
  signal: AbortSignal,
): Promise<Served> {
  let socket: ShardSocket | undefined;
  let upMs: number | undefined;
  try {
    const opening = createSocket(session, () => {
      upMs = performance.now();
      log.info(`Discord, connection ${shardId}: ${session ? "session taken up again" : "ready"}`);
      onUp(opening);
    });
    socket = opening;
    return { down: await opening.run(signal), socket, upMs };
  } catch (cause) {
    log.error(`Discord, connection ${shardId}: ${describeFault(cause)}`);
    return { down: { kind: "unreachable", cause }, socket, upMs };
  } finally {
    onDown();
  }
}

function nextSession(session: Session | undefined, fate: ReturnType<typeof fateOf>): Session | undefined {
  if (!session || fate === "drop") return undefined;
  return { ...session, url: fate === "elsewhere" ? undefined : usableGatewayUrl(session.url) };
}

/** What the sandbox refuses once it refuses for ever. */
function sandboxError(down: Down, url: string): AgentError | undefined {
  if (down.kind !== "unreachable" || !isDenied(down.cause)) return undefined;
  const host = hostAndPort(url.replace(/^ws/, "http"));
  return new AgentError(`Cannot talk to ${host}: the sandbox of this program does not allow it`, {
    exitCode: EXIT.permission,
    remedy: howToAllow(host),
  });
}

function isDenied(cause: unknown): boolean {
  // EPERM is what Deno's `node:net` says of a name that the sandbox does not let it look up.
  return readNetworkError(cause).denied || cause instanceof Error && "code" in cause && cause.code === "EPERM";
}
