import assert from "node:assert/strict";
import { listen } from "../../src/http/listener.ts";
import { connectTo, rawRequest, writeAll } from "../support/raw_http.ts";

const PIECE = new Uint8Array(64 * 1024);

Deno.test("listen() lets a client go that takes nothing of its answer", async () => {
  const cancelled = Promise.withResolvers<void>();
  const endless = () => {
    const body = new ReadableStream({ pull: (controller) => controller.enqueue(PIECE), cancel: cancelled.resolve });
    return new Response(body, { headers: { "content-type": "text/event-stream" } });
  };
  const onFault = (error: unknown) => assert.fail(String(error));
  const listener = await listen({ hostname: "127.0.0.1", port: 0, handler: endless, onFault, stuckMs: 50 });
  using client = await connectTo(`http://127.0.0.1:${listener.port}`);
  await writeAll(client, rawRequest(["GET / HTTP/1.1", "host: localhost"]));
  await cancelled.promise;
  await listener.close(); // which waits for every connection
});

Deno.test("listen() tells of what its handler did not foresee, and closes the connection", async () => {
  const faults: unknown[] = [];
  const listener = await listen({
    hostname: "127.0.0.1",
    port: 0,
    handler: () => Promise.reject(new RangeError("odd")),
    onFault: (error) => faults.push(error),
  });
  await assert.rejects(fetch(`http://127.0.0.1:${listener.port}/`), TypeError);
  assert.deepEqual(faults.map(String), ["RangeError: odd"]);
  await listener.close();
});
