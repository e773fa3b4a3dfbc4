/** Of all a client library wants to send, what a request needs; the rest tells about this machine. */
const HEADERS_SENT = new Set(["accept", "content-type", "authorization", "x-goog-api-key"]);

/** The headers of a request, without what it does not need; names in lower case. */
export function minimalHeaders(given: RequestInit["headers"] = {}): Record<string, string> {
  const headers: Record<string, string> = { "user-agent": "django-agent" };
  const plain = !(given instanceof Headers || Array.isArray(given));
  for (const [name, value] of plain ? Object.entries(given) : new Headers(given)) {
    if (HEADERS_SENT.has(name.toLowerCase())) headers[name.toLowerCase()] = value;
  }
  return headers;
}
