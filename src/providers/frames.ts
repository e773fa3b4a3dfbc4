import { parseJson } from "./json.ts";

/** Longest line of NDJSON and longest SSE event that is accepted, in characters. */
export const MAX_FRAME_CHARS = 1024 * 1024;

/** Longest JSON document outside any event. */
const MAX_BARE_CHARS = 64 * 1024;

/** How an answer is cut into frames: one JSON object a line, or one a server-sent event. */
export type FrameFormat = "ndjson" | "sse";

/** A body that is no stream of frames, or has a frame over the limit. The message names no content. */
export class FrameError extends Error {
  override readonly name = "FrameError";
}

/** Takes text as it arrives, cut anywhere, and gives back the frames it completes. */
export interface FrameSplitter {
  push(text: string): string[];
  /** The frames that only the end of the body completes. */
  end(): string[];
}

/**
 * Splits a body into frames: the lines of NDJSON, or the data of SSE events (comments, ids, and blank lines dropped,
 * several `data` lines joined as the standard says).
 *
 * @throws {FrameError} from `push` and `end` for a frame over `maxChars`, or a line no event stream has.
 */
export function createFrameSplitter(format: FrameFormat, maxChars: number = MAX_FRAME_CHARS): FrameSplitter {
  const collect = format === "sse" ? createEventCollector(maxChars) : createLineCollector();
  let pending = "";
  const limit = (length: number) => {
    if (length > maxChars) throw new FrameError(`a single line is longer than ${maxChars} characters`);
  };
  return {
    push(text) {
      const frames: string[] = [];
      let start = 0;
      for (let end = text.indexOf("\n"); end !== -1; end = text.indexOf("\n", start)) {
        const line = pending + text.slice(start, end);
        limit(line.length);
        pending = "";
        start = end + 1;
        collect(line.endsWith("\r") ? line.slice(0, -1) : line, frames);
      }
      pending += text.slice(start);
      limit(pending.length);
      return frames;
    },
    end() {
      const frames: string[] = [];
      collect(pending, frames);
      collect("", frames);
      pending = "";
      return frames;
    },
  };
}

type Collector = (line: string, frames: string[]) => void;

function createLineCollector(): Collector {
  return (line, frames) => {
    if (line.trim() !== "") frames.push(line);
  };
}

/**
 * https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation, and one thing it does not
 * have: Gemini may break a stream off with a JSON object outside any event, which becomes a frame of its own.
 */
function createEventCollector(maxChars: number): Collector {
  let data: string | undefined;
  let bare = "";
  return (line, frames) => {
    if (bare !== "" || /^\s*[[{]/.test(line)) {
      bare += `${line}\n`;
      if (bare.length > MAX_BARE_CHARS) throw new FrameError("it is not an event stream");
      if (!/[\]}]\s*$/.test(line) || parseJson(bare) === undefined) return;
      frames.push(bare.trim());
      bare = "";
    } else if (line === "") {
      if (data !== undefined) frames.push(data);
      data = undefined;
    } else if (line.startsWith("data:")) {
      const value = line.slice(line[5] === " " ? 6 : 5);
      data = data === undefined ? value : `${data}\n${value}`;
      if (data.length > maxChars) throw new FrameError(`a single event is longer than ${maxChars} characters`);
    } else if (!/^(:|(event|id|retry)(:|$))/.test(line)) {
      throw new FrameError("it is not an event stream");
    }
  };
}
