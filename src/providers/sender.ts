/** One request, ready to go. */
export interface Outgoing {
  /** Path and query, from the slash on. */
  readonly path: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array<ArrayBuffer> | null;
}

/** The head of what came back. */
export interface ReplyHead {
  readonly status: number;
  readonly headers: Headers;
}

/** A request on its way, and what comes back of it. */
export interface Sending {
  /** Resolves with the head of whatever comes back; rejects when nothing does. */
  readonly head: Promise<ReplyHead>;
  /** The next piece of the body, once there is a head; undefined at its end. Rejects when it breaks off. */
  read(): Promise<Uint8Array | undefined>;
  /** Lets go of the connection, whatever has or has not come: nothing of it goes on. May be called at any time. */
  cancel(): Promise<void>;
}

/** Sends one request to the origin it was made for, exactly once, and follows no redirect. */
export type Send = (request: Outgoing) => Sending;
