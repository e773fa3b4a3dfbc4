/** A port of 127.0.0.1 on which nobody listens. Somebody may, before it is used. */
export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}
