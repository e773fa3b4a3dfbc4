import { Buffer } from "node:buffer";
import type { EgressRecorder } from "../providers/exchange.ts";

/** Told of a connection before it is opened, and of every message on it. */
export interface ConnectionRecorder extends EgressRecorder {
  /** So many bytes are about to go out on a connection that `sent()` was told of. */
  sentMore(origin: string, bytes: number): void;
}

/** What is used of a socket of the library, which has no types of its own here. */
export interface CountableSocket {
  on(event: "message", listener: (data: Uint8Array) => void): void;
  send(text: string): void;
}

/** Tells the recorder how many bytes each message on a connection to `origin` has, as it is before TLS. */
export function countTraffic(socket: CountableSocket, origin: string, recorder: ConnectionRecorder): void {
  socket.on("message", ({ byteLength }) => recorder.received(origin, byteLength));
  const send = socket.send.bind(socket);
  // Here and not where packets are made: the bot library sends heartbeats and IDENTIFY by itself.
  socket.send = (text) => {
    recorder.sentMore(origin, Buffer.byteLength(text));
    send(text);
  };
}
