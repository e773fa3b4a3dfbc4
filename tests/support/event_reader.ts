/** Reads server-sent events as a browser does. */
import assert from "node:assert/strict";

export interface SeenEvent {
  readonly id: string | undefined;
  readonly event: string;
  /** The whole event, or what the stream says of itself. */
  readonly data: Readonly<Record<string, unknown>>;
}

export interface EventReader {
  /** Comments so far, without their colon. */
  readonly comments: readonly string[];
  /** The next event; undefined at the end of the stream. */
  next(): Promise<SeenEvent | undefined>;
  take(count: number): Promise<SeenEvent[]>;
  /** Everything up to the end of the stream. */
  rest(): Promise<SeenEvent[]>;
  leave(): Promise<void>;
}

export function readEvents(stream: ReadableStream<Uint8Array> | null): EventReader {
  const reader = (stream ?? assert.fail("no stream")).getReader();
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const comments: string[] = [];
  let text = "";
  async function next(): Promise<SeenEvent | undefined> {
    for (;;) {
      const end = text.indexOf("\n\n");
      if (end < 0) {
        const { done, value } = await reader.read();
        if (done) {
          assert.equal(text, "", "the stream ends between two events");
          return undefined;
        }
        text += decoder.decode(value, { stream: true });
        continue;
      }
      const event = parseBlock(text.slice(0, end), comments);
      text = text.slice(end + 2);
      if (event) return event;
    }
  }
  return {
    comments,
    next,
    take: async (count) => {
      const taken: SeenEvent[] = [];
      while (taken.length < count) taken.push(await next() ?? assert.fail(`only ${taken.length} events`));
      return taken;
    },
    rest: async () => {
      const all: SeenEvent[] = [];
      for (let event; (event = await next());) all.push(event);
      return all;
    },
    leave: () => reader.cancel(),
  };
}

function parseBlock(block: string, comments: string[]): SeenEvent | undefined {
  const fields = new Map<string, string>();
  for (const line of block.split("\n")) {
    const [, name = "", value = ""] = /^([a-z]*): (.*)$/s.exec(line) ?? assert.fail(`not a line of an event: ${line}`);
    if (name === "") comments.push(value);
    else fields.set(name, value);
  }
  const data = fields.get("data");
  if (data === undefined) return undefined;
  return { id: fields.get("id"), event: fields.get("event") ?? "message", data: JSON.parse(data) };
}
