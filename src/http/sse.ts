/** Server-sent events. */
export const EVENT_STREAM = { "content-type": "text/event-stream; charset=utf-8" };

/** Asks for the next piece when the last one has gone out; `end` is called when the client hangs up. */
export function toByteStream(
  pieces: AsyncGenerator<string, void>,
  end: () => Promise<void>,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await pieces.next();
      if (done) controller.close();
      else controller.enqueue(encoder.encode(value));
    },
    cancel: () => end(),
  }, { highWaterMark: 0 });
}
