import type { IncomingMessage } from "node:http";

/**
 * Reads the body of a message of `node:http` piece by piece, and takes no more off the socket than is wanted. One
 * read at a time.
 */
export class BodyReader {
  readonly #message: IncomingMessage;
  /** Called when there may be something to read. */
  #stir = () => {};

  constructor(message: IncomingMessage) {
    this.#message = message;
    const stir = () => this.#stir();
    for (const event of ["readable", "end", "error", "close"]) message.on(event, stir);
  }

  /** The next piece; undefined at the end. Rejects when the body breaks off. */
  async read(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const message = this.#message;
    for (;;) {
      const piece: Uint8Array<ArrayBuffer> | null = message.read();
      if (piece !== null) return piece;
      if (message.readableEnded) return undefined;
      if (message.destroyed) throw new Error("The body broke off");
      await new Promise<void>((resolve) => this.#stir = resolve);
    }
  }
}
