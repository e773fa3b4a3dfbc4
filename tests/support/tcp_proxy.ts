/** Stands between a client and a server of this machine, and cuts the connection where a test wants it cut. */
import net from "node:net";
import { startTcpServer, type TcpServer } from "./tcp_server.ts";

/** `up` to the server, `down` to the client. */
export type Direction = "up" | "down";

/** `reset` drops the connection as a crash does, `end` closes it in good order. */
export type CutKind = "reset" | "end";

export interface TcpProxy extends TcpServer {
  /** Bytes passed on so far. */
  readonly passed: Readonly<Record<Direction, number>>;
  /** Lets `bytes` more pass in this direction and cuts the connection before the next one, once. */
  cutAfter(direction: Direction, bytes: number, how?: CutKind): void;
  /** False while a cut waits for its byte. */
  readonly hasCut: boolean;
}

interface Cut {
  readonly direction: Direction;
  readonly how: CutKind;
  left: number;
}

/** @param hostname where to listen; default 127.0.0.1 */
export async function startTcpProxy(toPort: number, hostname?: string): Promise<TcpProxy> {
  const passed = { up: 0, down: 0 };
  let cut: Cut | undefined;

  const pass = (direction: Direction, from: net.Socket, to: net.Socket, hangUp: (how: CutKind) => void) => {
    from.on("data", (bytes: Uint8Array) => {
      const here = cut?.direction === direction ? cut : undefined;
      const through = here ? bytes.subarray(0, here.left) : bytes;
      passed[direction] += through.length;
      if (here) here.left -= through.length;
      if (!here || through.length === bytes.length) return void to.write(through);
      cut = undefined;
      from.pause();
      to.write(through, () => hangUp(here.how));
    });
  };
  const server = await startTcpServer((client) => {
    const target = net.connect(toPort, "127.0.0.1");
    const hangUp = (how: CutKind) => {
      if (how === "reset") client.resetAndDestroy();
      else client.end();
      target.destroy();
    };
    pass("up", client, target, hangUp);
    pass("down", target, client, hangUp);
    target.on("error", () => client.destroy());
    target.on("close", () => client.destroySoon());
    client.on("close", () => target.destroy());
  }, hostname);
  return {
    port: server.port,
    passed,
    get connections() {
      return server.connections;
    },
    get open() {
      return server.open;
    },
    get hasCut() {
      return cut === undefined;
    },
    cutAfter(direction, bytes, how = "reset") {
      cut = { direction, left: bytes, how };
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}
