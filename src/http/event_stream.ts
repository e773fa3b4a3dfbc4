import type { EventLog, LoggedEvent } from "./event_log.ts";

/** What one reader may fall behind, in bytes and the event that exceeds them, before it is dropped. */
const MOST_BEHIND_BYTES = 256 * 1024;
/** A comment this often shows both sides that the connection lives, in milliseconds. */
const COMMENT_MS = 15_000;
const COMMENT = ": still here\n\n";

const encoder = new TextEncoder();

/** Streams events to any number of readers. None of them can slow another or make memory grow: who is slow is dropped. */
export class EventStreams implements Disposable {
  readonly #log: EventLog;
  readonly #readers = new Set<Reader>();
  readonly #unsubscribe: () => void;
  readonly #timer: ReturnType<typeof setInterval>;
  #over = false;

  constructor(log: EventLog) {
    this.#log = log;
    // Encoded once for all of them.
    this.#unsubscribe = log.subscribe((event) => this.#send(encoder.encode(format(event))));
    this.#timer = setInterval(() => this.#send(encoder.encode(COMMENT)), COMMENT_MS);
    Deno.unrefTimer(this.#timer);
  }

  /** Ends every stream. */
  [Symbol.dispose](): void {
    this.#over = true;
    clearInterval(this.#timer);
    this.#unsubscribe();
    for (const reader of this.#readers) reader.end();
    this.#readers.clear();
  }

  /** How many there are. */
  get readers(): number {
    return this.#readers.size;
  }

  /** A new stream: first what came after `lastId`, if the reader has been here before. */
  open(lastId: string | undefined): ReadableStream<Uint8Array> {
    const missed = lastId === undefined ? [] : this.#log.since(lastId);
    const reader = new Reader(() => this.#readers.delete(reader));
    if (!this.#over) this.#readers.add(reader);
    reader.send(encoder.encode(`: welcome\nretry: 2000\n\n${missed.map(format).join("")}`));
    if (this.#over) reader.end();
    return reader.stream;
  }

  #send(bytes: Uint8Array): void {
    for (const reader of this.#readers) reader.send(bytes);
  }
}

/** `id`, `event` and `data` of one event. */
function format({ id, at, name, data }: LoggedEvent): string {
  return `id: ${id}\nevent: ${name}\ndata: ${JSON.stringify({ id, at, name, data })}\n\n`;
}

class Reader {
  readonly stream: ReadableStream<Uint8Array>;
  readonly #onGone: () => void;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;

  constructor(onGone: () => void) {
    this.#onGone = onGone;
    this.stream = new ReadableStream<Uint8Array>({
      start: (controller) => void (this.#controller = controller),
      cancel: () => {
        this.#controller = undefined;
        onGone();
      },
    }, new ByteLengthQueuingStrategy({ highWaterMark: MOST_BEHIND_BYTES }));
  }

  send(bytes: Uint8Array): void {
    // Whoever has room gets the whole of it, or a large event could never be read, however often a reader came back.
    if ((this.#controller?.desiredSize ?? 0) > 0) this.#controller?.enqueue(bytes);
    else this.#drop();
  }

  end(): void {
    this.#controller?.close();
    this.#controller = undefined;
  }

  /** The last thing it will read, once it reads again, is why. */
  #drop(): void {
    if (!this.#controller) return;
    const data = { code: "too_slow", message: "You read too slowly and have missed events; connect again" };
    this.#controller.enqueue(encoder.encode(`event: system.dropped\ndata: ${JSON.stringify(data)}\n\n`));
    this.end();
    this.#onGone();
  }
}
