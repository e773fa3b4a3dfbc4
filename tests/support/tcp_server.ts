/** A server on the bare socket, for what no real server does. For tests only. */
import { once } from "node:events";
import net from "node:net";

export interface TcpServer extends AsyncDisposable {
  readonly port: number;
  /** Connections accepted so far. */
  readonly connections: number;
  /** Connections open right now. */
  readonly open: number;
}

/** Hands every connection to `serve`; what is still open at the end is dropped. */
export async function startTcpServer(
  serve: (socket: net.Socket) => void,
  hostname = "127.0.0.1",
): Promise<TcpServer> {
  const open = new Set<net.Socket>();
  let connections = 0;
  const listener = net.createServer((socket) => {
    connections++;
    open.add(socket);
    socket.on("error", () => {}); // the client has gone
    socket.on("close", () => open.delete(socket));
    serve(socket);
    socket.resume(); // or its end would never be noticed
  });
  listener.listen(0, hostname);
  await once(listener, "listening");
  const address = listener.address();
  if (address === null || typeof address === "string") throw new Error("The server has no port");
  return {
    port: address.port,
    get connections() {
      return connections;
    },
    get open() {
      return open.size;
    },
    async [Symbol.asyncDispose]() {
      const closed = once(listener, "close");
      listener.close();
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
}
