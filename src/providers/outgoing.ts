/** Of all a client library wants to send, what a request needs; the rest tells about this machine. */
const HEADERS_SENT = ["accept", "content-type", "authorization", "x-goog-api-key"];

/** The headers of a request, without what it does not need. */
export function minimalHeaders(given: RequestInit["headers"]): Headers {
  const all = new Headers(given);
  const headers = new Headers({ "user-agent": "django-agent" });
  for (const name of HEADERS_SENT) {
    const value = all.get(name);
    if (value !== null) headers.set(name, value);
  }
  return headers;
}

/**
 * A body that can be sent only once. Deno's fetch sends any other body a second time by itself when a kept connection
 * turns out closed: a retry nobody counts, and perhaps an answer that is paid for twice.
 */
export function bodySentOnce(bytes: Uint8Array<ArrayBuffer>): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new ReadableStream({
    start(controller) {
      controller.enqueue(bytes);
      controller.close();
    },
  });
}
